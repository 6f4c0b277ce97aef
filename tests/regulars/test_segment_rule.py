import pytest
from hypothesis import given
from hypothesis import strategies as st

from regulars.segment_rule import RULE_COLUMNS, RuleError, SegmentRule
from regulars.warehouse.duckdb import COLUMN_TYPES, connect

NUMBERS = sorted(name for name, type_ in RULE_COLUMNS.items() if type_ in ("integer", "double"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("order_count > 2", "did you mean 'orders_count'"),
        ("orders_count", "must be true or false"),
        ("orders_count > (select 1)", "not allowed"),
        ("orders_count > 1; drop table raw.orders", "expected one SQL predicate"),
        ("random() < 0.5", "not allowed"),
        ("raw.orders_count > 1", "without a table"),
        ("orders_count > 'a", "not closed"),
        ("orders_count > ", "no SQL predicate"),
        ("email = 'x'", "no column 'email'"),
        ("", "expected one SQL predicate"),
        ("customer_id = 'c1'", "no column 'customer_id'"),
        ("read_csv('x') is not null", "not allowed"),
    ],
)
def test_what_is_no_rule_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(RuleError, match=complaint):
        SegmentRule(text)


@given(column=st.sampled_from(NUMBERS), operator=st.sampled_from([">", "<=", "=", "<>"]), number=st.integers(-1000, 1000))
def test_a_rule_means_in_the_warehouse_what_it_says(column: str, operator: str, number: int) -> None:
    with connect() as connection:
        columns = ", ".join(f"{name} {COLUMN_TYPES[type_]}" for name, type_ in RULE_COLUMNS.items())
        connection.execute(f"create table customers ({columns})")
        connection.executemany(f"insert into customers ({column}) values (?)", [[number - 1], [number], [number + 1], [None]])
        rule = SegmentRule(f"{column} {operator} {number} and not {column} is null")
        assert rule.columns == {column}
        found = connection.execute(f"select count(*) from customers where {rule.sql()}").fetchall()[0][0]
        assert found == {">": 1, "<=": 2, "=": 1, "<>": 2}[operator]


def test_a_quotient_is_a_fraction_and_by_zero_it_is_unknown(postgres_server) -> None:
    rule = SegmentRule("orders_90d_count / orders_count >= 0.5").sql()
    customers = "(values (1, 2), (1, 3), (1, 0)) as customers (orders_90d_count, orders_count)"
    count = f"select count(*) from {customers} where {rule}"
    with connect() as connection:
        assert connection.execute(count).fetchall() == [(1,)]
    assert postgres_server.administer(count) == [(1,)]


@given(st.text(max_size=60))
def test_no_text_gets_past_the_check_as_anything_but_a_predicate(text: str) -> None:
    try:
        rule = SegmentRule(text)
    except RuleError:
        return
    assert rule.columns <= set(RULE_COLUMNS)
