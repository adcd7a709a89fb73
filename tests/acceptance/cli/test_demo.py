"""``warmcube demo``: everything on one command, checked against SQL, and nothing left running."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest

from warmcube.demo.check import check
from warmcube.demo.expected import CASES
from warmcube.demo.files import DATASOURCE, USERS
from warmcube.demo.session import open_demo

from .conftest import PROGRAM, ROWS, Finished, environment

Run = Callable[..., Finished]


class Terminal:
    """``warmcube`` in a terminal of its own.

    Args:
        folder: the current folder.
        words: after ``warmcube``.
        columns: how wide it is.
    """

    def __init__(self, folder: Path, *words: str, columns: int = 200) -> None:
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execve(PROGRAM[0], [*PROGRAM, *words], environment(COLUMNS=str(columns)))
        self._seen = b""
        self._has_ended = False

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._descriptor, keys)

    def read_until(self, text: str, seconds: float = 120) -> str:
        """What appears up to and including a text.

        Raises:
            AssertionError: it didn't appear.
        """
        deadline = time.monotonic() + seconds
        while text.encode() not in self._seen:
            ready, _, _ = select.select([self._descriptor], [], [], deadline - time.monotonic())
            assert ready, self._seen.decode()
            data = os.read(self._descriptor, 65_536)
            assert data, self._seen.decode()
            self._seen += data
        shown, _, self._seen = self._seen.partition(text.encode())
        # An echoed ^C may part the bytes of a character.
        return (shown + text.encode()).decode(errors="replace")

    def end(self) -> int:
        """The exit status, once the program has ended."""
        try:
            while os.read(self._descriptor, 65_536):
                pass
        except OSError:  # Linux says so where others say end of file
            pass
        _, status = os.waitpid(self.pid, 0)
        self._has_ended = True
        return os.waitstatus_to_exitcode(status)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._descriptor)  # hangs up, which ends what is still running
        if not self._has_ended:
            os.waitpid(self.pid, 0)


@pytest.fixture
def room(spacious: Path, request: pytest.FixtureRequest) -> Path:
    """A folder for a demo of the test's own."""
    folder = spacious / str(request.node.name)
    folder.mkdir(mode=0o711)
    return folder


def test_check(checked: dict[str, Any]) -> None:
    """Every answer is SQL's, for every sample user, and the JSON says what the contract says."""
    assert checked["mismatches"] == []
    assert checked["rows"] == ROWS
    assert checked["queries"] == len(CASES) * len(USERS)
    assert checked["entries"] > 0
    assert checked["warm_seconds"] > 0
    assert list(checked["users"]) == ["root", "north", "provider", "nobody", "lost"]
    for report in checked["users"].values():
        assert report["rows"] == report["expected_rows"]
        assert report["ms"] > 0
        assert report["origin"] in ("store", "resident")
    rows = [report["rows"] for report in checked["users"].values()]
    assert rows[0] > rows[1] > rows[2] > 0
    assert rows[3:] == [0, 0]


def test_a_second_demo_in_the_same_folder(
    demo_config: Path, spacious: Path, run_inside: Run
) -> None:
    """It says that one runs there already, and how to use it or to start another."""
    with (demo_config.parent / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        finished = run_inside("demo", "--check", folder=spacious)
    assert (finished.returncode, finished.stdout) == (1, b"")
    assert finished.stderr.startswith(b"error: another demo runs in .warmcube/demo; ")


def test_a_folder_that_cannot_be_used(tmp_path: Path, run_inside: Run) -> None:
    """A file in the place of the folder is one sentence."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    finished = run_inside("demo", "--check", "--folder", "file", folder=tmp_path)
    assert finished.returncode == 1
    assert finished.stderr.startswith(b"error: the demo's folder file can't be used: ")


async def test_differences_are_found(room: Path) -> None:
    """Wrong rows, wrongly granted and wrongly denied access all show as mismatches."""
    whole, *_ = CASES
    foreign = next(case for case in CASES if case.name == "a practice of another organization")
    cases = [
        replace(whole, sql=f"{whole.sql} AND practice_uid <> 101"),
        replace(foreign, denied=frozenset({"root"})),
    ]
    async with open_demo(room / "demo", ROWS) as running:
        await running.cache.warm(DATASOURCE)
        report = await check(running.cache, running.url, running.practices, cases=cases)
    found = {(mismatch.user, mismatch.case): mismatch.what for mismatch in report.mismatches}
    assert found.pop(("root", foreign.name)) == "access should have been denied"
    for user in ("north", "provider", "nobody", "lost"):
        what = found.pop((user, foreign.name))
        assert what == "access was denied, but rows were expected"
    assert {user for user, _ in found} == {"root", "north", "provider"}
    assert all("0 rows are missing" in what for what in found.values())


async def test_a_cold_cache_is_a_mismatch(room: Path) -> None:
    """Answers that the database gave in the cache's place don't count as the cache's."""
    async with open_demo(room / "demo", 1_000) as running:
        report = await check(running.cache, running.url, running.practices, cases=CASES[:1])
    assert len(report.mismatches) == len(USERS)
    assert all("was not answered by the cache" in each.what for each in report.mismatches)


async def test_data_are_loaded_once(room: Path) -> None:
    """The same rows are found again; another number of rows replaces them."""
    found = []
    for rows in (1_000, 1_000, 1_500):
        async with open_demo(room / "demo", rows) as running:
            report = await running.cache.warm(DATASOURCE, force=True)
            found.append((running.was_loaded, report.rows))
    assert found == [(False, 1_000), (True, 1_000), (False, 1_500)]


def test_a_production_store_is_never_touched(room: Path, run_inside: Run) -> None:
    """Settings in the environment don't turn the demo on somebody's servers."""
    finished = run_inside(
        *("demo", "--rows", "1000", "--check"),
        folder=room,
        WARMCUBE_STORE__URL="redis://127.0.0.1:1/0",
        WARMCUBE_SOURCES__DEMO__URL="postgresql://127.0.0.1:1/production",
    )
    assert (finished.returncode, finished.stderr) == (0, b"")
    assert json.loads(finished.stdout)["mismatches"] == []


def test_the_prompt(demo_config: Path, spacious: Path) -> None:
    """On a terminal the demo shows its table, answers queries, and Ctrl-C stops everything."""
    with Terminal(spacious, "demo", "--rows", str(ROWS)) as terminal:
        shown = terminal.read_until("warmcube> ")
        assert "every answer as SQL's, row for row" in shown
        for user, about in USERS.items():
            assert user in shown
            assert about in shown
        terminal.type(b"users\n")
        assert "analyst of the organization north" in terminal.read_until("warmcube> ")
        words = "--measure Charges --frequency Monthly --aggregate count"
        terminal.type(f"query --as nobody {words}\n".encode())
        assert "1 row from the store in" in terminal.read_until("warmcube> ")
        for line, answer in [
            (f"query --as zed {words}", "error: "),
            ("query --as", "error: "),
            ("query --as root --where a", "COL OP VALUE"),
            ("query --as 'root", "put names with spaces into quotes"),
            ("query --as root --measure Charges --frequency Monthly --format parquet", "> FILE"),
            ("query --help", "Only this practice"),
            ("nonsense", "'nonsense' is no command here"),
            ("", "warmcube> "),
            ("help", "stop the servers and leave"),
        ]:
            terminal.type(line.encode() + b"\n")
            assert answer in terminal.read_until("warmcube> ")
        terminal.type(b"\x03")
        assert terminal.end() == 130


@pytest.mark.parametrize("keys", [b"quit\n", b"\x04"], ids=["quit", "end"])
def test_leaving_the_prompt(demo_config: Path, spacious: Path, keys: bytes) -> None:
    """``quit`` and Ctrl-D leave with status 0."""
    with Terminal(spacious, "demo", "--rows", str(ROWS)) as terminal:
        terminal.read_until("warmcube> ")
        terminal.type(keys)
        assert terminal.end() == 0


def test_wide_rows_on_a_terminal(demo_config: Path, spacious: Path) -> None:
    """Where a table is too wide each row is a block, and no figure is shortened."""
    words = ["query", "1", "--as", "root", "--measure", "Charges", "--frequency", "Monthly"]
    with Terminal(spacious, "--config", str(demo_config), *words, columns=80) as terminal:
        shown = terminal.read_until("rows from the store")
        assert "row 20" in shown
        assert "row 21" not in shown
        assert "more rows; --format csv shows all" in shown
        assert "…" not in shown
        assert terminal.end() == 0


def test_nothing_is_left_running(room: Path) -> None:
    """After Ctrl-C no server of the demo runs any more."""
    with Terminal(room, "demo", "--rows", "1000") as terminal:
        terminal.read_until("warmcube> ")
        pids = [
            int((room / ".warmcube/demo" / kind / "server.pid").read_text(encoding="ascii"))
            for kind in ("redis", "postgres")
        ]
        for pid in pids:
            os.kill(pid, 0)
        terminal.type(b"\x03")
        assert terminal.end() == 130
        for pid in pids:
            assert not _is_alive(pid)


def _is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be collected doesn't."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return text.rpartition(")")[2].split()[0] != "Z"
