"""Tokens taken apart, and what their claims have to say."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.authn.token import MOST, Expected, claimed_user, parse_token
from warmcube.errors import Unauthenticated

EXPECTED = Expected(audience="warmcube", claim="sub", prefix="", leeway=30)
CLAIMS: dict[str, Any] = {"iss": "i", "aud": "warmcube", "sub": "ana", "exp": 1000}


def part(value: Any) -> str:
    """A part of a token, of JSON or of bytes."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def made(header: Any, claims: Any = CLAIMS, signature: Any = b"signature") -> str:
    """A token with a signature of nobody."""
    return ".".join(map(part, (header, claims, signature)))


def test_it_is_taken_apart() -> None:
    """Algorithm, key, issuer and claims, as they stand."""
    token = parse_token(made({"alg": "RS256", "kid": "a", "typ": "at+jwt", "x5t": "x", "cat": "y"}))
    assert (token.algorithm, token.kid, token.issuer, token.claims) == ("RS256", "a", "i", CLAIMS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        "a.b.c.d.e",  # encrypted
        "....",
        made({"alg": "HS256"}) + "=",
        made({"alg": "HS256"}) + "\n",
        made({"alg": "HS256"}, signature=b"")[:-1],
        made({"alg": "HS256"}).replace(".", "..", 1),
        made(b"\xff"),
        made(b'{"alg": "HS256", "alg": "none"}'),
        made(b'{"alg": NaN}'),
        made([]),
        made({"alg": "HS256"}, [CLAIMS]),
        made({"alg": "HS256"}, b'{"iss": "i", "iss": "j"}'),
        made({"alg": "HS256"}, b"[" * 3000),
        made({"kid": "a"}),
        made({"alg": None}),
        made({"alg": ["HS256"]}),
        made({"alg": "HS256", "kid": 1}),
        made({"alg": "HS256", "typ": "JOSE"}),
        made({"alg": "HS256", "typ": 1}),
        *(
            made({"alg": "RS256", name: value})
            for name, value in (
                ("jku", "https://evil.example/keys"),
                ("x5u", "https://evil.example/cert"),
                ("jwk", {"kty": "oct", "k": "AAAA"}),
                ("x5c", ["AAAA"]),
                ("crit", ["exp"]),
                ("b64", False),
                ("zip", "DEF"),
                ("enc", "A256GCM"),
                ("cty", "JWT"),
            )
        ),
        made({"alg": "HS256"}, {**CLAIMS, "iss": None}),
        made({"alg": "HS256"}, {**CLAIMS, "iss": ["i"]}),
        made({"alg": "HS256"}, {**CLAIMS, "more": "x" * MOST}),
    ],
)
def test_whatever_is_odd_is_refused(text: str) -> None:
    """Before any key is looked at; the words hold nothing of the token."""
    with pytest.raises(Unauthenticated) as caught:
        parse_token(text)
    assert "evil" not in str(caught.value)


def test_base64_has_one_form() -> None:
    """A last character with bits that decode to nothing would be a second text of one token."""
    header, claims, signature = made({"alg": "HS256"}, signature=b"s").split(".")
    assert parse_token(f"{header}.{claims}.{signature}")
    other = signature[:-1] + chr(ord(signature[-1]) + 1)
    assert base64.urlsafe_b64decode(other + "==") == b"s"
    with pytest.raises(Unauthenticated, match="decoded"):
        parse_token(f"{header}.{claims}.{other}")
    with pytest.raises(Unauthenticated, match="decoded"):
        parse_token(f"{header}.{claims}.A")


@pytest.mark.parametrize("audience", ["warmcube", ["other", "warmcube"]])
def test_whom_they_name_and_until_when(audience: Any) -> None:
    """The user, with the prefix; the end, with the leeway."""
    claims = {**CLAIMS, "aud": audience, "nbf": 900, "iat": 900.5}
    assert claimed_user(claims, EXPECTED, 1029) == ("ana", 1030)
    prefixed = Expected(audience="warmcube", claim="sub", prefix="okta:", leeway=0)
    assert claimed_user(claims, prefixed, 999) == ("okta:ana", 1000)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"aud": "other"}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": []}, "audience"),
        ({"aud": ["warmcube", 1]}, "audience"),
        ({"aud": {"warmcube": 1}}, "audience"),
        ({"exp": 970}, "expired"),
        ({"exp": None}, "time"),
        ({"exp": "1000"}, "time"),
        ({"exp": True}, "time"),
        ({"exp": -1}, "time"),
        ({"exp": 1e300}, "time"),
        ({"nbf": 1031}, "time"),
        ({"nbf": "0"}, "time"),
        ({"iat": 1031}, "time"),
        ({"iat": None}, "time"),
        ({"sub": ""}, "user"),
        ({"sub": None}, "user"),
        ({"sub": 7}, "user"),
        ({"sub": ["ana"]}, "user"),
        ({"sub": " ana"}, "user"),
        ({"sub": "ana\n"}, "user"),
        ({"sub": "a\x00b"}, "user"),
        ({"sub": "x" * 257}, "user"),
        ({"sub": "a\ud800b"}, "user"),
        ({"sub": "a\u2028b"}, "user"),
    ],
)
def test_claims_that_dont_count(changed: dict[str, Any], code: str) -> None:
    """Audience, times and user, each strictly of its type."""
    with pytest.raises(Unauthenticated) as caught:
        claimed_user({**CLAIMS, **changed}, EXPECTED, 1000)
    assert caught.value.code == code


def test_a_token_without_an_end_is_none() -> None:
    """``exp`` is mandatory."""
    with pytest.raises(Unauthenticated, match="no exp"):
        claimed_user({k: v for k, v in CLAIMS.items() if k != "exp"}, EXPECTED, 0)


@pytest.mark.parametrize("verified", [None, False, "true", 1, True])
def test_an_email_address_has_to_be_verified(verified: Any) -> None:
    """By its issuer, and by nothing that only looks like it."""
    expected = Expected(audience="warmcube", claim="email", prefix="", leeway=0)
    claims = {**CLAIMS, "email": "ana@example.com", "email_verified": verified}
    if verified is True:
        assert claimed_user(claims, expected, 0)[0] == "ana@example.com"
    else:
        with pytest.raises(Unauthenticated, match="didn't verify"):
            claimed_user(claims, expected, 0)


@given(st.text(max_size=300))
def test_any_text_is_a_token_or_refused(text: str) -> None:
    """Nothing else is raised."""
    with contextlib.suppress(Unauthenticated):
        parse_token(text)
