"""A small OpenID provider on loopback, that can be told to cheat."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

__all__ = ["CLIENT", "SECRET", "IdentityProvider", "identity_provider"]

CLIENT = "warmcube at home"
SECRET = "s3cret/with+odd=characters"


@dataclass
class Granted:
    """What belongs to a code."""

    redirect_uri: str
    nonce: str
    challenge: str
    subject: str


@dataclass
class IdentityProvider:
    """What the provider answers; tests change it.

    Attributes:
        issuer: its URL.
        key: with which it signs.
        published: the keys that it shows.
        claims: changes the claims of the next ID tokens.
        header: what goes into the header of the next ID tokens.
        discovery: changes its discovery document.
        asked: the paths that were asked for, in order.
        failing: the status that every answer has instead.
    """

    issuer: str = ""
    key: RSAKey = field(
        default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
    )
    published: list[RSAKey | ECKey] = field(default_factory=list)
    claims: Callable[[dict[str, Any]], None] = lambda _claims: None
    header: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    token_answer: Callable[[dict[str, Any]], None] = lambda _answer: None
    asked: list[str] = field(default_factory=list)
    failing: int | None = None
    codes: dict[str, Granted] = field(default_factory=dict)

    def sign_in(self, url: str, subject: str = "ana") -> dict[str, str]:
        """What somebody's browser is sent back with, when they signed in at an address."""
        asked = {name: value[0] for name, value in parse_qs(urlsplit(url).query).items()}
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert asked["client_id"] == CLIENT
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = Granted(
            asked["redirect_uri"], asked["nonce"], asked["code_challenge"], subject
        )
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def answer(self, path: str, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        """The status and the document that a request gets."""
        self.asked.append(path)
        if self.failing is not None:
            return self.failing, {"error": "server_error"}
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "authorization_response_iss_parameter_supported": True,
                **self.discovery,
            }
        if path == "/keys":
            shown = self.published or [self.key]
            return 200, KeySet(list(shown)).as_dict(private=False)
        return self._token(form, authorization)

    def _token(self, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        expected = base64.b64encode(
            f"{urlencode({'': CLIENT})[1:]}:{urlencode({'': SECRET})[1:]}".encode()
        ).decode()
        if authorization != f"Basic {expected}":
            return 401, {"error": "invalid_client", "error_description": "<b>no</b>"}
        granted = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            granted is None
            or form.get("grant_type") != "authorization_code"
            or form.get("redirect_uri") != granted.redirect_uri
            or challenge != granted.challenge
        ):
            return 400, {"error": "invalid_grant", "error_description": "<b>no</b>"}
        access = secrets.token_urlsafe(16)
        half = hashlib.sha256(access.encode()).digest()[:16]
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": granted.subject,
            "aud": CLIENT,
            "nonce": granted.nonce,
            "iat": int(time.time()),
            "exp": int(time.time()) + 300,
            "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
        }
        self.claims(claims)
        header = {"alg": "RS256", "kid": self.key.kid, **self.header}
        answer = {
            "access_token": access,
            "token_type": "Bearer",
            "id_token": jwt.encode(header, claims, self.key),
        }
        self.token_answer(answer)
        return 200, answer


@contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    """A provider that runs, in a thread."""
    provider = IdentityProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer({name: value[0] for name, value in parse_qs(body).items()})

        def _answer(self, form: dict[str, str]) -> None:
            status, document = provider.answer(
                self.path, form, self.headers.get("Authorization", "")
            )
            content = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            if status in (301, 302):
                self.send_header("Location", f"{provider.issuer}/elsewhere")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
