"""The guests of all files of an extraction as rows of `private.customers`: one each, at the first thing that is known of them."""

from __future__ import annotations

from pathlib import Path

from ingestion.source import Extraction
from ingestion.tabular.mapping import own_columns
from ingestion.tabular.outlet import told_apart
from ingestion.tabular.work_database import WorkDatabase
from regulars.tables import CUSTOMERS
from regulars.warehouse.duckdb import COLUMN_TYPES

FILE = "customers-guests.parquet"


class GuestRows:
    """Collects guests in a table of the work database. A guest's address stands as it is compared, for it may be typed
    differently with every order."""

    def __init__(self, work: WorkDatabase):
        self._work = work
        work.run(
            """
            create temporary table guests (
                guest_id varchar, normalised_email varchar, event_at timestamp, file varchar, line bigint, file_ordinal integer
            )
            """
        )

    def add(self, query: str) -> None:
        """Add the guests of a file: a query of the table's columns, in which a guest may stand several times."""
        self._work.run(
            f"""
            insert into guests
            select * from ({query}) as found
            qualify row_number() over (partition by guest_id order by event_at, line) = 1
            """
        )

    def write(self, into: Path, extraction: Extraction) -> None:
        """Write every guest once; they count as rows read, for the source gave them, if within other rows."""
        own = own_columns(CUSTOMERS)
        given = {"account_id": "guest_id", "email": "normalised_email", "normalised_email": "normalised_email"}
        values = ", ".join(f"cast({given.get(column.name, 'null')} as {COLUMN_TYPES[column.type]}) as {column.name}" for column in own)
        told_apart_by = told_apart([column.name for column in own], {column.name: column.type for column in own})
        count = self._work.rows("select count(distinct guest_id) from guests")[0][0]
        if not count:
            return
        self._work.write_parquet(
            f"""
            with earliest as (
                select * from guests qualify row_number() over (partition by guest_id order by event_at, file_ordinal, line) = 1
            ),
            customers as (select {values}, event_at, file, line, file_ordinal from earliest)
            select * exclude (event_at, file, line, file_ordinal), account_id as record_key, md5({told_apart_by}) as content_hash,
                event_at, file, line, file_ordinal
            from customers
            """,
            into / FILE,
        )
        extract = extraction.tables[CUSTOMERS.name]
        extract.rows_read += count
        extract.parquet.append(FILE)
