"""Where trained models stand, which of them serves, and proof that none was changed since.

`<version>/` holds one model: JSON files and a manifest with their SHA-256. `promoted.json` says for each training which
version serves from its as_of on, with the manifest's SHA-256, and closes with its own. Nothing is parsed as a model before
its hash has been checked. Both stand in `var/models/`, or where config/prediction.yml says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from models.expectation_model import ExpectationModel
from models.ladder import Rung
from models.storage import PROMOTED, Storage, open_storage
from models.trained_model import TrainedModel
from regulars.errors import ArtefactError, InputError, TryAgain
from regulars.home import Home
from regulars.settings import HomeSettings

FORMULA_VERSION = "formula-1"
RULES_VERSION = "rules-1"
UNTRAINED: Mapping[str, Rung] = {RULES_VERSION: "rules", FORMULA_VERSION: "formula"}
"""The rungs that have no artefact, by the version that stands beside their scores."""

Artefact = TrainedModel | ExpectationModel
MANIFEST = "manifest.json"
FORMAT = 2
"""Of the manifest and the files: one more whenever a model could be read otherwise than it was written."""

DECIDING_TRIES = 20
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
    format: int = 1
    """Of the model; 1 in lists that were written before it stood there."""

    def fits(self, settings: HomeSettings) -> bool:
        """Whether it predicts what the home asks for now: the same horizons, in the same currency."""
        prediction = settings.prediction
        wanted = (prediction.churn_horizon_days, prediction.value_horizon_days, settings.shop.currency)
        return (self.churn_horizon_days, self.value_horizon_days, self.currency) == wanted

    @property
    def is_untrained(self) -> bool:
        return self.version in UNTRAINED


def save_model(
    home: Home, trained_as_of: date, model: Artefact, facts: Mapping[str, Any], tastes: Mapping[str, bytes] | None = None
) -> tuple[str, str]:
    """Write the model's folder, whole or not at all; the version and the SHA-256 of its manifest.

    The version follows from the content: the same training gives the same one, and saving it again changes nothing.

    Args:
        facts: what else the manifest tells, as plain JSON.
        tastes: files of `models.tastes`.
    """
    files = model.files() | dict(tastes or {})
    hashes = {name: _sha256(content) for name, content in files.items()}
    content = {
        "format": FORMAT,
        "model": model.description(),
        "facts": facts,
        "files": hashes,
        "trained_as_of": trained_as_of.isoformat(),
    }
    version = _version(trained_as_of.isoformat(), content)
    files[MANIFEST] = _json(content | {"version": version})
    with open_storage(home) as storage:
        storage.save(version, files)
    return version, _sha256(files[MANIFEST])


def load_model(home: Home, serving: Serving) -> Artefact:
    """The trained model that serves.

    Raises:
        ArtefactError: a file is missing or is not what its hash says, or another version of Regulars wrote it.
    """
    with open_storage(home) as storage:
        name = f"{serving.version}/{MANIFEST}"
        manifest = json.loads(_checked(storage, name, str(serving.manifest_sha256)))
        if manifest.get("format") != FORMAT:
            raise ArtefactError(
                f"{storage.place(name)}: expected a model of format {FORMAT}, found {manifest.get('format', 1)}: another version of "
                "Regulars wrote it. Train anew with `make train`"
            )
        files = {name: _checked(storage, f"{serving.version}/{name}", expected) for name, expected in manifest["files"].items()}
    kind = ExpectationModel if manifest["model"].get("rung") == ExpectationModel.rung else TrainedModel
    return kind.from_artefact(manifest["model"], files)


def file_of(home: Home, version: str, name: str) -> bytes | None:
    """A file of the model of that version; None where that model has no such file.

    Raises:
        InputError: the model was deleted.
        ArtefactError: a file is missing or is not what its hash says.
    """
    serving = serving_of(home, version)
    with open_storage(home) as storage:
        manifest = json.loads(_checked(storage, f"{version}/{MANIFEST}", str(serving.manifest_sha256)))
        expected = manifest["files"].get(name)
        return None if expected is None else _checked(storage, f"{version}/{name}", expected)


def promoted_for(home: Home, as_of: date) -> Serving | None:
    """The latest decision of a training not later than `as_of`, so that no past night is scored by what was learned after it.

    Raises:
        ArtefactError: promoted.json is damaged.
    """
    decided = [serving for serving in decisions(home) if serving.trained_as_of <= as_of]
    return decided[-1] if decided else None


def serving_of(home: Home, version: str) -> Serving:
    """How the model of that version served: by the decision for it or, where a training was repeated since, by its manifest.

    Raises:
        InputError: the model was deleted.
        ArtefactError: promoted.json or the manifest is damaged.
    """
    with open_storage(home) as storage:
        content, file = storage.read(f"{version}/{MANIFEST}", ""), f"{storage.place(version)}/{MANIFEST}"
    if content is None:
        raise InputError(
            f"{file}: the model that scored that night is not there any more, so its lists cannot be computed again; "
            "put its folder back from a backup, and try again"
        )
    decided = [serving for serving in decisions(home) if serving.version == version]
    if decided:
        return decided[-1]
    try:
        manifest = json.loads(content)
        named_by = {key: manifest[key] for key in ("format", "model", "facts", "files", "trained_as_of") if key in manifest}
        horizons = {key: manifest["facts"][key] for key in ("churn_horizon_days", "value_horizon_days", "currency")}
    except (ValueError, KeyError, TypeError):
        raise ArtefactError(f"{file}: this is not the manifest that a training wrote. {WHAT_TO_DO}") from None
    if _version(manifest["trained_as_of"], named_by) != version:
        raise ArtefactError(f"{file}: its content is not that of the version {version}. {WHAT_TO_DO}")
    return Serving(
        trained_as_of=manifest["trained_as_of"],
        version=version,
        manifest_sha256=_sha256(content),
        why="it scored the night at the time",
        format=manifest.get("format", 1),
        **horizons,
    )


def decisions(home: Home) -> list[Serving]:
    """All decisions, ascending by trained_as_of; none before the first training.

    Raises:
        ArtefactError: promoted.json is damaged.
    """
    with open_storage(home) as storage:
        present = storage.promoted()
        return [] if present is None else _decisions(present[0], storage.place(PROMOTED))


def _decisions(content: bytes, file: str) -> list[Serving]:
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
    is_whole = True
    with open_storage(home) as storage:
        for _ in range(DECIDING_TRIES):
            content, seen = storage.promoted() or (None, None)
            try:
                known = [] if content is None else _decisions(content, storage.place(PROMOTED))
            except ArtefactError:
                storage.put_aside(content or b"")
                known, is_whole = [], False
            kept = [other for other in known if other.trained_as_of != serving.trained_as_of]
            body = [entry.model_dump(mode="json") for entry in sorted([*kept, serving], key=lambda entry: entry.trained_as_of)]
            if storage.replace_promoted(_promoted_content(body), seen):
                return is_whole
        raise TryAgain(f"{storage.place(PROMOTED)}: others keep deciding at the same time; try again when they are done")


def place_of(home: Home, serving: Serving) -> str:
    """Where the model stands, for people."""
    with open_storage(home) as storage:
        return storage.place(serving.version)


def _version(trained_as_of: str, content: Mapping[str, Any]) -> str:
    return f"{trained_as_of}-{_sha256(_json(content))[:10]}"


def _promoted_content(body: list[dict[str, Any]]) -> bytes:
    return _json({"decisions": body, "sha256": _sha256(_json(body))})


def _checked(storage: Storage, name: str, expected: str) -> bytes:
    content = storage.read(name, expected)
    if content is None:
        raise ArtefactError(f"{storage.place(name)}: the file is missing; expected SHA-256 {expected}. {WHAT_TO_DO}")
    found = _sha256(content)
    if found != expected:
        raise ArtefactError(f"{storage.place(name)}: expected SHA-256 {expected}, found {found}. {WHAT_TO_DO}")
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _json(value: Any) -> bytes:
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
