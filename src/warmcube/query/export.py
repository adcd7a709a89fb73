"""An export on its way out: bytes piece by piece, under rights that still hold, audited at its end.

Whoever has an `ExportStream` either takes all of it, or gets an error, or closes it. What went out
before an error isn't the answer, and must not look like one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Final, Protocol, Self

from warmcube.errors import Damage, ExportBroken, StoreError
from warmcube.model.columns import Table
from warmcube.model.origin import Origin
from warmcube.query.lookup import PointerMoved
from warmcube.query.streamform import StreamWriter

__all__ = ["ExportStream", "StreamMeta", "Tables", "Watch"]

_CLOSED: Final = "Closed"


class Tables(Protocol):
    """An answer as tables of bounded size."""

    def tables(self) -> AsyncGenerator[Table, None]:
        """Each of them, none of which is empty."""

    async def close(self) -> None:
        """Let go of what they are kept in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamMeta:
    """What is known of a streamed answer when it begins; see `warmcube.query.result.Meta`.

    Attributes:
        origin: the tier that it is answered from.
        snapshot: the snapshot's name; None from the database.
        as_of: when the database was read, if known.
        stale: whether the snapshot is past its life.
        notes: what else is to be known, in sentences.
    """

    origin: Origin
    snapshot: str | None = None
    as_of: datetime | None = None
    stale: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What keeps an eye on an export.

    Attributes:
        turn: makes the place that each piece of work takes.
        require_due: raises `AccessDenied` when the rights in force no longer give the same rows.
        ended: told once, how many rows went out, and the error that ended it, None if all did.
    """

    turn: Callable[[], AbstractAsyncContextManager[None]]
    require_due: Callable[[], Awaitable[None]]
    ended: Callable[[int, BaseException | str | None], None]


class ExportStream:
    """Iterate over it asynchronously for the bytes; close it where you stop before the end.

    Args:
        meta: where the answer comes from.
        source: the answer.
        writer: writes it.
        watch: see `Watch`.

    Attributes:
        rows: how many rows have gone out.
    """

    def __init__(
        self, meta: StreamMeta, source: Tables, writer: StreamWriter, watch: Watch
    ) -> None:
        self.meta = meta
        self.rows = 0
        self._source = source
        self._writer = writer
        self._watch = watch
        self._is_over = False
        self._bytes = self._run()

    def __repr__(self) -> str:
        return f"<ExportStream: {self.rows} rows so far from the {self.meta.origin}>"

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """The next bytes.

        Raises:
            AccessDenied: the right to export this has ended.
            ExportBroken: the rest can't be had; throw away what you have.
        """
        return await anext(self._bytes)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop, if it isn't at its end."""
        await self._bytes.aclose()
        await self._end(_CLOSED)

    async def _run(self) -> AsyncGenerator[bytes, None]:
        try:
            head = await asyncio.to_thread(self._writer.begin)
            if head:
                yield head
            async with aclosing(self._pieces()) as pieces:
                async for data in pieces:
                    yield data
            tail = await asyncio.to_thread(self._writer.end)
            if tail:
                await self._watch.require_due()
                yield tail
        except GeneratorExit:
            await self._end(_CLOSED)
            raise
        except PointerMoved as error:
            broken = ExportBroken(
                "the export broke off, since the data source was warmed anew or invalidated "
                "meanwhile; throw away what came, and export again"
            )
            await self._end(broken)
            raise broken from error
        except (Damage, StoreError) as error:
            broken = ExportBroken(
                "the export broke off, since the rest can't be had from the store; throw away "
                "what came, and export again"
            )
            broken.__cause__ = error  # whoever is told of the end is told of damage, too
            await self._end(broken)
            raise broken from error
        except BaseException as error:
            await self._end(error)
            raise
        await self._end(None)

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._source.tables()) as tables:
            while True:
                async with self._watch.turn():
                    table = await anext(tables, None)
                    if table is None:
                        return
                    data = await asyncio.to_thread(self._writer.write, table)
                await self._watch.require_due()
                self.rows += table.rows  # from now on somebody may have them
                if data:
                    yield data

    async def _end(self, error: BaseException | str | None) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._watch.ended(self.rows, error)
        await self._source.close()
