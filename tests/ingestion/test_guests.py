"""Customers without an account: one pseudonym per address, and the address nowhere but in `private`."""

import hmac
import stat
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from ingestion_home import IngestionHome, utc

from ingestion.guests import GuestPseudonyms
from ingestion.tabular.addresses import identify_addresses
from ingestion.tabular.work_database import WorkDatabase
from regulars.email_address import normalised_email
from regulars.errors import ConfigurationError
from regulars.home import Home
from regulars.tables import CANONICAL_TABLES

MAPPED = """
      orders:
        columns: {order_id: id, account_id: customer, email: mail, ordered_at: placed, net_revenue: total}
"""
HEADER = "id,customer,mail,placed,total\n"


def guests(shop: IngestionHome) -> list[tuple[str, str, datetime]]:
    return shop.rows("select email, normalised_email, event_at from private.customers where account_id like 'guest-%' order by email")


def test_one_guest_per_address_since_the_first_order(shop: IngestionHome) -> None:
    shop.tables(MAPPED)
    shop.write(
        "orders.csv",
        HEADER
        + "1,,Ann@Example.com,2026-02-02 10:00:00,1\n"
        + "2,,  ann@EXAMPLE.com ,2026-02-01 10:00:00,1\n"
        + "3,,jörg@müller.example,2026-02-03 10:00:00,1\n"
        + "4,acc,other@example.com,2026-02-03 10:00:00,1\n",
    )
    shop.run()
    ids = [account for (account,) in shop.rows("select account_id from raw.orders order by line")]
    assert ids[0] == ids[1] != ids[2]
    assert ids[3] == "acc"
    assert all(len(name) == len("guest-") + 16 and name.startswith("guest-") for name in ids[:3])
    assert guests(shop) == [
        ("ann@example.com", "ann@example.com", utc(2026, 2, 1, 9)),
        ("jörg@xn--mller-kva.example", "jörg@xn--mller-kva.example", utc(2026, 2, 3, 9)),
    ]
    assert shop.rows("select record_key = account_id, line from private.customers order by line") == [(True, 3), (True, 4)]
    assert shop.account("customers") == {
        "rows_read": 2,
        "rows_loaded": 2,
        "duplicates_merged": 0,
        "rows_excluded": 0,
        "rows_quarantined": 0,
    }


def test_guest_is_known_since_the_earliest_of_all_files(shop: IngestionHome) -> None:
    shop.sources("  shop:\n    type: files\n    path: files\n    time_zone: UTC\n")
    shop.write("consents.csv", "account_id,email,channel,status,changed_at\n,a@x.org,email,granted,2026-02-10\n")
    shop.write("orders.csv", "order_id,account_id,email,ordered_at,net_revenue\n1,,A@x.org,2026-02-01,5\n")
    shop.run()
    assert shop.rows("select event_at, known_at, file from private.customers") == [(utc(2026, 2, 1), utc(2026, 2, 1), "orders.csv")]
    assert shop.rows("select count(*) from raw.orders inner join raw.consents using (account_id)") == [(1,)]


def test_guest_who_comes_back_is_no_new_version(shop: IngestionHome) -> None:
    shop.tables(MAPPED)
    shop.write("orders.csv", HEADER + "1,,ann@example.com,2026-02-01 10:00:00,1\n")
    shop.run(1)
    shop.write(
        "orders.csv",
        HEADER + "1,,ann@example.com,2026-02-01 10:00:00,1\n2,,ANN@example.com,2026-03-01 10:00:00,1\n3,,b@x.org,2026-03-01,1\n",
    )
    shop.run(2)
    assert [email for email, _, _ in guests(shop)] == ["ann@example.com", "b@x.org"]
    assert shop.account("customers", night=2)["duplicates_merged"] == 1
    learned = shop.at(2)[1] + timedelta(microseconds=1)
    assert shop.rows("select known_at, is_known_at_assumed from private.customers where email = 'b@x.org'") == [(learned, False)]


def test_address_that_is_none_only_matters_when_nothing_else_names_the_customer(shop: IngestionHome) -> None:
    shop.tables(MAPPED)
    shop.write("orders.csv", HEADER + "1,acc,not an address,2026-02-01,1\n2,,not an address,2026-02-01,1\n3,,,2026-02-01,1\n")
    shop.run()
    assert shop.rows("select order_id, account_id from raw.orders order by line") == [("1", "acc"), ("3", None)]
    assert [(line, reason) for line, reason, _ in shop.quarantine()] == [
        (3, "column mail: expected an e-mail address, as nothing else names the customer")
    ]


def test_consent_without_a_customer_is_set_aside(shop: IngestionHome) -> None:
    shop.tables("\n      consents:\n        columns: {account_id: a, email: mail, channel: c, status: s, changed_at: at}\n")
    shop.write(
        "consents.csv", "a,mail,c,s,at\n,,email,denied,2026-01-01\n,x@y.org,email,denied,2026-01-01\nacc,,EMAIL,Granted,2026-01-01\n"
    )
    shop.run()
    assert [(line, reason) for line, reason, _ in shop.quarantine()] == [(2, "column a: a value is required")]
    assert shop.rows("select account_id, channel, status from raw.consents where account_id = 'acc'") == [("acc", "email", "granted")]
    assert shop.rows("select count(*) from raw.consents where account_id like 'guest-%'") == [(1,)]


def test_grant_and_denial_of_one_second_both_stand(shop: IngestionHome) -> None:
    shop.tables("\n      consents:\n        columns: {account_id: a, channel: c, status: s, changed_at: at}\n")
    shop.write("consents.csv", "a,c,s,at\n1,email,granted,2026-01-01\n1,email,denied,2026-01-01\n1,email,denied,2026-01-01\n")
    shop.run()
    assert shop.account("consents") == {"rows_read": 3, "rows_loaded": 2, "duplicates_merged": 1, "rows_excluded": 0, "rows_quarantined": 0}


def test_customer_data_need_an_account(shop: IngestionHome) -> None:
    shop.tables("\n      customers:\n        columns: {account_id: id, email: mail}\n")
    shop.write("customers.csv", "id,mail\n1,Ann@x.org\n2,none\n,b@x.org\n")
    shop.run()
    assert shop.rows("select account_id, email, normalised_email from private.customers order by line") == [
        ("1", "Ann@x.org", "ann@x.org"),
        ("2", "none", None),
    ]
    assert [(line, reason) for line, reason, _ in shop.quarantine()] == [(4, "column id: a value is required")]


def test_addresses_stay_in_the_private_schema(shop: IngestionHome, capsys: pytest.CaptureFixture[str]) -> None:
    shop.tables(MAPPED)
    shop.write("orders.csv", HEADER + "1,,canary@example.com,2026-02-01,1\n2,,canary@example.com,bad,1\n3,,canary@,2026-02-01,1\n")
    shop.extract()
    for file in shop.home.extracts.rglob("orders*.parquet"):
        assert b"canary" not in file.read_bytes()
    shop.land()
    for table in CANONICAL_TABLES:
        if table.schema == "raw":
            assert "canary" not in str(shop.dump(table.qualified_name))
    for table_name in ("ingestion_accounts", "exclusions", "landed_files"):
        assert "canary" not in str(shop.dump(f"control.{table_name}"))
    assert "canary" not in str([reason for _, reason, _ in shop.quarantine()])
    assert "canary" not in capsys.readouterr().err
    assert "canary" in str(shop.dump("private.customers"))


def identified(home: Home, folder: Path, *addresses: str) -> dict[str, tuple[str | None, str | None]]:
    """Normalised address and pseudonym of each."""
    with WorkDatabase(folder) as work:
        work.run("create temporary table given as select unnest(?) as email", [list(addresses)])
        identify_addresses(work, "select email from given", GuestPseudonyms(home))
        return {address: (normalised, guest) for address, normalised, guest in work.rows("select * from addresses")}


def test_pseudonyms_are_the_homes_own_and_its_key_is_kept(tmp_path: Path, shop: IngestionHome) -> None:
    first = identified(shop.home, tmp_path, "a@x.org", "A@X.org", "b@x.org", "none", "jörg@x.org")
    assert first["a@x.org"] == first["A@X.org"] != first["b@x.org"]
    assert first["none"] == (None, None)
    key = shop.home.state.parent / "pseudonym.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    for address in ("a@x.org", "jörg@x.org"):
        digest = hmac.digest(bytes.fromhex(key.read_text()), address.encode(), "sha256").hex()
        assert identified(shop.home, tmp_path, address)[address] == first[address] == (address, f"guest-{digest[:16]}")
    (shop.home.path / "other" / "config").mkdir(parents=True)
    assert identified(Home.at(shop.home.path / "other"), tmp_path, "a@x.org")["a@x.org"] != first["a@x.org"]


LOCAL_PARTS = st.one_of(st.text("aZ09.+_-'%İſ@ ", max_size=8), st.integers(62, 66).map(lambda length: "a" * length))
DOMAIN_LABELS = st.one_of(st.text("aZ09-ß_", max_size=4), st.integers(61, 65).map(lambda length: "b" * length))


# No shrinking: each example is a batch, and the address that differs is seen in it.
@settings(max_examples=20, phases=[Phase.explicit, Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(addresses=["İ@x.org", "\u212a@x.org", "a@\u212a.org", f"{'a' * 64}@{'b.' * 93}org", f"{'a' * 64}@{'b.' * 94}org", "a@x.0rg"])
@given(
    addresses=st.lists(
        st.one_of(
            st.emails(),
            st.builds(lambda local, labels: f"{local}@{'.'.join(labels)}", LOCAL_PARTS, st.lists(DOMAIN_LABELS, min_size=1, max_size=5)),
        ),
        min_size=20,
        max_size=60,
        unique=True,
    )
)
def test_the_engine_normalises_as_the_kernel_does(addresses: list[str], shop: IngestionHome, tmp_path: Path) -> None:
    found = identified(shop.home, tmp_path, *addresses)
    assert {address: normalised for address, (normalised, _) in found.items()} == {one: normalised_email(one) for one in addresses}


def test_broken_key_is_no_reason_to_make_another(shop: IngestionHome, tmp_path: Path) -> None:
    shop.home.state.parent.mkdir(parents=True, exist_ok=True)
    (shop.home.state.parent / "pseudonym.key").write_text("deadbeef")
    with pytest.raises(ConfigurationError, match=r"pseudonym\.key: this is no pseudonym key: expected 64 hexadecimal digits"):
        identified(shop.home, tmp_path, "a@x.org")
