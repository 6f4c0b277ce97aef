"""Reasons: true to the row, borne out by the predictor, told of whom a list shows, and the same however they are computed."""

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from scipy.special import expit

from models.baselines import Formula
from models.concepts import CONCEPTS, replaced
from models.contributions import churn_log_odds
from models.serving import Predictor
from regulars.home import Home
from regulars.settings import HomeSettings
from regulars.tables import CUSTOMER_REASONS, NIGHTS, SEGMENT_MEMBERSHIPS
from regulars.warehouse import open_warehouse
from reporting.reasons import CONCEPTS as TITLES
from reporting.reasons import LEAVING
from scoring import reasons as reasons_module
from scoring.leaving import EVIDENCE, NOT_KNOWN, likely_reasons
from scoring.match import match
from scoring.reason_words import FOR_CUSTOMER, FOR_RISK, TYPICAL, sentences
from scoring.reasons import LEAST_MOVE, Told, told_of
from scoring.score import score
from scoring.typical import Opposites, opposites_of
from tests.models.synthetic_shop import AS_OF, CHURN_DAYS, VALUE_DAYS, features_at, scorer_at
from tests.scoring.fact_tables import create_facts

Row = dict[str, Any]


def rounded(number: float) -> int:
    return floor(number + 0.5)


def amount(value: float) -> str:
    return f"EUR {value:,.2f}" if abs(value) < 100 else f"EUR {value:,.0f}"


def before(row: Row) -> float:
    return float(row["net_revenue_180d"] - row["net_revenue_90d"])


def orders(row: Row) -> int:
    return int(row["orders_count"])


def share_of_orders(row: Row, name: str) -> int:
    return rounded(row[name] * row["orders_count"])


SENTENCES: dict[str, Callable[[Row], tuple[Any, ...]]] = {
    r"usually orders every (D), now (D) silent": lambda r: (rounded(r["median_gap_days"]), r["days_since_last_order"]),
    r"came back once, after (D), now (D) silent": lambda r: (r["last_gap_days"], r["days_since_last_order"]),
    r"nothing since the only order (D) ago": lambda r: (r["days_since_last_order"],),
    r"last ordered (D) ago": lambda r: (r["days_since_last_order"],),
    r"ordered (D) ago, and usually does every (D)": lambda r: (r["days_since_last_order"], rounded(r["median_gap_days"])),
    r"ordered (D) ago": lambda r: (r["days_since_last_order"],),
    r"has ordered only once": lambda r: () if r["orders_count"] == 1 else None,
    r"only (O) in (D)": lambda r: (orders(r), r["customer_age_days"]),
    r"of (O), only (N) in the last 365 days": lambda r: (orders(r), r["orders_365d_count"]),
    r"(O), (N) of them in the last 365 days": lambda r: (orders(r), r["orders_365d_count"]),
    r"(O), all in the last 365 days": lambda r: (orders(r),) if r["orders_365d_count"] == orders(r) else None,
    r"no order in the last 90 days, (N) in the 90 days before": lambda r: (r["orders_180d_count"],) if r["orders_90d_count"] == 0 else None,
    r"(O) in the last 90 days, (N) in the 90 days before": lambda r: (
        r["orders_90d_count"],
        r["orders_180d_count"] - r["orders_90d_count"],
    ),
    r"spent (N) % less in the last 90 days than in the 90 days before": lambda r: (100 - 100 * r["net_revenue_90d"] / before(r),),
    r"spent (N) % more in the last 90 days than in the 90 days before": lambda r: (100 * r["net_revenue_90d"] / before(r) - 100,),
    r"the last order brought (A), on average it was (A)": lambda r: (r["last_order_value"], r["average_order_value"]),
    r"has spent only (A) in all": lambda r: (r["historic_value"],),
    r"has spent (A) in all": lambda r: (r["historic_value"],),
    r"spends only (A) an order": lambda r: (r["average_order_value"],),
    r"spends (A) an order": lambda r: (r["average_order_value"],),
    r"has bought only (N) (?:product|different products)": lambda r: (r["distinct_products_count"],),
    r"has bought (N) different products": lambda r: (r["distinct_products_count"],),
    r"has bought from only (N) categor(?:y|ies)": lambda r: (r["distinct_categories_count"],),
    r"has bought from (N) categories": lambda r: (r["distinct_categories_count"],),
    r"(N) % of the money went into “(T)”": lambda r: (100 * r["top_category_share"], r["top_category"]),
    r"the last order was mostly “(T)”": lambda r: (r["last_category"],),
    r"has never ordered at a discount": lambda r: () if share_of_orders(r, "discounted_orders_share") == 0 else None,
    r"the only order was at a discount": lambda r: () if (orders(r), share_of_orders(r, "discounted_orders_share")) == (1, 1) else None,
    r"(N) of (O) at a discount": lambda r: (share_of_orders(r, "discounted_orders_share"), orders(r)),
    r"something of the last order came back": lambda r: () if r["has_refund_on_last_order"] else None,
    r"(N) refunds? so far, the last (D) ago": lambda r: (r["refunds_count"], r["days_since_last_refund"]),
    r"has never been refunded": lambda r: () if r["refunds_count"] == 0 else None,
    r"did not order in these (D) of last year": lambda r: (90,) if r["orders_same_season_last_year_count"] == 0 else None,
    r"(O) in these (D) of last year": lambda r: (r["orders_same_season_last_year_count"], 90),
    r"(N) of (O) on a weekend": lambda r: (share_of_orders(r, "weekend_orders_share"), orders(r)),
    r"the only order was on a weekend": lambda r: () if (orders(r), share_of_orders(r, "weekend_orders_share")) == (1, 1) else None,
    r"the only order was not on a weekend": lambda r: () if (orders(r), share_of_orders(r, "weekend_orders_share")) == (1, 0) else None,
}
"""Every sentence that may be told, and the figures of the row that it must state; None where it must not be told."""

PARTS = {"D": r"([\d,]+) (?:day\b|days\b)", "O": r"([\d,]+) (?:order\b|orders\b)", "N": r"([\d,]+)", "A": r"(EUR -?[\d,.]+)", "T": r"(.*)"}
PATTERNS = {words: re.compile(re.sub(r"\(([DONAT])\)", lambda part: PARTS[part[1]], words)) for words in SENTENCES}


def random_rows(count: int, seed: int = 3) -> pa.Table:
    """Rows of features as they may occur, at their edges often."""
    draw = np.random.default_rng(seed)
    orders = draw.choice([1, 1, 2, 3, 7, 40, 1_250], count)
    windows = np.sort(draw.binomial(orders, 0.5, (3, count)), axis=0)
    revenue = np.sort(np.round(draw.gamma(0.7, 60, (2, count)) * draw.choice([0, 1, 100], (2, count)), 4), axis=0)
    silence, span = draw.choice([1, 2, 34, 71, 90, 400, 2_000], count), draw.choice([0, 1, 300, 1_000], count)
    refunds = draw.choice([0, 0, 1, 5], count)
    known_category = np.where(draw.random(count) < 0.3, None, draw.choice(["Tea & Co", "=1+1", 'Quo"ted', "Kaffee\nBohnen"], count))  # type: ignore[call-overload]
    gap = draw.choice([1.0, 33.5, 34.5, 180.0], count)
    rows = features_at(AS_OF, count, seed)
    given: dict[str, Any] = {
        "orders_count": orders,
        "repeat_order_days_count": np.where(draw.random(count) < 0.2, 0, orders - 1),
        "orders_90d_count": windows[0],
        "orders_180d_count": windows[1],
        "orders_365d_count": windows[2],
        "net_revenue_90d": revenue[0],
        "net_revenue_180d": revenue[1],
        "days_since_last_order": silence,
        "active_span_days": span,
        "customer_age_days": silence + span,
        "median_gap_days": gap,
        "last_gap_days": draw.choice([1, 50], count),
        "historic_value": draw.choice([-5.0, 0.0, 99.994, 99.999, 1_234.5, 1e12], count),
        "last_order_value": draw.choice([0.0, 12.5, 1e9], count),
        "refunds_count": refunds,
        "days_since_last_refund": pa.array(draw.choice([1, 12], count), pa.int64(), mask=refunds == 0),
        "has_refund_on_last_order": (refunds > 0) & (draw.random(count) < 0.3),
        "top_category": known_category,
        "last_category": known_category,
        "top_category_share": draw.choice([0.2, 0.5, 0.666, 1.0], count),
        "discounted_orders_share": draw.binomial(orders, draw.choice([0, 0.5, 1], count)) / orders,
        "weekend_orders_share": draw.binomial(orders, 0.3) / orders,
        "orders_same_season_last_year_count": draw.choice([0, 0, 1, 3], count),
        "distinct_products_count": draw.choice([0, 1, 2, 1_500], count),
        "distinct_categories_count": draw.choice([0, 1, 2, 9], count),
    }
    for name, values in given.items():
        field = rows.schema.field(name)
        array = values if isinstance(values, pa.Array) else pa.array(values.tolist(), field.type)
        rows = rows.set_column(rows.schema.get_field_index(name), field, array)
    return rows


def in_context(rows: pa.Table, is_at_risk: bool, typical: pa.Table) -> pa.Table:
    count = rows.num_rows
    more = {"is_at_risk": [is_at_risk] * count, "currency": ["EUR"] * count, "churn_horizon_days": [90] * count, "row_number": range(count)}
    more |= {TYPICAL + name: [typical[name][0].as_py()] * count for name in typical.column_names}
    for name, values in more.items():
        type = typical.schema.field(name.removeprefix(TYPICAL)).type if name.startswith(TYPICAL) else None
        rows = rows.append_column(name, pa.array(values, type))
    return rows


def holds(sentence: str, row: Row) -> str:
    """The template that the sentence is of; fails unless there is exactly one, and the figures are the row's."""
    found = [(words, match) for words, pattern in PATTERNS.items() if (match := pattern.fullmatch(sentence.replace("\n", "¶")))]
    assert len(found) == 1, sentence
    words, match = found[0]
    expected = SENTENCES[words](row)
    assert expected is not None, (sentence, row)
    for kind, given, wanted in zip(re.findall(r"\(([DONAT])\)", words), match.groups(), expected, strict=True):
        if kind == "T":
            assert given.replace("¶", "\n") == wanted
        elif kind == "A":
            assert given == amount(wanted)
        else:
            assert given == f"{int(given.replace(',', '')):,}"
            assert abs(int(given.replace(",", "")) - wanted) <= 0.5 + 1e-9, (sentence, wanted)
    assert not re.search(r"\b1 (?:days|orders|refunds|categories)\b|[^,\d]0 (?:days|orders)\b", sentence), sentence
    return words


def test_every_sentence_states_the_figures_of_its_row() -> None:
    rows, used = random_rows(500), set()
    everything = np.ones((len(CONCEPTS), rows.num_rows), dtype=np.bool_)
    named = rows.to_pylist()
    for number in range(5):
        for is_at_risk in (True, False):
            told = sentences(in_context(rows, is_at_risk, random_rows(60, seed=9).slice(number * 10, 1)), everything)
            for concept in told.column_names:
                for row, sentence in zip(named, told[concept].to_pylist(), strict=True):
                    if sentence is not None:
                        used.add(holds(sentence, row))
                        assert row["customer_id"] not in sentence
    assert used == set(SENTENCES)


def test_every_concept_can_be_told_of_either_and_has_a_title() -> None:
    assert set(FOR_RISK) == set(FOR_CUSTOMER) == set(TITLES) == set(CONCEPTS)
    assert set(LEAVING) == {name for name, _ in EVIDENCE} | {NOT_KNOWN}


@pytest.fixture(scope="module", params=["blend", "formula"])
def predictor(request: pytest.FixtureRequest, trained_shop: Home) -> Predictor:
    if request.param == "formula":
        return Formula(CHURN_DAYS, VALUE_DAYS, 2.0)
    return scorer_at(trained_shop).predictor


@pytest.fixture(scope="module")
def opposites(trained_shop: Home, predictor: Predictor) -> Opposites:
    with open_warehouse(trained_shop, read_only=True) as warehouse:
        return opposites_of(warehouse, AS_OF, predictor)


def told_in(shop: Home, rows: pa.Table, predictor: Predictor, opposites: Opposites) -> Told:
    return told_of(rows, expit(churn_log_odds(predictor, rows)), predictor, opposites, HomeSettings(shop))


def test_a_reason_is_told_only_where_the_probability_moves_without_it(
    trained_shop: Home, predictor: Predictor, opposites: Opposites
) -> None:
    rows = features_at(AS_OF, 300)
    told = told_in(trained_shop, rows, predictor, opposites)
    concepts, words = told.chosen()
    probability = expit(churn_log_odds(predictor, rows))
    assert 0.1 < told.is_at_risk.mean() < 0.9
    tried = ~np.isnan(told.moves)
    assert (told.moves[tried] > 0).mean() > 0.93, "what contributes to the risk and what lowers it when it is removed are the same"
    assert [[word is None for word in place] for place in words] == [[concept is None for concept in place] for place in concepts]
    for concept in CONCEPTS:
        for is_at_risk, side in ((True, 1), (False, -1)):
            at = np.flatnonzero((concepts == concept).any(axis=0) & (told.is_at_risk == is_at_risk))
            if len(at):
                without = churn_log_odds(predictor, replaced(rows.take(at), {concept}, opposites[is_at_risk].features))
                assert (side * (probability[at] - expit(without)) >= LEAST_MOVE).all(), concept
    told_count = 0
    for number in range(rows.num_rows):
        chosen = [concept for concept in concepts[:, number] if concept]
        assert len(set(chosen)) == len(chosen) <= 3
        weights = [told.contributions[list(CONCEPTS).index(concept), number] for concept in chosen]
        assert weights == sorted(weights, reverse=True)
        told_count += len(chosen)
    assert told_count > rows.num_rows


def test_a_customer_is_told_the_same_alone_and_in_a_batch(trained_shop: Home, predictor: Predictor, opposites: Opposites) -> None:
    rows = features_at(AS_OF, 60)
    whole = told_in(trained_shop, rows, predictor, opposites).chosen()[1]
    alone = [told_in(trained_shop, rows.slice(number, 1), predictor, opposites).chosen()[1] for number in (0, 7, 30)]
    assert np.hstack(alone).tolist() == whole[:, [0, 7, 30]].tolist()


QUIET: Row = {
    **dict.fromkeys(("cancelled_ordered_day", "category_lifespan_days", "last_played_on", "days_since_last_refund"), None),
    **dict.fromkeys(("has_refund_on_last_order", "is_permitted"), False),
    "as_of_day": 20_000,
    "first_night": date(2024, 9, 1),
    "recent_discounted_share": 0.1,
    "earlier_discounted_share": 0.1,
    "orders_count": 5,
    "repeat_order_days_count": 4,
    "days_since_last_order": 100,
    "median_gap_days": 30.0,
    "gap_days_stddev": 10.0,
    "last_gap_days": 30,
    "last_order_value": 40.0,
    "average_order_value": 40.0,
    "discounted_orders_share": 0.0,
    "is_at_risk": True,
    "currency": "EUR",
    "row_number": 1,
}
"""A customer at risk of whom the orders say nothing. as_of is 2024-10-04, the last order of 26 June."""

TYPES = {"cancelled_ordered_day": pa.int64(), "category_lifespan_days": pa.int64(), "last_played_on": pa.date32()}
TYPES |= {"days_since_last_refund": pa.int64(), "first_night": pa.date32()}
TYPES |= dict.fromkeys(("recent_discounted_share", "earlier_discounted_share"), pa.float64())


@pytest.mark.parametrize(
    ("facts", "reason", "evidence"),
    [
        ({}, "not_known", "nothing in the orders says why"),
        ({"is_at_risk": False, "has_refund_on_last_order": True}, None, None),
        ({"has_refund_on_last_order": True}, "dissatisfied", "something of the last order, 100 days ago, came back"),
        ({"days_since_last_refund": 80}, "dissatisfied", "was refunded 80 days ago, and has not ordered since"),
        ({"days_since_last_refund": 100}, "not_known", "nothing in the orders says why"),
        ({"cancelled_ordered_day": 19_950}, "dissatisfied", "cancelled an order placed 50 days ago, and has not ordered since"),
        ({"cancelled_ordered_day": 19_850}, "not_known", "nothing in the orders says why"),
        (
            {"discounted_orders_share": 0.8, "recent_discounted_share": 0.04, "earlier_discounted_share": 0.3},
            "gone_to_competitor",
            "4 of 5 orders at a discount, and the shop gave one on 4 % of the orders of the last 90 days after 30 % before",
        ),
        ({"discounted_orders_share": 0.8}, "not_known", "nothing in the orders says why"),
        (
            {"last_gap_days": 60, "last_order_value": 20.0},
            "gone_to_competitor",
            "orders grew rarer and smaller: the last gap was 60 days (usually 30 days), the last order EUR 20.00 (on average EUR 40.00)",
        ),
        ({"last_gap_days": 60}, "not_known", "nothing in the orders says why"),
        ({"category_lifespan_days": 1_095}, "no_longer_needs_it", "what was bought 100 days ago usually lasts 1,095 days"),
        ({"category_lifespan_days": 90}, "not_known", "nothing in the orders says why"),
        ({"median_gap_days": 364.5}, "no_longer_needs_it", "orders about once a year, every 365 days"),
        (
            {"orders_count": 1, "repeat_order_days_count": 0, "days_since_last_order": 300},
            "no_longer_needs_it",
            "the only order was made in the weeks before Christmas, 300 days ago",
        ),
        (
            {"is_permitted": True, "first_night": date(2024, 6, 1)},
            "feels_uncared_for",
            "may be written to, but stood on no contact list in the 100 days since the last order",
        ),
        ({"is_permitted": True, "first_night": date(2024, 6, 1), "last_played_on": date(2024, 7, 1)}, "not_known", None),
        ({"first_night": date(2024, 6, 1)}, "not_known", None),
        ({"is_permitted": True}, "not_known", None),
        ({"first_night": None, "recent_discounted_share": None, "earlier_discounted_share": None}, "not_known", None),
    ],
)
def test_the_likely_reason_for_leaving_rests_on_evidence(facts: Row, reason: str | None, evidence: str | None) -> None:
    row = QUIET | facts
    found = likely_reasons(pa.table({name: pa.array([value], TYPES.get(name)) for name, value in row.items()})).to_pylist()[0]
    assert found["likely_reason_for_leaving"] == reason
    assert evidence is None or found["leaving_evidence"] == evidence


@pytest.fixture(scope="module")
def matched_shop(trained_shop: Home) -> Home:
    """After a night with two lists; a third of the customers stands on none."""
    segments = trained_shop.config / "segments"
    segments.mkdir()
    whole = {"why": "w", "offer": "o", "priority": 10, "membership": "lasting", "control_share": 0.0, "channel": "email"}
    for name, who in (("quiet", "churn_probability >= 0.6"), ("likely", "churn_probability < 0.3")):
        (segments / f"{name}.yml").write_text(yaml.safe_dump(whole | {"title": name, "who": who}))
    with open_warehouse(trained_shop) as warehouse:
        create_facts(warehouse)
        warehouse.execute(
            "create table staging.stg_consents (account_id varchar, channel varchar, status varchar, changed_at timestamp,"
            " known_at timestamp, superseded_at timestamp)"
        )
        warehouse.execute(
            "create table intermediate.int_account_person_periods"
            " (account_id varchar, customer_id varchar, known_at timestamp, superseded_at timestamp)"
        )
        night = {"as_of_date": AS_OF, "known_until": datetime.combine(AS_OF, datetime.min.time()), "run_id": "r", "config_hash": "h"}
        warehouse.append(NIGHTS, pa.Table.from_pylist([night]))
    score(trained_shop, AS_OF)
    match(trained_shop, AS_OF)
    return trained_shop


def table_of(home: Home) -> list[Row]:
    with open_warehouse(home, read_only=True) as warehouse:
        columns = ", ".join(CUSTOMER_REASONS.column_names)
        sql = f"select {columns} from {CUSTOMER_REASONS.qualified_name} order by as_of_date, customer_id"
        rows: list[Row] = warehouse.arrow(sql).to_pylist()
    return rows


def test_a_night_tells_reasons_of_whom_a_list_shows_and_of_nobody_else(matched_shop: Home) -> None:
    rows = table_of(matched_shop)
    with open_warehouse(matched_shop, read_only=True) as warehouse:
        listed = warehouse.rows(f"select distinct customer_id from {SEGMENT_MEMBERSHIPS.qualified_name} order by 1")
        scores = dict(warehouse.rows("select customer_id, churn_probability from scores.customer_scores"))
    assert [(row["customer_id"],) for row in rows] == listed
    assert 50 < len(rows) < len(scores) - 20
    assert {row["as_of_date"] for row in rows} == {AS_OF}
    for row in rows:
        assert row["is_at_risk"] == (scores[row["customer_id"]] >= 0.5)
        assert (row["likely_reason_for_leaving"] is not None) == row["is_at_risk"] == (row["leaving_evidence"] is not None)
        assert [row[f"reason_{number}"] is None for number in (1, 2, 3)] == [row[f"concept_{number}"] is None for number in (1, 2, 3)]
    assert np.mean([row["reason_1"] is not None for row in rows]) > 0.8


@pytest.mark.parametrize("rows_per_batch", [60, 50_000])
def test_the_same_night_again_and_in_other_batches_tells_the_same(
    matched_shop: Home, rows_per_batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = table_of(matched_shop)
    monkeypatch.setattr(reasons_module, "ROWS_PER_BATCH", rows_per_batch)
    with open_warehouse(matched_shop) as warehouse:
        tomorrow = AS_OF + timedelta(days=1)
        of_tomorrow = [rows[0] | {"as_of_date": tomorrow}]
        warehouse.append(CUSTOMER_REASONS, pa.Table.from_pylist(of_tomorrow))
        night = {"as_of_date": tomorrow, "known_until": datetime.combine(tomorrow, datetime.min.time()), "run_id": "r", "config_hash": "h"}
        warehouse.append(NIGHTS, pa.Table.from_pylist([night]))
    match(matched_shop, AS_OF)
    assert table_of(matched_shop) == [*rows, *of_tomorrow]
    with open_warehouse(matched_shop) as warehouse:
        for table in (CUSTOMER_REASONS, NIGHTS):
            warehouse.execute(f"delete from {table.qualified_name} where as_of_date > ?", [AS_OF])


def test_a_night_without_members_tells_nothing(matched_shop: Home, tmp_path: Path) -> None:
    nobody = AS_OF - timedelta(days=3)
    match(matched_shop, nobody)
    assert {row["as_of_date"] for row in table_of(matched_shop)} == {AS_OF}
