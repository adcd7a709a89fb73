"""Bearer tokens made by a library that isn't ours, and all that may be wrong with them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.issuers import jwk
from tests.support.tokens import (
    EC,
    ISSUER,
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
from warmcube.authn.connect import open_bearer_tokens, require_authentication
from warmcube.authn.issue import issue_token
from warmcube.errors import ConfigError, Unauthenticated


@pytest.fixture
async def with_rsa(tmp_path: Path) -> AsyncIterator[BearerTokens]:
    """Tokens of one issuer with an RSA key."""
    tokens = open_bearer_tokens(
        configured(tmp_path, section('["RS256", "ES256"]', pem_file(tmp_path)))
    )
    yield tokens
    await tokens.close()


@pytest.fixture
async def with_secret(tmp_path: Path) -> AsyncIterator[BearerTokens]:
    """Tokens of one issuer with a shared secret."""
    tokens = open_bearer_tokens(configured(tmp_path, section('["HS256"]', secret_file(tmp_path))))
    yield tokens
    await tokens.close()


async def test_good_tokens(tmp_path: Path) -> None:
    """Of each algorithm; the user is the claim's."""
    ec_pem = EC.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for algorithm, key, place in (
        ("RS256", RSA, pem_file(tmp_path)),
        ("HS256", SECRET, secret_file(tmp_path)),
    ):
        tokens = open_bearer_tokens(configured(tmp_path, section(f'["{algorithm}"]', place)))
        identity = await tokens.authenticate(headers(jwt.encode(claims(), key, algorithm)))
        assert (identity.user, identity.method) == ("ana", "token")
    tokens = open_bearer_tokens(
        configured(tmp_path, section('["ES256"]', pem_file(tmp_path, ec_pem)))
    )
    several = jwt.encode(claims(aud=["x", "warmcube"]), EC, "ES256")
    found = await tokens.authenticate(headers(several))
    assert found.user == "ana"


async def test_no_token_or_two(with_rsa: BearerTokens) -> None:
    """Another scheme, none, or several headers."""
    token = jwt.encode(claims(), RSA, "RS256")
    for wrong in (
        [],
        [(b"authorization", b"Basic YTpi")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer  " + token.encode())],
        headers(token) * 2,
    ):
        with pytest.raises(Unauthenticated):
            await with_rsa.authenticate(wrong)
    for scheme in (b"bearer ", b"BEARER "):
        assert await with_rsa.authenticate([(b"authorization", scheme + token.encode())])


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"iss": "https://evil.example"}, "issuer"),
        ({"iss": ISSUER + "/"}, "issuer"),
        ({"aud": "other"}, "audience"),
        ({"aud": None}, "audience"),
        ({"exp": 1}, "expired"),
        ({"exp": None}, "time"),
        ({"nbf": 2**40}, "time"),
        ({"sub": None}, "user"),
    ],
)
async def test_wrong_claims(with_rsa: BearerTokens, changed: dict[str, Any], code: str) -> None:
    """Rightly signed, and still refused."""
    assert await refused(with_rsa, jwt.encode(claims(**changed), RSA, "RS256")) == code


async def test_wrong_keys_and_algorithms(with_rsa: BearerTokens, with_secret: BearerTokens) -> None:
    """Another's key, ``none`` in every spelling, and algorithms that aren't allowed."""
    assert await refused(with_rsa, jwt.encode(claims(), OTHER_RSA, "RS256")) == "signature"
    assert await refused(with_rsa, jwt.encode(claims(), EC, "ES256")) == "signature"
    assert await refused(with_rsa, jwt.encode(claims(), RSA, "RS512")) == "algorithm"
    assert await refused(with_rsa, jwt.encode(claims(), RSA, "PS256")) == "algorithm"
    assert await refused(with_secret, jwt.encode(claims(), SECRET * 2, "HS512")) == "algorithm"
    assert await refused(with_secret, jwt.encode(claims(), b"x" * 32, "HS256")) == "signature"
    good = jwt.encode(claims(), RSA, "RS256")
    _, body, signature = good.split(".")
    for none in ("none", "None", "NONE", "nOnE", ""):
        for last in ("", signature):
            await refused(with_rsa, f"{_part({'alg': none})}.{body}.{last}")
            await refused(with_secret, f"{_part({'alg': none})}.{body}.{last}")


async def test_key_confusion(with_rsa: BearerTokens) -> None:
    """The public key isn't a secret: signing HS256 with it proves nothing."""
    for secret in (PEM, PEM.strip(), jwk(RSA.public_key(), "a")["n"].encode()):
        body = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims())}"
        mac = hmac.digest(secret, body.encode(), hashlib.sha256)
        forged = f"{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
        assert await refused(with_rsa, forged) == "algorithm"


@pytest.mark.parametrize(
    "header",
    [
        {"jku": "http://127.0.0.1:1/keys"},
        {"x5u": "http://127.0.0.1:1/cert"},
        {"jwk": jwk(OTHER_RSA.public_key(), "mine")},
        {"x5c": ["AAAA"]},
        {"crit": ["exp"]},
        {"b64": True, "crit": ["b64"]},
        {"cty": "JWT"},
    ],
)
async def test_keys_that_come_along(with_rsa: BearerTokens, header: dict[str, Any]) -> None:
    """A token can't bring its own key, nor say where to get one, even if rightly signed."""
    for key in (OTHER_RSA, RSA):
        assert await refused(with_rsa, jwt.encode(claims(), key, "RS256", header)) == "header"


async def test_headers_of_their_own_change_nothing(with_rsa: BearerTokens) -> None:
    """Some issuers write what nobody else understands; RFC 7515 has it ignored."""
    for header in ({"cat": "cl_B7d4PD111AAA"}, {"pi.atm": "1"}, {"x5t": "AAAA"}, {"kid": "a"}):
        token = jwt.encode(claims(), RSA, "RS256", header)
        assert (await with_rsa.authenticate(headers(token))).user == "ana"
        assert await refused(with_rsa, jwt.encode(claims(), OTHER_RSA, "RS256", header)) == (
            "signature"
        )


async def test_a_kid_is_only_a_name(with_rsa: BearerTokens) -> None:
    """Paths, SQL and other tricks pick nothing."""
    for kid in ("../../etc/passwd", "' OR 1=1 --", "/dev/null", "\x00", "x" * 2000):
        token = jwt.encode(claims(), OTHER_RSA, "RS256", {"kid": kid})
        assert await refused(with_rsa, token) == "signature"


GOOD = {
    "HS256": jwt.encode(claims(exp=2**40), SECRET, "HS256").encode(),
    "RS256": jwt.encode(claims(exp=2**40), RSA, "RS256").encode(),
    "ES256": jwt.encode(claims(exp=2**40), EC, "ES256").encode(),
}


@pytest.fixture(scope="module")
def by_algorithm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, BearerTokens]:
    """Tokens of an issuer for each algorithm."""
    ec_pem = EC.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    opened = {}
    for algorithm in GOOD:
        folder = tmp_path_factory.mktemp(algorithm)
        place = {
            "HS256": secret_file,
            "RS256": pem_file,
            "ES256": lambda at: pem_file(at, ec_pem),
        }[algorithm](folder)
        opened[algorithm] = open_bearer_tokens(
            configured(folder, section(f'["{algorithm}"]', place))
        )
    return opened


@pytest.mark.parametrize("algorithm", GOOD)
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.integers(0, 10_000), other=st.integers(1, 255))
async def test_no_changed_token_counts(
    by_algorithm: dict[str, BearerTokens], algorithm: str, place: int, other: int
) -> None:
    """Whatever byte of a good token is changed, it is refused, though the good one is known."""
    good = [(b"authorization", b"Bearer " + GOOD[algorithm])]
    assert (await by_algorithm[algorithm].authenticate(good)).user == "ana"
    token = bytearray(GOOD[algorithm])
    token[place % len(token)] ^= other
    with pytest.raises(Unauthenticated):
        await by_algorithm[algorithm].authenticate([(b"authorization", b"Bearer " + bytes(token))])


async def test_a_remembered_token_ends(tmp_path: Path) -> None:
    """It isn't proven again, but it ends when it says, and no later."""
    configuration = configured(tmp_path, section('["HS256"]', secret_file(tmp_path), "leeway = 5"))
    now = 1_000_000.0
    tokens = open_bearer_tokens(configuration, clock=lambda: now)
    token = jwt.encode(claims(exp=1_000_100, iat=999_999), SECRET, "HS256")
    first = await tokens.authenticate(headers(token))
    assert await tokens.authenticate(headers(token)) is first
    assert first.valid_until == 1_000_105
    now = 1_000_104.9
    assert await tokens.authenticate(headers(token)) is first
    now = 1_000_105.0
    assert await refused(tokens, token) == "expired"
    assert await refused(tokens, token) == "expired"


async def test_not_more_tokens_are_remembered_than_allowed(tmp_path: Path) -> None:
    """The oldest are forgotten, and proven again."""
    tokens = open_bearer_tokens(configured(tmp_path, section('["HS256"]', secret_file(tmp_path))))
    tokens._most = 3
    for number in range(10):
        token = jwt.encode(claims(sub=f"u{number}"), SECRET, "HS256")
        assert (await tokens.authenticate(headers(token))).user == f"u{number}"
    assert len(tokens._proven) == 3


async def test_two_issuers(tmp_path: Path) -> None:
    """Each with its own keys and prefix: nobody of one is somebody of the other."""
    pem = OTHER_RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "other.pem").write_bytes(pem)
    tokens = open_bearer_tokens(
        configured(
            tmp_path,
            section('["RS256"]', pem_file(tmp_path), 'prefix = "a:"')
            + section('["RS256"]', 'key_file = "other.pem"', 'prefix = "b:"', "https://b.example"),
        )
    )
    first = await tokens.authenticate(headers(jwt.encode(claims(), RSA, "RS256")))
    other = jwt.encode(claims(iss="https://b.example"), OTHER_RSA, "RS256")
    second = await tokens.authenticate(headers(other))
    assert (first.user, second.user) == ("a:ana", "b:ana")
    crossed = jwt.encode(claims(), OTHER_RSA, "RS256")
    assert await refused(tokens, crossed) == "signature"


async def test_tokens_made_here(tmp_path: Path) -> None:
    """They are the first shared secret's, and count."""
    configuration = configured(
        tmp_path, section('["HS256"]', secret_file(tmp_path), 'prefix = "dev:"')
    )
    token = issue_token(configuration, "dev:ana", int(time.time()), 60)
    tokens = open_bearer_tokens(configuration)
    assert (await tokens.authenticate(headers(token))).user == "dev:ana"
    decoded = jwt.decode(token, SECRET, ["HS256"], audience="warmcube")
    assert (decoded["sub"], decoded["exp"] - decoded["iat"]) == ("ana", 60)
    with pytest.raises(ConfigError, match="begin with 'dev:'"):
        issue_token(configuration, "ana", 0, 60)
    with pytest.raises(ConfigError, match="shared secret"):
        issue_token(configured(tmp_path, section('["RS256"]', pem_file(tmp_path))), "a", 0, 1)


def test_nobody_could_prove_who_they_are(tmp_path: Path) -> None:
    """Then a service doesn't start, and says what to write."""
    with pytest.raises(ConfigError, match=r"\[\[auth.keys\]\] with issuer, audience, algorithms"):
        require_authentication(configured(tmp_path, ""))
    require_authentication(configured(tmp_path, section('["RS256"]', pem_file(tmp_path))))


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
