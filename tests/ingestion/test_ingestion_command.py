import os
import subprocess
import sys
from pathlib import Path

from ingestion_home import IngestionHome

ROOT = Path(__file__).resolve().parents[2]


def command(shop: IngestionHome, verb: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "REGULARS_HOME": str(shop.home.path), "REGULARS_CLOCK": "2026-03-01T03:00:00"}
    arguments = [sys.executable, "-m", "ingestion", verb, "--as-of", "2026-03-01"]
    return subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_run_extracts_and_lands(shop: IngestionHome) -> None:
    shop.write("orders.csv", "id,customer,placed,total\n1,anna,2026-02-01 10:00:00,12.50\n2,b,bad,1\n")
    done = command(shop, "run")
    assert done.returncode == 0, done.stderr
    assert "extract shop" in done.stderr
    assert "2 rows of 1 file, 1 quarantined" in done.stderr
    assert "new rows: orders 1" in done.stderr


def test_unusable_input_ends_with_code_2_and_one_paragraph(shop: IngestionHome) -> None:
    failed = command(shop, "land")
    assert failed.returncode == 2
    assert "error: shop has not been extracted" in failed.stderr
    failed = command(shop, "extract")
    assert failed.returncode == 2
    assert failed.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in failed.stderr
