"""The proxy of the fault suite: what it is told to do happens at that very moment, or never."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.proxy import Moment, Proxy, Trap

QUESTION = b"what is the answer"
REPLY = b"forty-two"
SECONDS = 10


class Server(threading.Thread):
    """Answers each whole question."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.questions = 0
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            seen = b""
            with connection:
                while data := connection.recv(1000):
                    seen += data
                    if QUESTION in seen:
                        self.questions += 1
                        seen = b""
                        connection.sendall(REPLY)

    def close(self) -> None:
        """Take no more connections."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


@pytest.fixture
def server() -> Iterator[tuple[Server, Proxy]]:
    """A server, and a proxy before it."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "server"
        made, proxy = Server(target), Proxy(Path(folder) / "proxy", lambda: target)
        made.start()
        proxy.start()
        yield made, proxy
        proxy.stop()
        made.close()


@contextlib.contextmanager
def connected(proxy: Proxy) -> Iterator[socket.socket]:
    """A client's connection."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SECONDS)
        client.connect(str(proxy.path))
        yield client


def received(client: socket.socket, size: int) -> bytes:
    """So many bytes."""
    found = b""
    while len(found) < size:
        found += client.recv(size - len(found))
    return found


@pytest.mark.parametrize(
    ("moment", "asked", "seen"), [("before", 0, b""), ("middle", 1, b"fort"), ("after", 1, REPLY)]
)
def test_a_trap_is_sprung_at_its_moment(
    server: tuple[Server, Proxy], moment: Moment, asked: int, seen: bytes
) -> None:
    """Before the server is asked, in the middle of its reply, or after it; whoever waits, waits."""
    made, proxy = server
    asked_by_then: list[int] = []
    go_on = threading.Event()

    def act() -> None:
        asked_by_then.append(made.questions)
        go_on.wait(SECONDS)

    trap = proxy.trap = Trap(QUESTION[2:9], moment, act)
    with connected(proxy) as client:
        client.sendall(QUESTION)
        assert received(client, len(seen)) == seen
        while not asked_by_then:
            assert not trap.sprung.wait(0.01)
        go_on.set()
        assert seen + received(client, len(REPLY) - len(seen)) == REPLY
        assert trap.sprung.wait(SECONDS)
        client.sendall(QUESTION)
        assert received(client, len(REPLY)) == REPLY
    assert asked_by_then == [asked]


def test_bytes_that_come_in_two_pieces_are_seen(server: tuple[Server, Proxy]) -> None:
    """A moment isn't missed because of where a packet ends."""
    _, proxy = server
    trap = proxy.trap = Trap(QUESTION, "before", lambda: None)
    with connected(proxy) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        for piece in (QUESTION[:7], QUESTION[7:]):
            assert not trap.is_begun
            client.sendall(piece)
            threading.Event().wait(0.05)
        assert received(client, len(REPLY)) == REPLY
    assert trap.is_begun


def test_what_an_action_raises_is_kept(server: tuple[Server, Proxy]) -> None:
    """Whoever set the trap is told, and the connection goes on."""
    _, proxy = server

    def act() -> None:
        raise LookupError("nothing there")

    trap = proxy.trap = Trap(QUESTION, "before", act)
    with connected(proxy) as client:
        client.sendall(QUESTION)
        assert received(client, len(REPLY)) == REPLY
    assert repr(trap.failure) == "LookupError('nothing there')"
