"""`base.css`: its colours can be read, in the light and in the dark."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

CSS = (files("warmcube.web") / "static" / "base.css").read_text(encoding="utf-8")
TOKENS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([a-z0-9-]+): light-dark\((#[0-9a-fA-F]{6}), (#[0-9a-fA-F]{6})\)", CSS
    )
}
SURFACES = ("canvas", "surface", "surface-raised", "surface-sunken", "surface-hover")
TEXT = 4.5
"""Of WCAG 2.2, 1.4.3."""
SHAPES = 3.0
"""Of WCAG 2.2, 1.4.11."""
PAIRS = [
    *(
        (text, surface, TEXT)
        for text in ("text", "text-muted", "text-faint", "accent", "bad")
        for surface in SURFACES
    ),
    *((kind, f"{kind}-soft", TEXT) for kind in ("good", "warn", "bad")),
    ("accent-strong", "accent-soft", TEXT),
    ("on-accent", "accent", TEXT),
    ("on-accent", "accent-strong", TEXT),
    ("chart-text", "surface", TEXT),
    ("line-strong", "surface-raised", SHAPES),
    ("focus", "canvas", SHAPES),
    ("focus", "surface", SHAPES),
    *((f"chart-{place}", "surface", SHAPES) for place in range(1, 11)),
]


def luminance(colour: str) -> float:
    """How bright a colour is, as WCAG defines it."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Between two colours, as WCAG defines it."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back", "least"), PAIRS)
def test_contrast(front: str, back: str, least: float, theme: int) -> None:
    """Of text 4.5:1, of what must be told apart 3:1, in both themes."""
    assert contrast(TOKENS[front][theme], TOKENS[back][theme]) >= least


def test_tokens_are_used_only_if_they_exist() -> None:
    """A token that isn't there would silently be nothing."""
    texts = {
        each.name: each.read_text(encoding="utf-8")
        for each in (files("warmcube.web") / "static").iterdir()
        if each.name.endswith((".css", ".js"))
    }
    declared = {
        name
        for text in texts.values()
        for found in re.findall(r"(--[a-z0-9-]+):|setProperty\(\"(--[a-z0-9-]+)\"", text)
        for name in found
    }
    for file, text in texts.items():
        assert set(re.findall(r"var\((--[a-z0-9-]+)\)", text)) <= declared, file
