"""What a mapping can say, and what comes out."""

from datetime import datetime

import pytest
from ingestion_home import ORDERS, IngestionHome, utc

HEADER = "id,customer,placed,total\n"


def test_canonical_files_need_no_mapping(shop: IngestionHome) -> None:
    shop.sources("  shop:\n    type: files\n    path: files\n    time_zone: UTC\n")
    shop.write("orders.csv", "order_id,account_id,ordered_at,net_revenue,colour\n1,a,2026-02-01 10:00:00,12.50,red\n")
    shop.write("products.csv", "product_id,category,price\np,Toys,3.50\n")
    shop.write("customers.csv", "account_id,email,birth_date,registered_at\na, Ann@Example.com ,1990-02-28,2025-01-01\n")
    shop.write("notes.md", "not a table")
    shop.run()
    assert shop.rows("select ordered_at, currency from raw.orders") == [(utc(2026, 2, 1, 10), "EUR")]
    assert shop.rows("select category, event_at, known_at from raw.products") == [("Toys", utc(1970, 1, 1), utc(1970, 1, 1))]
    assert shop.rows("select email, normalised_email, cast(birth_date as text) from private.customers") == [
        ("Ann@Example.com", "ann@example.com", "1990-02-28")
    ]


@pytest.mark.parametrize(
    ("zone", "text", "utc"),
    [
        ("Europe/Berlin", "2025-07-01 10:00:00", utc(2025, 7, 1, 8)),
        ("Europe/Berlin", "2026-01-01T10:00:00", utc(2026, 1, 1, 9)),
        ("America/New_York", "1997-01-01", utc(1997, 1, 1, 5)),
        ("America/New_York", "2025-07-01T10:00:00Z", utc(2025, 7, 1, 10)),
        ("Asia/Kathmandu", "2025-07-01 10:00:00+02:00", utc(2025, 7, 1, 8)),
        ("Europe/Berlin", "2025-03-30 02:30:00", utc(2025, 3, 30, 1, 30)),
        ("Europe/Berlin", "2025-10-26 01:59:59", utc(2025, 10, 25, 23, 59, 59)),
    ],
)
def test_times_become_utc(shop: IngestionHome, zone: str, text: str, utc: datetime) -> None:
    shop.tables(f"{ORDERS}        time_zone: {zone}\n")
    shop.write("orders.csv", f"{HEADER}1,a,{text},1\n")
    shop.run()
    assert shop.rows("select ordered_at, event_at from raw.orders") == [(utc, utc)]


def test_times_in_formats_of_their_own(shop: IngestionHome) -> None:
    shop.tables(ORDERS.replace("placed,", "{column: placed, format: ['%d.%m.%Y %H:%M', '%d.%m.%Y']},"))
    shop.write("orders.csv", f"{HEADER}1,a,01.07.2025 10:30,1\n2,a,02.01.2026,1\n3,a,2025-07-01,1\n")
    shop.run()
    assert shop.rows("select ordered_at from raw.orders order by line") == [(utc(2025, 7, 1, 8, 30),), (utc(2026, 1, 1, 23),)]
    assert [reason for _, reason, _ in shop.quarantine()] == ["column placed: expected a time like %d.%m.%Y %H:%M or %d.%m.%Y"]


@pytest.mark.parametrize(
    ("settings", "text", "amount"),
    [
        ("decimal: ','", "12,50", "12.5000"),
        ("decimal: ','", "12.50", None),
        ("decimal: ','\n        thousands: '.'", "1.234,56", "1234.5600"),
        ("decimal: ','\n        thousands: '.'", "12.50", None),
        ("thousands: ','", "-1,234,567.8", "-1234567.8000"),
        ("thousands: ','", "12,34", None),
        ("nulls: [n/a]", "n/a", None),
        ("currency: USD", " 7 ", "7.0000"),
    ],
)
def test_amounts_as_the_shop_writes_them(shop: IngestionHome, settings: str, text: str, amount: str | None) -> None:
    shop.tables(f"{ORDERS}        delimiter: ';'\n        {settings}\n")
    shop.write("orders.csv", f"{HEADER.replace(',', ';')}1;a;2026-02-01;{text}\n2;a;2026-02-01;8\n")
    shop.run()
    assert [str(found) for (found,) in shop.rows("select net_revenue from raw.orders where order_id = '1'")] == (
        [] if amount is None else [amount]
    )
    assert shop.account()["rows_quarantined"] == (amount is None)


def test_constants_words_and_currencies(shop: IngestionHome) -> None:
    shop.tables("""
      consents:
        path: newsletter.csv
        columns:
          email: address
          channel: {constant: email}
          status: {column: state, values: {subscribed: granted, "no": denied}}
          changed_at: since
      orders:
        path: orders.csv
        columns: {order_id: id, account_id: customer, ordered_at: placed, net_revenue: total, currency: money}
""")
    shop.write("newsletter.csv", "address,state,since\nA@x.org,subscribed,2026-01-01\nb@x.org,no,2026-01-01\nc@x.org,maybe,2026-01-01\n")
    shop.write("orders.csv", "id,customer,placed,total,money\n1,a,2026-02-01,1,usd\n2,a,2026-02-01,1,Dollar\n")
    shop.run()
    assert shop.rows("select channel, status from raw.consents order by line") == [("email", "granted"), ("email", "denied")]
    assert shop.rows("select currency from raw.orders") == [("USD",)]
    assert [reason for _, reason, _ in shop.quarantine()] == [
        "column state: expected one of granted, denied",
        "column money: expected a currency code of ISO 4217, such as EUR",
    ]


def test_first_rule_that_fits_counts(shop: IngestionHome) -> None:
    shop.tables(f"""{ORDERS}
        exclude:
          - {{reason: test orders, when: "customer like 'test%' or starts_with(upper(id), 'T')"}}
          - {{reason: free, when: total <= 0}}
          - {{reason: old, when: "placed < '2026-01-01'"}}
          - {{reason: by line, when: line between 6 and 6}}
""")
    shop.write(
        "orders.csv",
        f"{HEADER}1,tester,2026-02-01,0\nt2,a,2026-02-01,1\n3,a,2026-02-01,0\n4,a,2025-12-31 23:30:00,1\n"
        "5,a,2026-02-01,1\n6,a,2026-02-01,1\n7,,bad,\n",
    )
    shop.run()
    assert shop.rows("select reason, rows_excluded from control.exclusions order by reason") == [
        ("by line", 1),
        ("free", 1),
        ("old", 1),
        ("test orders", 2),
    ]
    assert shop.rows("select order_id from raw.orders") == [("6",)]
    assert [line for line, _, _ in shop.quarantine()] == [8]


def test_cancellations_become_refunds(shop: IngestionHome) -> None:
    shop.tables("""
      order_lines:
        path: lines.csv
        row_key: none
        columns: {order_id: id, account_id: customer, ordered_at: placed, product_id: sku, quantity: units, unit_price: price}
        exclude: [{reason: samples, when: price = 0}]
        cancellations: {when: "id like 'C%'", matching: {within_days: 30}}
""")
    line = "{},anna,2026-02-01 10:00:00,p,{},{}\n".format
    rows = line("1", 3, "1.50") + line("C2", -2, "1.50") + line("C2", -2, "1.50") + line("C3", -1, "x") + line("C4", 1, 0)
    shop.write("lines.csv", "id,customer,placed,sku,units,price\n" + rows)
    shop.run()
    refunds = shop.rows(
        "select refund_id, order_id, line_id, account_id, product_id, quantity, amount, match_within_days from raw.refunds order by line"
    )
    assert [(a, b, c, d, e, str(f), g) for _, a, b, c, d, e, f, g in refunds] == [(None, None, "anna", "p", 2, "3.0000", 30)] * 2
    assert len({refund[0] for refund in refunds}) == 2
    assert shop.account("order_lines") == {
        "rows_read": 1,
        "rows_loaded": 1,
        "duplicates_merged": 0,
        "rows_excluded": 0,
        "rows_quarantined": 0,
    }
    assert shop.account("refunds") == {"rows_read": 4, "rows_loaded": 2, "duplicates_merged": 0, "rows_excluded": 1, "rows_quarantined": 1}
    assert shop.rows("select table_name, line from private.quarantine") == [("refunds", 5)]


def test_amounts_of_lines_follow_from_one_another(shop: IngestionHome) -> None:
    shop.tables("""
      order_lines:
        row_key: none
        columns: {order_id: id, ordered_at: placed, quantity: units, net_revenue: total}
""")
    shop.write("order_lines.csv", "id,placed,units,total\n1,2026-02-01,3,10.00\n2,2026-02-01,0,10.00\n")
    shop.run()
    assert [(str(a), str(b)) for a, b in shop.rows("select unit_price, net_revenue from raw.order_lines")] == [("3.3333", "10.0000")]
    assert shop.quarantine()[0][1] == "a price per unit is required, and does not follow from a quantity of 0"


def test_one_file_may_give_several_tables(shop: IngestionHome) -> None:
    shop.tables(f"""{ORDERS}
      customers:
        path: orders.csv
        row_key: [customer]
        columns: {{account_id: customer, country: land}}
""")
    shop.write("orders.csv", "id,customer,placed,total,land\n1,a,2026-02-01,1,DE\n2,a,2026-02-02,1,DE\n3,b,2026-02-02,1,AT\n")
    shop.run()
    assert shop.account("orders")["rows_loaded"] == 3
    assert shop.account("customers") == {
        "rows_read": 3,
        "rows_loaded": 2,
        "duplicates_merged": 1,
        "rows_excluded": 0,
        "rows_quarantined": 0,
    }
    assert shop.rows("select count(*) from control.landed_files") == [(1,)]
