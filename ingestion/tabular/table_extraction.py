"""One canonical table from one file: every row is judged once, and ends up kept, merged, excluded or quarantined."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from ingestion.guests import GuestPseudonyms
from ingestion.source import Extraction, PlacesTaken
from ingestion.tabular.addresses import identify_addresses
from ingestion.tabular.binding import Binding
from ingestion.tabular.guest_rows import GuestRows
from ingestion.tabular.mapping import EMAIL
from ingestion.tabular.outlet import Outlet, cancelled_outlet, main_outlet
from ingestion.tabular.rows import FileRows, field_names
from ingestion.tabular.work_database import WorkDatabase
from regulars.errors import InputError
from regulars.literal import literal
from regulars.tables import CUSTOMERS, ORDER_LINES, REFUNDS
from regulars.warehouse.duckdb import EngineError

BLANK = "blank row"
"""The one rule that every file has: a row without a value in any column is none."""
RAW_ROWS_PER_BATCH = 1_000


class TableExtraction:
    """Reads `rows` once and writes Parquet files whose names begin with `stem` into `into`, counted in `extraction`."""

    def __init__(
        self,
        work: WorkDatabase,
        rows: FileRows,
        binding: Binding,
        *,
        pseudonyms: GuestPseudonyms,
        guest_rows: GuestRows,
        file_ordinal: int,
        places_taken: PlacesTaken | None = None,
    ):
        self._work, self._rows, self._binding = work, rows, binding
        self._pseudonyms, self._guest_rows, self._ordinal = pseudonyms, guest_rows, file_ordinal
        self._places_taken = places_taken
        self._rows_counted = self._bad_rows = self._blank_rows = 0

    def write(self, into: Path, extraction: Extraction) -> None:
        """Raises InputError or ConfigurationError when the file cannot be used as a whole."""
        try:
            self._write(into, extraction)
        except EngineError as error:
            # The engine's message may quote a value of the file.
            raise InputError(f"{self._rows.label} could not be read ({type(error).__name__}): have it exported again") from None

    def _write(self, into: Path, extraction: Extraction) -> None:
        self._stage()
        self._resolve_guests()
        self._judge(extraction)
        columns = "table_name varchar, line bigint, last_line bigint, problem varchar"
        self._work.run(f"create or replace temporary table contradictions ({columns})")
        self._write_outlet(main_outlet(self._binding), into, extraction)
        if self._binding.cancellation:
            self._write_outlet(cancelled_outlet(self._binding), into, extraction)
        if EMAIL in self._binding.rules and self._binding.table is not CUSTOMERS:
            self._add_guests()
        self._check_that_all_came_through()
        self._write_quarantine(into, extraction)

    def _stage(self) -> None:
        """The relation `staged`: one row per row of the file, typed and judged as far as it can be by itself.

        A file that the engine reads by itself is read anew whenever `staged` is asked, for the few columns that are wanted then.
        """
        self._work.use_time_zone(self._binding.reading.time_zone)
        self._try_rules()
        stored = self._rows.stored(self._work)
        if stored and self._binding.read_as_stored(stored):
            self._rows.rows_read = stored.rows_count
            self._work.run(f"create or replace temporary view staged as {self._staging(stored.relation)}")
            return
        lines = [("line", pa.int64()), ("last_line", pa.int64())]
        texts = [(name, pa.string()) for name in field_names(self._rows.columns)]
        schema = pa.schema([*lines, ("malformed", pa.string()), *texts])
        staging = f"create or replace temporary table staged_rows as {self._staging('file_rows')}"
        self._work.load("file_rows", schema, self._rows.batches(), staging)
        self._work.run("create or replace temporary view staged as select * from staged_rows")

    def _try_rules(self) -> None:
        """Judge a made-up row: what the engine says about that is about the rules, and quotes nothing of the file."""
        rules = [sql for _, sql in self._binding.excludes] + ([self._binding.cancellation] if self._binding.cancellation else [])
        try:
            for rule in rules:
                self._work.rows(f"select {rule} from (select {self._binding.made_up_row()})")
        except EngineError as error:
            raise self._binding.error(f"the rules cannot be used: {str(error).splitlines()[0]}") from None

    def _typed(self, relation: str) -> str:
        """The CTEs `texts` and `typed`: the file's texts, then the canonical values."""
        binding = self._binding
        values = {f"v_{name}": value.sql for name, value in binding.values.items()} | binding.times_as_written
        return f"""
            texts as (
                select *, malformed is null and {binding.is_blank()} as is_blank{_listed(binding.texts)} from {relation}
            ),
            typed as (select *{_listed(values)} from texts)
        """

    def _staging(self, relation: str) -> str:
        binding = self._binding
        kept = ", ".join(["line", "last_line", *binding.key_texts, *(f"v_{name}" for name in binding.values)])
        return f"""
            with {self._typed(relation)},
            excluded as (select *, {self._excluded_by()} as excluded_by from typed)
            select {kept}, {binding.cancellation or "false"} as is_cancelled, excluded_by,
                case when malformed is not null then malformed when excluded_by is null then {self._problems()} end as problem
            from excluded
        """

    def _excluded_by(self) -> str:
        rules = "".join(f" when {sql} then {place}" for place, (_, sql) in enumerate(self._binding.excludes, start=1))
        return f"case when malformed is not null then null when is_blank then 0{rules} end"

    def _problems(self) -> str:
        """What is wrong with the single values of a row, in words and without the values; null when nothing is."""
        binding = self._binding
        required = {column.name for column in binding.table.columns if not column.nullable}
        found: dict[str, str] = {}
        for name, value in binding.values.items():
            column = binding.source_column(name)
            rule = binding.rules[name]
            if rule.column is not None and value.expected != "text":
                expected = literal(f"column {column}: expected {value.expected}")
                if value.limits:
                    expected = f"case when {value.readable} then {literal(f'column {column}: expected {value.limits}')} else {expected} end"
                found[f"{binding.given(rule.column)} is not null and v_{name} is null"] = expected
            if name in required and name != "account_id" and rule.column is not None:
                found[f"{binding.given(rule.column)} is null"] = literal(f"column {column}: a value is required")
        for name in binding.mapping.row_key or []:
            found.setdefault(f"{binding.given(name)} is null", literal(f"column {name}: a value is required"))
        listed = ", ".join(f"case when {condition} then {words} end" for condition, words in found.items())
        return f"case when {' or '.join(found)} then concat_ws('; ', {listed}) end" if found else "cast(null as varchar)"

    def _resolve_guests(self) -> None:
        """The view `resolved`: `staged` with the account or guest of each row, and what is wrong where one is needed."""
        binding = self._binding
        has_account, has_email = "account_id" in binding.rules, EMAIL in binding.rules
        # An account's own address needs no pseudonym, and where the addresses themselves are the table nobody is a guest.
        is_guests = binding.table is not CUSTOMERS
        whose = "v_account_id is null" if is_guests and has_account else "true"
        addresses = f"select v_email as email from staged where {whose}" if has_email else "select null as email"
        identify_addresses(self._work, addresses, self._pseudonyms if is_guests and has_email else None)
        account = f"{literal(binding.reading.account_id_prefix)} || v_account_id" if has_account else "cast(null as varchar)"
        email = "v_email" if has_email else "cast(null as varchar)"
        if binding.table is CUSTOMERS:
            names_a_guest = "false"
        else:
            account, names_a_guest = f"coalesce({account}, guest_id)", f"{email} is not null"
        column = binding.source_column("account_id" if has_account else EMAIL)
        no_address = f"column {binding.source_column(EMAIL)}: expected an e-mail address, as nothing else names the customer"
        needs_account = any(name.name == "account_id" and not name.nullable for name in binding.table.columns)
        self._work.run(
            f"""
            create or replace temporary view resolved as
            with accounts as (
                select staged.* exclude (problem), problem as own_problem, addresses.normalised_email, guest_id,
                    {account} as resolved_account, {names_a_guest} as names_a_guest
                from staged left join addresses on addresses.email = {email}
            )
            select *,
                case when own_problem is not null or excluded_by is not null then own_problem
                    when resolved_account is null and names_a_guest then {literal(no_address)}
                    when {"resolved_account is null" if needs_account else "false"} then {literal(f"column {column}: a value is required")}
                    {self._derived_problems()}
                end as problem
            from accounts
            """
        )

    def _derived_problems(self) -> str:
        if self._binding.table is not ORDER_LINES:
            return ""
        values = main_outlet(self._binding).values
        return f"""
            when {values["net_revenue"]} is null then 'quantity times price: expected an amount below 10^14'
            when {values["unit_price"]} is null then 'a price per unit is required, and does not follow from a quantity of 0'
        """

    def _judge(self, extraction: Extraction) -> None:
        """The table `judged`: the rows of `resolved` that are bad, excluded or cancelled; counted, by the table they were meant for."""
        self._work.run(
            """
            create or replace temporary table judged as
            select line, last_line, is_cancelled, excluded_by, problem from resolved
            where is_cancelled or excluded_by is not null or problem is not null
            """
        )
        reasons = [BLANK, *(reason for reason, _ in self._binding.excludes)]
        for is_cancelled, excluded_by, count in self._work.rows(
            "select is_cancelled, excluded_by, count(*) from judged where excluded_by is not null or problem is not null group by 1, 2"
        ):
            extract = extraction.tables[self._meant_for(is_cancelled)]
            extract.rows_read += count
            self._rows_counted += count
            if excluded_by is None:
                extract.rows_quarantined += count
                self._bad_rows += count
            else:
                extract.excluded[reasons[excluded_by]] = extract.excluded.get(reasons[excluded_by], 0) + count
                self._blank_rows += count if excluded_by == 0 else 0

    def _check_that_all_came_through(self) -> None:
        if self._rows_counted != self._rows.rows_read:
            raise InputError(
                f"{self._rows.label}: {self._rows.rows_read:,} rows were read, {self._rows_counted:,} came through: "
                "please report the defect"
            )

    def refuse_when_every_row_is_bad(self) -> None:
        """Not one row that can be used means that the file or its mapping is wrong as a whole, and not its rows.

        Raises:
            InputError: with the commonest reason; the rows of the file were to be set aside.
        """
        if self._bad_rows and self._bad_rows + self._blank_rows == self._rows_counted:
            reasons = self._work.rows(
                "select problem, count(*) from judged where problem is not null and excluded_by is null "
                "group by problem order by count(*) desc, problem"
            )
            (reason, count), all_rows = reasons[0], sum(count for _, count in reasons)
            raise InputError(
                f"{self._rows.label}: not one of its {all_rows:,} rows can be used, so nothing of it was landed. The commonest reason, "
                f"of {count:,}: {reason}. Correct the mapping in config/sources.yml, or have the file exported again"
            )

    def _meant_for(self, is_cancelled: bool) -> str:
        return REFUNDS.name if is_cancelled else self._binding.table.name

    def _write_outlet(self, outlet: Outlet, into: Path, extraction: Extraction) -> None:
        extract = extraction.tables[outlet.table.name]
        for sql in (outlet.chosen(), outlet.repeated(), outlet.repeats()):
            self._work.run(sql)
        self._note_places_taken(outlet)
        fates = dict(self._work.rows("select fate, count(*) from repeats group by fate"))
        merged, contradicting = fates.get("merged", 0), fates.get("contradicting", 0)
        self._work.run(
            f"""
            insert into contradictions
            select {literal(outlet.table.name)}, line, last_line,
                'the row at line ' || first_line || ' has the same key and another content'
            from repeats where fate = 'contradicting'
            """
        )
        file = into / f"{outlet.table.name}-{self._ordinal}.parquet"
        kept = self._work.write_parquet(outlet.kept(self._rows.label, self._ordinal), file)
        if kept:
            extract.parquet.append(file.name)
        else:
            file.unlink()
        extract.rows_read += kept + merged + contradicting
        extract.duplicates_merged += merged
        extract.rows_quarantined += contradicting
        self._rows_counted += kept + merged + contradicting

    def _note_places_taken(self, outlet: Outlet) -> None:
        """The table `taken`: how many rows of the file with the same content have been landed before, where that makes other rows."""
        self._work.run("create or replace temporary table taken (begin varchar, taken bigint)")
        if self._places_taken is None or outlet.key:
            return
        begins = self._work.rows(f"select distinct {outlet.begin_of_key(self._rows.label)} from ({outlet.keyed()})")
        taken = self._places_taken(outlet.table, [begin for (begin,) in begins])
        self._work.load("found", taken.schema, iter(taken.to_batches()), "insert into taken select * from found")

    def _add_guests(self) -> None:
        has_no_account = "v_account_id is null" if "account_id" in self._binding.rules else "true"
        self._guest_rows.add(
            f"""
            select guest_id, normalised_email, {main_outlet(self._binding).event_at} as event_at,
                {literal(self._rows.label)} as file, line, {self._ordinal} as file_ordinal
            from resolved where guest_id is not null and {has_no_account} and not exists (
                select 1 from judged where judged.line = resolved.line and (problem is not null or excluded_by is not null)
            )
            """
        )

    def _write_quarantine(self, into: Path, extraction: Extraction) -> None:
        meant_for = f"case when is_cancelled then {literal(REFUNDS.name)} else {literal(self._binding.table.name)} end"
        self._work.run(
            f"""
            create or replace temporary table bad_rows as
            select {meant_for} as table_name, line, last_line, problem from judged where problem is not null and excluded_by is null
            union all
            select table_name, line, last_line, problem from contradictions
            """
        )
        spans = self._work.rows("select line, last_line from bad_rows order by line")
        if not spans:
            return
        self._work.load(
            "raw_rows",
            pa.schema([("line", pa.int64()), ("raw_bytes", pa.binary())]),
            self._raw_batches(spans),
            "create or replace temporary table raw_bytes_of_rows as select * from raw_rows",
        )
        file = f"quarantine-{self._binding.table.name}-{self._ordinal}.parquet"
        query = f"""
            select table_name, {literal(self._rows.label)} as file, line, problem as reason, raw_bytes,
                {literal(self._binding.table.name)} as mapped_table, {literal(json.dumps(self._rows.columns, ensure_ascii=False))} as header
            from bad_rows inner join raw_bytes_of_rows using (line) order by line
        """
        self._work.write_parquet(query, into / file)
        extraction.quarantine.append(file)

    def _raw_batches(self, spans: list[Any]) -> Iterator[pa.RecordBatch]:
        rows = self._rows.raw_rows(spans)
        for begin in range(0, len(spans), RAW_ROWS_PER_BATCH):
            lines = [first for first, _ in spans[begin : begin + RAW_ROWS_PER_BATCH]]
            raw = [next(rows) for _ in lines]
            yield pa.record_batch([pa.array(lines, pa.int64()), pa.array(raw, pa.binary())], names=["line", "raw_bytes"])


def _listed(expressions: dict[str, str]) -> str:
    return "".join(f", {sql} as {alias}" for alias, sql in expressions.items())
