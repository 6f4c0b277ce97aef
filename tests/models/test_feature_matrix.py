"""Features as numbers, the same in training and in scoring."""

import numpy as np
import pyarrow as pa

from models.feature_matrix import FEATURES, OTHER_CODE, FeatureEncoding
from tests.models.synthetic_shop import AS_OF, features_at


def with_column(table: pa.Table, name: str, values: list[object]) -> pa.Table:
    position = table.schema.get_field_index(name)
    return table.set_column(position, name, pa.array(values, table.schema.field(name).type))


def test_the_identity_is_no_feature_and_every_other_column_is_one() -> None:
    names = {feature.name for feature in FEATURES}
    assert names == set(features_at(AS_OF, 1).column_names) - {"customer_id", "as_of_date"}


def test_categories_keep_their_codes_unseen_ones_are_other_and_missing_ones_stay_missing() -> None:
    rows = features_at(AS_OF, 200)
    rows = with_column(rows, "last_category", ["often"] * 120 + ["sometimes"] * 60 + ["rare"] * 10 + [None] * 10)
    encoding = FeatureEncoding.learned_from(rows)
    assert encoding.categories["last_category"] == ("often", "sometimes")
    assert encoding.categories["top_category"] == ()
    column = [feature.name for feature in FEATURES].index("last_category")
    new = with_column(features_at(AS_OF, 5), "last_category", ["sometimes", "often", "rare", "never seen", None])
    codes = encoding.matrix(new)[:, column]
    assert codes[:4].tolist() == [2, 1, OTHER_CODE, OTHER_CODE]
    assert np.isnan(codes[4])
    assert encoding.feature_types[column] == "c"


def test_equally_frequent_categories_are_ordered_by_name_whatever_the_order_of_rows() -> None:
    rows = with_column(features_at(AS_OF, 100), "last_category", ["b", "a"] * 50)
    backwards = with_column(features_at(AS_OF, 100), "last_category", ["a", "b"] * 50)
    assert FeatureEncoding.learned_from(rows).categories == FeatureEncoding.learned_from(backwards).categories


def test_infinite_and_huge_and_missing_values_become_what_a_tree_can_read() -> None:
    rows = with_column(features_at(AS_OF, 4), "historic_value", [1e12, float("inf"), float("-inf"), float("nan")])
    rows = with_column(rows, "mean_gap_days", [1e300, None, 2.5, 0.0])
    encoding = FeatureEncoding.learned_from(rows)
    matrix = encoding.matrix(rows)
    assert matrix.dtype == np.float32
    assert not np.isinf(matrix).any()
    names = encoding.feature_names
    assert matrix[0, names.index("historic_value")] == np.float32(1e12)
    assert np.isnan(matrix[3, names.index("historic_value")])
    assert np.isnan(matrix[1, names.index("mean_gap_days")])


def test_no_rows_make_an_empty_matrix() -> None:
    rows = features_at(AS_OF, 3).slice(0, 0)
    assert FeatureEncoding.learned_from(rows).matrix(rows).shape == (0, len(FEATURES))
