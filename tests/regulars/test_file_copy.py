"""A copy is what the original is, whatever part of a page or of a window it ends with."""

import mmap
import os
from pathlib import Path

import pytest

from regulars.warehouse import file_copy


@pytest.mark.parametrize("writes_directly", [True, False])
@pytest.mark.parametrize("size", [0, 1, mmap.PAGESIZE, 3 * mmap.PAGESIZE + 1, 8 * mmap.PAGESIZE])
def test_a_copy_is_the_original(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, *, writes_directly: bool) -> None:
    monkeypatch.setattr(file_copy, "WINDOW", 2 * mmap.PAGESIZE)
    if not writes_directly:
        monkeypatch.setattr(file_copy, "PAST_THE_MEMORY", 0)
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.write_bytes(os.urandom(size))
    copy.write_bytes(b"what stood there before, and was longer" * 10_000)
    file_copy.copy_file(original, copy)
    assert copy.read_bytes() == original.read_bytes()
