"""Reading a large table over two connections that see one snapshot.

One backend computes and sends rows no faster than one core can; two of them, and two threads that
take their rows in, share the work. Where that can't be had, one connection reads everything.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from importlib.resources import files
from queue import SimpleQueue
from typing import Final, Generic, TypeVar

from warmcube.errors import SourceError
from warmcube.source.names import TableName
from warmcube.source.postgres_connection import PostgresConnection

__all__ = ["WORTH_HALVING", "Beside", "in_threads", "open_halves"]

WORTH_HALVING: Final = 16 << 20
"""Bytes of a table from which a second connection is worth its opening."""

_HALVE: Final = (files("warmcube.source") / "sql" / "halve.sql").read_text()

T = TypeVar("T")
Beside = Callable[[str], PostgresConnection]
"""Opens one more connection, in a transaction that sees the exported snapshot of this name."""


def open_halves(
    connection: PostgresConnection, table: TableName, beside: Beside
) -> list[tuple[PostgresConnection, str]]:
    """Connections that may read a table together, each with the condition on what it reads.

    Args:
        connection: in the transaction whose snapshot counts.
        table: what is read.
        beside: see there; what it opens has to be closed.

    Returns:
        every row lies under exactly one of the conditions; an empty one is none.
    """
    parameters = (table.schema, table.name, str(WORTH_HALVING))
    rows = connection.query(_HALVE, f"looking at {table}", parameters).to_pylist()
    if rows:
        # A server without a free connection, a TRUNCATE that queues for the table: then alone.
        with contextlib.suppress(SourceError):
            other = beside(rows[0]["snapshot"])
            cut = f"'({rows[0]['half']},0)'"
            return [(connection, f"ctid < {cut}"), (other, f"ctid >= {cut}")]
    return [(connection, "")]


def in_threads(
    streams: Sequence[Generator[T, None, None]], interrupt: Callable[[], None]
) -> Iterator[T]:
    """The items of several blocking generators, each run in a thread of its own, as they come.

    Each runs one item ahead of whoever consumes them.

    Args:
        streams: closed in the end, by their threads.
        interrupt: wakes whichever of them is blocked; called if not all of them is wanted.
    """
    feed: _Feed[T] = _Feed(len(streams))
    threads = [threading.Thread(target=feed.run, args=(one,), daemon=True) for one in streams]
    for thread in threads:
        thread.start()
    is_complete = False
    try:
        yield from feed.items()
        is_complete = True
    finally:
        if not is_complete:
            feed.stop()
            interrupt()
        for thread in threads:
            thread.join()


class _Feed(Generic[T]):
    """What several threads hand over to one, with room for an item of each."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._came: SimpleQueue[tuple[T] | BaseException | None] = SimpleQueue()
        self._room = threading.Semaphore(threads)
        self._is_stopping = False

    def run(self, stream: Generator[T, None, None]) -> None:
        """Hand over one stream, and how it ended."""
        try:
            with contextlib.closing(stream):
                for item in stream:
                    self._room.acquire()
                    if self._is_stopping:
                        return
                    self._came.put((item,))
            self._came.put(None)
        except BaseException as error:  # noqa: BLE001 (raised again where the items are consumed)
            self._came.put(error)

    def items(self) -> Iterator[T]:
        """What comes, until all streams have ended; raises what one of them raised."""
        running = self._threads
        while running:
            item = self._came.get()
            if item is None:
                running -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                self._room.release()
                yield item[0]

    def stop(self) -> None:
        """Let every thread end before its next item."""
        self._is_stopping = True
        self._room.release(self._threads)
