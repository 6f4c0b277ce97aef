"""Colours that everybody can read: contrasts by WCAG 2.2, in light, dark and print."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

STYLE = (Path(__file__).resolve().parents[2] / "reporting" / "templates" / "style.css").read_text()
THEMES = dict(zip(("light", "dark", "print"), re.findall(r":root \{(.*?)\}", STYLE, re.S), strict=True))
STEPS = 7


def colours(theme: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", THEMES[theme]))


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_texts_stand_out_from_the_ground(theme: str) -> None:
    of = colours(theme)
    for name in ("ink", "muted", "good", "bad"):
        assert contrast(of[name], of["ground"]) >= 4.5, name


@pytest.mark.parametrize("theme", THEMES)
def test_shapes_stand_out_from_the_ground(theme: str) -> None:
    of = colours(theme)
    for name in ("accent", "warm", "soft"):
        assert contrast(of[name], of["ground"]) >= 3, name


@pytest.mark.parametrize("theme", THEMES)
def test_figures_can_be_read_on_every_heat_and_heat_grows_evenly(theme: str) -> None:
    of = colours(theme)
    for step in range(STEPS):
        text = of["on-pale" if step < 4 else "on-middle" if step == 4 else "on-deep"]
        assert contrast(of[f"heat-{step}"], text) >= 4.5, step
    distances = [contrast(of[f"heat-{step}"], of["ground"]) for step in range(STEPS)]
    assert distances == sorted(distances)


def test_both_themes_name_the_same_colours() -> None:
    assert colours("light").keys() == colours("dark").keys()
    assert colours("print").keys() <= colours("light").keys()
