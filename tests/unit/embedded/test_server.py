"""Finding and starting a server when the other side is gone, late or stubborn."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from warmcube.embedded import server as module
from warmcube.embedded.folder import is_lock_held
from warmcube.embedded.redis_server import EmbeddedRedis
from warmcube.errors import EmbeddedError


@pytest.fixture
def server() -> Iterator[EmbeddedRedis]:
    """A server whose folder is laid out, but that was never started."""
    with tempfile.TemporaryDirectory(prefix="warmcube-") as made:
        one = EmbeddedRedis(Path(made, "data"))
        one._folder.claim()
        one._folder.make_runtime(one.folder)
        yield one


@contextlib.contextmanager
def held(server: EmbeddedRedis) -> Iterator[None]:
    """While somebody else is the supervisor of the folder."""
    descriptor = server._folder.lock(server._folder.supervisor_lock, time.monotonic())
    try:
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def supervisor(server: EmbeddedRedis, says: bytes) -> Iterator[None]:
    """While a supervisor takes one connection, says this, and ends."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(server.folder / "control.sock"))
        listener.listen()

        def serve() -> None:
            client, _ = listener.accept()
            with client, contextlib.suppress(BrokenPipeError):
                client.sendall(says)

        thread = threading.Thread(target=serve)
        thread.start()
        with held(server):
            yield
        thread.join()


def test_nobody_is_joined_where_nobody_is(server: EmbeddedRedis) -> None:
    """Without a supervisor there is nothing to join; one that just ended is no supervisor."""
    assert not server._join()
    with held(server):
        assert not server._join()  # its socket is gone already
    with supervisor(server, b""):
        assert not server._join()  # it hung up
    assert not server.is_started


def test_a_late_failure_reaches_those_who_joined(server: EmbeddedRedis) -> None:
    """Whoever waits for a start that fails is told why, and what the log says."""
    server.log.write_text("one\ntwo\n")
    told = r"(?s)can't be used: it is tired; the end of its log .*server\.log:\none\ntwo$"
    answer = b'{"failed": "it is tired"}\n'
    with supervisor(server, answer), pytest.raises(EmbeddedError, match=told):
        server._join()
    assert not server.is_started


def test_an_interrupt_while_joining_lets_go(
    server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while waiting leaves no connection behind."""

    def interrupt(_: socket.socket) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(server, "_await", interrupt)
    with supervisor(server, b""), pytest.raises(KeyboardInterrupt):
        server._join()
    assert not server.is_started


def test_an_interrupt_while_starting_lets_go(
    server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C before there is a supervisor releases every lock."""

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(server, "_spawn", interrupt)
    with pytest.raises(KeyboardInterrupt):
        server.start()
    names = ("join.lock", "supervisor.lock", "server.lock")
    assert not any(is_lock_held(server.folder / name) for name in names)


def test_a_supervisor_that_cannot_start(
    server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that fails, and one that ends without a word, are reported."""
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(EmbeddedError, match="returned non-zero exit status 1"):
        server.start()
    monkeypatch.setattr(sys, "executable", "true")
    with pytest.raises(EmbeddedError, match="its supervisor ended"):
        server.start()


def test_a_server_that_does_not_stop(
    server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting for the end has an end."""
    monkeypatch.setattr(module, "_STOP_SECONDS", 0.05)
    ours, theirs = socket.socketpair()
    server._connection = ours
    with theirs, pytest.raises(EmbeddedError, match="didn't stop in time"):
        server.stop()


@pytest.mark.parametrize("is_stubborn", [False, True])
def test_an_orphan_is_ended(
    server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch, is_stubborn: bool
) -> None:
    """A server without a supervisor is asked to stop, and killed if it doesn't."""
    monkeypatch.setattr(module, "_ORPHAN_SECONDS", 2.0)
    lock = server._folder.lock(server._folder.server_lock, time.monotonic())
    # What started the tests may have had these ignored, as a shell does for background jobs.
    ignore = "".join(
        f"signal.signal(signal.{name}, signal.SIG_DFL);" for name in ("SIGINT", "SIGQUIT")
    )
    ignore += "signal.signal(signal.SIGINT, signal.SIG_IGN);" if is_stubborn else ""
    ignore += "signal.signal(signal.SIGTERM, signal.SIG_IGN);" if is_stubborn else ""
    orphan = subprocess.Popen(
        [sys.executable, "-S", "-c", f"import signal; {ignore} print(flush=True); signal.pause()"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=(lock,),
    )
    os.close(lock)
    with orphan:
        assert orphan.stdout is not None
        orphan.stdout.readline()
        server._folder.pid_file.write_text(str(orphan.pid))
        assert is_lock_held(server._folder.server_lock)
        server._end_orphan()
        assert not is_lock_held(server._folder.server_lock)
        assert orphan.wait() in {-signal.SIGINT, -signal.SIGQUIT}


def test_an_orphan_that_cannot_be_found_is_left(
    server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a process id there is nobody to signal; the lock then says that it still runs."""
    monkeypatch.setattr(module, "_ORPHAN_SECONDS", 0.01)
    lock = server._folder.lock(server._folder.server_lock, time.monotonic())
    server._folder.pid_file.write_text("nonsense")
    server._end_orphan()
    assert is_lock_held(server._folder.server_lock)
    os.close(lock)


def test_a_short_lived_folder_goes_if_there_is_no_start(
    server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A failed start leaves no folder for sockets behind."""
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    monkeypatch.setattr(server._folder, "make_runtime", lambda _: (runtime, True))
    server._executable = Path("/no/redis-server")
    with pytest.raises(EmbeddedError, match="No such file"):
        server.start()
    assert not runtime.exists()
