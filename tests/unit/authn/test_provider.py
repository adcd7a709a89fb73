"""`warmcube.authn.provider`: what of a provider's documents is used."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from warmcube.authn.provider import endpoints_of, keys_of
from warmcube.errors import IdentityUnavailable

ISSUER = "https://i.example/realms/main"
DOCUMENT: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
}


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (None, "client_secret_basic"),
        (["client_secret_post", "private_key_jwt"], "client_secret_post"),
        (["client_secret_post", "client_secret_basic"], "client_secret_basic"),
        (["private_key_jwt"], "client_secret_basic"),
    ],
)
def test_how_a_client_proves_who_it_is(offered: list[str] | None, chosen: str) -> None:
    """In the header where the provider takes that, as it must."""
    more = {} if offered is None else {"token_endpoint_auth_methods_supported": offered}
    assert endpoints_of(DOCUMENT | more, ISSUER).client_auth == chosen


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize(
    "url",
    [
        None,
        7,
        "",
        "/token",
        "http://i.example/token",
        "http://127.0.0.1/token",  # a provider elsewhere has nothing to seek on this machine
        "https://localhost/token",
        "https://user@i.example/token",
        "https://i.example/token#part",
        "https://i.example:port/token",
        "https://i.exämple/token",
        "https://i.example/to\nken",
        "ftp://i.example/token",
    ],
)
def test_where_it_cannot_be(name: str, url: object) -> None:
    """By https, not on this machine, and plainly written."""
    with pytest.raises(IdentityUnavailable, match=f"no {name} by https"):
        endpoints_of(DOCUMENT | {name: url}, ISSUER)


@pytest.mark.parametrize("issuer", [None, f"{ISSUER}/", ISSUER.upper(), "https://evil.example"])
def test_whose_document_it_is(issuer: object) -> None:
    """Letter by letter the configured issuer's."""
    with pytest.raises(IdentityUnavailable, match="isn't that of"):
        endpoints_of(DOCUMENT | {"issuer": issuer}, ISSUER)


def test_keys_that_can_sign() -> None:
    """RSA of 2048 bits or more and elliptic curves; the rest is left out, not tripped over."""
    good = [
        RSAKey.generate_key(2048, {"kid": "rsa"}).as_dict(private=False),
        ECKey.generate_key("P-256", {"kid": "ec"}).as_dict(private=False),
    ]
    encrypting = RSAKey.generate_key(2048, {"kid": "enc", "use": "enc"}).as_dict(private=False)
    others = [
        encrypting,
        OctKey.generate_key(256, {"kid": "oct"}).as_dict(private=True),
        OKPKey.generate_key("Ed25519", {"kid": "okp"}).as_dict(private=False),
        {"kty": "RSA", "kid": "half", "n": "x"},
        {"kty": "EC", "kid": "odd", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "new"},
        "no key",
        None,
    ]
    found = keys_of({"keys": [*others, *good]})
    assert [key.kid for key in found] == ["rsa", "ec"]


def test_a_small_rsa_key() -> None:
    """One that can be broken counts for nothing."""
    padded = SMALL | {"n": "AAAA" * 60 + SMALL["n"]}
    with pytest.raises(IdentityUnavailable, match="no key for signatures"):
        keys_of({"keys": [SMALL, padded]})


SMALL = {
    "kty": "RSA",
    "e": "AQAB",
    "n": (
        "vYF5tTKjrkpZNBZzzs3mOvY6YZNRQuCfQJXqv6wKvQ8pVpYfS3wuWXAUfBqBQyCYTg1rQ9wSj6pd8nTtXo4E"
        "mZXu7bYqPzDCw1yqTjV2lPb3fTgUoKQJfFFbqCqoRLkLbSxF3QpzvTj0kXr0oDq2pK0mUJ9FkJQe0bYpKQ"
    ),
}


@pytest.mark.parametrize("document", [{}, {"keys": []}, {"keys": 7}, {"keys": {"kty": "RSA"}}])
def test_no_keys(document: dict[str, Any]) -> None:
    """A set without any is trouble of the provider."""
    with pytest.raises(IdentityUnavailable, match="no key for signatures"):
        keys_of(document)
