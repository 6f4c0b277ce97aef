"""What every destination must keep to. A new file in activation/destinations/ is found and held to it by itself."""

import importlib
import inspect
from pathlib import Path

import pytest

from activation import destination as contract
from activation.destination import Capabilities, DestinationSettings, destination_types
from regulars.home import Home
from regulars.tables import SEGMENT_MEMBERSHIPS
from regulars.warehouse.duckdb import connect

ROOT = Path(__file__).resolve().parents[2]
CHANNELS = {"email", "sms", "post", "ads"}
FORBIDDEN_WORDS = (
    "unsubscribe_",
    "delete-permanent",
    "subscription-bulk-create",
    '"DELETE"',
    '"PATCH"',
    '"status": "subscribed"',
    '"status": "unsubscribed"',
    '"status_if_new": "subscribed"',
)
METHODS = [name for name, value in vars(contract.Destination).items() if inspect.isfunction(value) and not name.startswith("_")]


def test_there_are_destinations() -> None:
    files = {path.stem for path in (ROOT / "activation" / "destinations").glob("*.py")} - {"__init__"}
    assert set(destination_types()) == files >= {"csv_folder", "mailchimp"}


@pytest.mark.parametrize("kind", destination_types())
class TestDestination:
    def test_settings_name_their_type_and_describe_every_key(self, kind: str) -> None:
        settings = importlib.import_module(f"activation.destinations.{kind}").Settings
        assert issubclass(settings, DestinationSettings)
        assert settings.model_fields["type"].annotation.__args__ == (kind,)
        undescribed = [name for name, field in settings.model_fields.items() if name != "type" and not field.description]
        assert undescribed == []

    def test_no_setting_holds_a_secret(self, kind: str) -> None:
        settings = importlib.import_module(f"activation.destinations.{kind}").Settings
        assert not {"api_key", "token", "password", "secret"} & set(settings.model_fields)

    def test_capabilities(self, kind: str) -> None:
        capabilities = importlib.import_module(f"activation.destinations.{kind}").Destination.capabilities
        assert isinstance(capabilities, Capabilities)
        assert capabilities.channels
        assert capabilities.channels <= CHANNELS
        with connect() as database:
            key = database.execute(
                f"select typeof({capabilities.contact_key}) from (select 'c1' as customer_id, 'a@example.com' as address)"
            ).fetchone()
        assert key == ("VARCHAR",)

    def test_it_offers_what_the_contract_asks_for(self, kind: str) -> None:
        destination = importlib.import_module(f"activation.destinations.{kind}").Destination
        for name in METHODS:
            expected = list(inspect.signature(getattr(contract.Destination, name)).parameters)
            assert list(inspect.signature(getattr(destination, name)).parameters) == expected, name
        assert hasattr(destination, "is_own")
        assert hasattr(destination, "creates_contacts")

    def test_a_tool_outside_is_never_ones_own(self, kind: str) -> None:
        module = importlib.import_module(f"activation.destinations.{kind}")
        if module.Destination.capabilities.mails:
            assert module.Destination.is_own is False

    def test_it_subscribes_unsubscribes_and_deletes_nobody(self, kind: str) -> None:
        source = (ROOT / "activation" / "destinations" / f"{kind}.py").read_text()
        assert [word for word in FORBIDDEN_WORDS if word in source] == []

    def test_it_logs_and_prints_nothing_by_itself(self, kind: str) -> None:
        source = (ROOT / "activation" / "destinations" / f"{kind}.py").read_text()
        assert "print(" not in source
        assert "logging" not in source


def test_a_folder_outside_the_home_is_not_its_own(tmp_path: Path) -> None:
    module = importlib.import_module("activation.destinations.csv_folder")
    (tmp_path / "home" / "config").mkdir(parents=True)
    home = Home.at(tmp_path / "home")
    inside = module.Destination(module.Settings(type="csv_folder"), home, {})
    outside = module.Destination(module.Settings(type="csv_folder", path=str(tmp_path / "share")), home, {})
    assert inside.is_own
    assert not outside.is_own


def test_permission_is_a_column_of_the_memberships() -> None:
    assert SEGMENT_MEMBERSHIPS.column("contact_permission").nullable is False
