"""An event loop in a thread of its own, for which any number of other threads wait."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401 - see the end
import contextvars
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from queue import SimpleQueue
from typing import Any, Final, Generic, TypeVar

from warmcube.errors import NotUsable

__all__ = ["Inbox", "LoopThread"]

_T = TypeVar("_T")

_OVER: Final = object()
_PATIENCE: Final = 10.0
"""Seconds that an interrupted call may take to clean up behind itself."""

_open: weakref.WeakSet[LoopThread] = weakref.WeakSet()


class Inbox(Generic[_T]):
    """What a call tells its caller while it runs.

    Args:
        hear: is told, in the thread that waits for the call, where it may take its time and use
            the cache itself. None hears nothing.
    """

    def __init__(self, hear: Callable[[_T], None] | None = None) -> None:
        self._hear = hear
        self._news: SimpleQueue[Any] = SimpleQueue()

    @property
    def tell(self) -> Callable[[_T], None] | None:
        """To be called in the loop; None where nobody listens."""
        return None if self._hear is None else self._news.put

    def end(self) -> None:
        """Let the caller go."""
        self._news.put(_OVER)

    def listen(self) -> None:
        """Hear until the end."""
        while (news := self._news.get()) is not _OVER:
            if self._hear is not None:
                self._hear(news)


class LoopThread:
    """Runs coroutines for other threads.

    Args:
        closing: what is to be awaited in the loop before it ends.
    """

    def __init__(self, closing: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._closing = closing
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._is_over = False
        self._calls: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._begun: SimpleQueue[None] = SimpleQueue()
        # A daemon, so that a program that forgets to close it ends all the same: see `_close_all`.
        self._thread = threading.Thread(target=self._main, name="warmcube", daemon=True)
        self._thread.start()
        self._begun.get()
        _open.add(self)

    def run(
        self, make: Callable[[], Coroutine[Any, Any, _T]], inbox: Inbox[Any] | None = None
    ) -> _T:
        """What a coroutine returns, or raises.

        An exception in the caller's thread, such as a Ctrl-C, cancels it and waits until it has
        cleaned up behind itself.

        Args:
            make: makes the coroutine.
            inbox: what it tells while it runs; its `tell` was given to it.

        Raises:
            NotUsable: the loop is over, or not this process's, or is the one that calls.
        """
        self._require_usable()
        waiting: Inbox[Any] = Inbox() if inbox is None else inbox
        tasks: list[asyncio.Task[_T]] = []
        context = contextvars.copy_context()

        def finish(task: asyncio.Task[_T]) -> None:
            self._calls.discard(task)
            waiting.end()

        async def work() -> _T:
            return await make()

        def begin() -> None:
            task = self._loop.create_task(work(), context=context)
            tasks.append(task)
            self._calls.add(task)
            task.add_done_callback(finish)

        with self._lock:  # or the loop could end between the question and the call
            if self._is_over:
                raise _closed()
            self._loop.call_soon_threadsafe(begin)
        try:
            waiting.listen()
        except BaseException:
            self._cancel(tasks)
            raise
        (task,) = tasks
        if task.cancelled():
            raise NotUsable("the cache was closed while this call ran; nothing came of it")
        return task.result()

    def abandon(self) -> None:
        """End it where there is nothing to close."""
        self._closing = _nothing
        self.close()

    def close(self) -> None:
        """End every call that still runs, then the loop; in a forked process do nothing."""
        if self._process != os.getpid():
            return
        if threading.get_ident() == self._thread.ident:
            raise _called_from_within()
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
        _open.discard(self)
        try:
            asyncio.run_coroutine_threadsafe(self._wind_up(), self._loop).result()
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def _require_usable(self) -> None:
        if self._process != os.getpid():  # before any lock: it may be held for ever here
            raise NotUsable(
                f"this cache was opened in process {self._process} and can't be used in process "
                f"{os.getpid()}, forked from it; open one in each process, after the fork"
            )
        if threading.get_ident() == self._thread.ident:
            raise _called_from_within()

    def _cancel(self, tasks: list[asyncio.Task[Any]]) -> None:
        """Cancel a call, and wait until it is done with that; a second Ctrl-C waits no longer."""
        done = threading.Event()

        def cancel() -> None:
            for task in tasks:
                task.add_done_callback(lambda _task: done.set())
                task.cancel()

        try:
            self._loop.call_soon_threadsafe(cancel)
        except RuntimeError:  # the loop has ended, and everything in it
            return
        done.wait(_PATIENCE)

    async def _wind_up(self) -> None:
        calls = tuple(self._calls)
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await self._closing()

    def _main(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            runner.run(self._live())

    async def _live(self) -> None:
        self._stop = asyncio.Event()
        self._begun.put(None)
        await self._stop.wait()


async def _nothing() -> None:
    """Nothing has been opened, so there is nothing to close."""


def _closed() -> NotUsable:
    return NotUsable("the cache is closed; open it, or use it within its with block")


def _called_from_within() -> NotUsable:
    return NotUsable(
        "the cache was called from within its own event loop, which would wait for itself for "
        "ever; call it from another thread, or use warmcube.AnalyticsCache with await"
    )


def _close_all() -> None:
    """At the end of the interpreter, close what was left open."""
    for each in list(_open):
        each.close()


# To close a cache takes threads, which write the last lines of the audit and end connections. When
# `atexit` has its turn, executors take no more work, so this has to come before theirs, which is
# there already: they are imported above. There is no public way to say that.
threading._register_atexit(_close_all)  # type: ignore[attr-defined]  # noqa: SLF001
