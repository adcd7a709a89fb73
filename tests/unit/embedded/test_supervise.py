"""What the supervisor decides, without any server; its life is tested with real ones."""

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from warmcube.embedded.supervise import Job, answers_redis, is_postgres_ready

JOB = Job(
    name="Redis",
    command=["redis-server", "--port", "0"],
    environment={"LC_ALL": "C"},
    folder="/data",
    control="/data/control.sock",
    log="/data/server.log",
    pid_file="/data/server.pid",
    probe="redis",
    probe_path="/data/sockets/redis.sock",
    stop_signals=[(15, 30.0), (9, 5.0)],
    start_seconds=60.0,
)


def test_a_job_travels_as_a_line() -> None:
    """JSON turns tuples into lists, which says the same."""
    line = JOB.to_line()
    assert line.count(b"\n") == 1
    again = Job.from_line(line)
    assert [tuple(step) for step in again.stop_signals] == JOB.stop_signals
    assert again.to_line() == line


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="warmcube-") as made:
        yield Path(made)


@pytest.mark.parametrize(
    ("reply", "is_ready"),
    [
        (b"+PONG\r\n", True),
        (b"-NOAUTH Authentication required.\r\n", True),
        (b"-LOADING Redis is loading the dataset in memory\r\n", False),
        (b"", False),
    ],
)
def test_redis_is_ready_when_it_answers_and_has_loaded(
    place: Path, reply: bytes, is_ready: bool
) -> None:
    """A server that wants a password is as ready as one that says PONG."""
    path = place / "redis.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(64)
                client.sendall(reply)

        thread = threading.Thread(target=answer)
        thread.start()
        assert answers_redis(str(path)) is is_ready
        thread.join()


def test_redis_is_not_ready_before_it_listens(place: Path) -> None:
    """No socket, or a stale one, is no answer."""
    assert not answers_redis(str(place / "redis.sock"))
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as stale:
        stale.bind(str(place / "redis.sock"))
    assert not answers_redis(str(place / "redis.sock"))


def test_postgres_is_ready_when_its_pid_file_says_so(tmp_path: Path) -> None:
    """The eighth line is the state."""
    path = tmp_path / "postmaster.pid"
    assert not is_postgres_ready(str(path))
    lines = ["42", "/data", "1700000000", "5432", "/data/sockets", "", "0 1"]
    path.write_text("\n".join(lines))
    assert not is_postgres_ready(str(path))
    path.write_text("\n".join([*lines, "starting"]))
    assert not is_postgres_ready(str(path))
    path.write_text("\n".join([*lines, "ready   "]))
    assert is_postgres_ready(str(path))
