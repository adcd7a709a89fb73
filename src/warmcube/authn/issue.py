"""Tokens made here, with the shared secret of a configured issuer."""

from __future__ import annotations

import secrets

from joserfc import jwt
from joserfc.jwk import OctKey

from warmcube.authn.key_files import read_key
from warmcube.authn.token import is_name
from warmcube.config import Settings
from warmcube.config.auth_sections import KeysSection
from warmcube.errors import ConfigError

__all__ = ["issue_token"]


def issue_token(settings: Settings, user: str, now: int, seconds: int) -> str:
    """A token of the first configured issuer with a shared secret.

    Args:
        settings: name the issuer.
        user: the directory's id of whom it is for; it needn't be there.
        now: Unix seconds.
        seconds: how long it counts.

    Raises:
        ConfigError: there is no such issuer, its secret can't be read, or it can't name this user.
    """
    section = _section(settings)
    if not user.startswith(section.prefix):
        raise ConfigError(
            f"the issuer {section.issuer} names only users that begin with {section.prefix!r}, "
            f"not {user!r}; name one of those"
        )
    name = user.removeprefix(section.prefix)
    if not is_name(name):
        raise ConfigError(
            f"{user!r} names nobody; expected up to 256 characters"
            f"{' after ' + repr(section.prefix) if section.prefix else ''}, without control "
            "characters or white space at the ends"
        )
    (key,) = read_key(settings.base / str(section.key_file), section.algorithms).found
    if not isinstance(key, OctKey):  # pragma: no cover - HS256 has no other
        raise ConfigError(f"the key of {section.issuer} can't sign")
    claims = {
        "iss": section.issuer,
        "aud": section.audience,
        section.claim: name,
        "iat": now,
        "exp": now + seconds,
        "jti": secrets.token_hex(8),
    }
    if section.claim == "email":
        claims["email_verified"] = True
    return jwt.encode({"alg": "HS256", "typ": "JWT"}, claims, key, algorithms=["HS256"])


def _section(settings: Settings) -> KeysSection:
    for each in settings.auth.keys:
        if "HS256" in each.algorithms:
            return each
    raise ConfigError(
        "no issuer with a shared secret is configured; add [[auth.keys]] with algorithms = "
        '["HS256"] and a key_file, or get a token from your identity provider'
    )
