"""How the columns of a shop's files become ours: the part of config/sources.yml that describes files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, create_model, field_validator, model_validator

from ingestion.row_predicate import RowPredicate
from regulars.settings import Currency, TimeZone
from regulars.tables import CANONICAL_TABLES, CONSENTS, CUSTOMERS, ORDER_LINES, ORDERS, PRODUCTS, REFUNDS, VERSION_COLUMNS, Column, Table
from regulars.yaml_file import Settings

EMAIL = "email"
"""Beside the columns of the table, what names a person without an account may be mapped, and goes no further than `private`."""

OWN_ID = {
    CUSTOMERS: ("account_id",),
    ORDERS: ("order_id",),
    ORDER_LINES: ("line_id",),
    REFUNDS: ("refund_id",),
    PRODUCTS: ("product_id",),
    # A permission given and withdrawn within the same second is two records, and the stricter one wins later.
    CONSENTS: ("account_id", "channel", "status", "changed_at"),
}
"""Columns that tell the rows of a table apart, where a mapping names no row_key."""

DERIVABLE = {
    ORDERS: {"order_id", "currency"},
    ORDER_LINES: {"line_id", "unit_price", "net_revenue", "currency"},
    REFUNDS: {"refund_id", "currency"},
    CUSTOMERS: set(),
    CONSENTS: {"account_id"},
    PRODUCTS: {"currency"},
}
"""Columns that need no column in the file: ids from the row's key, amounts from one another, guests from their address."""

_COMPUTED = {"normalised_email"}

HOW_TO_TELL_APART = "say how rows are told apart: row_key: [columns of the file], or row_key: none when equal rows are different ones"


def own_columns(table: Table) -> tuple[Column, ...]:
    """The table's columns without those of its versions."""
    return tuple(column for column in table.columns if column not in VERSION_COLUMNS)


def mappable_columns(table: Table) -> tuple[str, ...]:
    """What a file can give for the table."""
    names = [column.name for column in own_columns(table) if column.name not in _COMPUTED]
    return (*names, *([EMAIL] if "account_id" in names and EMAIL not in names else []))


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _as_rule(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


def _as_key(value: Any) -> Any:
    if value == "none":
        return []
    if isinstance(value, str) or value == []:
        raise ValueError("expected `none` or a list of the file's columns, such as [Invoice, Line]")
    return value


Texts = Annotated[list[str], BeforeValidator(_as_list)]


class ColumnRule(Settings):
    """Where the values of one canonical column come from; a plain text is the name of the file's column."""

    column: str | None = Field(default=None, description="Name of the column in the file.")
    constant: str | None = Field(default=None, description="The value of every row.")
    format: Texts = Field(default=[], description="How times are written, such as %d/%m/%Y %H:%M; the first that fits is taken.")
    values: dict[str, str] = Field(default={}, description="What the file's words mean, such as {subscribed: granted}; others stay.")

    @model_validator(mode="after")
    def _says_one_thing(self) -> ColumnRule:
        if (self.column is None) == (self.constant is None):
            raise ValueError("expected either `column:` or `constant:`")
        if any("%z" in text.lower() for text in self.format):
            raise ValueError("an offset from UTC (%z) is read without a format, as in 2026-03-01T14:30:00+01:00; leave the format out")
        return self


def _checked(text: str) -> str:
    RowPredicate(text)
    return text


Predicate = Annotated[str, BeforeValidator(lambda text: _checked(text) if isinstance(text, str) else text)]


class ExcludeRule(Settings):
    """Rows that are left out on purpose; each is counted under its reason."""

    reason: str = Field(min_length=1, description="Why, as it stands in the accounts.")
    when: Predicate = Field(description="SQL predicate over the file's columns, and `line`.")


class Matching(Settings):
    within_days: int = Field(
        ge=0, le=3650, description="Match to the latest earlier lines of the same account, product and price in so many days."
    )


class Cancellations(Settings):
    """Rows that take earlier rows back: they become refunds with positive quantities and amounts."""

    when: Predicate = Field(description="SQL predicate over the file's columns, and `line`.")
    matching: Matching


class TableMapping(Settings):
    """One canonical table and the files that give it. Subclasses know the table's columns."""

    path: Texts = Field(
        default=[], description="File, folder or glob, relative to the source's path; default: whatever bears the table's name."
    )
    row_key: Annotated[list[str] | None, BeforeValidator(_as_key)] = Field(
        default=None,
        description="Columns of the file that tell its rows apart, or none: equal rows are different ones. Default: the table's own id.",
    )
    encoding: str = Field(default="utf-8", description="Such as utf-8, cp1252 or utf-16.")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="What stands between two columns.")
    decimal: str = Field(default=".", pattern="^[.,]$", description="What stands before the cents.")
    thousands: str | None = Field(default=None, pattern="^[., ']$", description="What stands between groups of digits, if anything does.")
    nulls: list[str] = Field(default=[], description="Texts that mean nothing, such as NULL; an empty field always does.")
    time_zone: TimeZone | None = Field(default=None, description="Zone of times without one; default: the source's.")
    currency: Currency | None = Field(default=None, description="Currency of the amounts; default: the source's.")
    exclude: list[ExcludeRule] = Field(default=[], description="The first rule that fits a row counts.")

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, name: str) -> str:
        try:
            "".encode(name)
        except LookupError:
            raise ValueError(f"{name!r} is no text encoding that is known; expected utf-8, cp1252, utf-16 or the like") from None
        return name

    @model_validator(mode="after")
    def _tells_decimal_and_thousands_apart(self) -> TableMapping:
        if self.thousands == self.decimal:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}")
        return self

    def rules(self) -> dict[str, ColumnRule] | None:
        """The mapped canonical columns; None when the file's columns bear the canonical names."""
        columns: Settings | None = getattr(self, "columns", None)
        return None if columns is None else {name: rule for name, rule in columns if rule is not None}


def missing_columns(table: Table, mapped: set[str]) -> list[str]:
    """Columns that the table needs and that neither stand in the file nor follow from others."""
    needed = [column.name for column in own_columns(table) if not column.nullable]
    missing = [name for name in needed if name not in mapped and name not in DERIVABLE[table]]
    if table is ORDER_LINES and not {"unit_price", "net_revenue"} & mapped:
        missing.append("unit_price")
    if table is CONSENTS and not {"account_id", EMAIL} & mapped:
        missing.append("account_id")
    return missing


def missing_id(table: Table, mapped: set[str]) -> list[str]:
    """Columns of the table's own id that are not mapped; an e-mail address stands in for the account."""
    stand_ins = {"account_id"} if table is CONSENTS and EMAIL in mapped else set()
    return [name for name in OWN_ID[table] if name not in mapped | stand_ins]


def _mapping_of(table: Table) -> type[TableMapping]:
    mapped_to: Any = (Annotated[ColumnRule | None, BeforeValidator(_as_rule)], None)
    columns: Any = create_model(
        f"{table.name}_columns",
        __base__=Settings,
        **dict.fromkeys(mappable_columns(table), mapped_to),
    )

    def is_complete(self: TableMapping) -> TableMapping:
        mapped = self.rules()
        if mapped is not None:
            if missing := missing_columns(table, set(mapped)):
                raise ValueError(f"columns: {', '.join(missing)} must be mapped for {table.name}")
            if self.row_key is None and (unmapped := missing_id(table, set(mapped))):
                raise ValueError(f"as {', '.join(unmapped)} is not mapped, {HOW_TO_TELL_APART}")
        return self

    fields: dict[str, Any] = {"columns": (columns | None, Field(default=None, description="Canonical column: column of the file."))}
    if table in (ORDERS, ORDER_LINES):
        fields["cancellations"] = (Cancellations | None, None)
    validators: dict[str, Any] = {"is_complete": model_validator(mode="after")(is_complete)}
    return create_model(f"{table.name}_mapping", __base__=TableMapping, __validators__=validators, **fields)


MAPPINGS: dict[str, type[TableMapping]] = {table.name: _mapping_of(table) for table in CANONICAL_TABLES}
if TYPE_CHECKING:

    class TableMappings(Settings):
        """`tables:` of a source of files: the mapping of each canonical table that it gives."""

else:
    TableMappings = create_model("TableMappings", __base__=Settings, **{name: (mapping | None, None) for name, mapping in MAPPINGS.items()})
