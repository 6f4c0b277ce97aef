import pytest

from ingestion.row_predicate import RowPredicate
from regulars.segment_rule import RuleError


@pytest.mark.parametrize(
    "text",
    [
        "now() > 1", "a > (select max(a) from t)", "read_csv('x') = 1", "a = 1; b = 2", "", "a", "a +", "t.a = 1",
        "'x' = lower(pg_read_file('y'))",
        "cast(a as int) = 1", "a over () = 1", "row_number() over () = 1", "a ~ 'x'", "getenv('HOME') = ''",
        "a = $1", "1", "a = 'x", "replace(a, 'b', 'c') = 'd'",
    ],
)  # fmt: skip
def test_anything_but_a_plain_predicate_is_refused(text: str) -> None:
    with pytest.raises(RuleError):
        RowPredicate(text)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("a > 1 and not b is null", {"a", "b"}),
        ("\"Customer ID\" is null or starts_with(Invoice, 'C')", {"Customer ID", "Invoice"}),
        ("upper(trim(a)) like 'X%' or length(a) between 3 and 5 or lower(a) in ('b', 'c')", {"a"}),
        ("line between 2 and 10", {"line"}),
    ],
)
def test_columns_of_a_predicate(text: str, columns: set[str]) -> None:
    assert RowPredicate(text).columns == columns


def test_columns_are_replaced_as_names_never_as_text() -> None:
    sql = RowPredicate("\"x; drop table t\" = 'a'' or 1=1' and b > 2").sql({"x; drop table t": "t0", "b": "v_b"})
    assert sql == "coalesce(t0 = 'a'' or 1=1' AND v_b > 2, false)"
