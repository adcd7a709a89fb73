"""The token of an embedded dashboard: what is believed, and all that isn't."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from tests.support.tokens import EC, PEM, RSA

from warmcube.authn.embed_token import (
    EmbedClaims,
    check_times,
    derive_key,
    embed_refusal,
    is_embed_id,
    read_embed_token,
    sign_embed_token,
)
from warmcube.authn.token import parse_token
from warmcube.errors import Unauthenticated

SECRET = b"an embed's secret of enough bytes"
KEY = derive_key(SECRET, "")
RAW = KEY.get_op_key("sign")
CLAIMS = EmbedClaims(
    id="A" * 22, dashboard="north", record="0f" * 32, issued=1_000_000, expires=1_003_600
)
GOOD = sign_embed_token(CLAIMS, KEY)
SAID = {
    "jti": CLAIMS.id,
    "dashboard": CLAIMS.dashboard,
    "record": CLAIMS.record,
    "iat": CLAIMS.issued,
    "nbf": CLAIMS.issued,
    "exp": CLAIMS.expires,
}
HEAD = {"alg": "HS256", "typ": "warmcube-embed+jwt"}


def forged(said: Any = SAID, key: Any = RAW, algorithm: str = "HS256", **head: Any) -> str:
    """A token that another library makes."""
    return jwt.encode(said, key, algorithm, headers={"typ": HEAD["typ"], **head}, sort_headers=True)


def refused(token: str) -> str:
    """That a token is refused, and as what; the words are one, and hold nothing of it."""
    with pytest.raises(Unauthenticated) as caught:
        read_embed_token(token, KEY)
    assert str(caught.value) == str(embed_refusal("x"))
    return caught.value.code


def encoded(value: Any) -> str:
    """A part of a token."""
    data = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_what_is_signed_is_read() -> None:
    """A token says what was put into it, and another library makes the same one."""
    assert read_embed_token(GOOD, KEY) == CLAIMS
    assert forged() == GOOD


def test_a_token_of_the_api_is_none_of_an_embed_and_the_other_way_round() -> None:
    """Even where one key signs both."""
    api = jwt.encode({"iss": "i", "aud": "warmcube", "sub": "ana", "exp": 2**40}, RAW, "HS256")
    assert refused(api) == "embed-form"
    assert refused(forged(typ="JWT")) == "embed-form"
    assert refused(forged(typ="at+jwt")) == "embed-form"
    said = {**SAID, "iss": "i", "aud": "warmcube", "sub": "ana"}
    with pytest.raises(Unauthenticated) as caught:
        parse_token(forged(said))
    assert caught.value.code == "header"


def test_no_other_way_to_sign_counts() -> None:
    """None, in no spelling, and no public key taken for a secret."""
    body = GOOD.split(".")[1]
    for algorithm in ("none", "None", "NONE", "nOnE"):
        unsigned = f"{encoded({**HEAD, 'alg': algorithm})}.{body}."
        assert refused(unsigned) == "embed-form"
        assert refused(unsigned + GOOD.rpartition(".")[2]) == "embed-form"
    assert refused(forged(key=RSA, algorithm="RS256")) == "embed-form"
    assert refused(forged(key=EC, algorithm="ES256")) == "embed-form"
    assert refused(forged(key=RAW * 2, algorithm="HS512")) == "embed-form"
    with pytest.raises(Unauthenticated):  # an HS256 token made with what everybody may know
        read_embed_token(sign_embed_token(CLAIMS, derive_key(PEM, "")), KEY)
    for name, value in {"jwk": {"kty": "oct", "k": encoded(RAW)}, "kid": "a", "b64": False}.items():
        head = encoded({**HEAD, name: value})
        assert refused(".".join((head, *GOOD.split(".")[1:]))) == "embed-form"


def test_no_other_key_counts() -> None:
    """Neither another secret's, nor the secret itself, nor the same one in another deployment."""
    for key in (derive_key(SECRET[::-1], ""), derive_key(SECRET, "other:")):
        assert refused(sign_embed_token(CLAIMS, key)) == "embed-signature"
    assert refused(forged(key=SECRET)) == "embed-signature"


@pytest.mark.parametrize(
    "changed",
    [
        {"jti": "A" * 21},
        {"jti": "A" * 21 + "*"},
        {"jti": 1},
        {"dashboard": None},
        {"dashboard": ["north"]},
        {"record": "0f" * 31},
        {"record": "0F" * 32},
        {"iat": "1000000"},
        {"iat": True},
        {"nbf": 1_000_001},
        {"nbf": None},
        {"exp": 1_003_600.5},
        {"exp": 1_000_000},
        {"exp": 1_003_601},
        {"exp": 2**60},
        {"iat": -1, "nbf": -1, "exp": 1},
        {"sub": "root"},
        {"aud": "warmcube"},
    ],
)
def test_signed_claims_of_another_form_are_refused(changed: dict[str, Any]) -> None:
    """Such as one that lasts for longer than an hour, whoever signed it."""
    assert refused(forged({**SAID, **changed})) == "embed-claims"


@pytest.mark.parametrize("name", SAID)
def test_each_claim_is_needed(name: str) -> None:
    """A token without one isn't taken for one that leaves something open."""
    assert refused(forged({key: value for key, value in SAID.items() if key != name})) == (
        "embed-claims"
    )


def test_what_is_signed_and_no_object_is_refused() -> None:
    """Nobody makes such tokens; they break nothing."""
    for payload in (b"[]", b"null", b'"x"', b"{", b"\xff", b"[" * 900, b"NaN"):
        token = jws.serialize_compact(HEAD, payload, KEY)
        assert refused(token) in ("embed-claims", "embed-signature")


def test_a_token_is_written_in_one_way() -> None:
    """No padding, no other character, no other last bits, nothing before or behind."""
    flipped = GOOD[:-1] + chr(ord(GOOD[-1]) + 1)  # of the last character only four bits count
    for token in (GOOD + "=", GOOD + "\n", " " + GOOD, GOOD + ".", flipped, GOOD[:-1], "", "..."):
        assert refused(token) in ("embed-form", "embed-signature")
    assert refused(GOOD + "A" * 3000) == "embed-length"


@given(st.integers(0, len(GOOD) - 1), st.sampled_from("ABab09-_.="))
def test_no_character_can_be_another(place: int, character: str) -> None:
    """A token that was changed anywhere is none."""
    token = GOOD[:place] + character + GOOD[place + 1 :]
    if token != GOOD:
        refused(token)


@given(st.text(max_size=400))
def test_no_text_is_a_token_by_chance(text: str) -> None:
    """Whatever is sent, it is refused in the same words."""
    refused(text)
    refused(f"{GOOD.split('.')[0]}.{text}")


def test_a_token_counts_for_its_time() -> None:
    """Not a second longer; a clock that is behind the store's a little doesn't matter."""
    check_times(CLAIMS, CLAIMS.issued - 60)
    check_times(CLAIMS, CLAIMS.expires - 0.001)
    for now, code in (
        (CLAIMS.expires, "embed-expired"),
        (time.time(), "embed-expired"),
        (CLAIMS.issued - 60.1, "embed-early"),
    ):
        with pytest.raises(Unauthenticated) as caught:
            check_times(CLAIMS, now)
        assert caught.value.code == code


def test_an_id_is_twenty_two_characters_of_base64url() -> None:
    """So that it can't name another key of the store."""
    assert is_embed_id(replace(CLAIMS, id="a-_9" * 5 + "xy").id)
    for other in ("", "A" * 21, "A" * 23, "A" * 21 + ":", "A" * 21 + "\n", "Ä" * 22):
        assert not is_embed_id(other)
