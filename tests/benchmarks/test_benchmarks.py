"""What the benchmark measures, compares and writes, on figures and lists of its own making."""

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.comparison import differing_lists
from benchmarks.marked_blocks import block
from benchmarks.measurement import Measurement, RunFailed, measure
from benchmarks.page import PAGE, write_page
from benchmarks.result import NightResult, SizeResult, keep_result, read_results
from benchmarks.training import TrainingResult, training_table


def _night(as_of: str, seconds: float) -> NightResult:
    night = Measurement(seconds, 2 * seconds, 3 * 2**30, {"extract shop": seconds / 2, "score": seconds / 4}, {"score": 2**30})
    return NightResult(as_of, 1_000, night, Measurement(seconds / 2, seconds, 2**30, {"read": 1.0}))


def _result(size: str, orders: int) -> SizeResult:
    return SizeResult(size, orders, orders // 1_000, "2 cores", _night("2025-06-30", 100.0), _night("2025-07-01", 25.0))


def test_a_program_is_measured_with_its_children_and_a_failure_is_told() -> None:
    child = "import time; held = bytearray(80_000_000); time.sleep(0.5)"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True); print('done')"
    measured, printed = measure([sys.executable, "-c", program], {}, lambda: "waiting")
    assert printed == "done\n"
    assert 0.5 < measured.seconds < 60
    assert measured.step_peak_bytes == {"waiting": measured.peak_bytes}
    assert measured.peak_bytes > 80_000_000
    with pytest.raises(RunFailed, match="no such thing"):
        measure([sys.executable, "-c", "raise SystemExit('no such thing')"], {})


def test_a_line_that_stands_in_one_list_alone_is_found(tmp_path: Path) -> None:
    ours, bare = tmp_path / "ours", tmp_path / "bare"
    for folder, text in ((ours, '"customer_id","offer"\r\n"1",""\r\n"2","x"\r\n'), (bare, "offer,customer_id\n,1\nx,2\n")):
        folder.mkdir()
        (folder / "loyal.csv").write_text(text, newline="")
    assert differing_lists(ours, bare) == {}
    (bare / "loyal.csv").write_text("offer,customer_id\n,1\nx,3\n")
    assert differing_lists(ours, bare) == {"list loyal.csv": 2}


def test_results_are_kept_by_size_and_the_page_shows_them(tmp_path: Path) -> None:
    file = tmp_path / "benchmarks.json"
    keep_result(file, _result("1m", 2_000_000))
    keep_result(file, _result("100k", 100_000))
    results = keep_result(file, _result("1m", 1_000_000))
    assert [one.orders for one in results] == [100_000, 1_000_000]
    assert read_results(file) == results
    assert len(json.loads(file.read_text())) == 2

    write_page(tmp_path, results)
    page = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "| 1,000,000 | 1,000 | cold | 100 |" in page
    assert "| 2.0 | 3.0 GiB | 1.0 GiB | 0.25 |" in page
    assert block(page, "training 1m-customers") == block(PAGE.read_text(encoding="utf-8"), "training 1m-customers")
    drawing = ElementTree.fromstring((tmp_path / "benchmarks.svg").read_text(encoding="utf-8"))  # noqa: S314 - our own
    bars = [rect for rect in drawing.iter("{http://www.w3.org/2000/svg}rect") if rect.get("class") == "bare"]
    assert len(bars) == 4


def test_what_brings_the_shop_into_the_warehouse_is_no_part_of_a_training() -> None:
    measured = Measurement(
        100.0,
        90.0,
        4 * 2**30,
        {"extract shop": 30.0, "build staging": 20.0, "build features": 15.0, "train": 25.0},
        {"build staging": 4 * 2**30, "build features": 2**31, "train": 2**30},
        {"extract shop": 28.0, "build staging": 18.0, "build features": 14.0, "train": 26.0},
    )
    result = TrainingResult(1_000, 2_220, "a machine", measured, {"train": "promoted"})
    assert (result.seconds, result.processor_seconds, result.peak_bytes / 2**30, result.peak_bytes_before / 2**30) == (50, 40, 2, 4)
    table = training_table(result)
    assert "50 s, 40 s of processors, 2.0 GiB" in table
    assert "| train | 25.0 | 26.0 | 1.0 GiB | promoted |" in table
