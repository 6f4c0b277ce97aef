"""Addresses and keys appear nowhere but at the destination: not in errors, logs, progress or state."""

import logging
from datetime import date
from pathlib import Path

import pytest
from activation_home import CANARY, ActivationHome, Night, address_of, customers

from activation.__main__ import for_each, main
from activation.sync import plan_destination, push_destination
from regulars.command import run_command
from regulars.errors import ConfigurationError, GuardStopped, RegularsError
from tests.referees.mailchimp import Audience, Faults, contact_id

D1, D2 = date(2026, 3, 1), date(2026, 3, 2)


def test_no_address_and_no_key_leaks(
    shop: ActivationHome,
    audience: Audience,
    faults: Faults,
    no_progress: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []
    for one in customers(12):
        audience.add(address_of(one))
    audience.add(f"stranger@{CANARY}")
    audience.refused_words[contact_id(address_of("c0003"))] = f"{address_of('c0003')} was permanently deleted and cannot be re-imported"
    audience.dropped_silently.add(contact_id(address_of("c0004")))
    shop.night(D1, Night({"loyal": customers(10), "follow_up": customers(4)}))
    shop.night(D2, Night({"loyal": customers(11, 1)}))

    def attempt(as_of: date, verb: object = push_destination) -> None:
        try:
            verb(shop.home, as_of, "night", "mailchimp")  # type: ignore[operator]
        except RegularsError as error:
            texts.extend([str(error), repr(error), repr(error.__cause__), repr(error.__context__)])

    attempt(D1, plan_destination)
    shop.approve()
    attempt(D1)
    audience.static_segments[1000][1].add(contact_id(f"stranger@{CANARY}"))
    for kind in ("429", "bare 403", "html 503", "lost answer", "cut connection"):
        faults.share, faults.kinds, faults.in_a_row = 1.0, (kind,), -1000
        attempt(D1)
    faults.share = 0.0
    shop.end_night(D1)
    attempt(D2)
    audience.api_key = "changed"
    attempt(D2)
    with pytest.raises(RegularsError):
        push_destination(shop.home, D2, "night", "mailchimp", {"api_key": "secret-in-hand-us7"})
    said = capfd.readouterr()
    files = [path.read_bytes() for path in (shop.home.var / "state").iterdir()]
    everything = "\n".join([*texts, caplog.text, said.out, said.err, no_progress.read_text()]).encode() + b"\n".join(files)
    assert len(texts) > 20
    assert b"mailchimp" in everything
    for secret in (CANARY, "0123456789abcdef0123456789abcdef", "secret-in-hand"):
        assert secret.encode() not in everything
    for one in (address_of("c0001"), f"stranger@{CANARY}"):
        assert contact_id(one).encode() not in everything


def test_a_key_written_into_the_configuration_is_not_shown(shop: ActivationHome) -> None:
    shop.configure("mailchimp: {type: mailchimp, account_id: a, audience_id: b, audience_name: c, api_key_variable: 0123456789abcdef-us1}")
    with pytest.raises(ConfigurationError, match="name of an environment variable") as caught:
        plan_destination(shop.home, D1, "night", "mailchimp")
    assert "0123456789abcdef" not in str(caught.value)


def test_a_key_never_travels_in_the_open(shop: ActivationHome) -> None:
    shop.configure(
        "mailchimp: {type: mailchimp, account_id: a, audience_id: b, audience_name: c, base_url: 'http://api.mailchimp.com/3.0'}"
    )
    with pytest.raises(ConfigurationError, match="https://"):
        plan_destination(shop.home, D1, "night", "mailchimp")


def test_a_missing_key_is_named(shop: ActivationHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAILCHIMP_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="environment variable MAILCHIMP_API_KEY"):
        plan_destination(shop.home, D1, "night", "mailchimp")


def test_one_destination_stopped_does_not_stop_the_others(
    shop: ActivationHome, audience: Audience, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = shop.home.config / "destinations.yml"
    file.write_text(file.read_text() + "  lists:\n    type: csv_folder\n")
    audience.add(address_of("c0000"))
    shop.night(D1, Night({"loyal": customers(3), "follow_up": []}))
    monkeypatch.setenv("REGULARS_HOME", str(shop.home.path))
    monkeypatch.setattr("sys.argv", ["activation", "push", "--as-of", "2026-03-01"])
    assert run_command(main) == 3
    assert "first sync" in capsys.readouterr().err
    assert (shop.home.lists / "latest" / "loyal.csv").exists()
    assert audience.writes == []
    monkeypatch.setattr(
        "sys.argv", ["activation", "approve", str(shop.query("select plan_sha256 from plans where status = 'stopped'")[0][0])]
    )
    assert run_command(main) == 0
    monkeypatch.setattr("sys.argv", ["activation", "push", "--as-of", "2026-03-01", "--destination", "mailchimp"])
    assert run_command(main) == 0
    assert audience.members_of("Regulars: Loyal customers") == {address_of("c0000")}


def test_the_gravest_failure_ends_the_command() -> None:
    def work(name: str) -> None:
        raise {"a": GuardStopped("a stopped"), "b": ConfigurationError("b is wrong")}[name]

    with pytest.raises(RegularsError, match="a stopped\nb is wrong") as caught:
        for_each(["a", "b"], work)
    assert caught.value.exit_code == 2
