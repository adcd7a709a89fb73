"""Configurations of issuers, and tokens of theirs that a library which isn't ours makes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from warmcube.authn.bearer import BearerTokens
from warmcube.config import Settings, load
from warmcube.errors import Unauthenticated

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
SECRET = b"0123456789abcdef0123456789abcdef"
PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
ISSUER = "https://issuer.example"


def claims(**changed: Any) -> dict[str, Any]:
    """What a good token says, with some of it changed; None leaves it out."""
    now = int(time.time())
    made = {
        "iss": ISSUER,
        "aud": "warmcube",
        "sub": "ana",
        "exp": now + 86_400,
        "iat": now,
        **changed,
    }
    return {name: value for name, value in made.items() if value is not None}


def headers(token: str) -> list[tuple[bytes, bytes]]:
    """The headers of a request with a token."""
    return [(b"authorization", b"Bearer " + token.encode("latin-1", errors="replace"))]


def configured(folder: Path, keys: str, more: str = "") -> Settings:
    """A configuration with some ``[[auth.keys]]``."""
    (folder / "warmcube.toml").write_text(
        f'{more}\n{keys}\n[sources.main]\nurl = "duckdb:///x.duckdb"\n[[datasources]]\nid = 1\n'
        'name = "F"\nsource = "main"\ntable = "t"\n'
    )
    return load(folder / "warmcube.toml", {})


def section(algorithms: str, place: str, more: str = "", issuer: str = ISSUER) -> str:
    """One ``[[auth.keys]]``."""
    return (
        f'[[auth.keys]]\nissuer = "{issuer}"\naudience = "warmcube"\n'
        f"algorithms = {algorithms}\n{place}\n{more}\n"
    )


def secret_file(folder: Path, secret: bytes = SECRET) -> str:
    """A file with a secret, as a setting."""
    path = folder / "secret"
    path.write_bytes(secret)
    path.chmod(0o600)
    return 'key_file = "secret"'


def pem_file(folder: Path, pem: bytes = PEM) -> str:
    """A file with a public key, as a setting."""
    (folder / "public.pem").write_bytes(pem)
    return 'key_file = "public.pem"'


async def refused(tokens: BearerTokens, token: str) -> str:
    """That a token is refused, and as what; the error holds nothing of it."""
    with pytest.raises(Unauthenticated) as caught:
        await tokens.authenticate(headers(token))
    assert token[-20:] not in repr(caught.value)
    return caught.value.code


def bearer(token: str) -> str:
    """The value of a header."""
    return f"Bearer {token}"


def signed(key: bytes = SECRET, **changed: Any) -> str:
    """A header with a token for ana's audience, with some claims changed."""
    return bearer(jwt.encode(claims(**changed), key, "HS256"))


def bad_credentials(user: str) -> dict[str, str | None]:
    """What proves nothing, by kind: each would be a user's token but for one thing."""
    good = signed(sub=user)
    unsigned = jwt.encode(claims(sub=user), "", "none")
    return {
        "missing": None,
        "scheme": "Basic cm9vdDpyb290",
        "garbage": bearer("garbage"),
        "expired": signed(sub=user, exp=int(time.time()) - 60),
        "never ends": signed(sub=user, exp=None),
        "not yet": signed(sub=user, nbf=2**40, exp=2**41),
        "foreign audience": signed(sub=user, aud="billing"),
        "foreign issuer": signed(sub=user, iss="https://evil.example"),
        "wrong key": signed(SECRET[::-1], sub=user),
        "another algorithm": bearer(jwt.encode(claims(sub=user), SECRET * 2, "HS512")),
        "none": bearer(unsigned),
        "none, signed": bearer(unsigned + good.rpartition(".")[2]),
        "cut": good[:-1],
        "nobody named": signed(sub=None),
    }
