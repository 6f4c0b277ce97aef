"""Slips in config/sources.yml: the file, the line, the key, and what to write instead."""

import pytest
from ingestion_home import ORDERS, IngestionHome

from ingestion.source import load_source, load_sources, source_names
from regulars.errors import ConfigurationError
from regulars.settings import HomeSettings


def refused(shop: IngestionHome) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_source(shop.home, HomeSettings(shop.home).shop, "shop")
    assert str(shop.home.config / "sources.yml") in str(caught.value)
    return str(caught.value).replace(str(shop.home.config), "")


@pytest.mark.parametrize(
    ("slip", "correct", "line", "complaint"),
    [
        ("colums:", "columns:", 8, "sources.shop.tables.orders.colums: unknown key; did you mean 'columns'?"),
        ("orderd_at:", "ordered_at:", 8, "sources.shop.tables.orders.columns.orderd_at: unknown key; did you mean 'ordered_at'?"),
        ("order_id: [id]", "order_id: id", 8, "sources.shop.tables.orders.columns.order_id: "),
        ("      order:", "      orders:", 6, "sources.shop.tables.order: unknown key; did you mean 'orders'?"),
    ],
)
def test_typo_in_a_key(shop: IngestionHome, slip: str, correct: str, line: int, complaint: str) -> None:
    shop.tables(ORDERS.replace(correct, slip))
    assert refused(shop).startswith(f"/sources.yml:{line}: {complaint}")


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ("encoding: utf-9", "encoding: 'utf-9' is no text encoding that is known; expected utf-8, cp1252, utf-16 or the like"),
        ("encoding: base64", "encoding: 'base64' is no text encoding that is known"),
        ("delimiter: ';;'", "delimiter: "),
        ("{decimal: ',', thousands: ','}", "decimal and thousands are both ','"),
        ("time_zone: Europe/Berlin2", "time_zone: 'Europe/Berlin2' is no IANA time zone"),
        ("currency: Euro", "currency: "),
        ("row_key: id", "row_key: expected `none` or a list of the file's columns"),
        ("exclude: [{reason: gifts, when: 'total >'}]", "exclude.0.when: this is no SQL predicate"),
        ("exclude: [{reason: gifts, when: 'total'}]", "exclude.0.when: the rule must be true or false for each row"),
        ("exclude: [{reason: gifts, wenn: 'total = 0'}]", "exclude.0."),
        ("exclude: [{reason: gifts, when: 'exists (select 1)'}]", "exclude.0.when: 'EXISTS"),
        (
            "exclude: [{reason: gifts, when: \"read_text('/etc/passwd') = ''\"}]",
            "exclude.0.when: \"READ_TEXT('/etc/passwd')\" is not allowed",
        ),
        ("exclude: [{reason: gifts, when: 'total = 0; drop table x'}]", "exclude.0.when: expected one SQL predicate"),
        ("cancellations: {when: 'total < 0'}", "cancellations.matching: the key is missing"),
    ],
)
def test_unusable_setting(shop: IngestionHome, more: str, complaint: str) -> None:
    more = more.strip("{}") if more.startswith("{decimal") else more
    lines = more.split(", thousands") if "thousands" in more else [more]
    text = lines[0] if len(lines) == 1 else f"{lines[0]}\n        thousands{lines[1]}"
    shop.tables(f"{ORDERS}        {text}\n")
    assert complaint in refused(shop)


def test_required_column_that_is_not_mapped(shop: IngestionHome) -> None:
    shop.tables(ORDERS.replace(", net_revenue: total", ""))
    assert "sources.shop.tables.orders: columns: net_revenue must be mapped for orders" in refused(shop)


def test_rows_must_be_told_apart(shop: IngestionHome) -> None:
    shop.tables(ORDERS.replace("order_id: id, ", ""))
    text = refused(shop)
    assert "sources.shop.tables.orders: as order_id is not mapped, say how rows are told apart: row_key: [columns of the file]" in text


def test_unknown_type_and_name(shop: IngestionHome) -> None:
    shop.sources("  shop:\n    type: file\n")
    assert refused(shop) == "/sources.yml:3: sources.shop.type: there is no source type 'file'; known types: files"
    shop.sources("  shopp:\n    type: files\n")
    assert refused(shop) == "/sources.yml:1: sources: there is no source 'shop'; is it now called 'shopp'?"


def test_two_sources_of_orders_need_two_prefixes(shop: IngestionHome) -> None:
    other = f"  other:\n    type: files\n    path: files\n    tables:{ORDERS}"
    shop.sources(f"  shop:\n    type: files\n    path: files\n    tables:{ORDERS}{other}")
    text = refused(shop)
    assert "sources.other: 'shop' and 'other' both give orders with the account_id_prefix ''" in text
    shop.sources(f"  shop:\n    type: files\n    path: files\n    tables:{ORDERS}{other}    account_id_prefix: 'o-'\n")
    assert list(load_sources(shop.home, HomeSettings(shop.home).shop)) == source_names(shop.home) == ["shop", "other"]


@pytest.mark.parametrize(
    ("when", "complaint"),
    [
        ("totl < 0", "the file has no column 'totl'; is it now called 'total'? (orders.csv)"),
        ("id = 7", "'id' is text here: put the value that it is compared with in single quotes (orders.csv)"),
        ("placed > 'yesterday'", "the rules cannot be used: Conversion Error"),
        ("total like '1%'", "the rules cannot be used: "),
    ],
)
def test_rule_that_does_not_fit_the_file(shop: IngestionHome, when: str, complaint: str) -> None:
    shop.tables(f'{ORDERS}        exclude: [{{reason: r, when: "{when}"}}]\n')
    shop.write("orders.csv", "id,customer,placed,total\n1,anna,2026-02-01,secret\n")
    with pytest.raises(ConfigurationError) as caught:
        shop.extract()
    assert complaint in str(caught.value)
    assert "secret" not in str(caught.value)


def test_format_for_a_column_of_times(shop: IngestionHome) -> None:
    shop.tables(ORDERS.replace("placed,", "{column: placed, format: '%d.%m.%Y %z'},"))
    assert "an offset from UTC (%z) is read without a format" in refused(shop)
