"""A server of keys on loopback, which can be told to fail."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

__all__ = ["KeyServer", "jwk", "key_server"]


def jwk(key: RSAPublicKey | EllipticCurvePublicKey, kid: str) -> dict[str, Any]:
    """A public key as RFC 7517 writes it."""
    if isinstance(key, RSAPublicKey):
        numbers = key.public_numbers()
        return {"kty": "RSA", "kid": kid, "n": _number(numbers.n), "e": _number(numbers.e)}
    point = key.public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "kid": kid,
        "x": _number(point.x, 32),
        "y": _number(point.y, 32),
    }


def _number(value: int, size: int | None = None) -> str:
    data = value.to_bytes(size or (value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class KeyServer:
    """What a server of keys answers.

    Attributes:
        keys: the key set.
        status: of the answer.
        body: instead of the key set.
        asked: how often it was asked.
        location: where it redirects to, with a status that does.
        answers: answers wait for it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: list[dict[str, Any]] = []
        self.status = 200
        self.body: bytes | None = None
        self.asked = 0
        self.location: str | None = None
        self.answers = threading.Event()
        self.answers.set()


@contextmanager
def key_server() -> Iterator[KeyServer]:
    """A server on loopback while the context lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked += 1
            state.answers.wait(30)
            body = state.body or json.dumps({"keys": state.keys}).encode()
            self.send_response(state.status)
            self.send_header("Content-Type", "application/json")
            if state.location is not None:
                self.send_header("Location", state.location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body)
            except ConnectionError:  # whoever asked had enough
                return

        def log_message(self, *_: object) -> None:
            """Nothing is told."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = KeyServer(f"http://127.0.0.1:{server.server_address[1]}/keys")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.answers.set()
        server.shutdown()
        server.server_close()
        thread.join()
