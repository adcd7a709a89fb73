"""Keys from an issuer's URL, asked for again as it rotates them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from warmcube.authn.fetching import Fetcher
from warmcube.authn.keys import Keys, usable
from warmcube.errors import IdentityUnavailable

__all__ = ["FetchedKeys"]

_LOG: Final = logging.getLogger("warmcube")
_MAX_AGE: Final = 900.0
"""Seconds after which known keys are asked for again, while they go on counting."""
_OLDEST: Final = 14_400.0
"""Seconds that known keys count while their issuer doesn't answer."""
_REFETCH: Final = 30.0
"""Seconds between two questions, however many tokens name a key that isn't known."""
_RETRY: Final = 5.0
"""The same as long as no key is known, so that a start isn't lost to one failure."""


class FetchedKeys:
    """The key set of an issuer by URL, fetched when it is first needed.

    One fetch serves all who wait for it, and nobody waits for one who has a key already: an issuer
    that is slow or down holds up only tokens of keys that aren't known.

    Args:
        url: https, or loopback.
        fetcher: asks.
        monotonic: seconds that only grow.
    """

    def __init__(
        self, url: str, fetcher: Fetcher, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._fetcher = fetcher
        self._monotonic = monotonic
        self._keys: Keys | None = None
        self._said = 0.0
        self._asked: float | None = None
        self._asking: asyncio.Task[None] | None = None
        self._failure = "the key set of the issuer isn't known yet"

    def current(self) -> Keys | None:
        if self._keys is None:
            return None
        age = self._monotonic() - self._said
        if age > _OLDEST:
            self._keys = None
            _LOG.warning("no token of its issuer counts any more: %s", self._failure)
        elif age > _MAX_AGE:
            self._ask()
        return self._keys

    async def renewed(self) -> Keys:
        asking = self._ask()
        if asking is not None:
            await asyncio.shield(asking)  # it goes on for the others, and for the next
        keys = self.current()
        if keys is None:
            raise IdentityUnavailable(self._failure)
        return keys

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])
        await self._fetcher.close()

    def _ask(self) -> asyncio.Task[None] | None:
        """The fetch that is under way, or a new one; None where it is too early for that."""
        now = self._monotonic()
        if self._asking is None:
            pause = _RETRY if self._keys is None else _REFETCH
            if self._asked is not None and now - self._asked < pause:
                return None
            self._asked = now
            self._asking = asyncio.create_task(self._fetch(), name="fetch a key set")
        return self._asking

    async def _fetch(self) -> None:
        try:
            keys = await self._fetched()
        except IdentityUnavailable as error:
            self._failure = str(error)
            _LOG.warning("the keys of an issuer can't be fetched: %s", error)
        else:
            self._said = self._monotonic()
            if self._keys is None or not keys.is_same(self._keys):
                self._keys = keys
        finally:
            self._asking = None

    async def _fetched(self) -> Keys:
        status, document = await self._fetcher.json(self._url)
        if status != 200:
            raise IdentityUnavailable(f"a key set of an issuer is answered with status {status}")
        return Keys(usable(document))
