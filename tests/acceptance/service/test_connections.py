"""Connections that mean no good: slow, many, malformed, large. Others don't notice."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest
from tests.support.served import Reply, Running, exchange, raw_query, read_reply
from tests.support.servers import wait_until

from .conftest import AS_NORTH, AS_ROOT, LARGE, QUERY, Start

PORT = "port = 0\n"


def is_answered(service: Running) -> bool:
    """Whether somebody who asks as one should gets their rows."""
    reply = exchange(service, raw_query(QUERY, AS_NORTH))
    return reply.status == 200 and len(reply.data["rows"]) == 31


def problem_of(reply: Reply) -> tuple[int, str]:
    """The status and kind of an error, which has the one shape of all errors."""
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.data["status"] == reply.status
    return reply.status, reply.data["type"].rpartition(":")[2]


SLOW = {
    "nothing": b"",
    "an empty line": b"\r\n",
    "a part of the head": b"POST /api/query HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    "a part of the body": raw_query(QUERY, AS_NORTH)[:-1],
    "a part of a chunk": raw_query(b"", AS_NORTH, "Transfer-Encoding: chunked").replace(
        b"Content-Length: 0\r\n", b""
    )
    + b"5\r\n{",
    "a part of a second request": raw_query(QUERY, AS_NORTH) + b"GET ",
}


def test_who_sends_slowly_is_hung_up_on(start: Start) -> None:
    """A request has to arrive in time, whatever it lacks; meanwhile others are answered."""
    service = start(f"{PORT}receive_timeout = 1.0\nkeep_alive = 600.0")
    slow = [(what, service.connect()) for what in SLOW for _ in range(20)]
    for what, connection in slow:
        connection.sendall(SLOW[what])
    assert is_answered(service)
    for what, connection in slow:
        reply = read_reply(connection)
        if reply.status == 200:  # to the request before
            reply = read_reply(connection)
        assert (what, *problem_of(reply)) == (what, 408, "slow-request")
        assert connection.recv(1) == b"", what
    assert is_answered(service)


def test_who_drips_is_hung_up_on(start: Start) -> None:
    """A byte now and then doesn't buy more time."""
    service = start(f"{PORT}receive_timeout = 1.0")
    connection = service.connect()
    connection.settimeout(0.05)
    reply = b""
    for byte in b"POST /api/query HTTP/1.1\r\n" + b"X-Padding: 1\r\n" * 1000:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(bytes([byte]))
        with suppress(TimeoutError):
            reply = connection.recv(1024)
            break
    assert reply.startswith(b"HTTP/1.1 408 ")


def test_who_takes_slowly_is_hung_up_on(start: Start) -> None:
    """An answer that nobody takes isn't kept for ever; meanwhile others are answered."""
    service = start(f"{PORT}receive_timeout = 1.0")
    slow = [socket.socket() for _ in range(5)]
    for connection in slow:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", service.port))
        connection.sendall(raw_query(LARGE, AS_ROOT))
    assert is_answered(service)
    for connection in slow:
        wait_until(lambda connection=connection: has_lost(connection))  # type: ignore[misc]
        connection.close()
    assert is_answered(service)


def has_lost(connection: socket.socket) -> bool:
    """Whether the other side has broken a connection, of which nothing is read meanwhile."""
    return bool(connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


def test_an_idle_connection_ends(start: Start) -> None:
    """One that was used is kept for ``keep_alive`` seconds, and then closed without a word."""
    service = start(f"{PORT}keep_alive = 0.5")
    connection = service.connect()
    for _ in range(2):
        connection.sendall(raw_query(QUERY, AS_NORTH))
        assert read_reply(connection).status == 200
    assert connection.recv(1) == b""


def connected(service: Running) -> socket.socket | None:
    """A connection; None where the flood was so dense that it was refused at once."""
    try:
        return service.connect()
    except ConnectionResetError:
        return None


def test_a_flood_up_to_the_limit_and_beyond(start: Start) -> None:
    """Up to the limit all are served; beyond it 503; those who were there before don't notice."""
    service = start(f"{PORT}connections = 20")
    regular = service.connect()
    others = [service.connect() for _ in range(19)]
    for connection in (regular, *others):
        connection.sendall(raw_query(QUERY, AS_NORTH))
        assert read_reply(connection).status == 200
    reply = exchange(service, raw_query(QUERY, AS_NORTH))
    assert problem_of(reply) == (503, "overloaded")
    assert reply.headers["retry-after"] == "1"
    flood = list(filter(None, [connected(service) for _ in range(200)]))
    regular.sendall(raw_query(QUERY, AS_NORTH))
    assert read_reply(regular).status == 200
    for connection in (*others, *flood):
        connection.close()
    wait_until(lambda: exchange(service, raw_query(QUERY, AS_NORTH)).status == 200)


def test_too_many_for_the_system_is_said_at_the_start(start: Start) -> None:
    """A limit that the system can't bear would show only under attack."""
    service = start(f"{PORT}connections = 100000", is_awaited=False)
    if service.process.stdout is not None and service.process.stdout.readline():
        pytest.skip("this system permits as many open files")
    assert service.end() == 2
    assert "open files" in service.told[0]


MALFORMED = {
    "no host": raw_query(QUERY, AS_NORTH).replace(b"Host: localhost\r\n", b""),
    "two hosts": raw_query(QUERY, AS_NORTH, "Host: localhost"),
    "no HTTP": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "a bare CR in a header": raw_query(QUERY, AS_NORTH, "X-Request-ID: a\rX-Evil: 1"),
    "a NUL in a header": raw_query(QUERY, AS_NORTH, "X-Request-ID: a\0b"),
    "a bare LF in the name": raw_query(QUERY, AS_NORTH, "X\nEvil: 1"),
    "a folded header": raw_query(QUERY, AS_NORTH, "X-Folded: a\r\n b"),
    "a space before the colon": raw_query(QUERY, AS_NORTH, "Content-Length : 5"),
    "two lengths": raw_query(QUERY, AS_NORTH, "Content-Length: 5"),
    "a length and chunks": raw_query(QUERY, AS_NORTH, "Transfer-Encoding: chunked"),
    "a negative length": raw_query(QUERY, AS_NORTH).replace(b"Length: 8", b"Length: -8"),
    "chunks twice": raw_query(b"", AS_NORTH, "Transfer-Encoding: chunked, identity").replace(
        b"Content-Length: 0\r\n", b""
    ),
    "a space in the path": raw_query(QUERY, AS_NORTH, path="/api/query HTTP/1.1 x"),
    "a newline in the path": raw_query(QUERY, AS_NORTH, path="/api/\nquery"),
    "another version": raw_query(QUERY, AS_NORTH).replace(b"HTTP/1.1", b"HTTP/9.9"),
}


def test_what_is_malformed_is_refused(start: Start) -> None:
    """400 in the one shape, and the connection ends: what follows is taken for no request."""
    service = start(PORT)
    for what, request in MALFORMED.items():
        with service.connect() as connection:
            connection.sendall(request + raw_query(QUERY, AS_NORTH))
            reply = read_reply(connection)
            assert (what, *problem_of(reply)) == (what, 400, "malformed")
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b"", what
    assert is_answered(service)


LARGE_HEADS = {
    "one": "X-Large: " + "x" * 40_000,
    "a huge one": "X-Large: " + "x" * 4_000_000,
    "many": "\r\n".join(f"X-Many-{number}: x" for number in range(5_000)),
}


def test_large_heads(start: Start) -> None:
    """431, however a head is too large, and as soon as it is; the path counts too."""
    service = start(PORT)
    for what, header in LARGE_HEADS.items():
        with service.connect() as connection:
            with suppress(ConnectionResetError, BrokenPipeError):
                connection.sendall(raw_query(QUERY, AS_NORTH, header))
            with suppress(ConnectionResetError):
                assert (what, *problem_of(read_reply(connection))) == (what, 431, "too-large-head")
    reply = exchange(service, b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert problem_of(reply) == (431, "too-large-head")
    assert is_answered(service)


def in_chunks(*headers: str) -> bytes:
    """A query in one chunk, but for the end of its trailers."""
    head = raw_query(b"", *headers, "Transfer-Encoding: chunked")
    head = head.replace(b"Content-Length: 0\r\n", b"")
    return head + b"%x\r\n%b\r\n0\r\n" % (len(QUERY), QUERY)


def test_a_trailer_is_no_header(start: Start) -> None:
    """It proves nobody, and changes nothing of how a request is understood."""
    service = start(PORT)
    reply = exchange(service, in_chunks() + AS_NORTH.encode() + b"\r\n\r\n")
    assert reply.status == 401
    trailers = b"X-Request-ID: trailer\r\nContent-Encoding: gzip\r\n\r\n"
    reply = exchange(service, in_chunks(AS_NORTH) + trailers)
    assert (reply.status, len(reply.data["rows"])) == (200, 31)
    assert reply.headers["x-request-id"] != "trailer"


@pytest.mark.parametrize("heads", [(AS_NORTH,), ()], ids=["known", "unknown"])
@pytest.mark.parametrize("trailer", [b"X-T: x\r\n" * 1000, b"x" * 8000], ids=["many", "one"])
def test_trailers_take_no_memory(start: Start, heads: tuple[str, ...], trailer: bytes) -> None:
    """Whoever sends them without end is hung up on, and long before the time is over."""
    service = start(f"{PORT}receive_timeout = 3600.0")
    sent = 0
    with service.connect() as connection:
        connection.sendall(in_chunks(*heads) + b"X-First: ")
        with suppress(ConnectionResetError, BrokenPipeError):
            while sent < 50_000_000:
                connection.sendall(trailer)
                sent += len(trailer)
        assert sent < 50_000_000
    assert is_answered(service)


ODD_PATHS = (
    "/api/%0d%0aX-Evil:%201",
    "/api/datasources/1%0d%0aX-Evil:%201/measures",
    "/api/../../etc/passwd",
    "/api/%2e%2e/%2e%2e/etc/passwd",
    "//api/query",
    "/api/query%00",
    "http://elsewhere/api/nothing",
)


def test_paths_inject_nothing(start: Start) -> None:
    """What is decoded from a path never becomes a header, nor another path."""
    service = start(PORT)
    for path in ODD_PATHS:
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\n{AS_NORTH}\r\n\r\n".encode()
        reply = exchange(service, request)
        assert reply.status in (404, 422), path
        assert "x-evil" not in reply.headers, path
        problem_of(reply)


def test_a_body_that_is_too_large_ends_the_connection(start: Start) -> None:
    """413 at once; what still comes is dropped, and taken for no request."""
    service = start(PORT)
    with service.connect() as connection:
        head = raw_query(b"", AS_NORTH).replace(b"Length: 0", b"Length: 9000000")
        connection.sendall(head + b" " * 10_000)
        assert problem_of(read_reply(connection)) == (413, "too-large")
        with suppress(ConnectionResetError, BrokenPipeError):
            while True:
                connection.sendall(b" " * 1000)
                connection.settimeout(0.1)
                with suppress(TimeoutError):
                    assert connection.recv(1) == b""
                    break
    assert is_answered(service)
