"""Opening what a configuration says of authentication."""

from __future__ import annotations

from contextlib import AsyncExitStack

from warmcube.authn.bearer import BearerTokens, Issuer
from warmcube.authn.fetching import Fetcher
from warmcube.authn.key_sets import FetchedKeys, FileKeys, KeySource, OneKey, read_key
from warmcube.authn.token import Expected
from warmcube.config import Settings
from warmcube.config.auth_sections import KeysSection
from warmcube.errors import ConfigError

__all__ = ["open_bearer_tokens", "require_authentication"]


def require_authentication(settings: Settings) -> None:
    """That somebody can prove who they are; a service that nobody can use is a mistake.

    Raises:
        ConfigError: nobody can.
    """
    auth = settings.auth
    if not auth.keys and auth.local is None and auth.oidc is None:
        raise ConfigError(
            "no authentication is configured, so the service doesn't start; add [[auth.keys]] with "
            "issuer, audience, algorithms and key_file, jwks_file or jwks_url, or else [auth.local]"
            " or [auth.oidc] (see docs/how-to/authenticate.md)"
        )


def open_bearer_tokens(settings: Settings) -> BearerTokens:
    """What checks the tokens of the configured issuers.

    Raises:
        ConfigError: a file of keys can't be used.
    """
    stack = AsyncExitStack()
    issuers = [
        Issuer(
            name=each.issuer,
            algorithms=each.algorithms,
            expected=Expected(
                audience=each.audience, claim=each.claim, prefix=each.prefix, leeway=each.leeway
            ),
            keys=_keys(settings, each, stack),
        )
        for each in settings.auth.keys
    ]
    return BearerTokens(issuers, stack)


def _keys(settings: Settings, section: KeysSection, stack: AsyncExitStack) -> KeySource:
    if section.key_file is not None:
        return OneKey(read_key(settings.base / section.key_file, section.algorithms))
    if section.jwks_file is not None:
        return FileKeys(settings.base / section.jwks_file)
    if section.jwks_url is None:  # pragma: no cover - a section has exactly one of the three
        raise ConfigError("[[auth.keys]] needs key_file, jwks_file or jwks_url")
    fetcher = Fetcher()
    stack.push_async_callback(fetcher.close)
    return FetchedKeys(section.jwks_url, fetcher)
