"""Extract one source of a home into its folder of Parquet files: in parallel with others, and without the warehouse."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from pathlib import Path

from ingestion.source import Extraction, LandedFile, TableExtract, load_source
from regulars.home import Home
from regulars.run import Kind, Run, step
from regulars.synced_files import write_synced
from regulars.warehouse import open_warehouse

MANIFEST = "manifest.json"


def extract_source(home: Home, source_name: str, as_of: date, kind: Kind, secrets: Mapping[str, str] | None = None) -> None:
    """Write what is new at a source to `var/extracts/<run_id>/<source>/`, its manifest last.

    An extract that the run has already is kept. Extracts of earlier runs are removed: nothing but this run's is landed.

    Args:
        secrets: where the caller has them, as an Airflow connection gives them; else the source looks for them itself.

    Raises:
        InputError: the source gave something that cannot be read as a whole; nothing of it is landed.
        ConfigurationError: config/sources.yml does not fit.
        TryAgain: a file is still being written.
    """
    with step(home, f"extract {source_name}", kind, as_of) as run:
        source = load_source(home, run.settings.shop, source_name)
        folder = extract_folder(run, source_name)
        _remove_other_extracts(run, source_name)
        if not (folder / MANIFEST).exists():
            aside = folder.with_name(f".{source_name}.part")
            for leftover in (folder, aside):
                shutil.rmtree(leftover, ignore_errors=True)
            home.private_folder(home.extracts)
            home.private_folder(folder.parent)
            home.private_folder(aside)
            landed = _landed_files(run, source_name)
            _write_manifest(source.extract(landed, aside, known_at=run.known_at, secrets=secrets), aside)
            aside.replace(folder)
        run.summary = _in_words(read_manifest(folder))


def extract_folder(run: Run, source_name: str) -> Path:
    return run.home.extracts / run.run_id / source_name


def read_manifest(folder: Path) -> Extraction:
    """The extraction that stands in the folder."""
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return Extraction(
        {name: TableExtract(**extract) for name, extract in content["tables"].items()},
        content["quarantine"],
        [LandedFile(**file) for file in content["files"]],
        content["unchanged"],
    )


def _write_manifest(extraction: Extraction, folder: Path) -> None:
    write_synced(folder / MANIFEST, json.dumps(asdict(extraction), indent=1, sort_keys=True).encode())


def _landed_files(run: Run, source_name: str) -> dict[str, LandedFile]:
    """What earlier runs have landed; what this one has landed itself is read again, so that its accounts stay whole."""
    # Opened for writing, which waits for its turn: a reader could meet a writer at work.
    with open_warehouse(run.home, role="loader") as warehouse:
        rows = warehouse.rows(
            "select file, sha256, mapping_sha256 from control.landed_files where source = ? and run_id <> ?", [source_name, run.run_id]
        )
    return {file: LandedFile(file, sha256, mapping) for file, sha256, mapping in rows}


def remove_extract(folder: Path) -> None:
    """Remove it, and the run's folder with its last one; harmless when it is not there."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.parent.rmdir()


def _remove_other_extracts(run: Run, source_name: str) -> None:
    """They hold personal data, and no run will come back for them."""
    for folder in run.home.extracts.glob(f"*/{source_name}"):
        if folder.parent.name != run.run_id:
            remove_extract(folder)


def _in_words(extraction: Extraction) -> str:
    rows = sum(table.rows_read for table in extraction.tables.values())
    excluded = sum((Counter(table.excluded) for table in extraction.tables.values()), Counter())
    quarantined = sum(table.rows_quarantined for table in extraction.tables.values())
    parts = [f"{rows:,} rows of {_files(len(extraction.files))}"]
    if extraction.unchanged:
        parts.append(f"{_files(len(extraction.unchanged))} unchanged")
    if excluded:
        parts.append(f"{excluded.total():,} excluded")
    if quarantined:
        parts.append(f"{quarantined:,} quarantined")
    return ", ".join(parts)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"
