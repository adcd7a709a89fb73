"""`docs/how-to/audit.md` tells of every event, and shows lines as they are."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.audit import read_line

from warmcube.audit.events import EVENTS
from warmcube.audit.listed import MOST_LISTED
from warmcube.audit.text import LONGEST

PAGE = (Path(__file__).parents[3] / "docs/how-to/audit.md").read_text(encoding="utf-8")


def test_every_event_is_told_of() -> None:
    """In its table, and none that isn't one."""
    listed = {
        name
        for row in re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
        if "required" not in row
        for name in re.findall(r"`(\w+)`", row)
    }
    assert listed == {event.name for event in EVENTS}


def test_the_lines_shown_are_lines() -> None:
    """As the schema says."""
    shown = re.findall(r"^```json\n(.*?\n)```$", PAGE, re.MULTILINE | re.DOTALL)
    assert [read_line(line.encode())["event"] for line in shown] == ["blocked_filter"]


def test_the_figures_are_the_codes() -> None:
    """How long a list and a text may be."""
    assert f"more than {MOST_LISTED} there are the first {MOST_LISTED}" in PAGE
    assert f"cut at {LONGEST} characters" in PAGE
