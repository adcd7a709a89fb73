"""``warmcube warm``, ``stats`` and ``invalidate``, and what is wrong before any of them works."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import ROWS, Finished, run

Run = Callable[..., Finished]


def test_warm_stats_invalidate(warmcube: Run, inside: Run) -> None:
    """A warm is reported, shows in the statistics, and is gone after an invalidation."""
    warmed = warmcube("warm", "1", "--json")
    assert (warmed.returncode, warmed.stderr) == (0, b"")
    report = json.loads(warmed.stdout)
    assert report["rows"] == ROWS
    assert {"entries", "partitions", "bytes", "seconds", "snapshot"} <= report.keys()

    stats = json.loads(inside("stats", "1", "--json").stdout)
    assert stats["state"] == "fresh"
    same = ("snapshot", "rows", "entries", "partitions")
    assert {name: stats[name] for name in same} == {name: report[name] for name in same}
    assert json.loads(inside("stats", "--json").stdout)[0]["rows"] == ROWS
    assert f"{ROWS:,}" in inside("stats").stdout.decode()

    gone = inside("invalidate", "1")
    assert gone.returncode == 0
    assert b"data source 1 (Practice analytics) is cold now; " in gone.stdout
    assert json.loads(inside("stats", "1", "--json").stdout)["state"] == "cold"
    assert b"was cold already" in inside("invalidate", "--all").stdout

    again = inside("warm", "--all", "--json")
    assert again.returncode == 0
    (report,) = json.loads(again.stdout)
    assert report["rows"] == ROWS
    assert b"3,000 rows in" in inside("warm", "1").stdout


def test_a_refresh_says_what_it_read(inside: Run) -> None:
    """By names or by change, and why all was read if it was; a name that is nowhere is an error."""
    whole = json.loads(inside("warm", "1", "--changed", "--json").stdout)
    assert whole["because"]
    changed = json.loads(inside("warm", "1", "--changed", "--json").stdout)
    assert (changed["refreshed"], changed["because"]) == (0, "")
    assert changed["carried"] == changed["partitions"] == whole["partitions"]
    named = inside("warm", "1", "--measure", "Charges", "--frequency", "Monthly")
    assert named.returncode == 0
    carried = whole["partitions"] - 1
    assert f", 1 of them read, {carried} carried over; snapshot" in named.stdout.decode()
    nowhere = inside("warm", "1", "--measure", "Chargse")
    assert nowhere.returncode == 2
    assert b"neither the table nor the live snapshot holds anything of measure" in nowhere.stderr
    for wrong in (
        ("--all", "--measure", "Charges"),
        ("1", "--changed", "--frequency", "Monthly"),
        ("1", "--changed", "--null-measure"),
        ("1", "--measure", ""),
    ):
        assert inside("warm", *wrong).returncode == 2


def test_one_failed_warm_does_not_keep_the_others(
    demo_config: Path, tmp_path: Path, run_inside: Run
) -> None:
    """With two data sources, what can be warmed is; the other is named, and the status is 1."""
    text = demo_config.read_text(encoding="utf-8")
    text += (
        '[[datasources]]\nid = 2\nname = "Broken"\nsource = "demo"\ntable = "ih.nothing"\n'
        '[[datasources]]\nid = 3\nname = "Again"\nsource = "demo"\ntable = "ih.agg_app_measures"\n'
    )
    text = text.replace('folder = "."', f'folder = "{demo_config.parent}"')
    text = text.replace('"access.toml"', f'"{demo_config.parent / "access.toml"}"')
    config = tmp_path / "two.toml"
    config.write_text(text, encoding="utf-8")
    never = run_inside("--config", "two.toml", "stats", "2", folder=tmp_path)
    assert b"never warmed" in never.stdout
    finished = run_inside("--config", "two.toml", "warm", "2", "3", "--json", folder=tmp_path)
    assert finished.returncode == 1
    broken, done = json.loads(finished.stdout)
    assert broken["datasource"] == 2
    assert "ih.nothing" in broken["error"]
    assert (done["datasource"], done["rows"]) == (3, ROWS)
    assert finished.stderr.startswith(b"error: data source 2 (Broken): ")
    assert run_inside("--config", "two.toml", "invalidate", "3", folder=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("warm", "--all, one of them: there is 1 (Practice analytics)"),
        ("warm 1 --all", "--all, not both"),
        ("warm 9", "there is no data source 9"),
        ("warm x", "'x' is no whole number"),
        ("invalidate", "--all, one of them"),
        ("verify", "--all, one of them"),
        ("verify 9", "there is no data source 9"),
        ("verify 1 --sample x", "'x' is no whole number"),
        ("invalidate 9", "there is no data source 9"),
        ("stats 9", "there is no data source 9"),
        ("nonsense", "nonsense"),
        ("warm 1 --nonsense", "--nonsense"),
        ("demo --rows 5", "--rows 5: expected at least 1000"),
        ("demo --port 70000", "--port 70000: expected 1 to 65535"),
    ],
)
def test_usage_errors(inside: Run, words: str, part: str) -> None:
    """Each is one sentence on stderr and status 2."""
    finished = inside(*words.split())
    assert (finished.returncode, finished.stdout) == (2, b"")
    sentence = finished.stderr.decode()
    assert sentence.startswith("error: ")
    assert sentence.count("\n") == 1
    assert part in sentence


def test_without_a_configuration(tmp_path: Path) -> None:
    """The first thing that a stranger types wrongly says how to go on."""
    finished = run("warm", "1", folder=tmp_path)
    assert finished.returncode == 2
    assert b"there is no configuration file warmcube.toml: make one" in finished.stderr
    assert b"warmcube init" in finished.stderr
    assert b"warmcube demo" in finished.stderr


def test_a_broken_configuration(tmp_path: Path, run_inside: Run) -> None:
    """All that is wrong with a file is said at once, without a password."""
    (tmp_path / "warmcube.toml").write_text(
        "[cache]\nttl = '5'\n[sources.main]\nurl = 'http://u:hunter2@h'\n", encoding="utf-8"
    )
    finished = run_inside("stats", folder=tmp_path)
    assert finished.returncode == 2
    text = finished.stderr.decode()
    assert "3 problems in the configuration:" in text
    assert "cache.ttl" in text
    assert 'sources.main.url = "http://u:***@h"' in text
    assert "hunter2" not in text


def test_unreachable_servers(inside: Run) -> None:
    """A Redis that isn't there is one sentence for a warm; a query answers from the database."""
    away = {"WARMCUBE_STORE__URL": "redis://:hunter2@127.0.0.1:1/0"}
    finished = inside("warm", "1", **away)
    assert finished.returncode == 1
    assert finished.stderr.count(b"\n") == 1
    assert b"hunter2" not in finished.stderr
    words = ("query", "1", "--as", "root", "--measure", "Charges", "--frequency", "Monthly")
    answered = inside(*words, "--aggregate", "count", "--format", "json", **away)
    assert answered.returncode == 0
    assert json.loads(answered.stdout)[0]["count"] > 0


def test_verify_compares_with_the_database(inside: Run) -> None:
    """Equal is status 0, in words and as JSON; a cold data source is a clear error and status 1."""
    assert inside("warm", "1").returncode == 0
    verified = inside("verify", "1", "--sample", "5", "--seed", "3", "--json")
    assert (verified.returncode, verified.stderr) == (0, b"")
    report = json.loads(verified.stdout)
    assert (report["verdict"], report["findings"]) == ("equal", [])
    assert (report["rows"], report["database_rows"], report["seed"]) == (ROWS, ROWS, 3)
    assert 1 <= report["slices"] <= 5
    told = inside("verify", "--all").stdout.decode()
    assert told.startswith("data source 1 (Practice analytics): equal; 3,000 rows in the cache")
    assert inside("invalidate", "1").returncode == 0
    cold = inside("verify", "1")
    assert (cold.returncode, cold.stdout) == (1, b"")
    assert b"is cold, so there is nothing to verify" in cold.stderr
