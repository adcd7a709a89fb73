"""The lease of the one warmer of a data source, and its fencing token."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import socket
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

from warmcube.entry.keys import Keys, Version
from warmcube.errors import StoreError, WarmFenced, WarmInProgress, WarmPinned
from warmcube.store.api import Store

__all__ = ["LEASE_SECONDS", "Lease", "busy", "holder_of", "this_process"]

LEASE_SECONDS: Final = 30.0
RENEWALS: Final = 6  # tries per lease


class Lease:
    """Held by one warmer at a time; renewed in the background until left.

    Use as an asynchronous context manager. Entering takes the lease and hands out `version`,
    above every earlier one, which becomes the fence; leaving gives the lease back.

    Raises:
        WarmInProgress: on entering, if somebody else holds it.
        WarmPinned: likewise, if the data source is pinned and nobody asked for this warm.
    """

    version: Version

    def __init__(
        self,
        store: Store,
        keys: Keys,
        *,
        seconds: float = LEASE_SECONDS,
        is_automatic: bool = False,
    ) -> None:
        self._store = store
        self._keys = keys
        self._seconds = seconds
        self._is_automatic = is_automatic
        self._value = json.dumps(
            {
                "token": secrets.token_hex(16),
                "by": this_process(),
                "since": int(time.time()),
            }
        ).encode()
        self._lost: str | None = None
        self._renewed = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def value(self) -> bytes:
        """What the lock holds while this lease does."""
        return self._value

    async def __aenter__(self) -> Self:
        lock = self._keys.lock
        milliseconds = int(self._seconds * 1000)
        started = time.monotonic()
        (taken, held, left) = await self._store.run(
            [
                (b"SET", lock, self._value, b"NX", b"PX", milliseconds),
                (b"GET", lock),
                (b"PTTL", lock),
            ]
        )
        # A repeated trip finds its own value instead of taking the lock again.
        if taken is None and held != self._value:
            raise busy(self._keys.datasource, held, left)
        self._renewed = started
        try:
            self.version = await self._begin()
        except BaseException:
            # Nobody shall wait for the end of a lease that nobody holds.
            with contextlib.suppress(StoreError):
                await asyncio.shield(self._store.script("release", [lock], [self._value]))
            raise
        self._task = asyncio.create_task(self._keep())
        return self

    async def _begin(self) -> Version:
        """Have a version handed out, and made the fence.

        Raises:
            WarmPinned: nobody asked for this warm, and the data source is pinned.
            WarmFenced: the lease is gone.
            StoreError: the store.
        """
        outcome, *said = await self._store.script(
            "begin",
            [
                self._keys.lock,
                self._keys.fence,
                self._keys.current,
                self._keys.history,
                self._keys.pin,
            ],
            [
                self._value,
                secrets.token_hex(8).encode(),
                await self._store.now_ms(),
                holder_of(self._value).encode(),
                int(self._is_automatic),
            ],
        )
        if outcome == b"pin":
            raise WarmPinned(
                f"data source {self._keys.datasource} is pinned since "
                f"{said[0].decode(errors='replace')} rolled it back: it isn't warmed without "
                "anybody's asking; run warmcube warm, or warmcube unpin"
            )
        if outcome != b"ok":
            raise WarmFenced(
                f"the lease on data source {self._keys.datasource} was lost at once; warm again"
            )
        return Version.parse(said[0])

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            # It ends by this even where a driver swallows the cancellation.
            self._lost = self._lost or "its lease was given back"
            self._task.cancel()
            await asyncio.wait([self._task])
        with contextlib.suppress(StoreError):  # it ends by itself
            await asyncio.shield(self._store.script("release", [self._keys.lock], [self._value]))

    async def ensure(self) -> None:
        """Make sure, before a write, that the lease still holds.

        Raises:
            WarmFenced: if it doesn't.
        """
        if time.monotonic() - self._renewed > self._seconds / 2:
            await self._renew()
        if self._lost is not None:
            raise WarmFenced(
                f"the warm of data source {self._keys.datasource} was stopped: {self._lost}; the "
                "snapshot that was live before is untouched; warm again"
            )

    async def _keep(self) -> None:
        while self._lost is None:
            await asyncio.sleep(self._seconds / RENEWALS)
            with contextlib.suppress(StoreError):  # tried again until the lease is over
                await self._renew()

    async def _renew(self) -> None:
        started = time.monotonic()
        outcome = await self._store.script(
            "renew",
            [self._keys.lock, self._keys.fence],
            [self._value, str(self.version).encode(), int(self._seconds * 1000)],
        )
        if outcome == 1:
            self._renewed = started
        elif outcome == 0:
            self._lost = "its lease ran out, or the store was emptied"
        else:
            self._lost = "the data source was invalidated or warmed by somebody else meanwhile"


def this_process() -> str:
    """How others may know this process."""
    return f"{socket.gethostname()} process {os.getpid()}"


def busy(datasource: int, value: bytes | None, left_ms: int) -> WarmInProgress:
    """The error for whoever finds the lease taken.

    Args:
        datasource: which one.
        value: what its lock holds.
        left_ms: milliseconds that the lease still holds, unless renewed.
    """
    by, since = _facts(value)
    left = max(0, left_ms) / 1000
    return WarmInProgress(
        f"data source {datasource} is being warmed by {holder_of(value)}; wait for it, or, if it "
        f"is dead, {left:.0f} s for its lease to end",
        by=by,
        since=None if since is None else since.isoformat(),
        retry_after=max(1.0, left),
    )


def holder_of(value: bytes | None) -> str:
    """Who a lock's value says holds it."""
    by, since = _facts(value)
    return by if since is None else f"{by} since {since:%H:%M:%S UTC}"


def _facts(value: bytes | None) -> tuple[str, datetime | None]:
    try:
        facts: dict[str, Any] = json.loads(value or b"")
        return str(facts["by"]), datetime.fromtimestamp(facts["since"], UTC)
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return "somebody", None
