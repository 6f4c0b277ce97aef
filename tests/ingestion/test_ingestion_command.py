import os
import subprocess
import sys
from pathlib import Path

from ingestion_home import ORDERS, IngestionHome

ROOT = Path(__file__).resolve().parents[2]


def command(shop: IngestionHome, verb: str, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "REGULARS_HOME": str(shop.home.path), "REGULARS_CLOCK": "2026-03-01T03:00:00"}
    arguments = [sys.executable, "-m", "ingestion", verb, "--as-of", "2026-03-01", *options]
    return subprocess.run(arguments, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_run_extracts_and_lands(shop: IngestionHome) -> None:
    shop.write("orders.csv", "id,customer,placed,total\n1,anna,2026-02-01 10:00:00,12.50\n2,b,bad,1\n")
    done = command(shop, "run")
    assert done.returncode == 0, done.stderr
    assert "extract shop" in done.stderr
    assert "2 rows of 1 file, 1 quarantined" in done.stderr
    assert "new rows: orders 1" in done.stderr


def test_requeue_reads_what_waits(shop: IngestionHome) -> None:
    shop.write("orders.csv", 'id,customer,placed,total\n1,anna,2026-02-01 10:00:00,12.50\n2,bert,2026-02-01,"2,50"\n3,carl,bad,1\n')
    assert command(shop, "run").returncode == 0
    shop.tables(ORDERS + "        decimal: ','\n")
    done = command(shop, "requeue", "--source", "shop")
    assert done.returncode == 0, done.stderr
    assert "requeue shop" in done.stderr
    assert "2 rows read again: 1 new, 1 still in quarantine" in done.stderr
    assert shop.rows("select order_id, cast(net_revenue as text) from raw.orders order by line") == [("1", "12.5000"), ("2", "2.5000")]
    failed = command(shop, "requeue", "--source", "ship")
    assert failed.returncode == 2
    assert "there is no source 'ship'; is it now called 'shop'?" in failed.stderr


def test_unusable_input_ends_with_code_2_and_one_paragraph(shop: IngestionHome) -> None:
    failed = command(shop, "land")
    assert failed.returncode == 2
    assert "error: shop has not been extracted" in failed.stderr
    failed = command(shop, "extract")
    assert failed.returncode == 2
    assert failed.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in failed.stderr
