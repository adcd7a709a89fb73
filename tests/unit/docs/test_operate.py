"""`docs/how-to/operate.md` can be followed: what it names is there, each alarm leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import pytest
import typer

import warmcube
from warmcube import errors
from warmcube.cli.app import app
from warmcube.config.reference import all_settings
from warmcube.observe.declared import METRICS
from warmcube.observe.levels import STATES
from warmcube.observe.observer import MissReason
from warmcube.observe.verified import VERDICTS

DOCS: Final = Path(__file__).parents[3] / "docs"
PAGE: Final = (DOCS / "how-to/operate.md").read_text(encoding="utf-8")
VERIFY: Final = (DOCS / "how-to/verify.md").read_text(encoding="utf-8")
MONITOR: Final = (DOCS / "how-to/monitor.md").read_text(encoding="utf-8")
WORDS: Final[dict[tuple[str, str], set[str]]] = {
    ("warmcube_misses", "reason"): set(MissReason),
    ("warmcube_snapshot_state", "state"): set(STATES),
    ("warmcube_verified", "verdict"): set(VERDICTS),
    ("warmcube_fallbacks", "outcome"): {
        *("answered", "failed", "overloaded", "refused", "cancelled"),
    },
}
SUFFIXES: Final = {
    "counter": {"_total"},
    "gauge": {""},
    "histogram": {"_bucket", "_count", "_sum", ""},
}


def metrics_in(text: str) -> Iterator[tuple[str, str]]:
    """The names of metrics in a text, each with what selects its series."""
    yield from re.findall(r"(?<![\w/.:-])(warmcube_\w+)(?:\{([^}]*)\})?", text)


def declared(name: str) -> str:
    """The metric that a name of samples is of."""
    found = [
        metric.name
        for metric in METRICS.values()
        if name in {metric.name + suffix for suffix in SUFFIXES[metric.kind]}
    ]
    assert len(found) == 1, f"{name} is no metric"
    return found[0]


@pytest.mark.parametrize("page", ["how-to/operate.md", "how-to/monitor.md", "how-to/verify.md"])
def test_every_metric_is_told(page: str) -> None:
    """By name, by its labels, and by the words that they can be."""
    named = list(metrics_in((DOCS / page).read_text(encoding="utf-8")))
    assert named
    for name, selected in named:
        metric = declared(name)
        for label, text in re.findall(r'(\w+)=~?"([^"]*)"', selected):
            assert label in METRICS[metric].labels, (name, label)
            for word in text.split("|") if (metric, label) in WORDS else ():
                assert word in WORDS[metric, label], (name, label, word)


def test_every_alarm_leads_to_what_to_do() -> None:
    """The alarms of the page are those that are proposed, each with a place to look at."""
    proposed = re.findall(r"- alert: (\w+)", MONITOR)
    rows = re.findall(r"^\| `(Warmcube\w+)` \| (.+) \|$", PAGE, re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(proposed)
    assert all("](#" in where or "reason" in where for _, where in rows)


def test_every_heading_that_is_named_is_there() -> None:
    """Links within the page."""
    anchors = {
        re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in PAGE.splitlines()
        if line.startswith("#")
    }
    named = set(re.findall(r"\]\(#([^)]+)\)", PAGE))
    assert named
    assert named <= anchors, named - anchors


def test_every_fault_says_how_it_is_seen_what_happens_and_what_to_do() -> None:
    """All three, of each but those that only sort others."""
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    faults = [each for each in sections if not each.startswith(("Where", "Alarms", "A disk"))]
    assert len(faults) >= 20
    for each in faults:
        for part in ("- **You see**", "- **By itself**", "- **To do**"):
            assert each.count(part) == 1, (each.partition("\n")[0], part)


def commands() -> list[str]:
    """Every command that the page names."""
    inline = re.findall(r"`(warmcube [^`]+)`", PAGE)
    blocks = re.findall(r"^(warmcube [^#\n]+)", PAGE, re.MULTILINE)
    return sorted({each.strip() for each in (*inline, *blocks)})


@pytest.mark.parametrize("command", commands())
def test_every_command_is_there(command: str) -> None:
    """With the options and arguments that it is given."""
    found: Any = typer.main.get_command(app)
    words = command.split()[1:]
    while isinstance(found, click.Group):
        found = found.commands[words.pop(0)]
    found.make_context(command, words)


def source() -> str:
    """All of ours, with texts that go over several lines put together."""
    files = Path(warmcube.__file__).parent.rglob("*.py")
    whole = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return re.sub(r'"\s*\n\s*f?"', "", whole)


def test_every_line_that_is_quoted_is_one_of_ours() -> None:
    """What stands for something else is left out of it."""
    page = re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL).replace("\n  ", " ")
    codes = [each for each in re.findall(r"`([^`]*)`", page) if " " in each and "…" in each]
    parts = re.findall(r"`/readyz`: `\w+`, \"([^\"]+)\"", page)
    assert len(codes) >= 8
    assert len(parts) >= 4
    ours = source()
    for line in (*codes, *parts):
        for part in line.split("…"):
            assert part.strip() in ours, (line, part)


def test_what_is_wrong_is_shown_before_it_is_switched_off() -> None:
    """Nothing of a data source that is switched off can be verified any more."""
    (told,) = re.findall(r"^\| `wrong` \| (.+) \|$", PAGE, re.MULTILINE)
    assert re.findall(r"`warmcube (\w+) 1", told) == ["verify", "disable"]
    (told,) = re.findall(r"^\| `wrong` \| (.+) \|$", VERIFY, re.MULTILINE)
    assert re.findall(r"`warmcube (\w+) 1", told) == ["verify", "disable"]


def test_every_setting_is_one() -> None:
    """With its table where the page gives one."""
    known = {each.key.replace("[0]", "") for each in all_settings()}
    named = re.findall(r"`\[+(\w+)\]+ ([a-z_]+)", PAGE)
    assert len(named) >= 15
    for table, name in named:
        assert f"{table}.{name}" in known, (table, name)


def test_every_error_is_one() -> None:
    """Those in the tables, and those in the text."""
    named = set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`", PAGE))
    alarms = {each for each in named if each.startswith("Warmcube")}
    assert len(named - alarms) >= 10
    assert {each for each in named - alarms if not hasattr(errors, each)} == set()
