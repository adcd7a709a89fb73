"""The demo's service: what it prints can be pasted, and gives each user exactly their rows."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from adbc_driver_postgresql import dbapi
from tests.support.served import PROGRAM

from warmcube.demo.calls import CALL
from warmcube.demo.expected import Case, expected_sql
from warmcube.demo.files import USERS
from warmcube.demo.generate import practice_count
from warmcube.embedded import EmbeddedPostgres
from warmcube.query.parse import query_from_dict

ROWS = 3_000
SUMS = Case(
    name="the sums of the printed calls",
    query=query_from_dict(CALL),
    sql="SELECT practice_uid, sum(measure_value)::text AS sum FROM ih.agg_app_measures "
    "WHERE visible AND measure = 'Charges' AND frequency = 'Monthly' "
    "GROUP BY practice_uid ORDER BY practice_uid",
    is_ordered=True,
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that an unprivileged Postgres can reach."""
    made = Path(tempfile.mkdtemp(prefix="warmcube-demo-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def demo(folder: Path, *words: str, stdin: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """A demo that runs until its input ends, if that is a pipe."""
    own = ("WARMCUBE_", "CACHE_")
    return subprocess.Popen(
        [*PROGRAM, "demo", "--rows", str(ROWS), *words],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith(own)},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def printed_calls(process: subprocess.Popen[str]) -> dict[str, str]:
    """By user, the line that it prints for a shell."""
    calls: dict[str, str] = {}
    user = ""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("# "):
            user = line[2:].partition(",")[0]
        elif line.startswith("curl "):
            calls[user] = line
            if len(calls) == len(USERS):
                break
    return calls


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl to paste it for")
def test_each_printed_line_gives_that_users_rows(folder: Path) -> None:
    """Pasted into a shell, each is answered with what SQL says this user may see."""
    with demo(folder) as process:
        try:
            calls = printed_calls(process)
            assert set(calls) == set(USERS)
            with (
                EmbeddedPostgres(folder / ".warmcube/demo/postgres") as postgres,
                closing(dbapi.connect(postgres.url)) as connection,
                closing(connection.cursor()) as cursor,
            ):
                for user, call in calls.items():
                    pasted = subprocess.run(["sh", "-c", call], capture_output=True, check=True)
                    cursor.execute(expected_sql(SUMS, user, practice_count(ROWS)))
                    expected = [
                        {"practice_uid": practice, "sum": total}
                        for practice, total in cursor.fetchall()
                    ]
                    assert json.loads(pasted.stdout)["rows"] == expected, user
        finally:
            _, complaints = process.communicate(timeout=60)  # the end of its input
    assert (process.returncode, complaints) == (0, "")


def test_the_key_of_tokens_is_private_and_of_each_folder(folder: Path) -> None:
    """Nobody else may read it, and it stays, so that printed tokens outlive a restart."""
    with demo(folder) as process:
        process.communicate(timeout=60)
    key = folder / ".warmcube/demo/token.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    first = key.read_text()
    assert len(first) >= 32
    with demo(folder) as process:
        process.communicate(timeout=60)
    assert key.read_text() == first


def test_a_named_port_that_is_taken(folder: Path) -> None:
    """It is an error; only the port that nobody named gives way."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with demo(folder, "--port", str(port)) as process:
            _, complaints = process.communicate(timeout=60)
    assert process.returncode == 1
    assert complaints.startswith(f"error: the service can't listen on 127.0.0.1:{port}: ")


@pytest.mark.parametrize("stdin", [subprocess.PIPE, subprocess.DEVNULL])
def test_an_interrupt_ends_it(folder: Path, stdin: int) -> None:
    """Until then it serves, also where there is no input; Ctrl-C stops service and servers."""
    with demo(folder, stdin=stdin) as process:
        call = printed_calls(process)["north"]
        assert subprocess.run(["sh", "-c", call], capture_output=True, check=True).stdout
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
