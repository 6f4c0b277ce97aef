"""The columns of a list as a file, and the SQL of their cells."""

from __future__ import annotations

import pyarrow as pa

from activation.desired import REASONS
from regulars.warehouse.duckdb import connect

LIVE_FORMULA = r"^'*[=+\-@\t\r\n＝＋－＠]"
"""What a spreadsheet may take for a formula, after any apostrophes, so that an apostrophe put before it can be taken off again."""

HARMLESS = "({0} >= '0' and {0} < ':') or ({0} >= 'A' and {0} < '＋')"
"""SQL of whether a text begins with a digit, or with a letter or what comes after it: nearly all do, and then cannot be live."""

SAFE = "replace(case when " + HARMLESS + " then {0} when regexp_matches({0}, $live) then '''' || {0} else {0} end, '\"', '\"\"')"
"""SQL of a text that is safe for spreadsheets, its quotes doubled."""

TEXTS: dict[str, str] = {name: name for name in ("customer_id", "contact_permission", "currency", "favourite_category")}
TEXTS |= {"email": "case when contact_permission = 'granted' then address end"}
TEXTS |= {name: name for name in ("next_product", "next_product_ids", "new_product", "new_product_id", "offer", *REASONS)}
"""Column of the file → SQL of its text."""

PLAIN: dict[str, str] = {name: name for name in ("entered_on", "expires_on", "offer_valid_until")}
PLAIN |= {name: f"try_cast({name} as decimal(5, 4))" for name in ("churn_probability", "category_affinity")}
PLAIN |= {name: f"try_cast({name} as decimal(18, 2))" for name in ("expected_value", "value_at_risk")}
"""Column of the file → SQL of its number or date, which cannot be a formula."""

COLUMNS = (
    "customer_id",
    "email",
    "contact_permission",
    "entered_on",
    "expires_on",
    "churn_probability",
    "expected_value",
    "value_at_risk",
    "currency",
    "favourite_category",
    "category_affinity",
    "next_product",
    "next_product_ids",
    "new_product",
    "new_product_id",
    "offer",
    "offer_valid_until",
    *REASONS,
)


def cells_of(rows: pa.Table) -> dict[str, str]:
    """Column → SQL of its cell without the quotes around it. Most texts need no care in any row, which one look at all of them tells."""
    with connect() as database:
        database.register("list_rows", rows)
        looks = ", ".join(f"bool_or(not ({HARMLESS.format(text)}) or contains({text}, '\"'))" for text in TEXTS.values())
        need_care = dict(zip(TEXTS, database.execute(f"select {looks} from list_rows").fetchall()[0], strict=True))
    return PLAIN | {name: SAFE.format(text) if need_care[name] else text for name, text in TEXTS.items()}
