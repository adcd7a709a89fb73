"""A bearer token taken apart, and what its claims have to say. Pure.

A token is a signed JWT in its compact form (RFC 7515, RFC 7519). Whatever of it isn't needed to
check one signature with one configured key is refused rather than understood.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

from warmcube.errors import Unauthenticated

__all__ = ["MOST", "Expected", "Token", "claimed_user", "is_name", "parse_token", "refusal"]

MOST: Final = 8_192
"""Characters of a token."""
_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\Z", re.ASCII)
_DEMANDS: Final = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64", "enc", "zip", "cty"})
"""Headers that ask for something: to fetch a key, to use one that came along, to decrypt. Others
that aren't known are ignored, as RFC 7515 § 4 wants it: some issuers have headers of their own."""
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_NAME: Final = re.compile(r"(?!\s)[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,256}(?<!\s)")
_LATEST: Final = 1 << 53


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token whose signature isn't checked yet: nothing of it counts.

    Attributes:
        text: as it came.
        algorithm: with which it says it is signed.
        kid: which key it says it is signed with.
        issuer: who it says made it.
        claims: all that it says.
    """

    text: str
    algorithm: str
    kid: str | None
    issuer: str
    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the claims of one issuer have to say.

    Attributes:
        audience: that the token has to be meant for.
        claim: which claim names the user.
        prefix: what is put before it.
        leeway: seconds that clocks may differ.
    """

    audience: str
    claim: str
    prefix: str
    leeway: int


def refusal(why: str, code: str = "invalid") -> Unauthenticated:
    """The error for a token that doesn't count; holds nothing of it."""
    return Unauthenticated(f"the token {why}; get a new one from its issuer", code=code)


def parse_token(text: str) -> Token:
    """A token taken apart.

    Raises:
        Unauthenticated: it isn't a signed JWT, or asks for what isn't done.
    """
    if len(text) > MOST:
        raise refusal(f"is longer than {MOST:,} characters")
    parts = _COMPACT.match(text)
    if parts is None:
        raise refusal("is no signed JWT")
    header, claims = (_object(parts[number]) for number in (1, 2))
    _decoded(parts[3])  # a signature that is written in two ways is one too many
    if header.keys() & _DEMANDS:
        raise refusal("has a header that asks for more than is done, as a key of its own", "header")
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(algorithm, str):
        raise refusal("says no algorithm", "algorithm")
    if (kid is not None and not isinstance(kid, str)) or not isinstance(kind, str):
        raise refusal("has a header of the wrong type", "header")
    if kind.lower() not in _TYPES:
        raise refusal("is of another kind than JWT", "header")
    issuer = claims.get("iss")
    if not isinstance(issuer, str):
        raise refusal("doesn't say who made it", "issuer")
    return Token(text=text, algorithm=algorithm, kid=kid, issuer=issuer, claims=claims)


def _decoded(part: str) -> bytes:
    """Base64url, in its one canonical form."""
    try:
        data = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise refusal("can't be decoded") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != part:
        raise refusal("can't be decoded")
    return data


def _object(part: str) -> dict[str, Any]:
    try:
        found = json.loads(
            _decoded(part).decode("utf-8"),
            object_pairs_hook=_without_doubles,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError):
        raise refusal("isn't made of JSON objects") from None
    if not isinstance(found, dict):
        raise refusal("isn't made of JSON objects")
    return found


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a member stands twice")
    return found


def _no_constant(_name: str) -> Any:
    raise ValueError("no JSON")


def claimed_user(claims: Mapping[str, Any], expected: Expected, now: float) -> tuple[str, float]:
    """Whom verified claims name, and until when.

    Args:
        claims: of a token whose signature is right.
        expected: what its issuer's tokens have to say.
        now: Unix seconds.

    Returns:
        the directory's id of the user, and the Unix seconds at which the token ends.

    Raises:
        Unauthenticated: the token is for another audience, over, not yet valid, or names nobody.
    """
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if not all(isinstance(each, str) for each in named) or expected.audience not in named:
        raise refusal("is meant for another audience", "audience")
    ends = _time(claims, "exp")
    if ends is None:
        raise refusal("has no exp, so that it would never end", "time")
    if ends + expected.leeway <= now:
        raise refusal("is over", "expired")
    for name, what in (("nbf", "isn't valid yet"), ("iat", "was issued in the future")):
        begins = _time(claims, name)
        if begins is not None and begins - expected.leeway > now:
            raise refusal(what, "time")
    return _user(claims, expected), ends + expected.leeway


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    """A claim that is a time (RFC 7519 § 2, NumericDate)."""
    value = claims.get(name)
    if value is None and name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LATEST:
        raise refusal(f"has an {name} that is no time", "time")
    return float(value)


def is_name(value: object) -> TypeGuard[str]:
    """Whether a claim names somebody: short, visible text, without white space at its ends."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _user(claims: Mapping[str, Any], expected: Expected) -> str:
    value = claims.get(expected.claim)
    if not is_name(value):
        raise refusal(f"has no {expected.claim} that names a user", "user")
    if expected.claim == "email" and claims.get("email_verified") is not True:
        raise refusal("has an email address that its issuer didn't verify", "user")
    return expected.prefix + value
