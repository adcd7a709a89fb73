"""A streamed export without ``await``."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from warmcube.blocking.loop import LoopThread
from warmcube.query.export import ExportStream as AsyncStream
from warmcube.query.export import StreamMeta

__all__ = ["ExportStream"]


class ExportStream:
    """Iterate over it for the bytes; close it where you stop before the end.

    Args:
        thread: runs the cache.
        stream: the same, to be awaited.
    """

    def __init__(self, thread: LoopThread, stream: AsyncStream) -> None:
        self._thread = thread
        self._stream = stream

    def __repr__(self) -> str:
        return repr(self._stream)

    @property
    def meta(self) -> StreamMeta:
        """Where the answer comes from."""
        return self._stream.meta

    @property
    def rows(self) -> int:
        """How many rows have gone out."""
        return self._stream.rows

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        """The next bytes.

        Raises:
            AccessDenied: the right to export this has ended.
            ExportBroken: the rest can't be had; throw away what you have.
        """
        piece = self._thread.run(self._next)
        if piece is None:  # a StopIteration can't pass a coroutine
            raise StopIteration
        return piece

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop, if it isn't at its end."""
        self._thread.run(self._stream.aclose)

    async def _next(self) -> bytes | None:
        return await anext(self._stream, None)
