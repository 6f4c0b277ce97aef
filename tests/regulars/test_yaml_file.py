from pathlib import Path

import pytest

from regulars.errors import ConfigurationError
from regulars.home import Home
from regulars.segment import load_segments
from regulars.settings import HomeSettings, PredictionSettings, ShopSettings
from regulars.yaml_file import YamlFile


def _complaint(tmp_path: Path, text: str, model: type) -> str:
    file = tmp_path / "some.yml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        YamlFile(file).validated(model)
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("name: a\ntimezone: Europe/Berlin\ncurrency: EUR\n", 2, "did you mean 'time_zone'"),
        ("name: a\ntime_zone: Berlin\ncurrency: EUR\n", 2, "no IANA time zone"),
        ("name: a\ntime_zone: Europe/Berlin\n", None, "currency: the key is missing"),
        ("name: a\nname: b\n", 2, "stands twice"),
        ("name: [a\n", 2, "not YAML"),
        ("- a\n", 1, "expected keys and values"),
        ("name: a\ntime_zone: Europe/Berlin\ncurrency: euro\n", 3, "currency"),
    ],
)
def test_a_complaint_names_file_line_key_and_remedy(tmp_path: Path, text: str, line: int | None, expected: str) -> None:
    complaint = _complaint(tmp_path, text, ShopSettings)
    assert complaint.startswith(str(tmp_path / "some.yml") + (f":{line}: " if line else ""))
    assert expected in complaint


def test_nested_keys_are_named_with_their_path(tmp_path: Path) -> None:
    complaint = _complaint(tmp_path, "training:\n  cutoffs_count: 0\n", PredictionSettings)
    assert ":2: training.cutoffs_count:" in complaint
    assert "greater than or equal to 1" in complaint


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="regulars init"):
        YamlFile(tmp_path / "none.yml")


def test_a_folder_without_config_is_no_home(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is no home"):
        Home.at(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.yml", "who: order_count > 1", "did you mean 'orders_count'"),
        ("a.yml", "who: orders_count > 1\nmembership: transient", "held_days belongs"),
        ("a.yml", "name: b", "leave the key out"),
        ("Bad Name.yml", "who: orders_count > 1", "lower-case"),
        ("a.yml", "who: orders_count > 1\nprioritet: 3", "did you mean 'priority'"),
    ],
)
def test_a_segment_at_fault_is_named(tmp_path: Path, name: str, text: str, expected: str) -> None:
    folder = tmp_path / "config" / "segments"
    folder.mkdir(parents=True)
    given = {"title": "T", "who": "orders_count > 1", "why": "w", "offer": "o", "priority": 1, "membership": "lasting"}
    given |= dict(line.split(": ", 1) for line in text.splitlines())
    (folder / name).write_text("\n".join(f"{key}: {value}" for key, value in given.items()))
    with pytest.raises(ConfigurationError, match=expected):
        load_segments(Home.at(tmp_path))


def test_the_repository_is_a_valid_home() -> None:
    home = Home.at(Path(__file__).resolve().parents[2])
    assert len(load_segments(home)) == 6
    settings = HomeSettings(home)
    assert settings.shop.currency == "EUR"
    assert len(settings.config_hash()) == 64
