"""The profile of the features that dbt computes: one row per as_of_date and column, some ten statistics each.

The suite reads the profile and not the features: it then holds on every engine, at a cost that does not grow with the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from regulars.errors import GateFailed
from regulars.warehouse import Warehouse

if TYPE_CHECKING:
    import pandas as pd

PROFILE_TABLE = "quality.customer_features_profile"
WHOLE_TABLE = "*"
"""The profile's column_name of the row about the table as a whole; its distinct_count counts customers, exactly."""

STATISTICS = ("rows_count", "null_share", "distinct_count", "min", "max", "mean")
"""The statistics that the suite reads."""


@dataclass(frozen=True)
class Profile:
    """One night's statistics by (column of the features, statistic); a statistic that the column does not have is missing."""

    as_of: date
    values: dict[tuple[str, str], float]

    def value(self, column: str, statistic: str) -> float | None:
        return self.values.get((column, statistic))

    @property
    def rows_count(self) -> float:
        return self.values.get((WHOLE_TABLE, "rows_count"), 0.0)

    def frame(self, wanted: list[tuple[str, str]]) -> pd.DataFrame:
        """One row with a column `<feature>.<statistic>` for every wanted one; NaN where the profile has none."""
        import pandas as pd

        unknown = float("nan")
        row = {f"{column}.{statistic}": [self.values.get((column, statistic), unknown)] for column, statistic in wanted}
        return pd.DataFrame(row, dtype=float)


def profile_of(warehouse: Warehouse, as_of: date) -> Profile:
    """The profile of the night of `as_of`; without any value when dbt has made no row for it.

    Raises:
        GateFailed: there is no profile at all, or it holds two rows for a column.
    """
    if not warehouse.exists(PROFILE_TABLE):
        raise GateFailed(
            f"gate features: {PROFILE_TABLE} does not exist, so nothing is known about the features of {as_of}. "
            "Nothing was sent. Build the features first."
        )
    rows = warehouse.rows(
        f"select column_name, {', '.join(STATISTICS)} from {PROFILE_TABLE} where as_of_date = ? order by column_name",
        [as_of],
    )
    columns = [row[0] for row in rows]
    if len(set(columns)) < len(columns):
        twice = sorted({column for column in columns if columns.count(column) > 1})
        raise GateFailed(
            f"gate features: the profile of {as_of} holds {', '.join(twice)} more than once, expected one row per column. "
            f"Nothing was sent. Look at the dbt model of {PROFILE_TABLE}."
        )
    values = {
        (row[0], statistic): float(value) for row in rows for statistic, value in zip(STATISTICS, row[1:], strict=True) if value is not None
    }
    return Profile(as_of, values)


def last_passed_profile(warehouse: Warehouse, before: date) -> Profile | None:
    """The profile of the latest night before `before` whose gate was passed; None when there is none.

    A night that failed is no measure: after its repair the next one would look like an accident.
    """
    rows = warehouse.rows(
        f"""
        select max(passed.as_of_date)
        from (
            select as_of_date
            from quality.gate_results
            where gate = 'features' and as_of_date < ?
            group by as_of_date
            having min(case when is_met then 1 else 0 end) = 1
        ) as passed
        where exists (select 1 from {PROFILE_TABLE} as profile where profile.as_of_date = passed.as_of_date)
        """,
        [before],
    )
    return profile_of(warehouse, rows[0][0]) if rows[0][0] is not None else None
