"""A changed artefact is refused before anything of it is parsed as a model."""

import json
from pathlib import Path

import pytest

from models.registry import FORMAT, decide, decisions, load_model, promoted_for, save_model
from models.shallow_trees import ShallowTrees
from models.train import train
from models.training_need import why_training_is_due
from regulars.errors import ArtefactError
from regulars.home import Home
from tests.models.synthetic_shop import AS_OF, scorer_at

FILES = ["manifest.json", "churn_on_offset.json", "churn_alone.json", "value_severity.json", "value_tweedie.json"]


def version_folder(home: Home) -> Path:
    serving = promoted_for(home, AS_OF)
    assert serving is not None
    return home.models / serving.version


def flip(file: Path, position: int, bit: int) -> None:
    content = bytearray(file.read_bytes())
    content[position] ^= 1 << bit
    file.write_bytes(content)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.0, 0.37, 0.999])
def test_a_flipped_bit_is_refused_before_the_file_is_parsed(
    own_trained_shop: Home, name: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ShallowTrees, "from_json", lambda *_: pytest.fail("parsed before its hash was checked"))
    file = version_folder(own_trained_shop) / name
    flip(file, int(file.stat().st_size * share), 3)
    with pytest.raises(ArtefactError) as error:
        scorer_at(own_trained_shop)
    for expected in (str(file), "expected SHA-256", "found", "make train"):
        assert expected in str(error.value)
    assert error.value.exit_code == 2


def test_a_model_of_another_format_is_refused(own_trained_shop: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("registry", "training_need"):
        monkeypatch.setattr(f"models.{module}.FORMAT", FORMAT + 1)
    with pytest.raises(ArtefactError, match=f"manifest.json: expected a model of format {FORMAT + 1}, found {FORMAT}.*make train"):
        scorer_at(own_trained_shop)
    assert why_training_is_due(own_trained_shop, AS_OF) == "the last training was another version's of Regulars"


def test_every_file_of_the_artefact_is_json_and_hashed(trained_shop: Home) -> None:
    folder = version_folder(trained_shop)
    assert sorted(file.name for file in folder.iterdir()) == sorted(FILES)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert sorted(manifest["files"]) == sorted(set(FILES) - {"manifest.json"})
    assert all(json.loads((folder / name).read_text()) for name in FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(own_trained_shop: Home, name: str) -> None:
    (version_folder(own_trained_shop) / name).unlink()
    with pytest.raises(ArtefactError, match=f"{name}: the file is missing"):
        scorer_at(own_trained_shop)


def test_any_flipped_bit_of_the_list_of_promoted_models_is_refused(own_trained_shop: Home) -> None:
    file = own_trained_shop.models / "promoted.json"
    whole = file.read_bytes()
    for position in range(len(whole)):
        flip(file, position, position % 8)
        with pytest.raises(ArtefactError, match=r"promoted\.json"):
            decisions(own_trained_shop)
        file.write_bytes(whole)
    assert len(decisions(own_trained_shop)) == 1


def test_a_training_mends_a_damaged_model_and_a_damaged_list(own_trained_shop: Home) -> None:
    before = scorer_at(own_trained_shop).model_version
    flip(own_trained_shop.models / "promoted.json", 40, 0)
    flip(version_folder_named(own_trained_shop, before) / "churn_alone.json", 100, 0)
    with pytest.raises(ArtefactError):
        why_training_is_due(own_trained_shop, AS_OF)
    train(own_trained_shop, AS_OF)
    assert scorer_at(own_trained_shop).model_version == before
    assert (own_trained_shop.models / "promoted.damaged").exists()


def version_folder_named(home: Home, version: str) -> Path:
    return home.models / version


def test_saving_the_same_model_again_touches_nothing(own_trained_shop: Home) -> None:
    serving = promoted_for(own_trained_shop, AS_OF)
    assert serving is not None
    folder = version_folder(own_trained_shop)
    facts = json.loads((folder / "manifest.json").read_text())["facts"]
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    model = load_model(own_trained_shop, serving)
    assert save_model(own_trained_shop, AS_OF, model, facts) == (serving.version, serving.manifest_sha256)
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before


def test_a_half_written_folder_of_a_run_that_died_is_no_version(own_trained_shop: Home) -> None:
    serving = promoted_for(own_trained_shop, AS_OF)
    assert serving is not None
    folder = version_folder(own_trained_shop)
    facts = json.loads((folder / "manifest.json").read_text())["facts"]
    model = load_model(own_trained_shop, serving)
    (own_trained_shop.models / ".new").mkdir()
    (own_trained_shop.models / ".new" / "churn_alone.json").write_text("{")
    (folder / "value_severity.json").unlink()
    assert save_model(own_trained_shop, AS_OF, model, facts)[0] == serving.version
    load_model(own_trained_shop, serving)
    assert not (own_trained_shop.models / ".new").exists()


def test_decisions_are_ordered_by_their_as_of_and_one_as_of_has_one(own_trained_shop: Home) -> None:
    serving = promoted_for(own_trained_shop, AS_OF)
    assert serving is not None
    earlier = serving.model_copy(update={"trained_as_of": AS_OF.replace(month=1), "why": "earlier"})
    assert decide(own_trained_shop, earlier)
    assert decide(own_trained_shop, earlier.model_copy(update={"why": "again"}))
    assert [entry.why for entry in decisions(own_trained_shop)] == ["again", serving.why]
