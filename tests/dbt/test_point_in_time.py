"""Later events change no earlier feature, and refunds match as the plain loop matches them: on random histories."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from regulars import tables
from tests.dbt.compiled_project import CompiledProject, InMemoryDuckDB

FIRST_DAY = dt.date(2023, 6, 1)
AS_OF_DATES = [dt.date(2023, 8, 1), dt.date(2023, 9, 20), dt.date(2023, 12, 1)]
KNOWN_UNTIL_HOUR = 4
DAYS = 200
FOR_EVER = dt.datetime.fromisoformat("9999-12-31")
TIMES = {
    "orders": "ordered_at",
    "order_lines": "ordered_at",
    "refunds": "refunded_at",
}


def known_until(as_of_date: dt.date) -> dt.datetime:
    return dt.datetime.combine(as_of_date, dt.time(KNOWN_UNTIL_HOUR))


class History:
    """Random versions of everything that a source can give, learned at once, days late, or corrected later."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)  # noqa: S311
        self.rows: dict[str, list[dict[str, Any]]] = {table.name: [] for table in tables.CANONICAL_TABLES}
        self.accounts = [f"a{number}" for number in range(16)] + ["guest-1", "guest-2"]
        self._customers()
        self._products()
        for number in range(80):
            self._order(f"o{number}")
        for number in range(60):
            self._lines_only(f"x{number}")
        for number in range(50):
            self._unassigned_refund(f"u{number}")

    def before(self, as_of_date: dt.date) -> dict[str, list[dict[str, Any]]]:
        """What had happened and was known by that night."""
        midnight = dt.datetime.combine(as_of_date, dt.time())
        past = {}
        for name, rows in self.rows.items():
            kept = [dict(row) for row in rows if row["known_at"] <= known_until(as_of_date)]
            past[name] = [row for row in kept if name not in TIMES or row[TIMES[name]] < midnight]
        for row in past["orders"]:
            if row["cancelled_at"] is not None and row["cancelled_at"] >= midnight:
                row["cancelled_at"] = None
        return past

    def _moment(self, after: dt.datetime | None = None, days: int = DAYS) -> dt.datetime:
        start = after or dt.datetime.combine(FIRST_DAY, dt.time())
        return start + dt.timedelta(hours=self.random.randint(0, days * 24))

    def _delay(self) -> dt.timedelta:
        return dt.timedelta(hours=self.random.choice([0, 0, 0, 1, 5, 30, 24 * 20]))

    def _land(self, table: str, source: str, record_key: str, event_at: dt.datetime, known_at: dt.datetime, **values: Any) -> None:
        line = len(self.rows[table]) + 2
        self.rows[table].append(
            {
                "source": source,
                "record_key": record_key,
                "content_hash": f"{self.random.random()}",
                "event_at": event_at,
                "known_at": known_at,
                "is_known_at_assumed": known_at == event_at,
                "run_id": "r",
                "file": f"{table}.csv",
                "line": line,
                **values,
            }
        )

    def _versions(self, event_at: dt.datetime) -> list[dt.datetime]:
        """When the versions of a record were learned: most have one."""
        moments = [event_at + self._delay()]
        while self.random.random() < 0.25:
            moments.append(self._moment(moments[-1], 60))
        return moments

    def _customers(self) -> None:
        for account_id in self.accounts[2:]:
            event_at = self._moment()
            for known_at in self._versions(event_at):
                email = self.random.choice([None, "a@example.com", "b@example.com", "c@example.com", f"{account_id}@example.com"])
                self._land("customers", "shop", account_id, event_at, known_at, account_id=account_id, normalised_email=email)

    def _products(self) -> None:
        for product_id in ("p1", "p2", "p3"):
            for known_at in sorted({self._moment() for _ in range(4)}):
                category = self.random.choice([None, "toys", "garden"])
                self._land("products", "shop", product_id, known_at, known_at, product_id=product_id, category=category)

    def _line(self) -> dict[str, Any]:
        quantity, price = self.random.randint(1, 4), self.random.choice([2, 5])
        return {
            "product_id": self.random.choice(["p1", "p2", "p3"]),
            "category": self.random.choice([None, None, "kitchen"]),
            "quantity": quantity,
            "unit_price": price,
            "net_revenue": quantity * price,
            "currency": "GBP",
        }

    def _order(self, order_id: str) -> None:
        ordered_at = self._moment()
        account_id = self.random.choice([None, *self.accounts, *self.accounts])
        for known_at in self._versions(ordered_at):
            cancelled_at = self._moment(ordered_at, 30) if self.random.random() < 0.15 else None
            self._land(
                "orders", "shop", order_id, ordered_at, known_at, order_id=order_id, account_id=account_id,
                ordered_at=ordered_at, cancelled_at=cancelled_at, net_revenue=self.random.choice([0, 10, 20, 35]), currency="GBP",
                discount_amount=self.random.choice([None, 0, 3]), items_count=self.random.choice([None, 2]),
            )  # fmt: skip
        for number in range(self.random.randint(0, 3)):
            line_id = f"{order_id}-{number}"
            for known_at in self._versions(ordered_at):
                values = self._line() | {"order_id": order_id, "line_id": line_id, "account_id": account_id, "ordered_at": ordered_at}
                self._land("order_lines", "shop", line_id, ordered_at, known_at, **values)
            if self.random.random() < 0.2:
                refunded_at = self._moment(ordered_at, 60)
                for known_at in self._versions(refunded_at):
                    self._land(
                        "refunds", "shop", f"r-{line_id}", refunded_at, known_at, refund_id=f"r-{order_id}", order_id=order_id,
                        line_id=self.random.choice([None, line_id]), account_id=self.random.choice([None, account_id]),
                        quantity=self.random.choice([None, 1, 2]), amount=self.random.choice([1, 5, 20]), refunded_at=refunded_at,
                        currency="GBP",
                    )  # fmt: skip

    def _lines_only(self, order_id: str) -> None:
        ordered_at = self._moment(days=60)
        for number in range(self.random.randint(1, 3)):
            line_id = f"{order_id}-{number}"
            for known_at in self._versions(ordered_at):
                values = self._line() | {"order_id": order_id, "line_id": line_id, "ordered_at": ordered_at}
                values["account_id"] = self.accounts[int(order_id[1:]) % 3]
                self._land("order_lines", "archive", line_id, ordered_at, known_at, **values)

    def _unassigned_refund(self, refund_id: str) -> None:
        refunded_at = self._moment(days=90)
        for known_at in self._versions(refunded_at):
            line = self._line()
            self._land(
                "refunds", "archive", refund_id, refunded_at, known_at, refund_id=refund_id,
                account_id=self.random.choice(self.accounts[:3]), product_id=line["product_id"],
                quantity=self.random.choice([1, 2, 6]), unit_price=line["unit_price"],
                amount=self.random.choice([1, line["net_revenue"]]), refunded_at=refunded_at,
                match_within_days=self.random.choice([5, 30, 30, None]), currency="GBP",
            )  # fmt: skip


def build(engine: InMemoryDuckDB, project: CompiledProject, rows: dict[str, list[dict[str, Any]]], as_of_dates: list[dt.date]) -> None:
    for table in tables.CANONICAL_TABLES:
        engine.fill(table, rows[table.name])
    nights = [{"as_of_date": as_of_date, "known_until": known_until(as_of_date), "purpose": "night"} for as_of_date in as_of_dates]
    engine.fill(tables.AS_OF_DATES, nights)
    project.build(engine)


def features(engine: InMemoryDuckDB, as_of_date: dt.date) -> list[tuple[Any, ...]]:
    return engine.rows(f"select * from features.customer_features where as_of_date = date '{as_of_date}' order by customer_id")


def versions(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every version with the time at which it was superseded."""
    ordered = sorted(rows, key=lambda row: (row["source"], row["record_key"], row["known_at"], row["content_hash"]))
    found = []
    for row, following in zip(ordered, [*ordered[1:], None], strict=True):
        is_same = following is not None and (following["source"], following["record_key"]) == (row["source"], row["record_key"])
        superseded_at = following["known_at"] if is_same else FOR_EVER
        if superseded_at > row["known_at"]:
            found.append(row | {"superseded_at": superseded_at})
    return found


def matched_by_the_loop(rows: dict[str, list[dict[str, Any]]]) -> list[tuple[Any, ...]]:
    """What int_refund_matches says in SQL, one refund after another."""
    lines = versions(rows["order_lines"])
    refunds = [row for row in versions(rows["refunds"]) if row.get("order_id") is None and row.get("match_within_days")]
    taken: list[tuple[dict[str, Any], dict[str, Any], int]] = []
    for refund in sorted(refunds, key=lambda row: (row["known_at"], row["refunded_at"], row["file"], row["line"], row["record_key"])):
        left = refund["quantity"]
        candidates = [
            line
            for line in lines
            if all(line[name] == refund[name] for name in ("source", "account_id", "product_id", "unit_price"))
            and line["known_at"] <= refund["known_at"] < line["superseded_at"]
            and line["ordered_at"] <= refund["refunded_at"] <= line["ordered_at"] + dt.timedelta(days=refund["match_within_days"])
        ]
        for line in sorted(candidates, key=lambda row: (row["ordered_at"], row["file"], row["line"]), reverse=True):
            gone = sum(
                quantity
                for earlier, earlier_line, quantity in taken
                if earlier_line["record_key"] == line["record_key"]
                and earlier_line["product_id"] == line["product_id"]
                and earlier_line["unit_price"] == line["unit_price"]
                and earlier["superseded_at"] > refund["known_at"]
            )
            quantity = min(left, max(line["quantity"] - gone, 0))
            if quantity:
                taken.append((refund, line, quantity))
                left -= quantity
    return sorted((refund["record_key"], refund["known_at"], line["order_id"], line["line_id"], units) for refund, line, units in taken)


def test_later_events_change_no_earlier_feature(engine: InMemoryDuckDB, compiled_project: CompiledProject) -> None:
    history = History(1)
    build(engine, compiled_project, history.rows, AS_OF_DATES)
    with_the_future = {as_of_date: features(engine, as_of_date) for as_of_date in AS_OF_DATES}
    matches = engine.rows(
        "select refund_record_key, known_at, order_id, line_id, quantity from intermediate.int_refund_matches order by all"
    )
    assert matches == matched_by_the_loop(history.rows)
    assert len(matches) >= 10

    for as_of_date in AS_OF_DATES:
        build(engine, compiled_project, history.before(as_of_date), [as_of_date])
        without_it = features(engine, as_of_date)
        assert len(without_it) >= 10
        assert without_it == with_the_future[as_of_date]
