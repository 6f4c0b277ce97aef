"""Where trained models stand, which of them serves, and proof that none was changed since.

`var/models/<version>/` holds one model: JSON files and a manifest with their SHA-256. `var/models/promoted.json` says for
each training which version serves from its as_of on, with the manifest's SHA-256, and closes with its own. Nothing is
parsed as a model before its hash has been checked.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from models.trained_model import TrainedModel
from regulars.errors import ArtefactError
from regulars.home import Home
from regulars.settings import HomeSettings

FORMULA_VERSION = "formula-1"
MANIFEST = "manifest.json"
WHAT_TO_DO = "The model was damaged or changed by hand and nothing was scored with it; train anew with `make train`"


class Serving(BaseModel):
    """One training's decision: which model serves from its as_of on, until a later training decides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trained_as_of: date
    version: str
    manifest_sha256: str | None
    churn_horizon_days: int
    value_horizon_days: int
    currency: str
    why: str

    def fits(self, settings: HomeSettings) -> bool:
        """Whether it predicts what the home asks for now: the same horizons, in the same currency."""
        prediction = settings.prediction
        wanted = (prediction.churn_horizon_days, prediction.value_horizon_days, settings.shop.currency)
        return (self.churn_horizon_days, self.value_horizon_days, self.currency) == wanted

    @property
    def is_formula(self) -> bool:
        return self.version == FORMULA_VERSION


def save_model(home: Home, trained_as_of: date, model: TrainedModel, facts: Mapping[str, Any]) -> tuple[str, str]:
    """Write the model's folder, whole or not at all; the version and the SHA-256 of its manifest.

    The version follows from the content: the same training gives the same one, and saving it again changes nothing.

    Args:
        facts: what else the manifest tells, as plain JSON.
    """
    files = model.files()
    hashes = {name: _sha256(content) for name, content in files.items()}
    content = {"model": model.description(), "facts": facts, "files": hashes, "trained_as_of": trained_as_of.isoformat()}
    version = f"{trained_as_of}-{_sha256(_json(content))[:10]}"
    files[MANIFEST] = _json(content | {"version": version})
    folder = home.private_folder(home.models) / version
    if not all(_is_file_with(folder / name, content) for name, content in files.items()):
        aside = home.models / ".new"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700)
        for name, content_of_file in files.items():
            _write_synced(aside / name, content_of_file)
        _sync_folder(aside)
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
        _sync_folder(home.models)
    return version, _sha256(files[MANIFEST])


def load_model(home: Home, serving: Serving) -> TrainedModel:
    """The trained model that serves.

    Raises:
        ArtefactError: a file is missing or is not what its hash says.
    """
    folder = home.models / serving.version
    manifest = json.loads(_checked(folder / MANIFEST, str(serving.manifest_sha256)))
    files = {name: _checked(folder / name, expected) for name, expected in manifest["files"].items()}
    return TrainedModel.from_artefact(manifest["model"], files)


def promoted_for(home: Home, as_of: date) -> Serving | None:
    """The latest decision of a training not later than `as_of`, so that no past night is scored by what was learned after it.

    Raises:
        ArtefactError: promoted.json is damaged.
    """
    decided = [serving for serving in decisions(home) if serving.trained_as_of <= as_of]
    return decided[-1] if decided else None


def decisions(home: Home) -> list[Serving]:
    """All decisions, ascending by trained_as_of; none before the first training.

    Raises:
        ArtefactError: promoted.json is damaged.
    """
    file = _promoted_file(home)
    if not file.exists():
        return []
    content = file.read_bytes()
    try:
        parsed = json.loads(content)
        body, expected = parsed["decisions"], parsed["sha256"]
        found = _sha256(_json(body))
    except (ValueError, KeyError, TypeError):
        raise ArtefactError(f"{file}: this is not the list of promoted models that a training wrote. {WHAT_TO_DO}") from None
    if found != expected or content != _promoted_content(body):
        raise ArtefactError(f"{file}: expected SHA-256 {expected} of its decisions, found {found}. {WHAT_TO_DO}")
    try:
        return [Serving.model_validate(entry) for entry in body]
    except ValidationError:
        raise ArtefactError(f"{file}: it was written by another version of Regulars. Train anew with `make train`") from None


def decide(home: Home, serving: Serving) -> bool:
    """Record a training's decision, replacing an earlier one for the same as_of; false when a damaged list had to be put aside."""
    try:
        known, is_whole = decisions(home), True
    except ArtefactError:
        _promoted_file(home).replace(_promoted_file(home).with_suffix(".damaged"))
        known, is_whole = [], False
    kept = [other for other in known if other.trained_as_of != serving.trained_as_of]
    body = [entry.model_dump(mode="json") for entry in sorted([*kept, serving], key=lambda entry: entry.trained_as_of)]
    aside = home.private_folder(home.models) / ".promoted.new"
    _write_synced(aside, _promoted_content(body))
    aside.replace(_promoted_file(home))
    _sync_folder(home.models)
    return is_whole


def _promoted_file(home: Home) -> Path:
    return home.models / "promoted.json"


def _promoted_content(body: list[dict[str, Any]]) -> bytes:
    return _json({"decisions": body, "sha256": _sha256(_json(body))})


def _checked(file: Path, expected: str) -> bytes:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        raise ArtefactError(f"{file}: the file is missing; expected SHA-256 {expected}. {WHAT_TO_DO}") from None
    found = _sha256(content)
    if found != expected:
        raise ArtefactError(f"{file}: expected SHA-256 {expected}, found {found}. {WHAT_TO_DO}")
    return content


def _is_file_with(file: Path, content: bytes) -> bool:
    return file.is_file() and file.read_bytes() == content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _json(value: Any) -> bytes:
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _write_synced(file: Path, content: bytes) -> None:
    with file.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
