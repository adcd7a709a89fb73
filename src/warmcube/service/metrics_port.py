"""A port of its own for metrics: answers ``GET /metrics``, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from warmcube.engine import AnalyticsCache
from warmcube.errors import ConfigError, Unauthenticated
from warmcube.observe.metrics import Metrics
from warmcube.service.metrics_door import MetricsDoor

__all__ = ["metrics_port", "serve_metrics"]

_LONGEST_HEAD: Final = 8192
_SECONDS: Final = 10.0
"""That one connection may take in all."""
_MOST: Final = 32
"""Connections at a time."""
_ROW: Final = b"\r\n"


@asynccontextmanager
async def serve_metrics(cache: AnalyticsCache) -> AsyncIterator[None]:
    """Serve a cache's metrics where ``[service] metrics_port`` says, if it does.

    Raises:
        ConfigError: the address can't be listened on.
    """
    section = cache.settings.service
    if section.metrics_port is None or cache.metrics is None:
        yield
        return
    host = section.metrics_host or section.host
    async with metrics_port(cache.metrics, MetricsDoor(cache.settings), host, section.metrics_port):
        yield


@asynccontextmanager
async def metrics_port(
    metrics: Metrics, door: MetricsDoor, host: str, port: int
) -> AsyncIterator[tuple[str, int]]:
    """Serve metrics while the context lasts; yields the address.

    Several processes may serve the same port: each tells the figures of all.

    Args:
        metrics: what to tell.
        door: checks the token, where one is asked for.
        host: the address to listen on.
        port: the port; 0 for any free one.

    Raises:
        ConfigError: the address can't be listened on.
    """
    answerer = _Answerer(metrics, door)
    try:
        server = await asyncio.start_server(
            answerer.answer, host, port, limit=_LONGEST_HEAD, reuse_port=True
        )
    except OSError as error:
        raise ConfigError(
            f"[service] metrics_port: can't listen on {host} port {port}: {error.strerror}"
        ) from error
    try:
        address = server.sockets[0].getsockname()
        yield address[0], address[1]
    finally:
        server.close()
        await answerer.close()
        await server.wait_closed()


class _Answerer:
    """Answers one request for each connection, then closes it."""

    def __init__(self, metrics: Metrics, door: MetricsDoor) -> None:
        self._metrics = metrics
        self._door = door
        self._tasks: set[asyncio.Task[None]] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._tasks) >= _MOST:
            writer.close()
            return
        self._tasks.add(task)
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(_SECONDS):
                    writer.write(await self._response(reader))
                    await writer.drain()
        finally:
            self._tasks.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def close(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _response(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(_ROW * 2)
        except asyncio.LimitOverrunError:
            return _message("431 Request Header Fields Too Large")
        first, *rows = head.split(_ROW)
        if first not in (b"GET /metrics HTTP/1.1", b"GET /metrics HTTP/1.0"):
            return _message("404 Not Found")
        named = [row.partition(b":") for row in rows]
        found = [(name.lower(), value.strip()) for name, _, value in named]
        headers = dict(found)
        try:
            self._door.check(found)
        except Unauthenticated:
            return _message("401 Unauthorized", 'WWW-Authenticate: Bearer realm="warmcube"')
        except ConfigError:
            return _message("503 Service Unavailable")
        accept = headers.get(b"accept", b"").decode("latin-1")
        text, media_type = await self._metrics.exposition(accept)
        return _message("200 OK", f"Content-Type: {media_type}", text)


def _message(status: str, header: str = "Content-Type: text/plain", body: bytes = b"") -> bytes:
    head = (
        f"HTTP/1.1 {status}",
        header,
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Connection: close",
        "",
        "",
    )
    return "\r\n".join(head).encode() + body
