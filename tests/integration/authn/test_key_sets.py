"""Keys that change, and servers of keys that fail, while tokens are checked with them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.support.directories import wait_until
from tests.support.issuers import KeyServer, jwk, key_server
from tests.support.tokens import (
    EC,
    OTHER_RSA,
    PEM,
    RSA,
    SECRET,
    claims,
    configured,
    headers,
    pem_file,
    refused,
    secret_file,
    section,
)

from warmcube.authn.bearer import BearerTokens
from warmcube.authn.connect import open_bearer_tokens
from warmcube.errors import ConfigError, IdentityUnavailable, Unauthenticated

OLD = jwt.encode(claims(), RSA, "RS256", {"kid": "a"})
NEW = jwt.encode(claims(), OTHER_RSA, "RS256", {"kid": "b"})


class Watch:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def user_of(tokens: BearerTokens, token: str) -> str:
    """Who sends a token that counts."""
    return (await tokens.authenticate(headers(token))).user


@pytest.fixture
def watch() -> Watch:
    """By which keys grow old."""
    return Watch()


@pytest.fixture
def served() -> Iterator[KeyServer]:
    """A server of RSA's key, called a."""
    with key_server() as server:
        server.keys = [jwk(RSA.public_key(), "a")]
        yield server


@pytest.fixture
async def tokens(tmp_path: Path, served: KeyServer, watch: Watch) -> AsyncIterator[BearerTokens]:
    """Tokens of an issuer whose keys are fetched."""
    keys = section('["RS256"]', f'jwks_url = "{served.url}?token=hush"')
    opened = open_bearer_tokens(configured(tmp_path, keys), monotonic=watch)
    yield opened
    await opened.close()


async def test_keys_are_rotated(tokens: BearerTokens, served: KeyServer, watch: Watch) -> None:
    """An unknown kid has the set fetched again, at most once in 30 s; gone keys end tokens."""
    assert await user_of(tokens, OLD) == "ana"
    served.keys = [jwk(OTHER_RSA.public_key(), "b")]
    for number in range(20):  # random kids don't have it fetched more often
        token = jwt.encode(claims(), OTHER_RSA, "RS256", {"kid": f"k{number}"})
        assert await refused(tokens, token) == "signature"
    assert served.asked == 1
    watch.now += 31
    assert await user_of(tokens, NEW) == "ana"
    assert served.asked == 2
    assert await refused(tokens, OLD) == "signature"


async def test_one_fetch_serves_all(tokens: BearerTokens, served: KeyServer) -> None:
    """Many ask at once, one of them gives up: the set is fetched once, for the others."""
    served.answers.clear()
    waiting = [asyncio.create_task(user_of(tokens, OLD)) for _ in range(50)]
    await wait_until(lambda: served.asked == 1)
    waiting[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    served.answers.set()
    assert await asyncio.gather(*waiting[1:]) == ["ana"] * 49
    assert served.asked == 1


async def test_an_old_key_set_is_fetched_again_by_itself(
    tokens: BearerTokens, served: KeyServer, watch: Watch
) -> None:
    """A key that was taken away stops counting though nobody uses a new one."""
    assert await user_of(tokens, OLD) == "ana"
    served.keys = [jwk(OTHER_RSA.public_key(), "b")]
    watch.now += 899
    assert await user_of(tokens, OLD) == "ana"
    assert served.asked == 1
    watch.now += 2
    assert await user_of(tokens, OLD) == "ana"  # has it fetched, and waits for nothing
    source = tokens._issuers[0].keys
    counted = source.current()
    await wait_until(lambda: source.current() is not counted)
    assert await refused(tokens, OLD) == "signature"
    assert await user_of(tokens, NEW) == "ana"
    assert served.asked == 2


async def test_nobody_with_a_known_key_waits(
    tokens: BearerTokens, served: KeyServer, watch: Watch
) -> None:
    """A server that hangs holds up only tokens of keys that aren't known."""
    assert await user_of(tokens, OLD) == "ana"
    served.answers.clear()
    watch.now += 901
    stuck = asyncio.create_task(user_of(tokens, NEW))
    await wait_until(lambda: served.asked == 2)
    assert await user_of(tokens, OLD) == "ana"  # remembered
    another = jwt.encode(claims(sub="ben"), RSA, "RS256", {"kid": "a"})
    assert await user_of(tokens, another) == "ben"
    assert not stuck.done()
    served.keys.append(jwk(OTHER_RSA.public_key(), "b"))
    served.answers.set()
    assert await stuck == "ana"
    assert served.asked == 2


async def test_the_same_keys_again_end_nothing(
    tokens: BearerTokens, served: KeyServer, watch: Watch
) -> None:
    """Tokens are proven again because keys changed, and not because they were fetched."""
    first = await tokens.authenticate(headers(OLD))
    watch.now += 31
    assert await refused(tokens, NEW) == "signature"
    assert served.asked == 2
    assert await tokens.authenticate(headers(OLD)) is first


async def test_a_server_that_fails(
    tokens: BearerTokens, served: KeyServer, watch: Watch, caplog: pytest.LogCaptureFixture
) -> None:
    """Known keys count for a while; none known is an error, and never a yes; the log says why."""
    served.status = 500
    for _ in range(2):
        with pytest.raises(IdentityUnavailable, match="status 500"):
            await user_of(tokens, OLD)
    assert served.asked == 1
    served.status = 200
    watch.now += 6
    assert await user_of(tokens, OLD) == "ana"
    for broken in (b"no JSON", b"[]", b"[" * 100_000, b'{"keys": []}', b"x" * 2_000_000):
        served.body = broken
        watch.now += 901
        asked = served.asked
        assert await refused(tokens, NEW) == "signature"
        assert served.asked == asked + 1
        assert await user_of(tokens, OLD) == "ana"
    watch.now += 14_401
    with pytest.raises(IdentityUnavailable):
        await user_of(tokens, OLD)
    served.body = None
    watch.now += 6
    assert await user_of(tokens, OLD) == "ana"
    said = [record.getMessage() for record in caplog.records if record.name == "warmcube"]
    assert len(said) == 8
    assert all(record.levelno == logging.WARNING for record in caplog.records)
    assert "status 500" in said[0]
    assert "any more" in said[6]
    assert "hush" not in "".join(said)


async def test_redirects_lead_nowhere(tokens: BearerTokens, served: KeyServer) -> None:
    """Nobody else's keys are fetched."""
    with key_server() as other:
        other.keys = served.keys
        served.status, served.location = 302, other.url
        with pytest.raises(IdentityUnavailable, match="redirect"):
            await user_of(tokens, OLD)
        assert other.asked == 0


async def test_keys_of_a_set_that_arent_for_this(tokens: BearerTokens, served: KeyServer) -> None:
    """Secrets, keys for encryption, for other algorithms, too weak ones, and nonsense."""
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    public = jwk(RSA.public_key(), "a")
    served.keys = [
        {"kty": "oct", "kid": "oct", "k": public["n"]},
        jwk(small.public_key(), "small"),
        {**public, "kid": "enc", "use": "enc"},
        {**public, "kid": "other", "alg": "RS512"},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        "no key",  # type: ignore[list-item]
        public,
    ]
    assert await user_of(tokens, OLD) == "ana"
    for kid in ("oct", "enc", "other", "broken"):
        token = jwt.encode(claims(), RSA, "RS256", {"kid": kid})
        assert await refused(tokens, token) == "signature"
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        token = jwt.encode(claims(), small, "RS256", {"kid": "small"})
    assert await refused(tokens, token) == "signature"


async def test_another_entry_may_have_the_key(tmp_path: Path, served: KeyServer) -> None:
    """One audience's server that is down doesn't hold up a token of another's key."""
    served.status = 500
    keys = section('["RS256"]', f'jwks_url = "{served.url}"') + section(
        '["RS256"]', pem_file(tmp_path)
    ).replace("warmcube", "other")
    tokens = open_bearer_tokens(configured(tmp_path, keys))
    both = ["warmcube", "other"]
    assert await user_of(tokens, jwt.encode(claims(aud=both), RSA, "RS256")) == "ana"
    with pytest.raises(IdentityUnavailable):
        await user_of(tokens, jwt.encode(claims(aud=both), OTHER_RSA, "RS256"))
    await tokens.close()


async def test_closing_ends_a_fetch(tmp_path: Path, served: KeyServer) -> None:
    """A server that never answers keeps nobody from stopping."""
    keys = section('["RS256"]', f'jwks_url = "{served.url}"')
    tokens = open_bearer_tokens(configured(tmp_path, keys))
    served.answers.clear()
    waiting = asyncio.create_task(user_of(tokens, OLD))
    await wait_until(lambda: served.asked == 1)
    async with asyncio.timeout(30):
        await tokens.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_a_key_set_of_a_file(tmp_path: Path, watch: Watch) -> None:
    """The kid picks; a changed file counts, and keys that are gone end remembered tokens."""
    keys = tmp_path / "keys.json"

    def write(*found: dict[str, Any]) -> None:
        keys.write_text(json.dumps({"keys": found}))

    write(jwk(RSA.public_key(), "a"), jwk(EC.public_key(), "c"))
    tokens = open_bearer_tokens(
        configured(tmp_path, section('["RS256", "ES256"]', 'jwks_file = "keys.json"')),
        monotonic=watch,
    )
    first = await tokens.authenticate(headers(OLD))
    assert await user_of(tokens, jwt.encode(claims(), EC, "ES256", {"kid": "c"})) == "ana"
    assert await refused(tokens, jwt.encode(claims(), EC, "ES256", {"kid": "a"})) == "signature"
    write(jwk(RSA.public_key(), "a"))
    watch.now = 2
    assert await user_of(tokens, jwt.encode(claims(), RSA, "RS256")) == "ana"  # the only one
    write(jwk(OTHER_RSA.public_key(), "b"))
    assert (await tokens.authenticate(headers(OLD))).user == first.user  # looked at lately
    watch.now = 4
    assert await refused(tokens, OLD) == "signature"
    assert await user_of(tokens, NEW) == "ana"


@pytest.mark.parametrize("broken", [b"no JSON", b'{"keys": []}', None])
async def test_a_file_that_breaks(tmp_path: Path, watch: Watch, broken: bytes | None) -> None:
    """No key counts until it can be read again: one might have been taken away."""
    keys = tmp_path / "keys.json"
    good = json.dumps({"keys": [jwk(RSA.public_key(), "a")]})
    keys.write_text(good)
    tokens = open_bearer_tokens(
        configured(tmp_path, section('["RS256"]', 'jwks_file = "keys.json"')), monotonic=watch
    )
    assert await user_of(tokens, OLD) == "ana"
    if broken is None:
        keys.unlink()
    else:
        keys.write_bytes(broken)
    watch.now = 2
    for _ in range(2):
        with pytest.raises(IdentityUnavailable, match=r"keys\.json"):
            await user_of(tokens, OLD)
    keys.write_text(good)
    watch.now = 4
    assert await user_of(tokens, OLD) == "ana"


@pytest.mark.parametrize("algorithm", ["HS256", "RS256"])
async def test_one_key_is_replaced(tmp_path: Path, watch: Watch, algorithm: str) -> None:
    """Whoever writes another into its file ends all tokens of the old one."""
    pem = OTHER_RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    write: Callable[[Path, bytes], str] = secret_file if algorithm == "HS256" else pem_file
    olds: tuple[Any, bytes] = (SECRET, SECRET) if algorithm == "HS256" else (RSA, PEM)
    news: tuple[Any, bytes] = (SECRET[::-1],) * 2 if algorithm == "HS256" else (OTHER_RSA, pem)
    place = write(tmp_path, olds[1])
    tokens = open_bearer_tokens(
        configured(tmp_path, section(f'["{algorithm}"]', place)), monotonic=watch
    )
    old, new = (jwt.encode(claims(), key, algorithm) for key in (olds[0], news[0]))
    assert await user_of(tokens, old) == "ana"
    assert await refused(tokens, new) == "signature"
    write(tmp_path, news[1])
    watch.now = 2
    assert await refused(tokens, old) == "signature"
    assert await user_of(tokens, new) == "ana"


async def test_many_at_once_while_keys_change(tmp_path: Path, watch: Watch) -> None:
    """Each is refused in its turn; none of them fails in another way."""
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [jwk(RSA.public_key(), "a")]}))
    tokens = open_bearer_tokens(
        configured(tmp_path, section('["RS256"]', 'jwks_file = "keys.json"')), monotonic=watch
    )
    assert await user_of(tokens, OLD) == "ana"
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [jwk(OTHER_RSA.public_key(), "b")]}))
    watch.now = 2
    found = await asyncio.gather(
        *(tokens.authenticate(headers(OLD)) for _ in range(50)), return_exceptions=True
    )
    assert {type(each) for each in found} == {Unauthenticated}


def _p384() -> bytes:
    key = ec.generate_private_key(ec.SECP384R1()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _weak() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


DER = RSA.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
SSH = RSA.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)


@pytest.mark.parametrize(
    ("algorithm", "content", "part"),
    [
        ("HS256", b"0123456789abcdef0123456789abcde\n", "holds 31 bytes"),
        ("HS256", b"", "holds 0 bytes"),
        ("HS256", PEM, "others know"),
        ("HS256", b"\n" + PEM, "others know"),
        ("HS256", DER, "others know"),
        ("HS256", SSH, "others know"),
        ("HS256", json.dumps(jwk(RSA.public_key(), "a")).encode(), "others know"),
        ("HS256", None, "isn't there"),
        ("RS256", _weak(), "1024 bits"),
        ("RS256", b"nothing", "as PEM"),
        ("RS256", b"x" * 1_000_001, "larger than"),
        ("RS256", None, "can't be read"),
        ("ES256", PEM, "P-256"),
        ("ES256", _p384(), "P-256"),
    ],
)
def test_keys_that_cant_be_used(
    tmp_path: Path, algorithm: str, content: bytes | None, part: str
) -> None:
    """Too short, too weak, of another type, not there: each is said before anything starts."""
    if content is not None:
        secret_file(tmp_path, content)
    _cant_open(tmp_path, section(f'["{algorithm}"]', 'key_file = "secret"'), part)


@pytest.mark.parametrize(
    ("content", "part"),
    [("[]", "no key"), ("{", "isn't JSON"), ('{"keys": 1}', "no key"), (None, "can't be read")],
)
def test_key_sets_that_cant_be_used(tmp_path: Path, content: str | None, part: str) -> None:
    """The same of a file with a key set."""
    if content is not None:
        (tmp_path / "keys.json").write_text(content)
    _cant_open(tmp_path, section('["RS256"]', 'jwks_file = "keys.json"'), part)


def test_files_that_others_may_use(tmp_path: Path) -> None:
    """Whoever reads a secret, or writes a public key, can be anybody."""
    secret, public = (
        section(f'["{name}256"]', place)
        for name, place in (
            ("HS", secret_file(tmp_path)),
            ("RS", pem_file(tmp_path)),
        )
    )
    (tmp_path / "secret").chmod(0o640)
    _cant_open(tmp_path, secret, "by others")
    (tmp_path / "public.pem").chmod(0o646)
    _cant_open(tmp_path, public, "chmod o-w")
    (tmp_path / "public.pem").unlink()
    os.mkfifo(tmp_path / "public.pem")
    _cant_open(tmp_path, public, "regular file")


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
async def test_a_secret_of_any_bytes(tmp_path: Path, end: bytes) -> None:
    """White space belongs to it, but for one line end."""
    secret = b" \t" + bytes(range(200, 230)) + b"\n "
    tokens = open_bearer_tokens(
        configured(tmp_path, section('["HS256"]', secret_file(tmp_path, secret + end)))
    )
    token = jwt.encode(claims(), secret, "HS256")
    body, _, signature = token.rpartition(".")
    mac = hmac.digest(secret, body.encode(), hashlib.sha256)
    assert jwt.utils.base64url_decode(signature) == mac
    assert await user_of(tokens, token) == "ana"


def _cant_open(folder: Path, keys: str, part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_bearer_tokens(configured(folder, keys))
    assert part in str(caught.value)
    assert "0123456789abcdef" not in str(caught.value)
