"""Sources in an object store: the same rows and accounts as from a folder, and no object read half or twice."""

import gzip
from datetime import date
from pathlib import Path

import boto3
import pytest
import yaml
from botocore.response import StreamingBody

from ingestion.extraction import extract_source
from ingestion.landing import land_source
from ingestion.tabular.file_search import LocalFolder, is_meant, paths_of
from regulars.errors import ConfigurationError, RegularsError, TryAgain
from regulars.home import Home
from regulars.run import close_run, resume_run
from regulars.warehouse import open_warehouse
from tests.object_store import Bucket, ObjectStoreServer

ORDERS = "order_id,account_id,ordered_at,net_revenue\n"


def home_with(folder: Path, source: dict[str, object]) -> Home:
    (folder / "config").mkdir(parents=True, exist_ok=True)
    (folder / "config" / "shop.yml").write_text("name: Shop\ntime_zone: UTC\ncurrency: EUR\n")
    (folder / "config" / "prediction.yml").write_text("{}\n")
    (folder / "config" / "sources.yml").write_text(
        yaml.safe_dump({"sources": {"shop": {"type": "files", "tables": {"orders": {}}} | source}})
    )
    return Home.at(folder)


def night(home: Home, day: int, monkeypatch: pytest.MonkeyPatch, secrets: dict[str, str] | None = None) -> tuple[int, ...]:
    """Rows read and loaded, and orders there are."""
    monkeypatch.setenv("REGULARS_CLOCK", f"2026-03-{day:02}T03:00:00")
    as_of = date(2026, 3, day)
    extract_source(home, "shop", as_of, "night", secrets)
    land_source(home, "shop", as_of, "night")
    run_id = resume_run(home, "night", as_of).run_id
    close_run(resume_run(home, "night", as_of))
    with open_warehouse(home) as warehouse:
        account = warehouse.rows(
            "select rows_read, rows_loaded from control.ingestion_accounts where run_id = ? and table_name = 'orders'", [run_id]
        )
        return (*account[0], warehouse.rows("select count(*) from raw.orders")[0][0])


def gets(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every object that is fetched from here on."""
    fetched: list[str] = []
    client = boto3.session.Session.client

    def watched(self: boto3.session.Session, *arguments: object, **options: object) -> object:
        made = client(self, *arguments, **options)  # type: ignore[call-overload]
        made.meta.events.register("provide-client-params.s3.GetObject", lambda params, **_: fetched.append(params["Key"]))
        return made

    monkeypatch.setattr(boto3.session.Session, "client", watched)
    return fetched


def test_a_folder_that_moves_to_a_bucket_lands_nothing_twice(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = tmp_path / "export" / "orders"
    export.mkdir(parents=True)
    (export / "a.csv").write_text(ORDERS + "1,7,2026-02-01,12.50\n2,7,2026-02-02,1\n")
    (export / "b.csv.gz").write_bytes(gzip.compress((ORDERS + "3,8,2026-02-03,2\n").encode()))
    home = home_with(tmp_path, {"path": "export"})
    assert night(home, 1, monkeypatch) == (3, 3, 3)
    for file in export.iterdir():
        bucket.put(f"from shop/orders/{file.name}", file.read_bytes())
    bucket.put("from shop/orders/", b"")
    bucket.put("from shop/orders/notes.md", b"not data")
    fetched = gets(monkeypatch)
    home_with(tmp_path, {"path": f"{bucket.path}/from shop", "endpoint_url": bucket.url})
    assert night(home, 2, monkeypatch) == (0, 0, 3)
    assert len(fetched) == 2
    assert night(home, 3, monkeypatch) == (0, 0, 3)
    assert len(fetched) == 2, "what has not changed is not fetched again"
    bucket.put("from shop/orders/a.csv", ORDERS + "1,7,2026-02-01,12.50\n2,7,2026-02-02,1\n4,7,2026-02-04,9\n")
    assert night(home, 4, monkeypatch) == (3, 1, 4)
    assert fetched[2:] == ["from shop/orders/a.csv"]
    (home.var / "objects" / "shop.json").write_text("{half")
    assert night(home, 5, monkeypatch) == (0, 0, 4)


def test_the_objects_leave_no_copy(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put("orders.csv", ORDERS + "1,canary-7,2026-02-01,12.50\n")
    home = home_with(tmp_path, {"path": bucket.path, "endpoint_url": bucket.url})
    night(home, 1, monkeypatch)
    assert not [path for path in home.extracts.rglob("*") if path.is_file()]
    assert (home.var / "objects" / "shop.json").stat().st_mode & 0o077 == 0


def test_an_object_that_changes_after_it_was_listed_is_refused(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.put("orders.csv", ORDERS + "1,7,2026-02-01,12.50\n")
    home = home_with(tmp_path, {"path": bucket.path, "endpoint_url": bucket.url})
    from regulars.object_store import ObjectStore

    download = ObjectStore.download

    def grown(self: ObjectStore, one: object, file: Path) -> None:
        bucket.put("orders.csv", ORDERS + "1,7,2026-02-01,12.50\n2,7,2026-02-01,12.50\n")
        download(self, one, file)  # type: ignore[arg-type]

    monkeypatch.setattr(ObjectStore, "download", grown)
    with pytest.raises(TryAgain, match=r"orders\.csv changed while it was read"):
        night(home, 1, monkeypatch)
    monkeypatch.setattr(ObjectStore, "download", download)
    assert night(home, 1, monkeypatch) == (2, 2, 2)


def test_a_connection_that_breaks_off_goes_on_where_it_was(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from regulars.object_place import ObjectPlace, ObjectStoreSettings
    from regulars.object_store import ObjectStore

    content = b"0123456789" * 350_000
    bucket.put("big.csv", content)
    breaks = iter([1, 1, 0])
    iter_chunks = StreamingBody.iter_chunks

    def breaking(self: StreamingBody, size: int) -> object:
        from botocore.exceptions import ReadTimeoutError

        stop = next(breaks)
        for number, chunk in enumerate(iter_chunks(self, size)):
            if stop and number == 1:
                raise ReadTimeoutError(endpoint_url="http://user:canary@store")
            yield chunk

    monkeypatch.setattr(StreamingBody, "iter_chunks", breaking)
    store = ObjectStore(ObjectPlace.parse(bucket.path), ObjectStoreSettings(endpoint_url=bucket.url))
    fetched = gets(monkeypatch)
    store = ObjectStore(ObjectPlace.parse(bucket.path), ObjectStoreSettings(endpoint_url=bucket.url))
    store.download(store.objects()[0], tmp_path / "big.csv")
    store.close()
    assert (tmp_path / "big.csv").read_bytes() == content
    assert len(fetched) == 3


@pytest.mark.parametrize(
    ("change", "exit_code", "words"),
    [
        ({"path": "s3://nowhere-to-be-found"}, 2, "there is no such bucket"),
        ({"endpoint_url": "http://127.0.0.1:9"}, 75, "does not answer"),
        ({"tables": {"orders": {"path": "none/*.csv"}}}, 2, "there is no file none/"),
    ],
)
def test_what_cannot_be_read_is_named(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], exit_code: int, words: str
) -> None:
    bucket.put("orders.csv", ORDERS)
    home = home_with(tmp_path, {"path": bucket.path, "endpoint_url": bucket.url} | change)
    with pytest.raises(RegularsError, match=words) as caught:
        night(home, 1, monkeypatch)
    assert caught.value.exit_code == exit_code


def test_a_key_is_asked_for_and_never_shown(
    bucket: Bucket, object_store: ObjectStoreServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("orders.csv", ORDERS + "1,7,2026-02-01,12.50\n")
    home = home_with(tmp_path, {"path": bucket.path, "endpoint_url": bucket.url})
    reader, blind = object_store.new_key("s3:GetObject", "s3:ListBucket"), object_store.new_key("s3:GetObject")

    def refusal(**variables: str) -> str:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(ConfigurationError) as caught:
            night(home, 1, monkeypatch)
        assert object_store.key not in str(caught.value)
        assert "canary" not in str(caught.value)
        return str(caught.value)

    assert "there is no whole key" in refusal()
    assert "SignatureDoesNotMatch" in refusal(AWS_ACCESS_KEY_ID=object_store.key_id, AWS_SECRET_ACCESS_KEY="canary")
    assert "does not know the access key" in refusal(AWS_ACCESS_KEY_ID="CANARY", AWS_SECRET_ACCESS_KEY="canary")
    assert "may not do this" in refusal(AWS_ACCESS_KEY_ID=blind[0], AWS_SECRET_ACCESS_KEY=blind[1])
    secrets = {"access_key_id": reader[0], "secret_access_key": reader[1]}
    assert night(home, 1, monkeypatch, secrets) == (1, 1, 1)


def test_paths_mean_the_same_in_a_bucket_as_in_a_folder(tmp_path: Path) -> None:
    labels = [
        "orders.csv",
        "orders.md",
        "orders/a.csv",
        "orders/.b.csv",
        "orders/deep/c.parquet",
        "old/orders.csv",
        "x-1.csv",
        "x-2.csv.gz",
        "x/1.txt",
    ]
    for label in labels:
        (tmp_path / label).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / label).touch()
    local = LocalFolder(tmp_path, "shop")
    for paths in (
        [],
        ["orders"],
        ["orders.md"],
        ["*.csv"],
        ["x*"],
        ["**/*.csv"],
        ["o*"],
        ["orders/**/*.parquet"],
        ["./orders.csv"],
        ["x-[12]*", "old"],
    ):
        expected = {file.label for file in local.files_of("orders", paths)}
        assert {label for label in labels if any(is_meant(label, path) for path in paths_of("orders", paths))} == expected, paths


@pytest.mark.parametrize("path", ["s3://", "s3://Bucket/x", "s3://bucket//x", "s3://bucket/../x", "s3://user:secret@bucket/x"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"sources\.shop\.path.*expected s3://"):
        night(home_with(tmp_path, {"path": path}), 1, monkeypatch)


def test_a_key_does_not_travel_in_the_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="https://"):
        night(home_with(tmp_path, {"path": "s3://bucket", "endpoint_url": "http://store.example.com"}), 1, monkeypatch)


def test_a_bucket_is_not_searched_before_a_night(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="say which tables"):
        night(home_with(tmp_path, {"path": bucket.path, "tables": None}), 1, monkeypatch)
