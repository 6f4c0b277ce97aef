"""What stands beside the customers of a list: the products they buy next, by name."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from regulars.tables import NEXT_PRODUCTS
from regulars.warehouse import open_warehouse
from scoring.next_products import PLACES
from tests.models.purchase_shop import AS_OF, DAY, buy, create
from tests.scoring.test_match import FIRST_NIGHT, Shop

NIGHT = (AS_OF - FIRST_NIGHT).days
FITS = {"orders_count": 5, "model_version": "formula-1"}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.segment("loyal", who="orders_count >= 4")
    return shop


def fill(shop: Shop) -> None:
    with open_warehouse(shop.home) as warehouse:
        create(warehouse)
        for number in range(7):
            buy(warehouse, f"c{number}", DAY - 2, *(f"cups-{product}" for product in range(number + 1)))
        buy(warehouse, "regular", DAY - 30, 'od"d, =id')
        buy(warehouse, "everything", DAY - 30, 'od"d, =id', *(f"cups-{product}" for product in range(7)))


def next_products(shop: Shop, day: int = NIGHT) -> dict[str, dict[str, str]]:
    with open_warehouse(shop.home) as warehouse:
        columns = ", ".join(NEXT_PRODUCTS.column_names)
        rows = warehouse.arrow(
            f"select {columns} from scores.next_products where as_of_date = ? order by customer_id", [FIRST_NIGHT + timedelta(days=day)]
        )
    return {row["customer_id"]: row for row in rows.to_pylist()}


def test_members_get_their_own_products_then_popular_ones_and_one_that_is_new(shop: Shop) -> None:
    fill(shop)
    members = dict.fromkeys(("regular", "everything", "bought nothing"), FITS)
    shop.night(NIGHT, members | {"c1": FITS | {"orders_count": 1}})
    found = next_products(shop)
    assert set(found) == set(members)
    regular = found["regular"]
    ids = json.loads(regular["next_product_ids"])
    assert ids == ['od"d, =id', "cups-0", "cups-1", "cups-2", "cups-3"]
    assert len(ids) == PLACES
    assert (regular["next_product_id"], regular["next_product"]) == (ids[0], f"A {ids[0]}")
    assert (regular["new_product_id"], regular["new_product"]) == ("cups-0", "A cups-0")
    assert found["everything"]["new_product_id"] is None
    assert json.loads(found["bought nothing"]["next_product_ids"])[0] == "cups-0"
    assert {row["ranked_by"] for row in found.values()} == {"own_products"}


def test_matching_again_replaces_the_night_and_leaves_others_alone(shop: Shop) -> None:
    fill(shop)
    shop.night(NIGHT - 1, {"regular": FITS})
    shop.night(NIGHT, {"regular": FITS, "everything": FITS})
    before = next_products(shop)
    shop.night(NIGHT, {"regular": FITS, "everything": FITS})
    assert next_products(shop) == before
    shop.night(NIGHT, {"everything": FITS})
    assert set(next_products(shop)) == {"everything"}
    assert set(next_products(shop, NIGHT - 1)) == {"regular"}


def test_what_is_never_recommended_is_not(shop: Shop) -> None:
    fill(shop)
    file = shop.home.config / "prediction.yml"
    file.write_text(file.read_text() + "never_recommended: [cups-0, 'od\"d, =id']\n")
    shop.night(NIGHT, {"regular": FITS})
    assert json.loads(next_products(shop)["regular"]["next_product_ids"]) == [f"cups-{number}" for number in range(1, 6)]


def test_a_shop_without_order_lines_has_lists_without_products(shop: Shop) -> None:
    with open_warehouse(shop.home) as warehouse:
        create(warehouse)
    shop.night(NIGHT, {"regular": FITS})
    assert shop.members(NIGHT, "loyal") == {"regular"}
    assert next_products(shop) == {}
