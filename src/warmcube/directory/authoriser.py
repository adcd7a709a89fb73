"""Makes grants from a directory that it keeps, after looking whether there is a newer one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from warmcube.access.decide import LIFETIME, decide
from warmcube.access.defects import defects_error
from warmcube.access.directory import Directory
from warmcube.access.grant import Authority, Grant, require_grant
from warmcube.access.survey import Survey
from warmcube.errors import AccessDenied, DirectoryError

__all__ = ["Authoriser", "DirectorySource"]

WATCH_AGAIN_SECONDS: Final = 1.0
RECHECK: Final = timedelta(seconds=1)
"""How old the last look for news may be when a grant is used again."""
_RECHECK_SECONDS: Final = RECHECK.total_seconds()
MOST_RECALLED: Final = 10_000
LEFT: Final = timedelta(seconds=15)
"""How long a recalled grant still counts at least, unless it never did: longer than a read takes,
so that none is denied halfway because its minute was over."""
"""Grants that are kept for users and actors who come again."""


class DirectorySource(Protocol):
    """A place that keeps a directory: a file, a database."""

    @property
    def name(self) -> str:
        """What messages call it; never with a credential."""

    @property
    def takes_defects(self) -> bool:
        """Whether a directory with defects counts, without those whom they touch."""

    async def read(self, version: str | None) -> Survey | None:
        """What it holds; None if that is still `version`, which the caller has.

        Raises:
            DirectoryError: it can't be read.
        """

    def is_due(self, looked: float, within: float) -> bool:
        """Whether to look for news.

        Args:
            looked: monotonic time at which the last look began.
            within: seconds that whoever asks can do with.
        """

    def counts_until(self, confirmed: float) -> float:
        """The monotonic time until which a directory that was confirmed then counts."""

    async def wait_for_news(self) -> None:
        """Return when it is worth a look."""

    async def close(self) -> None: ...


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _InForce:
    """The directory that decisions are made from, and when it was last known to be right."""

    directory: Directory
    confirmed: float  # monotonic seconds
    defects: DirectoryError | None = None  # those that deny some users


class Authoriser:
    """Decides what users may read.

    A directory that can't be read any more leaves the one in force as long as its source lets it
    count; after that everybody is denied. So does one with defects, unless its source takes them:
    then they deny those whom they touch, at once.

    Args:
        source: of the directory.
        clock: the time by which roles and grants end; aware.
        monotonic: seconds that only grow; the source's own.
        report: told when the directory can't be read or is refused, once for each news.
        changed: told when another directory is in force: the one before, None for the first, and
            the new one with its defects.
        is_watching: whether to look for news also while nobody asks, so that grants in hand end
            when a right is revoked; `aclose` ends that.
    """

    def __init__(
        self,
        source: DirectorySource,
        *,
        clock: Callable[[], datetime] = _now,
        monotonic: Callable[[], float] = time.monotonic,
        report: Callable[[DirectoryError], None] | None = None,
        changed: Callable[[Directory | None, Survey], None] | None = None,
        is_watching: bool = False,
    ) -> None:
        self._source = source
        self._clock = clock
        self._monotonic = monotonic
        self._report = report
        self._changed = changed
        self._is_watching = is_watching
        self._watching: asyncio.Task[None] | None = None
        self._authority = Authority()
        self._recalled: dict[tuple[str, str], Grant] = {}
        self._in_force: _InForce | None = None
        self._looked = float("-inf")  # when the last look began that came to its end
        self._begun = 0  # looks
        self._finished = 0  # the number of the last look that came to its end
        self._failed = 0  # the number of the last look that gave nothing to go by
        self._failure: DirectoryError | None = None
        self._looking = asyncio.Lock()
        self.trouble: DirectoryError | None = None
        """What is wrong with the directory at present."""

    def now(self) -> datetime:
        """The time that decisions go by."""
        return self._clock()

    async def authorize(self, user: str, *, actor: str = "library") -> Grant:
        """Decide what a user may read, from the directory as it is now.

        Args:
            user: whose rights count.
            actor: who asks, for the audit.

        Raises:
            AccessDenied: unknown, inactive, without a right to read, or touched by a defect; or
                the directory can't be read within its bound.
            DirectoryError: the directory could never be read, or begins with defects.
        """
        in_force = await self._look(timedelta())
        left = self._left(in_force)
        return decide(
            in_force.directory,
            user,
            self._clock(),
            authority=self._authority,
            actor=actor,
            lifetime=left,
        )

    async def recall(self, user: str, *, actor: str = "library") -> Grant:
        """A grant as good as one in hand: decided before for this user and actor, and renewed.

        For services, where a user who asks a hundred times a second is decided on once a minute,
        and the directory is looked at once a second.

        Args:
            user: whose rights count.
            actor: who asks, for the audit.

        Raises:
            AccessDenied: as `authorize` does.
            DirectoryError: likewise.
        """
        known = self._recalled.get((user, actor))
        if known is None or self._is_ending(known):
            grant = await self.authorize(user, actor=actor)
        else:
            try:
                grant = await self.renew(known)
            except AccessDenied:
                self._recalled.pop((user, actor), None)
                raise
        if grant is not known:
            self._recalled.pop((user, actor), None)
            while len(self._recalled) >= MOST_RECALLED:
                del self._recalled[next(iter(self._recalled))]
            self._recalled[user, actor] = grant
        return grant

    def _is_ending(self, grant: Grant) -> bool:
        """Whether a grant that counted for long is about to end."""
        is_short = grant.valid_until - grant.decided_at <= LEFT
        return not is_short and grant.valid_until - self._clock() < LEFT

    def check(self, grant: object) -> Grant:
        """The grant, if this authoriser made it and it still counts. Costs no look for news.

        Raises:
            AccessDenied: if not.
        """
        checked = self._require_ours(grant)
        require_grant(checked, self._clock())
        in_force = self._in_force
        if in_force is None or checked.version != in_force.directory.version:
            raise AccessDenied(
                f"the directory has changed since the grant of {checked.user.id!r} was decided; "
                "authorise anew",
                reason="grant outdated",
            )
        self._left(in_force)
        return checked

    def counts(self, grant: object) -> bool:
        """Whether `renew` would give this very grant back, and needn't look for news to know it.

        For those who ask several times within a read: it costs no task and no error.
        """
        in_force = self._in_force
        return (
            in_force is not None
            and type(grant) is Grant
            and grant.authority is self._authority
            and not self._source.is_due(self._looked, _RECHECK_SECONDS)
            and grant.is_valid_at(self._clock())
            and grant.directory.version == in_force.directory.version
            and self._source.counts_until(in_force.confirmed) > self._monotonic()
        )

    async def renew(self, grant: object) -> Grant:
        """The grant if it still counts, else one that is decided anew for the same user.

        Raises:
            AccessDenied: this authoriser didn't make it, or the user may no longer read.
        """
        checked = self._require_ours(grant)
        await self._look(RECHECK)
        try:
            return self.check(checked)
        except AccessDenied:
            return await self.authorize(checked.user.id, actor=checked.actor)

    async def directory(self) -> Directory:
        """The directory in force, after a look for news.

        Raises:
            DirectoryError: it could never be read, or begins with defects.
            AccessDenied: it can't be read within its bound.
        """
        in_force = await self._look(timedelta())
        self._left(in_force)
        return in_force.directory

    async def survey(self) -> Survey:
        """The directory as its source has it now, with its defects, in force or not.

        Raises:
            DirectoryError: it can't be read, or there is none.
        """
        found = await self._source.read(None)
        if found is None:
            raise DirectoryError(f"{self._source.name} holds no directory; write one")
        return found

    async def aclose(self) -> None:
        """Stop watching; nothing is decided any more."""
        task, self._watching = self._watching, None
        self._is_watching = False
        if task is not None:
            task.cancel()
            await asyncio.wait([task])  # however it ends, the source is closed
        await self._source.close()

    def _require_ours(self, grant: object) -> Grant:
        if type(grant) is Grant and grant.authority is self._authority:
            return grant
        raise AccessDenied(
            "a grant is needed that this authoriser made; get one from authorize()",
            reason="foreign grant",
        )

    def _left(self, in_force: _InForce) -> timedelta:
        """How long the directory in force still counts."""
        left = self._source.counts_until(in_force.confirmed) - self._monotonic()
        if left <= 0:
            raise AccessDenied(
                "the directory couldn't be read for too long, so nobody's rights are known; ask "
                "whoever keeps it",
                reason=f"directory unreadable: {self.trouble}",
            )
        return min(timedelta(seconds=left), LIFETIME)

    async def _look(self, within: timedelta) -> _InForce:
        """The directory in force, after a look for news unless the last one is younger than this.

        Whoever has to wait for another's look is served by it only if it began after they asked.
        """
        if self._in_force is not None and not self._source.is_due(
            self._looked, within.total_seconds()
        ):
            return self._in_force
        asked = self._begun
        async with self._looking:
            if self._failed > asked and self._failure is not None:
                raise DirectoryError(str(self._failure))  # of a look that began after they asked
            if self._in_force is None or self._finished <= asked:
                self._begun += 1
                began = self._monotonic()
                try:
                    self._in_force = await self._read(self._in_force, began)
                except DirectoryError as error:
                    self._failed, self._failure = self._begun, error
                    raise
                self._looked, self._finished = began, self._begun
                if self._is_watching and self._watching is None:
                    # In no context: it outlives whatever is being done for whoever asks.
                    self._watching = asyncio.create_task(self._watch(), context=Context())
            return self._in_force

    async def _watch(self) -> None:
        while True:
            try:
                await self._source.wait_for_news()
                await self._look(timedelta())
            except Exception as error:  # noqa: BLE001 - else nobody would watch any more
                self._fail(
                    DirectoryError(
                        f"{self._source.name} couldn't be watched ({type(error).__name__}); "
                        "it is tried again"
                    )
                )
                await asyncio.sleep(WATCH_AGAIN_SECONDS)

    async def _read(self, before: _InForce | None, began: float) -> _InForce:
        try:
            found = await self._source.read(None if before is None else before.directory.version)
            after = self._take(found, before, began)
        except DirectoryError as error:
            if before is None:
                raise
            self._fail(error)
            return before
        self.trouble = after.defects
        if found is not None and self._changed is not None:
            self._changed(None if before is None else before.directory, found)
        return after

    def _take(self, found: Survey | None, before: _InForce | None, began: float) -> _InForce:
        """What is in force from now on.

        Raises:
            DirectoryError: what was found can't be.
        """
        if before is not None and found is None:
            return replace(before, confirmed=began)
        if found is None:
            raise DirectoryError(f"{self._source.name} holds no directory; write one")
        if found.directory is None or (found.defects and not self._source.takes_defects):
            raise defects_error(self._source.name, found.defects)
        defects = defects_error(self._source.name, found.defects) if found.defects else None
        return _InForce(found.directory, began, defects)

    def _fail(self, trouble: DirectoryError) -> None:
        before, self.trouble = self.trouble, trouble
        if self._report is not None and str(trouble) != str(before):
            self._report(trouble)
