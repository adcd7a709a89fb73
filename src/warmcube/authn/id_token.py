"""The ID token of OpenID Connect: whose it is, and that it is meant for this login."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from warmcube.authn.provider import ALGORITHMS
from warmcube.authn.token import is_name
from warmcube.errors import Unauthenticated

__all__ = ["Expected", "claims_of", "kid_of", "user_of"]

_LARGEST: Final = 32_768
_LEEWAY: Final = 60
_OLDEST: Final = 600
"""Seconds since an ID token was issued: a login doesn't take longer."""
_FOREIGN_KEYS: Final = frozenset({"jku", "jwk", "x5u", "x5c", "crit"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the ID token of one login must say.

    Attributes:
        issuer: the configured provider.
        client_id: this service's id there.
        nonce: of this login.
        access_token: that came with it.
        now: Unix seconds.
    """

    issuer: str
    client_id: str
    nonce: str
    access_token: str | None
    now: int


def kid_of(token: str) -> str | None:
    """The key that a token names.

    Raises:
        Unauthenticated: it isn't a signed token that could be meant.
    """
    if len(token) > _LARGEST:
        raise _refusal("is too large")
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError, TypeError):
        raise _refusal("can't be read") from None
    if header.get("alg") not in ALGORITHMS:
        raise _refusal(f"is signed with another algorithm than {', '.join(ALGORITHMS)}")
    if _FOREIGN_KEYS & header.keys():
        raise _refusal("names a key of its own")
    kid = header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise _refusal("names no key")
    return kid


def claims_of(token: str, keys: KeySet, expected: Expected) -> Mapping[str, Any]:
    """What a token claims, if it was signed by one of the keys, for this login.

    Raises:
        Unauthenticated: it wasn't.
    """
    kid_of(token)
    try:
        decoded = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            {
                "iss": {"essential": True, "value": expected.issuer},
                "aud": {"essential": True, "value": expected.client_id},
                "exp": {"essential": True},
                "iat": {"essential": True},
            },
            {
                "client_id": expected.client_id,
                "nonce": expected.nonce,
                "access_token": expected.access_token,
            },
        )
        claims.validate(now=expected.now, leeway=_LEEWAY)
    except (JoseError, ValueError, TypeError) as error:
        # The library's own words may quote the token.
        raise _refusal(f"is refused ({type(error).__name__})") from None
    if claims["iat"] < expected.now - _OLDEST:
        raise _refusal("was issued too long ago")
    return dict(claims)


def user_of(claims: Mapping[str, Any], claim: str, prefix: str) -> str:
    """The directory's id of whom the claims are about.

    Args:
        claims: verified.
        claim: which one names the user.
        prefix: what is put before it.

    Raises:
        Unauthenticated: it isn't there, isn't one plain name, or is an unverified email address.
    """
    value = claims.get(claim)
    if not is_name(value):
        raise _refusal(f"has no {claim} that names a user")
    if claim == "email" and claims.get("email_verified") is not True:
        raise _refusal("has an email address that the provider didn't verify")
    return prefix + value


def _refusal(why: str) -> Unauthenticated:
    return Unauthenticated(f"the identity provider's ID token {why}; sign in again", code="oidc")
