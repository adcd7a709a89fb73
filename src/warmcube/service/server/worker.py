"""One process of the service: the application behind a socket, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, cast

import uvicorn
from fastapi import FastAPI

from warmcube.config import Settings
from warmcube.service.server.protocol import Bounds, Connection, protocol_of, sweep

__all__ = ["Server"]

_TICKS: Final = 10
"""Of a tenth of a second, between two looks at the time of all connections."""
_CUT_SECONDS: Final = 3.0
"""For requests to end once they are cancelled, and for connections once they are cut."""


class Server(uvicorn.Server):
    """uvicorn's server, which leaves signals to others and keeps an eye on the time.

    Args:
        app: has started already, and is stopped by whoever started it.
        settings: of the whole.
    """

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        section = settings.service
        proxies = list(section.trusted_proxies)
        bounds = Bounds(section.connections, section.receive_timeout)
        self._listens = asyncio.Event()
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol_of(bounds),
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(proxies),
                forwarded_allow_ips=proxies,
                timeout_keep_alive=section.keep_alive,  # type: ignore[arg-type]  # handed on
                timeout_graceful_shutdown=section.shutdown,  # type: ignore[arg-type]  # likewise
                backlog=1024,
            )
        )

    def stop(self) -> None:
        """Take no new requests, finish those that run, and end."""
        self.should_exit = True

    @contextlib.asynccontextmanager
    async def on(self, listening: socket.socket) -> AsyncIterator[asyncio.Task[None]]:
        """Serve until `stop`, or the end of the context; what runs then is waited for.

        Args:
            listening: bound; closed as soon as no new connections are taken.
        """
        serving = asyncio.create_task(self.serve([listening]))
        serving.add_done_callback(lambda _: self._listens.set())
        try:
            await self._listens.wait()
            yield serving
        finally:
            self.stop()
            await serving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listens.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let what runs come to its end, for a while; then have all of it ended.

        uvicorn cancels requests and doesn't wait for them, though they still use the engine, and
        leaves connections open whose answer isn't taken, on which closing the event loop can hang.
        """
        await super().shutdown(sockets)
        state = self.server_state
        if state.tasks:
            await asyncio.wait(set(state.tasks), timeout=_CUT_SECONDS)
        for connection in list(state.connections):
            cast("Connection", connection).cut()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CUT_SECONDS):
                while state.connections:  # noqa: ASYNC110 - the transports call nobody that could tell
                    await asyncio.sleep(0.01)

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS == 0:
            sweep(self.server_state.connections, asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[Any]:
        """Nothing: signals are the supervisor's."""
        yield
