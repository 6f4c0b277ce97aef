"""Land one source's extract: one transaction, once however often it runs, and with an account that adds up.

`raw` is append-only. A record gets a new version when its content differs from the latest version that is known; versions
that one run brings come in the order of their files. When the source gives a table for the first time, nobody knows when
its rows were learned, so a record's first version counts as known since it happened.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from ingestion.extraction import MANIFEST, extract_folder, read_manifest, remove_extract
from ingestion.source import Extraction, LandedFile, TableExtract
from regulars.errors import InputError, RegularsError
from regulars.home import Home
from regulars.nights import FILES_OF_A_RUN
from regulars.run import Kind, Run, step
from regulars.staging import doubt_staging
from regulars.tables import CANONICAL_TABLES, EXCLUSIONS, INGESTION_ACCOUNTS, LANDED_FILES, QUARANTINE, VERSION_COLUMNS, Table
from regulars.warehouse import Warehouse, open_warehouse

FIRST_REQUEUED = FILES_OF_A_RUN // timedelta(microseconds=2)
"""file_ordinal of the first rows that a run requeues: the files that it reads itself come before."""


def land_source(home: Home, source_name: str, as_of: date, kind: Kind) -> None:
    """Write the run's extract of a source to `raw` and `private`, with its accounts, all or nothing.

    Raises:
        InputError: the run has not extracted the source.
        RegularsError: the account does not add up; nothing is written.
    """
    with step(home, f"land {source_name}", kind, as_of) as run:
        folder = extract_folder(run, source_name)
        with open_warehouse(home, role="loader") as warehouse:
            if (folder / MANIFEST).exists():
                with warehouse.transaction():
                    landing = Landing(warehouse, run, source_name, folder)
                    extraction = read_manifest(folder)
                    if not landing.has_landed(extraction):
                        landing.withdraw()
                        landing.land(extraction)
            elif not accounts_of(warehouse, run, source_name):
                raise InputError(f"{source_name} has not been extracted: run `python -m ingestion extract --as-of {as_of}` first")
            run.summary = _in_words(accounts_of(warehouse, run, source_name))
        # It holds personal data, and has done its service.
        remove_extract(folder)


class Landing:
    """The writes of one run for one source, inside the caller's transaction."""

    def __init__(self, warehouse: Warehouse, run: Run, source: str, folder: Path):
        self._warehouse, self._run, self._source, self._folder = warehouse, run, source, folder

    def land(self, extraction: Extraction) -> None:
        self._check_file_count(extraction)
        tables = {table.name: table for table in CANONICAL_TABLES}
        if extraction.quarantine:
            self._quarantine(extraction.quarantine)
        self._close_waiting([file.file for file in extraction.files])
        for name, extract in extraction.tables.items():
            offered = self._insert_versions(tables[name], extract.parquet) if extract.parquet else 0
            self._exclude(name, extract.excluded)
            self._settle(tables[name], extract, offered)
        self._count_waiting()
        self._note_files(extraction)

    def _check_file_count(self, extraction: Extraction) -> None:
        if len(extraction.files) >= FIRST_REQUEUED:
            raise InputError(
                f"{self._source} brings {len(extraction.files):,} files at once, expected fewer than {FIRST_REQUEUED:,}: join them"
            )

    def has_landed(self, extraction: Extraction) -> bool:
        """Whether this very run has landed the same files before, and died later."""
        rows = self._warehouse.rows(
            "select file, sha256, mapping_sha256 from control.landed_files where source = ? and run_id = ?",
            [self._source, self._run.run_id],
        )
        is_accounted_for = bool(accounts_of(self._warehouse, self._run, self._source))
        return is_accounted_for and {LandedFile(*row) for row in rows} == set(extraction.files)

    def withdraw(self) -> None:
        """Take back what this very run has written before: it is written again, with the same known_at."""
        if accounts_of(self._warehouse, self._run, self._source):
            doubt_staging(self._warehouse)
        for table in (*CANONICAL_TABLES, QUARANTINE, EXCLUSIONS, INGESTION_ACCOUNTS, LANDED_FILES):
            self._warehouse.execute(f"delete from {table.qualified_name} where source = ? and run_id = ?", [self._source, self._run.run_id])
        self._warehouse.execute(
            "update private.quarantine set closed_by = null where source = ? and closed_by = ?", [self._source, self._run.run_id]
        )

    def _insert_versions(self, table: Table, files: Sequence[str]) -> int:
        """Append what is new or changed; the number of rows that were offered."""
        self._offer(table, [self._folder / file for file in files])
        is_first_load = self._is_first_load(table)
        own = ", ".join(column.name for column in table.columns if column not in VERSION_COLUMNS)
        learned = "cast(? as timestamp) + file_ordinal * interval '1 microsecond'"
        known_since = f"case when is_first_version then least(event_at, cast(? as timestamp)) else {learned} end"
        before, parameters = self._version_before(table, is_first_load=is_first_load, files_count=len(files))
        self._warehouse.execute(
            f"""
            insert into {table.qualified_name}
                ({own}, source, record_key, content_hash, event_at, known_at, is_known_at_assumed, run_id, file, line)
            with compared as ({before}),
            new_versions as (
                select *, cast(? as boolean) and previous_hash is null as is_first_version
                from compared where previous_hash is null or previous_hash <> content_hash
            )
            select
                {own}, cast(? as varchar), record_key, content_hash, event_at,
                {known_since}, is_first_version, cast(? as varchar), file, line
            from new_versions
            """,
            [*parameters, is_first_load, self._source, self._run.known_at, self._run.known_at, self._run.run_id],
        )
        return self._number("select count(*) from offered_rows", [])

    def _offer(self, table: Table, files: Sequence[Path]) -> None:  # noqa: ARG002 - a requeue looks at the table
        """The relation `offered_rows`: what the extract brings for the table."""
        self._warehouse.load_temporary("offered_rows", files)

    def _version_before(self, table: Table, *, is_first_load: bool, files_count: int) -> tuple[str, list[str]]:
        """Query of the offered rows with the hash of the version before each, in an earlier file or in the warehouse."""
        hashes, joins, parameters = ["null"], "", []
        if files_count > 1:
            hashes.append("in_earlier_file.content_hash")
            joins += """
                left join (
                    select record_key, file_ordinal, lag(content_hash) over (partition by record_key order by file_ordinal) as content_hash
                    from offered_rows
                    where record_key in (select record_key from offered_rows group by record_key having count(*) > 1)
                ) as in_earlier_file
                    on offered.record_key = in_earlier_file.record_key and offered.file_ordinal = in_earlier_file.file_ordinal"""
        if not is_first_load:
            hashes.append("in_warehouse.content_hash")
            joins += f"""
                left join (
                    select
                        known.record_key, known.content_hash,
                        row_number() over (partition by known.record_key order by known.known_at desc) as newest
                    from {table.qualified_name} as known
                    where known.source = ? and known.record_key in (select record_key from offered_rows)
                ) as in_warehouse on offered.record_key = in_warehouse.record_key and in_warehouse.newest = 1"""
            parameters.append(self._source)
        return (
            f"select offered.*, cast(coalesce({', '.join(hashes)}) as varchar) as previous_hash from offered_rows as offered {joins}",
            parameters,
        )

    def _is_first_load(self, table: Table) -> bool:
        """Whether no earlier run has had this table from the source."""
        return not self._warehouse.rows(
            "select 1 from control.ingestion_accounts where source = ? and table_name = ? and run_id <> ? limit 1",
            [self._source, table.name, self._run.run_id],
        )

    def _quarantine(self, files: Sequence[str]) -> None:
        self._warehouse.load_temporary("quarantined_rows", [self._folder / file for file in files])
        self._warehouse.execute(
            """
            insert into private.quarantine (
                run_id, source, table_name, file, line, reason, raw_bytes, quarantined_at, mapped_table, header, extracted_by
            )
            select
                cast(? as varchar), cast(? as varchar), table_name, file, line, reason, raw_bytes, cast(? as timestamp),
                mapped_table, header, cast(? as varchar)
            from quarantined_rows
            """,
            [self._run.run_id, self._source, self._run.known_at, self._run.run_id],
        )

    def _close_waiting(self, files: list[str]) -> None:
        """What earlier readings of these files set aside has been read again, with the files as they are now."""
        if files:
            self._warehouse.execute(
                f"""
                update private.quarantine set closed_by = ?
                where source = ? and run_id <> ? and closed_by is null and file in ({", ".join("?" for _ in files)})
                """,
                [self._run.run_id, self._source, self._run.run_id, *files],
            )

    def _exclude(self, table_name: str, excluded: dict[str, int]) -> None:
        rows = [self._row(table_name) | {"reason": reason, "rows_excluded": count} for reason, count in excluded.items()]
        if rows:
            self._warehouse.append(EXCLUSIONS, pa.Table.from_pylist(rows))

    def _settle(self, table: Table, extract: TableExtract, offered: int) -> None:
        """Write the table's account, from what the warehouse holds, and refuse one that does not add up."""
        mine = "where source = ? and run_id = ?"
        of_run = [self._source, self._run.run_id]
        of_table = [*of_run, table.name]
        loaded = self._number(f"select count(*) from {table.qualified_name} {mine}", of_run)
        quarantined = self._number(f"select count(*) from private.quarantine {mine} and table_name = ?", of_table)
        excluded = self._number(f"select coalesce(sum(rows_excluded), 0) from control.exclusions {mine} and table_name = ?", of_table)
        merged = extract.duplicates_merged + offered - loaded
        if extract.rows_read != loaded + merged + excluded + quarantined or merged < 0:
            raise RegularsError(
                f"the account of {self._source}.{table.name} does not add up, so nothing of the source was landed: "
                f"{extract.rows_read:,} rows read, {loaded:,} loaded + {merged:,} merged + {excluded:,} excluded + "
                f"{quarantined:,} quarantined; please report the defect"
            )
        account = {
            "rows_read": extract.rows_read,
            "rows_loaded": loaded,
            "duplicates_merged": merged,
            "rows_excluded": excluded,
            "rows_quarantined": quarantined,
        }
        self._warehouse.append(INGESTION_ACCOUNTS, pa.Table.from_pylist([self._row(table.name) | account]))

    def _count_waiting(self) -> None:
        """Bring the accounts of all runs up to date: what this one has read again waits no more on their side."""
        self._warehouse.execute(
            """
            update control.ingestion_accounts set rows_waiting = (
                select count(*) from private.quarantine as waiting
                where waiting.source = ingestion_accounts.source and waiting.table_name = ingestion_accounts.table_name
                    and coalesce(waiting.extracted_by, waiting.run_id) = ingestion_accounts.run_id and waiting.closed_by is null
            )
            where source = ? and (rows_quarantined > 0 or rows_waiting is null)
            """,
            [self._source],
        )

    def _note_files(self, extraction: Extraction) -> None:
        rows = [asdict(file) | {"source": self._source, "run_id": self._run.run_id} for file in extraction.files]
        if rows:
            self._warehouse.append(LANDED_FILES, pa.Table.from_pylist(rows))
            self._warehouse.execute(
                """
                delete from control.landed_files where source = ? and run_id <> ?
                    and file in (select file from control.landed_files where source = ? and run_id = ?)
                """,
                [self._source, self._run.run_id, self._source, self._run.run_id],
            )

    def _number(self, sql: str, parameters: list[Any]) -> int:
        return int(self._warehouse.rows(sql, parameters)[0][0])

    def _row(self, table_name: str) -> dict[str, Any]:
        return {"run_id": self._run.run_id, "source": self._source, "table_name": table_name}


def accounts_of(warehouse: Warehouse, run: Run, source: str) -> list[tuple[Any, ...]]:
    """Table, rows read, loaded and merged, of what the run has landed of the source."""
    return warehouse.rows(
        """
        select table_name, rows_read, rows_loaded, duplicates_merged
        from control.ingestion_accounts where source = ? and run_id = ? order by table_name
        """,
        [source, run.run_id],
    )


def _in_words(accounts: list[tuple[Any, ...]]) -> str:
    loaded = [f"{table.replace('_', ' ')} {count:,}" for table, _, count, _ in accounts if count]
    merged = sum(count for _, _, _, count in accounts)
    return f"new rows: {', '.join(loaded) or 'none'}" + (f"; {merged:,} known already" if merged else "")
