"""Lists in a bucket: a night is visible whole or not at all, and of two runs one publishes it."""

import hashlib
import itertools
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pytest
from activation_home import ActivationHome, Night, address_of, customers

from activation.desired import REASONS
from activation.destination import Changes, SegmentList, load_destination
from activation.list_columns import COLUMNS
from activation.sync import plan_destination, push_destination
from regulars.errors import ConfigurationError, GuardStopped, RegularsError, TryAgain
from regulars.object_store import ObjectStore
from regulars.warehouse.workspace import Workspace
from tests.object_store import Bucket, ObjectStoreServer

D1, D2 = date(2026, 3, 1), date(2026, 3, 2)
S3 = "bucket:\n  type: s3\n  path: {path}/lists\n  endpoint_url: {url}\n{more}"
PRODUCTS = ("next_product", "next_product_id", "next_product_ids", "new_product", "new_product_id")
ROWS = pa.schema(
    [
        *((name, pa.string()) for name in ("segment", "customer_id", "address", "contact_permission")),
        *((name, pa.date32()) for name in ("entered_on", "expires_on")),
        *((name, pa.float64()) for name in ("churn_probability", "expected_value", "value_at_risk", "category_affinity")),
        *((name, pa.string()) for name in ("currency", "favourite_category", *PRODUCTS, "offer")),
        ("offer_valid_until", pa.date32()),
        *((name, pa.string()) for name in REASONS),
    ]
)
LISTS = (SegmentList("loyal", "Loyal customers", "email"),)


@pytest.fixture
def bucket_shop(tmp_path: Path, bucket: Bucket) -> ActivationHome:
    return ActivationHome(tmp_path / "home", S3.format(path=bucket.path, url=bucket.url, more=""))


def send(shop: ActivationHome, as_of: date) -> None:
    try:
        plan_destination(shop.home, as_of, "night", "bucket")
    except GuardStopped:
        shop.approve()
    push_destination(shop.home, as_of, "night", "bucket")


def manifest_of(bucket: Bucket, as_of: date = D1) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(bucket.get(f"lists/{as_of}/manifest.json"))
    return content


def watch(monkeypatch: pytest.MonkeyPatch, operation: str, handle: Callable[[dict[str, Any]], Any]) -> None:
    """Have `handle` see, and change, the parameters of a request from here on."""
    make = boto3.session.Session.client

    def watched(self: boto3.session.Session, *arguments: Any, **options: Any) -> Any:
        client = make(self, *arguments, **options)
        client.meta.events.register(f"provide-client-params.s3.{operation}", lambda params, **_: handle(params))
        return client

    monkeypatch.setattr(boto3.session.Session, "client", watched)


def test_a_night_stands_there_with_its_manifest_and_again_changes_nothing(
    bucket_shop: ActivationHome, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket_shop.night(D1, Night({"loyal": customers(5), "follow_up": customers(2)}))
    with pytest.raises(GuardStopped, match="first sync"):
        push_destination(bucket_shop.home, D1, "night", "bucket")
    assert bucket.listed() == []
    send(bucket_shop, D1)
    manifest = manifest_of(bucket)
    assert (manifest["as_of"], manifest["model_version"], manifest["columns"]) == ("2026-03-01", "m1", list(COLUMNS))
    assert {name: entry["customers"] for name, entry in manifest["files"].items()} == {"loyal.csv": 5, "follow_up.csv": 2}
    for entry in manifest["files"].values():
        content = bucket.get(f"lists/{entry['object']}")
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    assert address_of("c0001").encode() in bucket.get(f"lists/{manifest['files']['loyal.csv']['object']}")
    assert not [path for path in (bucket_shop.home.var / "outbox").rglob("*") if path.is_file()]
    written: list[str] = []
    watch(monkeypatch, "PutObject", lambda params: written.append(params["Key"]))
    send(bucket_shop, D1)
    assert written == []
    bucket_shop.end_night(D1)
    bucket_shop.night(D2, Night({"loyal": customers(6), "follow_up": customers(2)}))
    send(bucket_shop, D2)
    assert manifest_of(bucket) == manifest
    assert manifest_of(bucket, D2)["files"]["loyal.csv"]["customers"] == 6
    assert bucket_shop.syncs(D2, "bucket")["loyal"]["entered_count"] == 1


def test_a_run_that_dies_before_the_manifest_leaves_nothing_visible(
    bucket_shop: ActivationHome, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket_shop.night(D1, Night({"loyal": customers(5), "follow_up": []}))
    write_if = ObjectStore.write_if

    def die(self: ObjectStore, name: str, *arguments: Any, **options: Any) -> bool:
        if name.endswith("manifest.json"):
            raise SystemExit
        return write_if(self, name, *arguments, **options)

    monkeypatch.setattr(ObjectStore, "write_if", die)
    with pytest.raises(SystemExit):
        send(bucket_shop, D1)
    assert any(key.endswith("loyal.csv") for key in bucket.listed())
    assert not [key for key in bucket.listed() if key.endswith("manifest.json")]
    monkeypatch.setattr(ObjectStore, "write_if", write_if)
    push_destination(bucket_shop.home, D1, "night", "bucket")
    assert manifest_of(bucket)["files"]["loyal.csv"]["customers"] == 5


@pytest.mark.parametrize("harm", ["removed", "changed"])
def test_a_list_that_was_harmed_is_written_again(bucket_shop: ActivationHome, bucket: Bucket, harm: str) -> None:
    bucket_shop.night(D1, Night({"loyal": customers(5), "follow_up": customers(2)}))
    send(bucket_shop, D1)
    key = f"lists/{manifest_of(bucket)['files']['loyal.csv']['object']}"
    whole = bucket.get(key)
    if harm == "removed":
        bucket.client.delete_object(Bucket=bucket.name, Key=key)
    else:
        bucket.put(key, whole.replace(b"c0001", b"c9999"))
    send(bucket_shop, D1)
    assert bucket.get(key) == whole


def test_a_night_that_changed_replaces_its_own_and_not_anothers(bucket_shop: ActivationHome, bucket: Bucket) -> None:
    bucket_shop.night(D1, Night({"loyal": customers(5), "follow_up": []}))
    send(bucket_shop, D1)
    before = manifest_of(bucket)
    bucket_shop.night(
        D1,
        Night(
            {
                "loyal": customers(5),
                "follow_up": [],
            },
            denied=["c0001"],
        ),
    )
    send(bucket_shop, D1)
    after = manifest_of(bucket)
    assert after["files"]["loyal.csv"] != before["files"]["loyal.csv"]
    old, new = (bucket.get(f"lists/{one['files']['loyal.csv']['object']}") for one in (before, after))
    assert address_of("c0001").encode() in old, "who reads the old manifest still finds its files"
    assert address_of("c0001").encode() not in new


def test_of_16_runs_with_other_lists_one_publishes_and_with_the_same_all_succeed(bucket_shop: ActivationHome, bucket: Bucket) -> None:
    configured = load_destination(bucket_shop.home, "bucket")
    places, all_have_looked = itertools.count(), threading.Barrier(16)
    nothing = pa.table({name: pa.array([], pa.string()) for name in ("segment", "customer_id", "address", "content_hash")})

    def publish(number: int, as_of: date) -> str:
        home = replace(bucket_shop.home, path=bucket_shop.home.path / f"run{next(places)}")
        home.path.mkdir()
        rows = [{"segment": "loyal", "customer_id": f"c{number}", "contact_permission": "unknown"}]
        with closing(configured.connect(home, None)) as destination, Workspace(home, "bucket") as workspace:
            changes = Changes(as_of, "m1", LISTS, nothing, nothing, nothing, pa.Table.from_pylist(rows, ROWS), workspace)
            destination.read(LISTS)
            all_have_looked.wait(60)
            try:
                destination.push(changes, lambda *_: None)
            except TryAgain as lost:
                return str(lost)
        return "published"

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda number: publish(number, D1), range(16)))
        assert outcomes.count("published") == 1
        assert sum("another run has published" in outcome for outcome in outcomes) == 15
        winner = outcomes.index("published")
        key = f"lists/{manifest_of(bucket)['files']['loyal.csv']['object']}"
        assert f'"c{winner}"'.encode() in bucket.get(key)
        assert set(pool.map(lambda _: publish(7, D2), range(16))) == {"published"}


def test_a_bucket_that_is_public_gets_nothing(bucket_shop: ActivationHome, bucket: Bucket) -> None:
    bucket_shop.night(D1, Night({"loyal": customers(5), "follow_up": []}))
    everyone = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket.name}/*"}
    bucket.client.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [everyone]}))
    with pytest.raises(ConfigurationError, match="public: its policy"):
        send(bucket_shop, D1)
    bucket.client.delete_bucket_policy(Bucket=bucket.name)
    bucket.client.put_bucket_acl(Bucket=bucket.name, ACL="public-read")
    with pytest.raises(ConfigurationError, match="public: its access control list"):
        send(bucket_shop, D1)
    assert bucket.listed() == []
    block = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    bucket.client.put_public_access_block(Bucket=bucket.name, PublicAccessBlockConfiguration=block)  # type: ignore[typeddict-item]
    send(bucket_shop, D1)
    assert manifest_of(bucket)["files"]["loyal.csv"]["customers"] == 5


def test_a_store_that_ignores_conditions_is_refused(bucket_shop: ActivationHome, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket_shop.night(D1, Night({"loyal": customers(5), "follow_up": []}))
    watch(monkeypatch, "PutObject", lambda params: params.pop("IfNoneMatch", None) and None)
    with pytest.raises(ConfigurationError, match="honours conditional writes"):
        send(bucket_shop, D1)
    assert not [key for key in bucket.listed() if key.endswith("manifest.json")]


def test_a_bucket_with_the_later_night_of_another_home_is_left_alone(bucket_shop: ActivationHome, bucket: Bucket) -> None:
    bucket.put("lists/2026-04-01/manifest.json", '{"files": {}}')
    bucket_shop.night(D1, Night({"loyal": customers(5), "follow_up": []}))
    with pytest.raises(ConfigurationError, match="does another home write there"):
        send(bucket_shop, D1)


def test_lists_are_encrypted_as_told(bucket_shop: ActivationHome, bucket: Bucket) -> None:
    bucket_shop.configure(S3.format(path=bucket.path, url=bucket.url, more="  encryption: aws:kms\n  kms_key_id: shop-key\n"))
    bucket_shop.night(D1, Night({"loyal": customers(5), "follow_up": []}))
    send(bucket_shop, D1)
    for key in bucket.listed():
        head = bucket.client.head_object(Bucket=bucket.name, Key=key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "shop-key"), key
    bucket_shop.configure(S3.format(path=bucket.path, url=bucket.url, more="  kms_key_id: shop-key\n"))
    with pytest.raises(ConfigurationError, match="needs `encryption: aws:kms`"):
        send(bucket_shop, D1)


def test_what_the_key_may_not_do_is_named(
    bucket_shop: ActivationHome, bucket: Bucket, object_store: ObjectStoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket_shop.night(D1, Night({"loyal": customers(5), "follow_up": []}))
    asking = ("s3:ListBucket", "s3:GetBucketPublicAccessBlock", "s3:GetBucketPolicyStatus", "s3:GetBucketAcl")
    reader = object_store.new_key(*asking, "s3:GetObject")

    def refusal(key: tuple[str, str]) -> str:
        with pytest.raises(RegularsError) as caught:
            push_destination(bucket_shop.home, D1, "night", "bucket", dict(zip(("access_key_id", "secret_access_key"), key, strict=True)))
        assert caught.value.exit_code == 2
        assert key[1] not in str(caught.value)
        return str(caught.value)

    with pytest.raises(GuardStopped, match="first sync"):
        plan_destination(bucket_shop.home, D1, "night", "bucket")
    bucket_shop.approve()
    assert "could not be asked (get_" in refusal(object_store.new_key("s3:ListBucket"))
    assert "could not be written" in refusal(reader)
    assert "SignatureDoesNotMatch" in refusal((reader[0], "canary"))
