"""Generated histories of a shop: every record in versions, learned at once, late or again, changed back in time, merged and undone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from hypothesis import strategies as st

from regulars import tables

FIRST_DAY = date(2023, 6, 1)
NIGHTS = (date(2023, 6, 12), date(2023, 6, 25))
HOURS = 30 * 24
Rows = dict[str, list[dict[str, Any]]]

hours = st.integers(0, HOURS)
delays = st.sampled_from([0, 0, 0, 1, 3, 30, 24 * 9, 24 * 15])
sizes = st.integers(1, 3)
money = st.sampled_from([0, 5, 10, 35])


def known_until(as_of: date) -> datetime:
    """A night knows what was learned until some hours after its as_of."""
    return datetime.combine(as_of, time(4))


def learned_by(rows: Rows, as_of: date) -> Rows:
    """What the night of `as_of` could know: nothing else ever stood in its warehouse."""
    return {name: [row for row in versions if row["known_at"] <= known_until(as_of)] for name, versions in rows.items()}


def union(histories: Iterable[Rows]) -> Rows:
    """Several shops' histories in one warehouse, each under names of its own."""
    together: Rows = {table.name: [] for table in tables.CANONICAL_TABLES}
    for number, history in enumerate(histories):
        for name, versions in history.items():
            together[name] += [_renamed(row, f"h{number}-") for row in versions]
    return together


NAMES = ("source", "account_id", "normalised_email", "product_id")


def _renamed(row: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    key = {"record_key": prefix + row["record_key"]} if "normalised_email" in row else {}
    return {**row, **key, **{name: prefix + row[name] for name in NAMES if row.get(name) is not None}}


class _Landing:
    def __init__(self, draw: st.DrawFn):
        self.draw = draw
        self.rows: Rows = defaultdict(list)

    def moment(self) -> datetime:
        return datetime.combine(FIRST_DAY, time()) + timedelta(hours=self.draw(hours))

    def known(self, event_at: datetime) -> list[datetime]:
        """When the versions of a record were learned: at least one, perhaps several at once."""
        moments = [event_at + timedelta(hours=self.draw(delays))]
        for _ in range(self.draw(st.sampled_from([0, 0, 0, 1, 1, 2]))):
            moments.append(moments[-1] + timedelta(hours=self.draw(st.sampled_from([0, 2, 26, 24 * 6, 24 * 12]))))
        return moments

    def land(self, table: str, source: str, record_key: str, event_at: datetime, known_at: datetime, **values: Any) -> None:
        self.rows[table].append(
            {
                "source": source,
                "record_key": record_key,
                "content_hash": f"{len(self.rows[table]) * 7919 % 1000:03}",
                "event_at": event_at,
                "known_at": known_at,
                "is_known_at_assumed": False,
                "run_id": "r",
                "file": f"{table}.csv",
                "line": len(self.rows[table]) + 2,
                **values,
            }
        )


@st.composite
def histories(draw: st.DrawFn) -> Rows:
    """A shop with orders and one whose orders are known by their lines alone, with a few customers, products, refunds and edits."""
    landing = _Landing(draw)
    accounts = ["a1", "a2", "guest-1"]
    anyone = st.sampled_from([*accounts, None])
    products = st.sampled_from(["p1", "p2"])
    for account in accounts:
        registered_at = landing.moment()
        for known_at in landing.known(registered_at):
            email = draw(st.sampled_from([None, "one", "two", account]))
            landing.land("customers", "shop", account, registered_at, known_at, account_id=account, normalised_email=email)
    for product in ("p1", "p2"):
        listed_at = landing.moment()
        for known_at in landing.known(listed_at):
            category = draw(st.sampled_from([None, "toys", "garden"]))
            landing.land("products", "shop", product, listed_at, known_at, product_id=product, category=category)
    for number in range(draw(st.integers(1, 4))):
        _order(landing, f"o{number}", anyone, products)
    for number in range(draw(st.integers(0, 3))):
        _lines(landing, "archive", f"x{number}", landing.moment(), st.sampled_from(accounts), products)
    for number in range(draw(st.integers(0, 3))):
        refunded_at = landing.moment()
        for known_at in landing.known(refunded_at):
            quantity = draw(sizes)
            landing.land(
                "refunds", "archive", f"u{number}", refunded_at, known_at, refund_id=f"u{number}",
                account_id=draw(st.sampled_from(accounts)), product_id=draw(products), quantity=quantity, unit_price=5,
                amount=5 * quantity, refunded_at=refunded_at,
                match_within_days=draw(st.sampled_from([5, 30, None])), currency="GBP",
            )  # fmt: skip
    return dict(landing.rows)


def _order(landing: _Landing, order_id: str, anyone: st.SearchStrategy[str | None], products: st.SearchStrategy[str]) -> None:
    draw, ordered_at = landing.draw, landing.moment()
    account = draw(anyone)
    for known_at in landing.known(ordered_at):
        # An edit may move the order to another day or customer, or undo it.
        placed_at = ordered_at - timedelta(days=draw(st.sampled_from([0, 0, 0, 4])))
        is_cancelled = draw(st.integers(0, 5)) == 0
        landing.land(
            "orders", "shop", order_id, placed_at, known_at, order_id=order_id,
            account_id=draw(st.sampled_from([account, account, account, "a2"])),
            ordered_at=placed_at, cancelled_at=max(placed_at, known_at - timedelta(hours=1)) if is_cancelled else None,
            net_revenue=draw(money), discount_amount=draw(st.sampled_from([None, 3])), items_count=draw(st.sampled_from([None, 2])),
            currency="GBP",
        )  # fmt: skip
    line_ids = _lines(landing, "shop", order_id, ordered_at, st.just(account), products)
    for number in range(draw(st.sampled_from([0, 0, 1, 2]))):
        refunded_at = ordered_at + timedelta(hours=draw(st.sampled_from([1, 30, 24 * 5])))
        for known_at in landing.known(refunded_at):
            landing.land(
                "refunds", "shop", f"r-{order_id}-{number}", refunded_at, known_at, refund_id=f"r-{order_id}", order_id=order_id,
                line_id=draw(st.sampled_from([None, *line_ids])), account_id=draw(st.sampled_from([None, account])),
                product_id=draw(st.sampled_from([None, None, "p1"])), quantity=draw(st.sampled_from([None, 1, 2])), amount=draw(money) or 1,
                refunded_at=refunded_at, currency="GBP",
            )  # fmt: skip


def _lines(
    landing: _Landing,
    source: str,
    order_id: str,
    ordered_at: datetime,
    accounts: st.SearchStrategy[str | None] | st.SearchStrategy[str],
    products: st.SearchStrategy[str],
) -> list[str]:
    draw = landing.draw
    line_ids = [f"{order_id}-{number}" for number in range(draw(st.integers(0 if source == "shop" else 1, 2)))]
    account = draw(accounts)
    for line_id in line_ids:
        for known_at in landing.known(ordered_at):
            quantity = draw(sizes)
            landing.land(
                "order_lines", source, line_id, ordered_at, known_at, order_id=order_id, line_id=line_id, account_id=account,
                ordered_at=ordered_at, product_id=draw(products), category=draw(st.sampled_from([None, "kitchen"])), quantity=quantity,
                unit_price=5, net_revenue=5 * quantity, currency="GBP",
            )  # fmt: skip
    return line_ids
