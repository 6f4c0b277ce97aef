"""The favourite category and its affinity: a probability that comes true, and the same on both engines."""

from datetime import datetime
from pathlib import Path

import pytest

from models.category_affinity import CategoryAffinity
from models.category_affinity_training import LearnedAffinity, learn_category_affinity, read_next_categories
from models.purchases import Knowledge, has_purchases
from regulars.home import Home
from regulars.segment_rule import SegmentRule
from regulars.settings import HomeSettings
from regulars.warehouse import open_warehouse
from tests.models.purchase_shop import AS_OF, DAY, FAVOURITE, buy, create, fill, insert
from tests.models.synthetic_shop import write_configuration

KNOWN = Knowledge(AS_OF, datetime(2024, 6, 1))


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> LearnedAffinity:
    home = write_configuration(tmp_path_factory.mktemp("categories"))
    with open_warehouse(home) as warehouse:
        fill(warehouse, 1200)
        known = read_next_categories(warehouse, AS_OF, HomeSettings(home))
    assert known is not None
    return learn_category_affinity(known)


def test_the_next_order_contains_the_favourite_as_often_as_is_said(learned: LearnedAffinity) -> None:
    ours = learned.metrics["our_model"]
    assert learned.buyers_count > 500
    assert ours["next_order_hit_rate"] > FAVOURITE - 0.05
    assert abs(ours["mean_affinity"] - ours["next_order_hit_rate"]) < 0.03
    assert ours["ece_of_affinity"] < 0.06
    assert ours["next_order_hit_rate"] > learned.metrics["last_category"]["next_order_hit_rate"] + 0.1


def test_tastes_that_stay_do_not_fade_fast(learned: LearnedAffinity) -> None:
    assert learned.affinity.half_life_days > 90
    assert CategoryAffinity.from_json(learned.affinity.to_json()) == learned.affinity


@pytest.fixture(params=["duckdb", "postgres"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    home = write_configuration(tmp_path)
    return request.getfixturevalue("postgres_server").use_for(home) if request.param == "postgres" else home


def test_orders_fade_are_shrunk_to_the_shop_and_calibrated(either: Home) -> None:
    with open_warehouse(either) as warehouse:
        create(warehouse)
        assert not has_purchases(warehouse, "category")
        buy(warehouse, "a", DAY - 100, "cups-1", "cups-2")
        buy(warehouse, "a", DAY - 200, "lamps-1", "cups-1")
        buy(warehouse, "a", DAY, "tools-1")
        buy(warehouse, "b", DAY - 100, "plain")
        insert(warehouse, "staging.stg_products", [{"product_id": "plain", "category": "lamps"}])
        assert has_purchases(warehouse, "category")
        sql = CategoryAffinity(half_life_days=100.0, strength=1.0).favourites_sql(KNOWN)
        found = {row[0]: row[1:] for row in warehouse.rows(f"select * from ({sql}) as favourites")}
        moved = CategoryAffinity(half_life_days=100.0, strength=1.0, shift=1.0, slope=0.0).favourites_sql(KNOWN)
        assert warehouse.rows(f"select category_affinity from ({moved}) as favourites") == [(pytest.approx(0.731059, abs=1e-6),)] * 2
    # a: cups weigh 1/2 + 1/4 of 3/4; the shop has cups 3/4, lamps 1/4 + 1/2, in all 5/4. b: lamps 1/2 of 1/2.
    assert found["a"] == ("cups", pytest.approx((0.75 + 0.6) / 1.75, abs=1e-5))
    assert found["b"] == ("lamps", pytest.approx((0.5 + 0.6) / 1.5, abs=1e-5))


def test_a_rule_may_speak_of_the_favourite() -> None:
    rule = SegmentRule("favourite_category = 'Kitchen' and category_affinity >= 0.5")
    assert rule.columns == {"favourite_category", "category_affinity"}
