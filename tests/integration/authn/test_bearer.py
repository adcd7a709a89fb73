"""Bearer tokens made by a library that isn't ours, and all that may be wrong with them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.issuers import KeyServer, jwk, key_server

from warmcube.authn.bearer import BearerTokens
from warmcube.authn.connect import open_bearer_tokens, require_authentication
from warmcube.authn.issue import issue_token
from warmcube.config import Settings, load
from warmcube.errors import ConfigError, IdentityUnavailable, Unauthenticated

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
SECRET = b"0123456789abcdef0123456789abcdef"
PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
ISSUER = "https://issuer.example"


def claims(**changed: Any) -> dict[str, Any]:
    """What a good token says, with some of it changed; None leaves it out."""
    now = int(time.time())
    made = {"iss": ISSUER, "aud": "warmcube", "sub": "ana", "exp": now + 600, "iat": now, **changed}
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


async def refused(tokens: BearerTokens, token: str) -> str:
    """That a token is refused, and as what; the error holds nothing of it."""
    with pytest.raises(Unauthenticated) as caught:
        await tokens.authenticate(headers(token))
    assert token[-20:] not in repr(caught.value)
    return caught.value.code


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
    ],
)
async def test_keys_that_come_along(with_rsa: BearerTokens, header: dict[str, Any]) -> None:
    """A token can't bring its own key, nor say where to get one, even if rightly signed."""
    for key in (OTHER_RSA, RSA):
        assert await refused(with_rsa, jwt.encode(claims(), key, "RS256", header)) == "header"


async def test_a_kid_is_only_a_name(with_rsa: BearerTokens) -> None:
    """Paths, SQL and other tricks pick nothing."""
    for kid in ("../../etc/passwd", "' OR 1=1 --", "/dev/null", "\x00", "x" * 2000):
        token = jwt.encode(claims(), OTHER_RSA, "RS256", {"kid": kid})
        assert await refused(with_rsa, token) == "signature"


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.integers(0, 10_000), other=st.integers(1, 255))
async def test_no_changed_token_counts(with_secret: BearerTokens, place: int, other: int) -> None:
    """Whatever byte of a good token is changed, it is refused."""
    token = bytearray(GOOD.encode())
    place %= len(token)
    token[place] ^= other
    with pytest.raises(Unauthenticated):
        await with_secret.authenticate([(b"authorization", b"Bearer " + bytes(token))])


GOOD = jwt.encode(claims(exp=2**40), SECRET, "HS256")


async def test_a_remembered_token_ends(tmp_path: Path) -> None:
    """It isn't proven again, but it ends when it says, and no later."""
    configuration = configured(tmp_path, section('["HS256"]', secret_file(tmp_path), "leeway = 5"))
    now = 1_000_000.0
    tokens = open_bearer_tokens(configuration)
    tokens._clock = lambda: now
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
            section('["RS256"]', pem_file(tmp_path))
            + section('["RS256"]', 'key_file = "other.pem"', 'prefix = "b:"', "https://b.example"),
        )
    )
    first = await tokens.authenticate(headers(jwt.encode(claims(), RSA, "RS256")))
    other = jwt.encode(claims(iss="https://b.example"), OTHER_RSA, "RS256")
    second = await tokens.authenticate(headers(other))
    assert (first.user, second.user) == ("ana", "b:ana")
    crossed = jwt.encode(claims(), OTHER_RSA, "RS256")
    assert await refused(tokens, crossed) == "signature"


def test_two_issuers_need_two_prefixes(tmp_path: Path) -> None:
    """Unless it is said that they share their users."""
    both = section('["RS256"]', 'key_file = "a"') + section(
        '["RS256"]', 'key_file = "b"', issuer="https://b.example"
    )
    with pytest.raises(ConfigError, match=r"shares_users.*prefixes"):
        configured(tmp_path, both)
    assert configured(tmp_path, both, "[auth]\nshares_users = true").auth.shares_users


async def test_a_key_set_of_a_file(tmp_path: Path) -> None:
    """The kid picks; a changed file counts, and keys that are gone end remembered tokens."""
    keys = tmp_path / "keys.json"

    def write(*found: dict[str, Any]) -> None:
        keys.write_text(json.dumps({"keys": found}))

    write(jwk(RSA.public_key(), "a"), jwk(EC.public_key(), "b"))
    tokens = open_bearer_tokens(
        configured(tmp_path, section('["RS256", "ES256"]', 'jwks_file = "keys.json"'))
    )
    passed = 0.0
    source = tokens._issuers[0].keys
    source._monotonic = lambda: passed  # type: ignore[attr-defined]
    source._looked = 0.0  # type: ignore[attr-defined]
    first = jwt.encode(claims(), RSA, "RS256", {"kid": "a"})
    assert await tokens.authenticate(headers(first))
    assert await tokens.authenticate(headers(jwt.encode(claims(), EC, "ES256", {"kid": "b"})))
    assert await refused(tokens, jwt.encode(claims(), EC, "ES256", {"kid": "a"})) == "signature"
    write(jwk(OTHER_RSA.public_key(), "c"))
    passed = 2.0
    assert await refused(tokens, first) == "signature"
    assert await tokens.authenticate(headers(jwt.encode(claims(), OTHER_RSA, "RS256")))
    keys.write_text("no JSON")
    passed = 4.0
    with pytest.raises(IdentityUnavailable):
        await tokens.authenticate(headers(jwt.encode(claims(), OTHER_RSA, "RS256", {"kid": "c"})))
    passed = 6.0
    assert await refused(tokens, jwt.encode(claims(), OTHER_RSA, "RS256")) == "signature"


@pytest.fixture
def served() -> Any:
    """A key set by URL."""
    with key_server() as server:
        server.keys = [jwk(RSA.public_key(), "a")]
        yield server


def by_url(folder: Path, served: KeyServer) -> tuple[BearerTokens, Callable[[float], None]]:
    """Tokens of an issuer with a URL, and what lets time pass."""
    tokens = open_bearer_tokens(
        configured(folder, section('["RS256"]', f'jwks_url = "{served.url}"'))
    )
    now = [0.0]
    tokens._issuers[0].keys._known._monotonic = lambda: now[0]  # type: ignore[attr-defined]

    def wait(seconds: float) -> None:
        now[0] += seconds

    return tokens, wait


async def test_keys_are_rotated(tmp_path: Path, served: KeyServer) -> None:
    """An unknown kid has the set fetched again, at most once in 30 s; gone keys end tokens."""
    tokens, wait = by_url(tmp_path, served)
    old = jwt.encode(claims(), RSA, "RS256", {"kid": "a"})
    assert await tokens.authenticate(headers(old))
    served.keys = [jwk(OTHER_RSA.public_key(), "b")]
    new = jwt.encode(claims(), OTHER_RSA, "RS256", {"kid": "b"})
    for number in range(20):  # random kids don't have it fetched more often
        token = jwt.encode(claims(), OTHER_RSA, "RS256", {"kid": f"k{number}"})
        assert await refused(tokens, token) == "signature"
    assert served.asked == 1
    wait(31)
    assert (await tokens.authenticate(headers(new))).user == "ana"
    assert served.asked == 2
    assert await refused(tokens, old) == "signature"
    await tokens.close()


async def test_an_old_key_set_is_fetched_again_by_itself(tmp_path: Path, served: KeyServer) -> None:
    """So that a key that was taken away doesn't count for as long as nobody uses a new one."""
    tokens, wait = by_url(tmp_path, served)
    old = jwt.encode(claims(), RSA, "RS256", {"kid": "a"})
    assert await tokens.authenticate(headers(old))
    served.keys = [jwk(OTHER_RSA.public_key(), "b")]
    wait(3601)
    assert await refused(tokens, old) == "signature"
    await tokens.close()


async def test_a_key_server_that_fails(tmp_path: Path, served: KeyServer) -> None:
    """Known keys count for a while; none known is an error, and never a yes."""
    tokens, wait = by_url(tmp_path, served)
    token = jwt.encode(claims(), RSA, "RS256", {"kid": "a"})
    served.status = 500
    with pytest.raises(IdentityUnavailable):
        await tokens.authenticate(headers(token))
    served.status = 200
    wait(6)
    assert await tokens.authenticate(headers(token))
    for broken in (b"no JSON", b"[]", b'{"keys": []}', b"x" * 2_000_000):
        served.body = broken
        wait(3601)
        assert await tokens.authenticate(headers(token))
    wait(86_400)
    with pytest.raises(IdentityUnavailable):
        await tokens.authenticate(headers(token))
    await tokens.close()


@pytest.mark.parametrize(
    ("keys", "part"),
    [
        ('[[auth.keys]]\nissuer = "i"\naudience = "a"\nkey_file = "k"', "algorithms: missing"),
        ('[[auth.keys]]\nissuer = "i"\nalgorithms = ["RS256"]\nkey_file = "k"', "audience"),
        ('[[auth.keys]]\naudience = "a"\nalgorithms = ["RS256"]\nkey_file = "k"', "issuer"),
        (section('["none"]', 'key_file = "k"'), 'a list of "RS256" and "ES256"'),
        (section("[]", 'key_file = "k"'), "HS256"),
        (section('["HS256", "RS256"]', 'key_file = "k"'), "HS256"),
        (section('["RS256"]', ""), "exactly one of"),
        (section('["RS256"]', 'key_file = "k"\njwks_file = "l"'), "exactly one of"),
        (section('["HS256"]', 'jwks_url = "https://x.example"'), "shared secret"),
        (section('["RS256"]', 'jwks_url = "http://x.example"'), "https"),
        (section('["RS256"]', 'key_file = "k"', "leeway = 3600"), "leeway"),
        (section('["RS256"]', 'key_file = "k"') * 2, "above already"),
    ],
)
def test_wrong_configurations(tmp_path: Path, keys: str, part: str) -> None:
    """Each is said before anything starts."""
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, keys)
    assert part in str(caught.value)


def test_keys_that_cant_be_used(tmp_path: Path) -> None:
    """Too short, too weak, of another type, readable by others, not there."""
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    weak = small.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    p384 = ec.generate_private_key(ec.SECP384R1()).public_key()
    other = p384.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for secret, part in ((b"short", "at least 32"), (PEM, "no secret")):
        _cant_open(tmp_path, section('["HS256"]', secret_file(tmp_path, secret)), part)
    for pem, algorithm, part in (
        (weak, "RS256", "1024 bits"),
        (other, "ES256", "P-256"),
        (PEM, "ES256", "P-256"),
        (b"nothing", "RS256", "as PEM"),
    ):
        _cant_open(tmp_path, section(f'["{algorithm}"]', pem_file(tmp_path, pem)), part)
    for algorithm, place, part in (
        ("RS256", "key_file", "can't be read"),
        ("HS256", "key_file", "isn't there"),
        ("RS256", "jwks_file", "can't be read"),
    ):
        _cant_open(tmp_path, section(f'["{algorithm}"]', f'{place} = "nowhere"'), part)
    open_to_all = section('["HS256"]', secret_file(tmp_path))
    (tmp_path / "secret").chmod(0o644)
    _cant_open(tmp_path, open_to_all, "by others")
    for text, part in (("[]", "no key"), ("{", "isn't JSON")):
        (tmp_path / "keys.json").write_text(text)
        _cant_open(tmp_path, section('["RS256"]', 'jwks_file = "keys.json"'), part)


def _cant_open(folder: Path, keys: str, part: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_bearer_tokens(configured(folder, keys))
    assert part in str(caught.value)
    assert "0123456789abcdef" not in str(caught.value)


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
