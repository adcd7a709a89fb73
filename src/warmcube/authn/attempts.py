"""How often somebody may try to sign in: counted in the store, for all processes together."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from typing import Final

from warmcube.errors import TooManyAttempts
from warmcube.store.api import Store

__all__ = ["Attempt", "Attempts", "Pace", "network_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast attempts may follow each other.

    Attributes:
        per_user: failures of one user before the first wait.
        per_address: the same of one client address.
        first_wait: seconds; each further failure doubles it.
        longest_wait: seconds.
        memory: seconds after the last failure after which all is forgotten.
    """

    per_user: int = 5
    per_address: int = 50
    first_wait: float = 60.0
    longest_wait: float = 900.0
    memory: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was counted: under which keys."""

    keys: tuple[bytes, ...]


class Attempts:
    """Counts attempts before they are judged.

    A wait concerns signing in only: who is signed in stays so.

    Args:
        store: where they are counted.
        prefix: what the keys begin with.
        pace: how many are fine.
    """

    def __init__(self, store: Store, prefix: bytes, pace: Pace | None = None) -> None:
        self._store = store
        self._prefix = prefix + b"{attempts}:"
        self._pace: Final = pace or Pace()

    async def begin(self, address: str, user: str | None = None) -> Attempt:
        """Count an attempt as a failure, until it is settled.

        Args:
            address: of the client.
            user: as typed; None where the identity provider will say it.

        Raises:
            TooManyAttempts: there were too many.
            StoreError: the store.
        """
        pace = self._pace
        keys, free = [self._key("address", network_of(address))], [pace.per_address]
        if user is not None:
            keys, free = [*keys, self._key("user", user)], [*free, pace.per_user]
        milliseconds = [
            int(seconds * 1000) for seconds in (pace.memory, pace.first_wait, pace.longest_wait)
        ]
        wait = await self._store.script("attempt", keys, [*milliseconds, *free])
        if wait:
            raise TooManyAttempts(
                "there were too many attempts to sign in; wait as long as Retry-After says",
                retry_after=wait / 1000,
            )
        return Attempt(tuple(keys))

    def counted(self, address: str) -> Attempt:
        """An attempt from this address that `begin` counted in an earlier request."""
        return Attempt((self._key("address", network_of(address)),))

    async def settle(self, attempt: Attempt, *, is_success: bool) -> None:
        """Take back an attempt that was no failure.

        Args:
            attempt: from `begin`.
            is_success: the user is who they say, and earlier failures were theirs.

        Raises:
            StoreError: the store.
        """
        # The address keeps its other failures: its owner may have an account, and try others'.
        of_user = b"forget" if is_success else b"undo"
        arguments = [b"undo", of_user][: len(attempt.keys)]
        await self._store.script("attempt_settle", attempt.keys, arguments)

    def _key(self, kind: str, name: str) -> bytes:
        # People type their password into the wrong field: what they type isn't kept.
        digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
        return self._prefix + f"{kind}:{digest}".encode()


def network_of(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
