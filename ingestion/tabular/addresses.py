"""The e-mail addresses of a file: how each is compared, and as whom it is known when it ordered as a guest."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from ingestion.guests import GuestPseudonyms
from ingestion.tabular.work_database import WorkDatabase
from regulars.email_address import normalised_email

PLAIN = r"[A-Za-z0-9._+-]{1,64}@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
"""Addresses for which `normalised_email` is nothing but lower case, and the engine can say it: nearly all that there are."""
LONGEST_PLAIN = 254
_NORMALISED = pa.schema([("email", pa.string()), ("normalised_email", pa.string())])


def identify_addresses(work: WorkDatabase, query: str, pseudonyms: GuestPseudonyms | None) -> None:
    """Make the table `addresses`: one row (email as given, normalised_email, guest_id) per address; null where it is none.

    Args:
        query: SQL of the addresses, column `email`, each as often as it comes.
        pseudonyms: None where nobody among them is a guest.
    """
    work.run(
        f"""
        create or replace temporary table found_addresses as
        select email, regexp_full_match(email, '{PLAIN}') and strlen(email) <= {LONGEST_PLAIN} as is_plain
        from (select distinct email from ({query})) where email is not null
        """
    )
    odd = work.arrow("select email from found_addresses where not is_plain")
    work.load("normalised", _NORMALISED, _normalised(odd), "create or replace temporary table odd_addresses as select * from normalised")
    guest_id, parameters = pseudonyms.account_id("normalised_email") if pseudonyms else ("null", [])
    work.run(
        f"""
        create or replace temporary table addresses as
        select *, cast({guest_id} as varchar) as guest_id from (
            select email, lower(email) as normalised_email from found_addresses where is_plain
            union all select email, normalised_email from odd_addresses
        )
        """,
        parameters,
    )


def _normalised(addresses: pa.Table) -> Iterator[pa.RecordBatch]:
    for batch in addresses.to_batches(max_chunksize=50_000):
        given = batch.column(0)
        yield pa.record_batch([given, pa.array(map(normalised_email, given.to_pylist()), pa.string())], schema=_NORMALISED)
