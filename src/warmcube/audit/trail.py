"""The trail: takes events without holding anybody up, and has a sink write them in order."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from warmcube.audit.context import REQUEST_ID
from warmcube.audit.events import AuditEvent, Denied, Dropped
from warmcube.audit.fold import Fold
from warmcube.audit.line import Heading, Lines
from warmcube.audit.reasons import DenialReason
from warmcube.audit.sink import Sink
from warmcube.errors import AuditError

__all__ = ["Trail"]

_BATCH: Final = 500  # lines of one write
_AT_ONCE: Final = 20
"""Lines that are made before the event loop goes on. Not in a thread: it would hold the interpreter
for milliseconds at a time, while answers wait for it."""
_GATHER: Final = 0.05
"""Seconds for which lines that nobody waits for are gathered, so that a write has many of them."""
_PRESSING: Final = 1000
"""From so many events that wait on, whoever adds one lets half of them be written first."""
_MAKE_ROOM: Final = 0.25
"""So many seconds they wait at most until there is room again."""
_FIRST_RETRY: Final = 0.1
_LONGEST_RETRY: Final = 5.0


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True, eq=False)
class _Item:
    """An event on its way to the sink; `make` makes one that isn't there yet."""

    event: AuditEvent | None
    time: datetime
    request: str | None = None
    waiter: asyncio.Future[None] | None = None
    line: bytes | None = None
    error: Exception | None = None  # why there can be no line
    make: Callable[[], AuditEvent] | None = None

    @property
    def weight(self) -> int:
        """How many events it stands for."""
        if isinstance(self.event, Dropped):
            return self.event.count
        return 1 + self.event.repeated if isinstance(self.event, Denied) else 1

    def accept(self) -> None:
        """Let who waits go on."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def refuse(self, why: str) -> None:
        """Tell who waits that there is no line."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(_refusal(why))


class Trail:
    """What a process audits. All calls come from one event loop.

    What happened anyway is noted: that never waits and never fails. What depends on being audited
    is recorded: where `required`, that waits until the sink has the line, together with all others
    that wait, and fails if it can't have it. While the sink fails, what waits is kept and tried
    again, up to `queue_size`; what is lost beyond that is counted, and told when the sink works
    again.

    Args:
        sink: None where nothing is audited.
        required: no audit, no answer.
        is_probe: mark all lines as trials.
        clock: the time of events; aware.
        monotonic: seconds that only grow.
        queue_size: how many events may wait.
        bound: how many seconds the sink may take.
        report: told when the sink fails or events are lost, once for each news.
    """

    def __init__(
        self,
        sink: Sink | None,
        *,
        required: bool = False,
        is_probe: bool = False,
        clock: Callable[[], datetime] = _now,
        monotonic: Callable[[], float] = time.monotonic,
        queue_size: int = 10_000,
        bound: float = 5.0,
        report: Callable[[AuditError], None] | None = None,
    ) -> None:
        if required and sink is None:
            raise ValueError("an audit that is required needs a sink")
        self._sink = sink
        self._required = required
        self._is_probe = is_probe
        self._clock = clock
        self._monotonic = monotonic
        self._queue_size = queue_size
        self._pressing = min(_PRESSING, queue_size // 2)
        self._bound = bound
        self._report = report
        self._id = secrets.token_hex(8)
        self._number = 0
        self._fold = Fold()
        self._lines = Lines()
        self._queue: deque[_Item] = deque()
        self._dropped = 0
        self._dropped_since: datetime | None = None
        self._retry_in = _FIRST_RETRY
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._room = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False
        self._writing = asyncio.Lock()
        self.trouble: AuditError | None = None
        """Why the sink takes nothing at present."""
        self.denied: Callable[[DenialReason], None] | None = None
        """Told of every denial, before any are folded, whether or not there is a sink."""

    def note(self, event: AuditEvent) -> None:
        """Have an event written; denials are folded. Never waits, never fails."""
        if isinstance(event, Denied) and self.denied is not None:
            self.denied(event.reason)
        if self._sink is None or self._is_closing:
            return
        now, request = self._clock(), REQUEST_ID.get()
        if isinstance(event, Denied):
            for told in self._fold.add(event, self._monotonic(), now):
                is_this = told.event is event  # others stand for several requests
                self._add(_Item(told.event, told.time, request if is_this else None))
            self._start()  # the rest is due later
        else:
            self._add(_Item(event, now, request))

    def record_at_once(self, make: Callable[[], AuditEvent]) -> bool:
        """What `record` does, where nothing has to be waited for; whether it was done.

        Args:
            make: makes the event, no denial, when its line is made; what it makes it of must be
                small, and nobody may change it.
        """
        if self._required or len(self._queue) >= self._pressing:
            return False
        if self._sink is not None and not self._is_closing:
            self._add(_Item(None, self._clock(), REQUEST_ID.get(), make=make))
        return True

    async def record(self, event: AuditEvent) -> None:
        """Have an event written that an answer depends on.

        Raises:
            AuditError: only where it is required: the sink fails, takes too long, or too many
                wait for it already.
        """
        if not self._required:
            self.note(event)
            await self._let_write()
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        item = _Item(event, self._clock(), REQUEST_ID.get(), waiter)
        if self._is_closing or len(self._queue) >= self._queue_size:
            why = "it is closed" if self._is_closing else f"{len(self._queue):,} events wait for it"
            raise _refusal(why)
        self._append(item)
        try:
            async with asyncio.timeout(self._bound):
                await waiter
        except TimeoutError:
            raise _refusal(f"it didn't answer within {self._bound:g} s") from None

    async def _let_write(self) -> None:
        """Leave time to write where much waits, though not until it is written.

        Answers that need no server come one after the other without waiting for anything; loops
        over them would leave no time at all, and fill the queue faster than anything empties it.
        """
        if len(self._queue) <= self._pressing:
            return
        self._hurry.set()
        if self.trouble is not None:
            await asyncio.sleep(0)
            return
        self._room.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_MAKE_ROOM):
                await self._room.wait()

    def _tell_room(self) -> None:
        if self.trouble is not None or len(self._queue) <= self._pressing // 2:
            self._room.set()

    async def retry(self) -> None:
        """See whether the sink works again, if it didn't and nothing waits that would tell.

        Where no answer is given without the audit, nobody may ask any more who would find out.
        """
        if self.trouble is None or self._queue or self._sink is None or self._is_closing:
            return
        with suppress(Exception):  # then there is trouble still
            async with asyncio.timeout(self._bound), self._writing:
                await self._sink.write([])
                self.trouble = None

    async def close(self) -> None:
        """Write what is left, folded denials included, and close the sink."""
        if self._is_closing:
            return
        for told in self._fold.close():
            self._append(_Item(told.event, told.time))
        self._is_closing = True
        if self._task is not None:
            self._wake.set()
            self._hurry.set()
            await asyncio.wait([self._task])
        if self._sink is not None:
            with suppress(TimeoutError):  # what hangs may hang on
                async with asyncio.timeout(self._bound):
                    await self._sink.close()

    def _add(self, item: _Item) -> None:
        """Put an event into the queue, or count it as lost."""
        if len(self._queue) < self._queue_size:
            self._append(item)
        else:
            self._lose(item, AuditError(f"{len(self._queue):,} audit events wait; more are lost"))

    def _lose(self, item: _Item, trouble: AuditError) -> None:
        if not self._dropped:
            self._dropped_since = item.time
            self._tell(trouble)
        self._dropped += item.weight

    def _append(self, item: _Item) -> None:
        self._queue.append(item)
        self._start()
        if item.waiter is not None:
            self._hurry.set()
        if self.trouble is None or item.waiter is not None:  # else its time to try again will come
            self._wake.set()

    def _start(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        """Write what comes, until closed."""
        while True:
            await self._wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(_GATHER):
                    await self._hurry.wait()
            self._hurry.clear()
            for told in self._fold.due(self._monotonic()):
                self._add(_Item(told.event, told.time))
            while self._queue and await self._write():
                pass
            if self._is_closing:
                self._give_up()
                return

    async def _wait(self) -> None:
        """Wait until there is something to do."""
        due = self._fold.next_due
        waits = [] if due is None else [due - self._monotonic()]
        if self._queue:
            waits.append(self._retry_in)
        with suppress(TimeoutError):
            async with asyncio.timeout(min(waits, default=None)):
                await self._wake.wait()
        self._wake.clear()

    async def _write(self) -> bool:
        """Have the sink take the first of what waits; whether it did."""
        if self._sink is None:  # pragma: no cover - nothing is taken in then
            return False
        batch = await self._batch()
        lines = [item.line for item in batch if item.line is not None]
        try:
            async with asyncio.timeout(self._bound) as deadline, self._writing:
                await self._sink.write(lines)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody else would see it
            self._fail(batch, _trouble(error, self._bound if deadline.expired() else None))
            return False
        else:
            self._succeed(batch)
            return True
        finally:
            self._tell_room()

    async def _batch(self) -> list[_Item]:
        """The first of what waits, with their lines; what none can be made of is lost."""
        batch = list(islice(self._queue, _BATCH))
        new = [item for item in batch if item.line is None]
        for at in range(0, len(new), _AT_ONCE):
            if at:
                await asyncio.sleep(0)
            self._make_lines(new[at : at + _AT_ONCE])
        for item in [item for item in batch if item.error is not None]:
            self._queue.remove(item)
            batch.remove(item)
            name = "new" if item.event is None else item.event.name
            trouble = AuditError(f"a {name} event can't be written: {item.error!r}")
            self._lose(item, trouble)
            item.refuse(str(trouble))
        return batch

    def _make_lines(self, items: Sequence[_Item]) -> None:
        for item in items:
            self._number += 1
            try:
                event = item.event
                if event is None and item.make is not None:
                    event = item.event = item.make()
                if event is None:  # pragma: no cover - one of both is always there
                    continue
                heading = Heading(
                    time=item.time,
                    event=event.name,
                    probe=self._is_probe,
                    trail=self._id,
                    number=self._number,
                    request=item.request,
                )
                item.line = self._lines.line_of(event, heading)
            except Exception as error:  # noqa: BLE001 - one mistake may not stop the others
                item.error = error

    def _succeed(self, batch: Sequence[_Item]) -> None:
        for item in batch:
            self._queue.popleft()
            item.accept()
        self.trouble = None
        self._retry_in = _FIRST_RETRY
        if self._dropped and self._dropped_since is not None:
            lost = Dropped(count=self._dropped, since=self._dropped_since)
            self._queue.append(_Item(lost, self._clock()))
            self._dropped = 0

    def _fail(self, batch: Sequence[_Item], trouble: AuditError) -> None:
        """Refuse those who wait; keep the rest for another try."""
        for item in batch:
            self._queue.popleft()
            item.refuse(str(trouble))
        self._queue.extendleft(item for item in reversed(batch) if item.waiter is None)
        self._retry_in = min(2 * self._retry_in, _LONGEST_RETRY)
        self._tell(trouble)
        self.trouble = trouble

    def _give_up(self) -> None:
        lost = self._dropped + sum(item.weight for item in self._queue)
        while self._queue:
            self._queue.popleft().refuse("it is closed")
        if lost:
            self._tell(AuditError(f"{lost:,} audit events are lost: {self.trouble}"))

    def _tell(self, trouble: AuditError) -> None:
        if self._report is not None and str(trouble) != str(self.trouble):
            with suppress(Exception):  # whatever it does, the audit goes on
                self._report(trouble)


def _trouble(error: Exception, expired: float | None) -> AuditError:
    if expired is not None:
        return AuditError(f"the audit's sink didn't answer within {expired:g} s; see to it")
    if isinstance(error, AuditError):
        return error
    return AuditError(f"the audit's sink failed: {type(error).__name__}: {error}")


def _refusal(why: str) -> AuditError:
    return AuditError(
        f"no answer, since it can't be audited ([audit] required = true): {why}; see to the "
        "audit's sink, or ask again"
    )
