"""A server on loopback that answers as a script says, byte by byte, and keeps what it was sent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

__all__ = ["Scripted", "chunked", "response", "scripted"]


@dataclass
class Scripted:
    """What a scripted server got.

    Attributes:
        url: its address.
        heads: of each request, its line and its headers, lower case.
    """

    url: str
    heads: list[str] = field(default_factory=list)


def response(status: int, body: bytes = b"", **headers: str) -> bytes:
    """A whole answer."""
    named = {"content-length": str(len(body)), "connection": "close"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in named.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(*chunks: bytes, is_whole: bool = True) -> bytes:
    """An answer in chunks, perhaps without its end."""
    head = b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return head + body + (b"0\r\n\r\n" if is_whole else b"")


@contextmanager
def scripted(answers: Sequence[bytes]) -> Iterator[Scripted]:
    """A server that gives one answer to each connection, and then closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = Scripted(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(target=_serve, args=(listener, found, list(answers)))
        thread.start()
        try:
            yield found
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(30)


def _serve(listener: socket.socket, found: Scripted, answers: list[bytes]) -> None:
    while answers:
        try:
            connection, _ = listener.accept()
        except OSError:  # nobody asks any more
            return
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                request += connection.recv(65_536)
            head, _, body = request.partition(b"\r\n\r\n")
            text = head.decode().lower()
            length = int(text.partition("content-length: ")[2].partition("\r\n")[0] or 0)
            while len(body) < length:
                body += connection.recv(65_536)
            found.heads.append(text)
            connection.sendall(answers.pop(0))
