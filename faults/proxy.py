"""A proxy between clients and one server, that can cut, delay, truncate, swallow and refuse."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import hiredis

__all__ = ["Moment", "Proxy", "Trap"]

Moment = Literal["before", "middle", "after"]

_CHUNK: Final = 1 << 16


@dataclass(slots=True)
class Trap:
    """Does something once, when somebody sends certain bytes.

    Attributes:
        pattern: the bytes.
        moment: before they are passed on, in the middle of the reply, or after it has come.
        action: what to do, in a thread; those who wait for the reply wait for it.
        sprung: set when it has been done.
        is_armed: whether the bytes have still to come.
        is_begun: whether it is being done, or has been.
        failure: what it raised.
    """

    pattern: bytes
    moment: Moment
    action: Callable[[], object]
    sprung: threading.Event = field(default_factory=threading.Event)
    is_armed: bool = True
    is_begun: bool = False
    failure: BaseException | None = None


@dataclass(slots=True, eq=False)
class _Link:
    """One client's connection, and the one to the server that stands for it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server_reader: asyncio.StreamReader
    server_writer: asyncio.StreamWriter
    due: Trap | None = None
    tail: bytes = b""
    commands: hiredis.Reader = field(default_factory=hiredis.Reader)

    def close(self) -> None:
        for writer in (self.writer, self.server_writer):
            if writer.transport is not None:
                writer.transport.abort()


class Proxy:
    """Passes bytes on between a socket of its own and a server's, in a thread.

    What it does to them can be changed at any time, from any thread.

    Args:
        path: of its socket.
        target: tells the path of the server's, which may be another after a restart.
    """

    def __init__(self, path: Path, target: Callable[[], Path]) -> None:
        self.path = path
        self._target = target
        self.delay = 0.0
        """Seconds that each reply takes longer."""
        self.is_swallowing = False
        """Nothing is passed on, in neither direction, and nobody is told."""
        self.refusal: bytes | None = None
        """An error of Redis that each command is answered with, in the server's stead."""
        self.cuts = 0
        """So many of the next replies are cut in the middle, with their connection."""
        self.trap: Trap | None = None
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"proxy {path.name}", daemon=True)

    @property
    def is_started(self) -> bool:
        """Whether it listens."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._call(self._listen())

    def stop(self) -> None:
        """Hang up, and listen no more."""
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.path.unlink(missing_ok=True)

    def cut_all(self) -> None:
        """Cut every connection that there is."""
        self._loop.call_soon_threadsafe(self._cut_all)

    def heal(self) -> None:
        """Pass everything on again; connections that hang are cut."""
        was_swallowing, self.is_swallowing = self.is_swallowing, False
        self.delay, self.refusal, self.cuts, self.trap = 0.0, None, 0, None
        if was_swallowing:
            self.cut_all()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> None:
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self.path, limit=_CHUNK)

    async def _end(self) -> None:
        self._server.close()
        self._cut_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _cut_all(self) -> None:
        for link in self._links:
            link.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            pair = await asyncio.open_unix_connection(self._target(), limit=_CHUNK)
        except OSError:
            writer.transport.abort()
            return
        link = _Link(reader, writer, *pair)
        self._links.add(link)
        tasks = [asyncio.create_task(work) for work in (self._upward(link), self._downward(link))]
        self._tasks.update(tasks)
        for task in tasks:
            task.add_done_callback(self._tasks.discard)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            link.close()
            self._links.discard(link)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _upward(self, link: _Link) -> None:
        """From the client to the server."""
        with contextlib.suppress(OSError):
            while data := await link.reader.read(_CHUNK):
                if self.is_swallowing:
                    continue
                if self.refusal is not None:
                    self._refuse(link, data, self.refusal)
                    continue
                trap = self.trap
                if trap is not None and trap.is_armed and self._is_met(trap, link, data):
                    trap.is_armed = False
                    if trap.moment == "before":
                        await self._spring(trap)
                    else:
                        link.due = trap
                link.server_writer.write(data)
                await link.server_writer.drain()

    async def _downward(self, link: _Link) -> None:
        """From the server to the client."""
        with contextlib.suppress(OSError):
            while data := await link.server_reader.read(_CHUNK):
                if self.is_swallowing:
                    continue
                if self.delay:
                    await asyncio.sleep(self.delay)
                half = len(data) // 2
                if self.cuts > 0 and half:
                    self.cuts -= 1
                    link.writer.write(data[:half])
                    await link.writer.drain()
                    return
                due, link.due = link.due, None
                if due is not None and due.moment == "middle":
                    link.writer.write(data[:half])
                    await self._spring(due)
                    data, due = data[half:], None
                link.writer.write(data)
                await link.writer.drain()
                if due is not None:
                    await self._spring(due)

    @staticmethod
    def _is_met(trap: Trap, link: _Link, data: bytes) -> bool:
        """Whether the bytes are under way, be it in two pieces."""
        seen = link.tail + data
        link.tail = seen[-len(trap.pattern) + 1 :]
        return trap.pattern in seen

    @staticmethod
    async def _spring(trap: Trap) -> None:
        trap.is_begun = True
        # Whoever waits for the reply may hang up meanwhile; what was begun is finished.
        await asyncio.shield(asyncio.to_thread(_do, trap))

    @staticmethod
    def _refuse(link: _Link, data: bytes, refusal: bytes) -> None:
        """Answer each whole command with an error."""
        link.commands.feed(data)
        while link.commands.gets() is not False:
            link.writer.write(b"-" + refusal + b"\r\n")


def _do(trap: Trap) -> None:
    try:
        trap.action()
    except Exception as error:  # noqa: BLE001 - for whoever set the trap
        trap.failure = error
    finally:
        trap.sprung.set()
