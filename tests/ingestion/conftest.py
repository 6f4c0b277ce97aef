from pathlib import Path

import pytest
from ingestion_home import IngestionHome


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> IngestionHome:
    return IngestionHome(tmp_path / "home", monkeypatch)
