"""Opening what a configuration says of authentication."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

from warmcube.authn.bearer import BearerTokens, Issuer
from warmcube.authn.fetching import Fetcher
from warmcube.authn.key_files import FileKeys, read_key, read_key_set
from warmcube.authn.key_url import FetchedKeys
from warmcube.authn.keys import KeySource
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
    if not settings.auth.keys and not settings.has_sign_in:
        raise ConfigError(
            "no authentication is configured, so the service doesn't start; add [[auth.keys]] with "
            "issuer, audience, algorithms and key_file, jwks_file or jwks_url, or else [auth.local]"
            " or [auth.oidc] (see docs/how-to/authenticate.md)"
        )


def open_bearer_tokens(
    settings: Settings,
    *,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> BearerTokens:
    """What checks the tokens of the configured issuers.

    Args:
        settings: name the issuers, and where their keys are.
        clock: Unix seconds, by which tokens begin and end.
        monotonic: seconds that only grow, by which keys are looked for again.

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
            keys=_keys(settings, each, stack, monotonic),
        )
        for each in settings.auth.keys
    ]
    return BearerTokens(issuers, stack, clock=clock)


def _keys(
    settings: Settings,
    section: KeysSection,
    stack: AsyncExitStack,
    monotonic: Callable[[], float],
) -> KeySource:
    if section.key_file is not None:
        path = settings.base / section.key_file
        read = partial(read_key, path, section.algorithms)
        return FileKeys(path, read, monotonic=monotonic)
    if section.jwks_file is not None:
        path = settings.base / section.jwks_file
        return FileKeys(path, partial(read_key_set, path), monotonic=monotonic)
    if section.jwks_url is None:  # pragma: no cover - a section has exactly one of the three
        raise ConfigError("[[auth.keys]] needs key_file, jwks_file or jwks_url")
    keys = FetchedKeys(section.jwks_url, Fetcher(), monotonic=monotonic)
    stack.push_async_callback(keys.close)
    return keys
