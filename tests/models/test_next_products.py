"""Next products: found by what the law of a shop says, known at the date, the same however they are computed."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from models import next_products
from models.next_products import NextProducts, best, ranked
from models.next_products_training import Learned, learn_next_products, read_product_history
from models.next_products_trial import ranking_of
from models.product_neighbours import neighbours_of
from models.product_shelf import all_histories, load_histories, product_names, read_shelf
from models.purchases import Histories, Knowledge
from regulars.home import Home
from regulars.settings import HomeSettings
from regulars.warehouse import Warehouse, open_warehouse
from tests.models.purchase_shop import AS_OF, DAY, buy, create, fill, insert
from tests.models.synthetic_shop import write_configuration

KNOWN = Knowledge(AS_OF, datetime(2024, 6, 1))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = write_configuration(tmp_path_factory.mktemp("products"))
    with open_warehouse(home) as warehouse:
        fill(warehouse, 600)
    return home


@pytest.fixture(scope="module")
def learned(home: Home) -> Learned:
    with open_warehouse(home) as warehouse:
        known = read_product_history(warehouse, AS_OF, HomeSettings(home))
    assert known is not None
    return learn_next_products(known)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Warehouse]:
    """A shop where nothing was bought yet."""
    with open_warehouse(write_configuration(tmp_path)) as warehouse:
        create(warehouse)
        yield warehouse


def test_the_blend_finds_the_law_and_the_simple_rules_do_not(learned: Learned) -> None:
    assert learned.model.ranking == "blend"
    assert learned.cutoff == AS_OF - timedelta(days=60)
    ours, baselines = learned.metrics["our_model"], {name: by for name, by in learned.metrics.items() if name != "our_model"}
    assert set(baselines) == {"own_products", "last_category", "popularity"}
    assert ours["hit_rate_10"] > max(by["hit_rate_10"] for by in baselines.values()) + 0.02
    for metric in ("new_hit_rate_5", "new_hit_rate_10"):
        assert ours[metric] > max(by[metric] for by in baselines.values())


def test_a_partner_speaks_for_its_product_and_what_everyone_buys_for_nothing() -> None:
    chance = np.random.default_rng(1)
    has = chance.random((2000, 3)) < 0.4
    has[:, 1] = np.where(chance.random(2000) < 0.9, has[:, 0], has[:, 1])  # product 1 goes with product 0
    has[:, 2] |= chance.random(2000) < 0.9  # everyone's product
    customer, product = np.nonzero(has)
    bought = Histories(2000, customer, product, np.ones_like(customer), np.full_like(customer, DAY), np.full_like(customer, DAY))
    weights = neighbours_of(bought, 3, DAY).toarray()
    assert weights[0, 1] > 0.5
    assert weights[2].max() < 0.15
    assert weights.diagonal().tolist() == [0, 0, 0]


def test_an_artefact_ranks_as_what_was_learned_and_parts_change_nothing(
    home: Home, learned: Learned, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = NextProducts.from_json(learned.model.to_json())
    assert again.to_json() == learned.model.to_json()
    with open_warehouse(home) as warehouse:
        shelf = read_shelf(warehouse, KNOWN, 60, ())
        count = len(load_histories(warehouse, KNOWN, shelf, "select distinct customer_id from intermediate.int_orders"))
        histories = all_histories(warehouse, count)
    whole = np.concatenate([part.scores for part in ranked(histories, shelf, learned.model, DAY, "blend")])
    monkeypatch.setattr(next_products, "CELLS_PER_PART", 7 * len(shelf))
    parts = [part.scores for part in ranked(histories, shelf, again, DAY, "blend")]
    assert len(parts) > 50
    assert np.array_equal(np.concatenate(parts), whole)


def test_only_what_is_sold_and_known_at_the_date_stands_on_the_shelf(shop: Warehouse) -> None:
    buy(shop, "a", DAY - 10, "cup", "postage")
    buy(shop, "a", DAY - 91, "sold long ago")
    buy(shop, "a", DAY, "bought today")
    buy(shop, "b", DAY - 5, "learned later", known_at=datetime(2024, 6, 2))
    buy(shop, "b", DAY - 5, "cancelled", order="x", cancelled_day=DAY - 1)
    buy(shop, "b", DAY - 6, "returned", "kept")
    insert(
        shop,
        "intermediate.int_refund_allocations",
        [{"order_id": f"b-{DAY - 6}", "product_id": "returned", "quantity": 1, "refunded_day": DAY - 1}],
    )
    insert(
        shop,
        "intermediate.int_refund_allocations",
        [{"order_id": f"b-{DAY - 6}", "product_id": "kept", "quantity": 1, "refunded_day": DAY}],
    )
    insert(shop, "staging.stg_products", [{"product_id": "cup", "product_name": " A fine cup ", "category": "kitchen"}])
    shelf = read_shelf(shop, KNOWN, 60, ("postage",))
    assert shelf.ids == ("cup", "kept")
    assert shelf.categories == ("kitchen", None)
    assert product_names(shop, KNOWN, shelf) == ["A fine cup", "A kept"]


def test_a_history_counts_days_and_nobody_is_left_out(shop: Warehouse) -> None:
    buy(shop, "a", DAY - 30, "cup")
    buy(shop, "a", DAY - 10, "cup", "lamp")
    buy(shop, "a", DAY - 10, "cup", order="second")
    shelf = read_shelf(shop, KNOWN, 60, ())
    ids = load_histories(shop, KNOWN, shelf, "select 'a' as customer_id union select 'never bought'")
    found = all_histories(shop, len(ids))
    assert ids.to_pylist() == ["a", "never bought"]
    entries = zip(found.customer, found.product, found.days_count, found.first_day, found.last_day, strict=True)
    assert list(entries) == [(0, 0, 2, DAY - 30, DAY - 10), (0, 1, 1, DAY - 10, DAY - 10)]
    assert [part.scores.shape for part in ranked(found, shelf, None, DAY, "own_products")] == [(2, 2)]


def test_own_products_come_by_how_often_then_how_lately_then_by_what_is_popular(shop: Warehouse) -> None:
    for day in (50, 40):
        buy(shop, "a", DAY - day, "often")
    buy(shop, "a", DAY - 3, "lately", "lately and popular")
    for number in range(9):
        buy(shop, f"b{number}", DAY - 2, "popular", *(["lately and popular"] if number < 5 else []))
    shelf = read_shelf(shop, KNOWN, 60, ())
    load_histories(shop, KNOWN, shelf, "select 'a' as customer_id")
    (part,) = ranked(all_histories(shop, 1), shelf, None, DAY, "own_products")
    assert [shelf.ids[place] for place in best(part.scores, 5)[0]] == ["often", "lately and popular", "lately", "popular"]


def test_the_last_category_is_that_of_the_last_day(shop: Warehouse) -> None:
    buy(shop, "a", DAY - 9, "lamps-1", "lamps-2")
    buy(shop, "a", DAY - 3, "cups-1")
    buy(shop, "b", DAY - 2, "lamps-1", "lamps-2", "cups-2", "nameless")
    shelf = read_shelf(shop, KNOWN, 60, ())
    load_histories(shop, KNOWN, shelf, "select 'a' as customer_id")
    (part,) = ranked(all_histories(shop, 1), shelf, None, DAY, "last_category")
    assert {shelf.ids[place] for place in best(part.scores, 2)[0]} == {"cups-1", "cups-2"}


@pytest.mark.parametrize("serving", ["own_products", "popularity"])
def test_a_blend_that_hits_no_more_often_does_not_serve(serving: str) -> None:
    everyone = np.ones(10, dtype=bool)
    hits = {
        (name, f"hit_rate_{places}"): np.arange(10) < (5 if name in ("our_model", serving) else 4)
        for name in ("our_model", "own_products", "popularity")
        for places in (5, 10)
    }
    assert ranking_of(hits, everyone) == serving


def test_a_shop_without_order_lines_or_with_few_buyers_learns_nothing(shop: Warehouse, tmp_path: Path) -> None:
    settings = HomeSettings(Home.at(tmp_path))
    assert read_product_history(shop, AS_OF, settings) is None
    for number in range(20):
        buy(shop, f"c{number}", DAY - 90, "cup")
        buy(shop, f"c{number}", DAY - 5, "cup")
    assert read_product_history(shop, AS_OF, settings) is None
