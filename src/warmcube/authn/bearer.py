"""Who somebody is by the bearer token of their request (RFC 6750)."""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from joserfc import jws
from joserfc.errors import JoseError

from warmcube.authn.headers import Headers, values_of
from warmcube.authn.identity import Identity
from warmcube.authn.keys import Key, Keys, KeySource
from warmcube.authn.token import Expected, Token, claimed_user, parse_token, refusal
from warmcube.config.auth_sections import ALGORITHMS
from warmcube.errors import IdentityUnavailable, Unauthenticated

__all__ = ["BearerTokens", "Issuer", "token_of"]

_REMEMBERED: Final = 10_000
"""Tokens whose signature isn't checked again until they end or keys change."""
_REGISTRIES: Final = {
    name: jws.JWSRegistry(algorithms=[name], strict_check_header=False) for name in ALGORITHMS
}
"""One for each algorithm, that knows no other. Headers that nobody here understands change nothing;
`parse_token` refuses those that would."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Somebody whose tokens count.

    Attributes:
        name: what their tokens' ``iss`` is.
        algorithms: with which they may sign.
        expected: what else the tokens have to say.
        keys: with which they sign.
    """

    name: str
    algorithms: tuple[str, ...]
    expected: Expected
    keys: KeySource


@dataclass(frozen=True, slots=True)
class _Proven:
    """What a token proved, while the same keys count."""

    identity: Identity
    ends: float
    issuer: Issuer
    keys: Keys


class BearerTokens:
    """Checks the tokens of some issuers.

    Args:
        issuers: whose tokens count.
        stack: what to close in the end.
        clock: Unix seconds.
        remembered: how many tokens are remembered.
    """

    def __init__(
        self,
        issuers: Sequence[Issuer],
        stack: AsyncExitStack,
        *,
        clock: Callable[[], float] = time.time,
        remembered: int = _REMEMBERED,
    ) -> None:
        self._issuers = tuple(issuers)
        self._stack = stack
        self._clock = clock
        self._most = remembered
        self._proven: OrderedDict[bytes, _Proven] = OrderedDict()

    async def authenticate(self, headers: Headers) -> Identity:
        """Who sends a request.

        Raises:
            Unauthenticated: it has no token, or none that counts.
            IdentityUnavailable: the keys that it could be checked with can't be had.
        """
        text = token_of(headers)
        digest = hashlib.sha256(text.encode("latin-1")).digest()
        known = self._proven.get(digest)
        if known is not None:
            if known.issuer.keys.current() is known.keys and self._clock() < known.ends:
                self._proven.move_to_end(digest)
                return known.identity
            del self._proven[digest]
        return await self._prove(text, digest)

    async def close(self) -> None:
        """Close what the issuers' keys come from."""
        await self._stack.aclose()

    async def _prove(self, text: str, digest: bytes) -> Identity:
        token = parse_token(text)
        issuers = [each for each in self._issuers if each.name == token.issuer]
        if not issuers:
            raise refusal("was made by somebody whose tokens don't count here", "issuer")
        issuer, keys = await self._verified(token, issuers)
        user, ends = claimed_user(token.claims, issuer.expected, self._clock())
        identity = Identity(user=user, actor=user, method="token", valid_until=ends)
        self._proven[digest] = _Proven(identity, ends, issuer, keys)
        while len(self._proven) > self._most:
            self._proven.popitem(last=False)
        return identity

    async def _verified(self, token: Token, issuers: Sequence[Issuer]) -> tuple[Issuer, Keys]:
        """Which of an issuer's entries a token is signed for.

        Several have the same name where one issuer makes tokens for several audiences; the
        audience says which is meant, and only its keys and algorithms count.
        """
        audience = token.claims.get("aud")
        named = audience if isinstance(audience, list) else [audience]
        meant = [each for each in issuers if each.expected.audience in named]
        if not meant:
            raise refusal("is meant for another audience", "audience")
        failure: IdentityUnavailable | None = None
        for issuer in meant:
            if token.algorithm not in issuer.algorithms:
                continue
            try:
                keys, candidates = await _candidates(token, issuer.keys)
            except IdentityUnavailable as error:
                failure = error  # another entry may have the key
                continue
            if any(_is_signed(token, key) for key in candidates):
                return issuer, keys
        if failure is not None:
            raise failure
        if not any(token.algorithm in each.algorithms for each in meant):
            raise refusal("is signed with an algorithm that doesn't count", "algorithm")
        raise refusal("isn't signed by its issuer", "signature")


async def _candidates(token: Token, source: KeySource) -> tuple[Keys, Sequence[Key]]:
    """The keys that may have signed a token, among those that count now."""
    keys = source.current()
    found = () if keys is None else keys.candidates(token.algorithm, token.kid)
    if keys is None or not found:
        keys = await source.renewed()
        found = keys.candidates(token.algorithm, token.kid)
    return keys, found


def _is_signed(token: Token, key: Key) -> bool:
    try:
        jws.deserialize_compact(token.text.encode(), key, registry=_REGISTRIES[token.algorithm])
    except (JoseError, ValueError, TypeError):
        return False
    return True


def token_of(headers: Headers) -> str:
    """The bearer token of a request.

    Raises:
        Unauthenticated: it has none, or several.
    """
    values = values_of(headers, b"authorization")
    if not values:
        raise Unauthenticated(
            "nobody knows who asks; send a token as `Authorization: Bearer …`", code="missing"
        )
    if len(values) > 1:
        raise refusal("comes with another one; send one Authorization header", "header")
    scheme, _, text = values[0].decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise Unauthenticated(
            "the Authorization header has another scheme than Bearer; send a token as "
            "`Authorization: Bearer …`",
            code="scheme",
        )
    return text
