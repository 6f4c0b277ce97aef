"""What ingestion writes: the canonical tables, what it could not use or left out, and its accounts."""

from __future__ import annotations

from regulars.tables.contract import Column, Table, required

VERSION_COLUMNS = (
    required("source", "text", "Name of the source in config/sources.yml."),
    required("record_key", "text", "Key of the record within the source and table."),
    required("content_hash", "text", "MD5 over the record's canonical columns: equal content, equal hash."),
    required("event_at", "timestamp", "When it happened."),
    required("known_at", "timestamp", "When we learned it; equals event_at on the first load of a history."),
    required("is_known_at_assumed", "boolean", "True where known_at was assumed to be event_at on a first load."),
    required("run_id", "text", "Run that landed the row."),
    Column("file", "text", "File that the row was read from, relative to the source's folder."),
    Column("line", "integer", "First line of the row in that file, counted from 1 with the header."),
)
"""What every table of `raw` and `private.customers` carries beside its own columns."""


def _landed(schema: str, name: str, grain: str, *columns: Column) -> Table:
    return Table(schema, name, grain, (*columns, *VERSION_COLUMNS), ("source", "record_key", "content_hash", "known_at"), "ingestion")


CUSTOMERS = _landed(
    "private",
    "customers",
    "One row per account or guest per version of its data, per source.",
    required("account_id", "text", "The shop's own id of the account, or guest-… for an e-mail address that ordered without one."),
    Column("email", "text", "E-mail address as the shop gives it."),
    Column("normalised_email", "text", "The address that identifies a person: NFC, lower case, without surrounding blanks."),
    Column("first_name", "text", "Given name."),
    Column("last_name", "text", "Family name."),
    Column("phone", "text", "Phone number as the shop gives it."),
    Column("birth_date", "date", "Date of birth."),
    Column("postal_code", "text", "Postal code."),
    Column("city", "text", "City."),
    Column("country", "text", "Country as the shop gives it."),
    Column("registered_at", "timestamp", "When the account was opened; null for guests."),
)

ORDERS = _landed(
    "raw",
    "orders",
    "One row per order per version.",
    required("order_id", "text", "The shop's own id of the order."),
    Column("account_id", "text", "The account or guest that ordered; null when the shop does not know."),
    required("ordered_at", "timestamp", "When the order was placed."),
    Column("cancelled_at", "timestamp", "When the whole order was cancelled; null when it was not."),
    required("net_revenue", "amount", "Goods after discount, without tax and shipping, before refunds."),
    Column("discount_amount", "amount", "Discount given on the order."),
    Column("shipping_amount", "amount", "Shipping charged."),
    Column("tax_amount", "amount", "Tax charged."),
    required("currency", "text", "ISO 4217 code of the amounts."),
    Column("coupon_code", "text", "Coupon used."),
    Column("items_count", "integer", "Units ordered, for a source without order lines."),
)

ORDER_LINES = _landed(
    "raw",
    "order_lines",
    "One row per order line per version.",
    required("order_id", "text", "The order that the line belongs to."),
    required("line_id", "text", "Id of the line within the source."),
    Column("account_id", "text", "The account or guest that ordered."),
    required("ordered_at", "timestamp", "When the order was placed."),
    Column("product_id", "text", "The shop's own id of the product."),
    Column("product_name", "text", "Name of the product as sold."),
    Column("category", "text", "Category of the product as sold."),
    required("quantity", "integer", "Units."),
    required("unit_price", "amount", "Price of one unit after discount, without tax."),
    required("net_revenue", "amount", "Quantity times unit price, before refunds."),
    Column("discount_amount", "amount", "Discount given on the line."),
    required("currency", "text", "ISO 4217 code of the amounts."),
)

REFUNDS = _landed(
    "raw",
    "refunds",
    "One row per refund or cancelled line per version.",
    required("refund_id", "text", "Id of the refund within the source."),
    Column("order_id", "text", "Order that is refunded; null when the source does not say."),
    Column("line_id", "text", "Order line that is refunded; null for a refund of a whole order or an unknown line."),
    Column("account_id", "text", "The account or guest that is refunded."),
    Column("product_id", "text", "Product that came back."),
    Column("quantity", "integer", "Units that came back."),
    Column("unit_price", "amount", "Price of one unit that came back."),
    required("amount", "amount", "Money given back, a positive number."),
    required("refunded_at", "timestamp", "When it was refunded."),
    Column("reason", "text", "Reason as the shop gives it."),
    Column(
        "match_within_days",
        "integer",
        "For a refund without order: match it to the latest earlier lines of the same account, product and price within so many days.",
    ),
    required("currency", "text", "ISO 4217 code of the amounts."),
)

PRODUCTS = _landed(
    "raw",
    "products",
    "One row per product per version.",
    required("product_id", "text", "The shop's own id of the product."),
    Column("product_name", "text", "Name."),
    Column("category", "text", "Category."),
    Column("cost_amount", "amount", "What one unit costs the shop."),
    Column("price", "amount", "List price of one unit."),
    Column("warranty_days", "integer", "Days of warranty."),
    Column("lifespan_days", "integer", "Days that one unit usually lasts."),
    Column("currency", "text", "ISO 4217 code of the amounts."),
)

CONSENTS = _landed(
    "raw",
    "consents",
    "One row per change of a customer's permission on a channel per version.",
    required("account_id", "text", "The account or guest that gave or withdrew it."),
    required("channel", "text", "email, sms, post or ads."),
    required("status", "text", "granted or denied."),
    required("changed_at", "timestamp", "When it was given or withdrawn."),
    Column("consent_source", "text", "Where it was given, such as checkout."),
)

CANONICAL_TABLES = (CUSTOMERS, ORDERS, ORDER_LINES, REFUNDS, PRODUCTS, CONSENTS)
"""What a source can give. A source declares which of these it does give."""

QUARANTINE = Table(
    "private",
    "quarantine",
    "One row per row of a source that could not be used, per run that read it.",
    (
        required("run_id", "text", "Run that read it."),
        required("source", "text", "Name of the source."),
        required("table_name", "text", "Canonical table that it was meant for."),
        required("file", "text", "File that it stands in."),
        required("line", "integer", "First line of the row in that file, counted from 1 with the header."),
        required("reason", "text", "What is wrong with it, and in which column."),
        required("raw_bytes", "bytes", "The row as it stands in the file."),
        required("quarantined_at", "timestamp", "known_at of the run that read it from its file."),
        Column("mapped_table", "text", "Table whose mapping read it: orders, say, for a cancelled order that was meant for refunds."),
        Column("header", "text", "Names of the file's columns, as a JSON list."),
        Column("extracted_by", "text", "Run that read it from its file: an earlier one, when a requeue found it bad again."),
        Column("closed_by", "text", "Run that read it again, from here or with its file; null while it waits."),
    ),
    ("source", "mapped_table", "file", "line", "run_id"),
    "ingestion",
)

INGESTION_ACCOUNTS = Table(
    "control",
    "ingestion_accounts",
    "One row per run, source and table: rows_read = rows_loaded + duplicates_merged + rows_excluded + rows_quarantined.",
    (
        required("run_id", "text", "Run."),
        required("source", "text", "Name of the source."),
        required("table_name", "text", "Canonical table."),
        required("rows_read", "integer", "Rows that the source gave."),
        required("rows_loaded", "integer", "Rows new to the warehouse, new versions included."),
        required("duplicates_merged", "integer", "Rows whose key and content were known already."),
        required("rows_excluded", "integer", "Rows left out by a declared rule."),
        required("rows_quarantined", "integer", "Rows set aside with a reason."),
        Column("rows_waiting", "integer", "Rows of rows_quarantined that wait still: in no later file, and not mended by a requeue."),
    ),
    ("run_id", "source", "table_name"),
    "ingestion",
)

EXCLUSIONS = Table(
    "control",
    "exclusions",
    "One row per run, source, table and exclude rule: how many rows the rule left out.",
    (
        required("run_id", "text", "Run."),
        required("source", "text", "Name of the source."),
        required("table_name", "text", "Canonical table."),
        required("reason", "text", "The rule's reason."),
        required("rows_excluded", "integer", "Rows that it left out."),
    ),
    ("run_id", "source", "table_name", "reason"),
    "ingestion",
)

LANDED_FILES = Table(
    "control",
    "landed_files",
    "One row per source and file, as it was when last landed: an unchanged file is not read again.",
    (
        required("source", "text", "Name of the source."),
        required("file", "text", "File, relative to the source's folder."),
        required("sha256", "text", "SHA-256 of the file's bytes."),
        required("mapping_sha256", "text", "SHA-256 of the mapping that it was read with."),
        required("run_id", "text", "Run that landed it."),
    ),
    ("source", "file"),
    "ingestion",
)
