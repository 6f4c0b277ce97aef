"""A registry in a bucket: the same proof as in a folder, and no decision lost among several at once."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest
import yaml

from models.registry import MANIFEST, Serving, decide, decisions, load_model, promoted_for, save_model
from models.storage import BucketStorage
from models.trained_model import CHURN_FILES
from regulars.errors import ArtefactError, ConfigurationError
from regulars.home import Home
from regulars.object_store import ObjectStore
from regulars.settings import HomeSettings
from tests.models.synthetic_shop import AS_OF, scorer_at
from tests.object_store import Bucket

TREES = CHURN_FILES["alone"]


@pytest.fixture
def moved_shop(own_trained_shop: Home, bucket: Bucket) -> Home:
    """The trained shop, its registry moved to the bucket file by file."""
    for file in own_trained_shop.models.rglob("*.json"):
        bucket.put(f"models/{file.relative_to(own_trained_shop.models)}", file.read_bytes())
        file.unlink()
    configure(own_trained_shop, {"path": f"{bucket.path}/models", "endpoint_url": bucket.url})
    return own_trained_shop


def configure(home: Home, registry: object) -> None:
    file = home.config / "prediction.yml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"registry": registry}))


def serving_of(home: Home) -> Serving:
    serving = promoted_for(home, AS_OF)
    assert serving is not None
    return serving


def test_a_model_is_read_checked_and_kept_here(moved_shop: Home, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    serving = serving_of(moved_shop)
    read: list[str] = []
    original = ObjectStore.read
    monkeypatch.setattr(ObjectStore, "read", lambda self, name: (read.append(name), original(self, name))[1])
    model = load_model(moved_shop, serving)
    assert sorted(read) == sorted(f"{serving.version}/{name}" for name in (MANIFEST, *model.files()))
    whole = len(read)
    load_model(moved_shop, serving)
    assert len(read) == whole, "what is here and whole is not fetched again"
    copy = moved_shop.models / serving.version / TREES
    copy.write_bytes(copy.read_bytes().replace(b"1", b"2"))
    load_model(moved_shop, serving)
    assert read[whole:] == [f"{serving.version}/{TREES}"]
    facts = json.loads(bucket.get(f"models/{serving.version}/manifest.json"))["facts"]
    assert save_model(moved_shop, AS_OF, model, facts) == (serving.version, serving.manifest_sha256)


def test_a_model_changed_in_the_bucket_is_refused(moved_shop: Home, bucket: Bucket) -> None:
    key = f"models/{serving_of(moved_shop).version}/{TREES}"
    whole = bucket.get(key)
    bucket.put(key, whole.replace(b"1", b"2", 1))
    with pytest.raises(ArtefactError, match=rf"s3://.*{TREES}: expected SHA-256"):
        scorer_at(moved_shop)
    bucket.client.delete_object(Bucket=bucket.name, Key=key)
    with pytest.raises(ArtefactError, match="missing"):
        scorer_at(moved_shop)
    bucket.put(key, whole)
    assert scorer_at(moved_shop).scored_by == "blend"


def test_a_model_is_saved_manifest_last(moved_shop: Home, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    serving = serving_of(moved_shop)
    model, manifest = load_model(moved_shop, serving), json.loads(bucket.get(f"models/{serving.version}/manifest.json"))
    written: list[str] = []
    original = ObjectStore.write_bytes
    monkeypatch.setattr(ObjectStore, "write_bytes", lambda self, name, content: (written.append(name), original(self, name, content))[1])
    version, _ = save_model(moved_shop, AS_OF, model, manifest["facts"] | {"rows": 1})
    assert sorted(written) == sorted(f"{version}/{name}" for name in ("manifest.json", *manifest["files"]))
    assert written[-1] == f"{version}/manifest.json"


def test_of_many_decisions_at_once_none_is_lost(moved_shop: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    serving, count = serving_of(moved_shop), 8
    all_have_looked, promoted, looked = threading.Barrier(count), BucketStorage.promoted, threading.local()

    def wait_once(self: BucketStorage) -> tuple[bytes, str] | None:
        found = promoted(self)
        if not getattr(looked, "once", False):
            looked.once = True
            all_have_looked.wait(60)
        return found

    monkeypatch.setattr(BucketStorage, "promoted", wait_once)
    earlier = [serving.model_copy(update={"trained_as_of": date(2020, 1, 1 + day), "why": str(day)}) for day in range(count)]
    with ThreadPoolExecutor(count) as pool:
        assert all(pool.map(lambda one: decide(moved_shop, one), earlier))
    monkeypatch.setattr(BucketStorage, "promoted", promoted)
    assert [entry.why for entry in decisions(moved_shop)] == [*map(str, range(count)), serving.why]


def test_a_damaged_list_is_refused_and_put_aside_by_a_training(moved_shop: Home, bucket: Bucket) -> None:
    serving = serving_of(moved_shop)
    bucket.put("models/promoted.json", b"{}")
    with pytest.raises(ArtefactError, match=r"s3://.*promoted\.json"):
        decisions(moved_shop)
    assert not decide(moved_shop, serving)
    assert decisions(moved_shop) == [serving]
    assert bucket.get("models/promoted.damaged") == b"{}"


def test_the_registry_may_be_named_by_its_path_alone(own_trained_shop: Home, tmp_path: Path) -> None:
    own_trained_shop.models.rename(tmp_path / "elsewhere")
    configure(own_trained_shop, str(tmp_path / "elsewhere"))
    load_model(own_trained_shop, serving_of(own_trained_shop))
    configure(own_trained_shop, "s3://Bucket")
    with pytest.raises(ConfigurationError, match=r"registry.*expected s3://"):
        HomeSettings(own_trained_shop)
