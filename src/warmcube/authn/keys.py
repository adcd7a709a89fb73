"""The keys that tokens are checked with, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from joserfc.jwk import ECKey, OctKey, RSAKey

from warmcube.authn.provider import keys_of

__all__ = ["Key", "KeySource", "Keys", "usable"]

Key: TypeAlias = RSAKey | ECKey | OctKey


@dataclass(frozen=True, slots=True, eq=False)
class Keys:
    """The keys of one issuer at one time.

    They are told apart by identity: what was proven with these is proven while these count.

    Attributes:
        found: the keys.
        is_named: whether tokens say by ``kid`` which of them is meant; a lone key has no name.
    """

    found: tuple[Key, ...]
    is_named: bool = True

    def candidates(self, algorithm: str, kid: str | None) -> Sequence[Key]:
        """The keys that may have signed a token: a kid only ever picks among these."""
        fitting = [key for key in self.found if _fits(key, algorithm)]
        if not self.is_named:
            return fitting
        if kid is not None:
            return [key for key in fitting if key.kid == kid]
        return fitting if len(fitting) == 1 else []

    def is_same(self, other: Keys) -> bool:
        """Whether these are the same keys, whenever they were read."""
        return self.is_named == other.is_named and (
            [key.dict_value for key in self.found] == [key.dict_value for key in other.found]
        )


def _fits(key: Key, algorithm: str) -> bool:
    """Whether a key is of an algorithm's type, and not kept for another (RFC 7517 § 4.4)."""
    if isinstance(key, OctKey):
        return algorithm == "HS256"
    if isinstance(key, RSAKey):
        return algorithm == "RS256" and key.get("alg", "RS256") == "RS256"
    return algorithm == "ES256" and key.curve_name == "P-256"


def usable(document: Mapping[str, Any]) -> tuple[Key, ...]:
    """The keys of a key set that may sign tokens.

    Raises:
        IdentityUnavailable: there is none.
    """
    return tuple(key for key in keys_of(document).keys if isinstance(key, RSAKey | ECKey))


class KeySource(Protocol):
    """Where the keys of one issuer come from."""

    def current(self) -> Keys | None:
        """The keys that count now: the same object as before unless they changed.

        Has newer ones looked for where that is due, and waits for nothing.

        Returns:
            None where none may be used, or none are known yet.
        """
        ...

    async def renewed(self) -> Keys:
        """The keys, asked for again where that may be done now.

        Raises:
            IdentityUnavailable: there are none, nor older ones that may still be used.
        """
        ...
