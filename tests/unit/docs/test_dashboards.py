"""`docs/reference/dashboards.md` lists every field of a dashboard as the code declares it."""

from __future__ import annotations

from pathlib import Path

from warmcube.dashboard.dates import PRESETS
from warmcube.dashboard.definition import CALCULATIONS, CHART_TYPES, FORMATS
from warmcube.dashboard.fields import TABLES
from warmcube.dashboard.forms import COLOURS
from warmcube.model.request import OPERATORS

PAGE = (Path(__file__).parents[3] / "docs/reference/dashboards.md").read_text(encoding="utf-8")


def test_every_field_is_on_the_page_and_nothing_else() -> None:
    """Each with what it is for, as often as tables have it."""
    listed = [line for line in PAGE.splitlines() if line.startswith("| `")]
    declared = [
        f"| `{name}` | {'required' if field.is_required else ''} | {field.help} |"
        for table in TABLES.values()
        for name, field in table.fields.items()
    ]
    assert [line for line in listed if line.count(" | ") == 2] == declared


def test_every_name_of_a_closed_set_is_on_the_page() -> None:
    """Presets, types, formats, calculations, colours, operators."""
    names = (*PRESETS, *CHART_TYPES, *FORMATS, *CALCULATIONS, *COLOURS, *OPERATORS)
    assert [name for name in names if f"`{name}`" not in PAGE] == []
