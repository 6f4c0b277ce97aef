"""What the warehouse says that the destinations should hold on an as_of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from regulars.errors import InputError
from regulars.home import Home
from regulars.tables import CUSTOMER_SCORES, PLAYS, SEGMENT_MEMBERSHIPS
from regulars.warehouse import open_warehouse

ADDRESSES = "private.stg_customers"

MEMBERS_SQL = f"""
select m.segment, m.customer_id, a.address, m.contact_permission, m.entered_on, m.expires_on,
       s.churn_probability, s.expected_value, s.value_at_risk, s.currency, p.offer, p.valid_until as offer_valid_until
from {SEGMENT_MEMBERSHIPS.qualified_name} as m
left join {CUSTOMER_SCORES.qualified_name} as s on s.customer_id = m.customer_id and s.as_of_date = m.as_of_date
left join {PLAYS.qualified_name} as p on p.customer_id = m.customer_id and p.as_of_date = m.as_of_date and p.segment = m.segment
left join ({{addresses}}) as a on a.customer_id = m.customer_id
where m.as_of_date = ?
"""

FORMER_SQL = f"""
select segment, customer_id, expires_on
from (
    select segment, customer_id, expires_on,
           row_number() over (partition by segment, customer_id order by as_of_date desc) as age
    from {SEGMENT_MEMBERSHIPS.qualified_name}
    where as_of_date < ?
) as versions
where age = 1 and expires_on is not null
"""

ADDRESSES_SQL = f"""
select customer_id, min(normalised_email) as address
from {ADDRESSES}
where normalised_email like '%@%'
group by customer_id
"""


@dataclass(frozen=True)
class Desired:
    """The night's memberships, read in one go so that the warehouse is not held while a tool is talked to.

    `members`: segment, customer_id, address, contact_permission, entered_on, expires_on, churn_probability, expected_value,
    value_at_risk, currency, offer, offer_valid_until. `former`: segment, customer_id, expires_on of transient memberships
    of earlier nights, the latest of each. `addresses`: customer_id, address.
    """

    as_of: date
    model_version: str
    members: pa.Table
    former: pa.Table
    addresses: pa.Table


def read_desired(home: Home, as_of: date) -> Desired:
    """The memberships of the night of `as_of`.

    Raises:
        InputError: the night has not been scored.
        TryAgain: the warehouse is in use.
    """
    with open_warehouse(home) as warehouse:
        versions = warehouse.rows(f"select max(model_version) from {CUSTOMER_SCORES.qualified_name} where as_of_date = ?", [as_of])
        if versions[0][0] is None:
            raise InputError(
                f"no customer has been scored for {as_of}, so there are no lists; run `python -m scoring` for that as_of first"
            )
        has_addresses = warehouse.exists(ADDRESSES)
        addresses_sql = ADDRESSES_SQL if has_addresses else "select '' as customer_id, '' as address where 1 = 0"
        members = warehouse.arrow(MEMBERS_SQL.format(addresses=addresses_sql), [as_of])
        former = warehouse.arrow(FORMER_SQL, [as_of])
        addresses = warehouse.arrow(addresses_sql)
    return Desired(as_of, str(versions[0][0]), members, former, addresses)
