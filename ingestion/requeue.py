"""Read what waits in quarantine again, with the mapping as it is now, and land what is good: one transaction, an account of its own.

A row is given to the same parser and the same typing as the rows of a file, and gets the record_key and the content that
it would have got from its file, so that reading the file again merges it. What is bad again waits on under its new reason.
A requeue never puts an old row over a newer one: where the record has been landed since with other content, or another row
of the same reading has the same key, the row stays in quarantine and says so.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa

from ingestion.extraction import remove_extract
from ingestion.landing import FIRST_REQUEUED, Landing
from ingestion.source import Extraction, WaitingRows, load_source
from regulars.home import Home
from regulars.run import Kind, step
from regulars.tables import Table
from regulars.warehouse import open_warehouse


def requeue_source(home: Home, source_name: str, as_of: date, kind: Kind) -> None:
    """Read the source's waiting rows again and land them, all or nothing.

    Again within the same run, it takes back what it did before, so that a mapping mended twice counts once.

    Raises:
        ConfigurationError: config/sources.yml does not fit, or does not give a table any more for which rows wait.
        InputError: the rows cannot be told apart, or lack a column that the mapping names.
    """
    with step(home, f"requeue {source_name}", kind, as_of) as run:
        source = load_source(home, run.settings.shop, source_name)
        # The run may have landed the source itself: the accounts of the two stay apart.
        own_run = replace(run, run_id=f"{run.run_id}-requeue")
        folder = home.extracts / own_run.run_id / source_name
        shutil.rmtree(folder, ignore_errors=True)
        home.private_folder(home.extracts)
        home.private_folder(folder.parent)
        home.private_folder(folder)
        try:
            with open_warehouse(home, role="loader") as warehouse, warehouse.transaction():
                requeue = Requeue(warehouse, own_run, source_name, folder)
                requeue.withdraw()
                if waiting := requeue.waiting():
                    extraction = source.reread(
                        waiting, folder, known_at=run.known_at, first_ordinal=FIRST_REQUEUED, places_taken=requeue.places_taken
                    )
                    # A table for which nothing waits is none that the run has read.
                    extraction.tables = {name: extract for name, extract in extraction.tables.items() if extract.rows_read}
                    requeue.land(extraction)
                run.summary = requeue.in_words()
        finally:
            remove_extract(folder)


class Requeue(Landing):
    """The writes of one requeue of one source, inside the caller's transaction."""

    def waiting(self) -> list[WaitingRows]:
        """The rows that wait, by reading and file, the earliest reading first."""
        # Rows set aside before headers were kept cannot be read without their file.
        self._warehouse.create_temporary(
            "waiting_rows",
            """
            as
            select mapped_table, file, line, raw_bytes, header, extracted_by, quarantined_at,
                cast(? + dense_rank() over by_reading - 1 as integer) as file_ordinal
            from private.quarantine
            where source = ? and closed_by is null and header is not null
            window by_reading as (order by quarantined_at, file, mapped_table, extracted_by, header)
            """,
            [FIRST_REQUEUED, self._source],
        )
        groups = self._warehouse.rows(
            """
            select file_ordinal, min(mapped_table), min(file), min(header)
            from waiting_rows group by file_ordinal order by file_ordinal
            """
        )
        return [
            WaitingRows(
                mapped_table,
                file,
                json.loads(header),
                self._warehouse.arrow("select line, raw_bytes from waiting_rows where file_ordinal = ? order by line", [ordinal]),
            )
            for ordinal, mapped_table, file, header in groups
        ]

    def places_taken(self, table: Table, begins: Sequence[str]) -> pa.Table:
        """See `ingestion.source.PlacesTaken`."""
        self._warehouse.create_temporary("begins_of_keys", "(begin_of_key varchar)")
        self._warehouse.append_temporary("begins_of_keys", pa.table({"begin_of_key": pa.array(begins, pa.string())}))
        return self._warehouse.arrow(
            f"""
            select begin_of_key, count(distinct record_key) as taken
            from {table.qualified_name} inner join begins_of_keys on regexp_replace(record_key, '[0-9]+$', '') = begin_of_key
            where source = ? group by begin_of_key
            """,
            [self._source],
        )

    def _quarantine(self, files: Sequence[str]) -> None:
        self._warehouse.load_temporary("quarantined_rows", [self._folder / file for file in files])
        self._set_aside("select table_name, mapped_table, file, line, reason from quarantined_rows")

    def _set_aside(self, query: str) -> None:
        """Keep rows (table_name, mapped_table, file, line, reason) waiting, with the bytes and the origin that they had."""
        self._warehouse.execute(
            f"""
            insert into private.quarantine (
                run_id, source, table_name, file, line, reason, raw_bytes, quarantined_at, mapped_table, header, extracted_by
            )
            select
                cast(? as varchar), cast(? as varchar), bad.table_name, bad.file, bad.line, bad.reason,
                waiting.raw_bytes, waiting.quarantined_at, waiting.mapped_table, waiting.header, waiting.extracted_by
            from ({query}) as bad
            inner join waiting_rows as waiting
                on bad.mapped_table = waiting.mapped_table and bad.file = waiting.file and bad.line = waiting.line
            """,
            [self._run.run_id, self._source],
        )

    def land(self, extraction: Extraction) -> None:
        # All that waited has been read: it is closed, or waits on as a row of this run.
        self._warehouse.execute(
            """
            update private.quarantine set closed_by = ?
            where source = ? and run_id <> ? and closed_by is null and header is not null
            """,
            [self._run.run_id, self._source, self._run.run_id],
        )
        super().land(extraction)

    def _offer(self, table: Table, files: Sequence[Path]) -> None:
        """Without the rows whose record has been landed with other content, by a later reading or by another row of their own."""
        self._warehouse.load_temporary("reread_rows", files)
        self._warehouse.create_temporary(
            "overtaken_rows",
            f"""
            as
            with known as (
                select record_key, content_hash, known_at, is_known_at_assumed, run_id, file, line,
                    row_number() over (partition by record_key order by known_at desc) as newest
                from {table.qualified_name}
                where source = ? and record_key in (select record_key from reread_rows)
            )
            select offered.record_key, offered.file_ordinal, waiting.mapped_table, offered.file, offered.line,
                'the row at line ' || known.line
                || case when known.file = offered.file then '' else ' of ' || known.file end
                || ' has the same key and another content, and has been landed' as reason
            from reread_rows as offered
            inner join waiting_rows as waiting on offered.file_ordinal = waiting.file_ordinal and offered.line = waiting.line
            inner join known on offered.record_key = known.record_key and known.newest = 1 and known.content_hash <> offered.content_hash
            where (known.run_id = waiting.extracted_by and known.file >= waiting.file)
                or (known.run_id <> waiting.extracted_by and not known.is_known_at_assumed and known.known_at > waiting.quarantined_at)
            """,
            [self._source],
        )
        self._set_aside(f"select '{table.name}' as table_name, mapped_table, file, line, reason from overtaken_rows")
        self._warehouse.create_temporary(
            "offered_rows",
            """
            as
            select * from reread_rows as offered
            where not exists (
                select 1 from overtaken_rows as overtaken
                where overtaken.record_key = offered.record_key and overtaken.file_ordinal = offered.file_ordinal
            )
            """,
        )

    def in_words(self) -> str:
        """What became of the rows, for the person who watches."""
        read = self._number("select count(*) from waiting_rows", [])
        if not read:
            return "nothing waits in quarantine"
        accounts = self._warehouse.rows(
            """
            select sum(rows_loaded), sum(duplicates_merged), sum(rows_excluded), sum(rows_quarantined)
            from control.ingestion_accounts where source = ? and run_id = ?
            """,
            [self._source, self._run.run_id],
        )
        loaded, merged, excluded, quarantined = (int(number) for number in accounts[0])
        parts = [(loaded, "new"), (merged, "known already"), (excluded, "excluded"), (quarantined, "still in quarantine")]
        return f"{read:,} rows read again: " + ", ".join(f"{count:,} {what}" for count, what in parts if count)
