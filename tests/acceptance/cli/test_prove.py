"""``warmcube prove`` on the demo's data, as somebody runs it in their CI."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from warmcube.model.scope import Scope

from .conftest import Finished
from .test_demo import Terminal

Run = Callable[..., Finished]


@pytest.fixture(autouse=True)
def _warm(inside: Run) -> None:
    assert inside("warm", "1", "--force").returncode == 0


def test_the_demo_is_proven(inside: Run, tmp_path: Path) -> None:
    """Nothing is found: status 0, a table, a verdict, and a page that needs nothing else."""
    finished = inside("prove", "--cases", "300", "--html", "page.html")
    shown = finished.stdout.decode()
    assert (finished.returncode, finished.stderr) == (0, b"")
    for text in ("root", "lost", "false users and grants", "nothing found: ", "5 of 5 users"):
        assert text in shown
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "Nothing found" in page
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page


def test_json(inside: Run) -> None:
    """Machines get one object; the same seed gives the same cases."""
    words = ("prove", "1", "--user", "north", "--cases", "60", "--seed", "5", "--json")
    first, again = (json.loads(inside(*words).stdout) for _ in range(2))
    assert first["verdict"] == "clean"
    assert first["total"]["leaks"] == 0
    assert list(first["datasources"][0]["users"]) == ["north"]
    assert first["kinds"] == again["kinds"]


def test_a_broken_policy(inside: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found is told, in counts, and the status is 1."""
    monkeypatch.setattr(Scope, "intersect", lambda scope, *_: scope)
    finished = inside("prove", "--cases", "300")
    shown = finished.stdout.decode()
    assert finished.returncode == 1
    assert "\nLEAK " in shown
    assert ", data source 1: " in shown
    assert " rows of others" in shown
    assert " leaks" in shown.splitlines()[-1]


def test_a_cold_data_source(inside: Run) -> None:
    """It can't be proven, and the message says what to do; the database can be, on purpose."""
    assert inside("invalidate", "1").returncode == 0
    finished = inside("prove")
    assert finished.returncode == 1
    assert b"`warmcube warm 1` first" in finished.stdout
    assert b"\nnot proven: " in finished.stdout
    finished = inside("prove", "--database", "--cases", "60", "--user", "north")
    assert finished.returncode == 0


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("prove x", "'x' is no whole number"),
        ("prove 9", "there is no data source 9"),
        ("prove --cases 0", "expected at least 1"),
        ("prove --sample 0", "expected at least 1"),
        ("prove --html no/such/page.html", "--html no/such/page.html can't be written"),
    ],
)
def test_usage_errors(inside: Run, words: str, part: str) -> None:
    """Each is one sentence on stderr and status 2."""
    finished = inside(*words.split())
    assert (finished.returncode, finished.stdout) == (2, b"")
    assert part in finished.stderr.decode()


def test_ctrl_c(demo_config: Path, tmp_path: Path) -> None:
    """It ends at once with what was found so far, marked as incomplete, and status 130."""
    page = tmp_path / "page.html"
    words = ("--config", str(demo_config), "prove", "--cases", "500000", "--html", str(page))
    with Terminal(tmp_path, *words) as terminal:
        terminal.read_until("trying to break out")
        terminal.read_until("00 cases")
        terminal.type(b"\x03")
        terminal.read_until("incomplete: interrupted")
        assert terminal.end() == 130
    assert "incomplete: interrupted" in page.read_text(encoding="utf-8")
