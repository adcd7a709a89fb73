"""Asking a server that was silent whether it is there again, in nobody's name."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from redis import exceptions as failure
from redis.asyncio.connection import AbstractConnection

from warmcube.store.breaker import Breaker
from warmcube.store.silence import LATE

__all__ = ["PROBE_SECONDS", "Probe"]

_LOG: Final = logging.getLogger("warmcube.store")
PROBE_SECONDS: Final = 0.25
"""How long an answer may take, with the connection that it comes over."""

_HELD_UP: Final = "this process was held up"
_PING: Final = b"*1\r\n$4\r\nPING\r\n"


class Probe:
    """Pings a server as long as its breaker is open, over a connection of its own each time.

    So it neither waits for those that others use, nor finds one well that was opened before the
    server fell silent.

    Args:
        make: makes a connection that isn't open yet.
        breaker: of the server.
        place: how messages name it.
    """

    def __init__(
        self, make: Callable[[], AbstractConnection], breaker: Breaker, place: str
    ) -> None:
        self._make = make
        self._place = place
        self._breaker = breaker
        self._task: asyncio.Task[None] | None = None
        self._is_over = False

    def begin(self) -> None:
        """Find out, if that isn't under way: now, and again until the server is well."""
        if not self._is_over and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Ask no more, whatever happens."""
        self._is_over = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        now, breaker = asyncio.get_running_loop().time, self._breaker
        is_told = False
        while True:
            began = now()
            why = await self._ask()
            if why is _HELD_UP:  # which says nothing of the server
                continue
            if why is None:
                breaker.answered()
                if is_told:
                    _LOG.info("the store at %s answers again", self._place)
                return
            breaker.unanswered(why, now())
            if not is_told:
                is_told = True
                _LOG.warning(
                    "the store at %s is given up until it answers again: %s", self._place, why
                )
            await asyncio.sleep(breaker.pause(began, now()))

    async def _ask(self) -> str | None:
        """Why no calls should be made; None if they may."""
        connection = self._make()
        now = asyncio.get_running_loop().time
        began = now()
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await connection.connect()  # type: ignore[no-untyped-call]
                await connection.send_packed_command([_PING], check_health=False)
                await connection.read_response(disable_decoding=True)
        except failure.BusyLoadingError:
            return "it is loading its data"
        except (failure.AuthenticationError, failure.AuthorizationError, failure.ResponseError):
            return None  # it is there; whoever asks next is told what it says
        except TimeoutError:
            if self._breaker.heard > began:
                return None  # it answers others: this process has much to do
            return _HELD_UP if now() > began + PROBE_SECONDS + LATE else "it doesn't answer"
        except Exception as error:  # noqa: BLE001 - a probe that dies would leave it open for ever
            return str(error).rstrip(".") or type(error).__name__
        finally:
            await connection.disconnect(nowait=True)
        return None
