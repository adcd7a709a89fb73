"""``warmcube worker`` as whoever operates it meets it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

from tests.support.workers import wait_until, working

from .conftest import Finished, run

Run = Callable[..., Finished]


def test_once_and_status(demo_config: Path, inside: Run) -> None:
    """What is cold is warmed; without a worker that is alive the status says so, by its exit
    status too; with one it says when and why the next warm comes, as `stats` does.
    """
    inside("invalidate", "1")
    once = inside("worker", "--once")
    assert (once.returncode, once.stderr) == (0, b"")
    lines = [line[20:] for line in once.stdout.decode().splitlines()]
    assert lines[0] == "1 (Practice analytics): warms, since it is cold"
    assert lines[1].startswith("1 (Practice analytics): 3,000 rows in ")
    assert lines[2:] == ["worker: ended"]
    assert inside("worker", "--once").stdout.decode().splitlines()[0][20:] == "worker: ended"

    alone = inside("worker", "--status")
    assert alone.returncode == 1
    assert b"no worker" in alone.stdout

    with working(demo_config) as worker:
        worker.await_event("started")
        wait_until(lambda: inside("worker", "--status").returncode == 0)
        shown = inside("worker", "--status").stdout.decode()
        assert f"process {worker.process.pid}" in shown
        assert "before its snapshot is too old" in shown
        told = json.loads(inside("worker", "--status", "--json").stdout)
        assert [card["process"] for card in told["workers"]] == [worker.process.pid]
        (each,) = told["datasources"]
        assert (each["state"], each["reason"], each["workers"]) == ("waiting", "aging", 1)
        stats = json.loads(inside("stats", "1", "--json").stdout)
        assert stats["next_warm"] == each["next"]
        assert stats["worker"].endswith(f"process {worker.process.pid}")
        assert b"next warm" in inside("stats", "1").stdout
        worker.signal(signal.SIGTERM)
        assert worker.wait() == 0
    assert inside("worker", "--status").returncode == 1


def test_what_is_wrong_is_said_before_anything_begins(inside: Run, tmp_path: Path) -> None:
    """Options that exclude each other, a data source that there isn't, a configuration that
    can't be used: one sentence, status 2.
    """
    for words, message in {
        ("--once", "--status"): b"error: --once and --status are given; expected one of them (see ",
        ("9",): b"error: there is no data source 9; name one of 1 (Practice analytics)\n",
        ("x",): b"'x' is no whole number",
    }.items():
        finished = inside("worker", *words)
        assert (finished.returncode, finished.stdout) == (2, b"")
        assert message in finished.stderr
    config = tmp_path / "wrong.toml"
    config.write_text(
        '[worker]\nconcurrency = 0\npause = "5 s"\n[sources.m]\nurl = "embedded"\n[[datasources]]\n'
        'id = 1\nname = "n"\nsource = "m"\ntable = "t"\nwarm_at = "hourly"\n'
    )
    finished = run("--config", "wrong.toml", "worker", folder=tmp_path)
    assert finished.returncode == 2
    for key in (b"worker.concurrency = 0", b'worker.pause = "5 s"', b'warm_at = "hourly"'):
        assert key in finished.stderr


def test_help_says_what_it_does(inside: Run) -> None:
    """And how it ends."""
    helped = inside("worker", "--help")
    assert helped.returncode == 0
    for words in (b"Keep data sources warm", b"--once", b"--status", b"SIGTERM"):
        assert words in helped.stdout
