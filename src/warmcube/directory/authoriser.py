"""Makes grants from a directory that it keeps, after looking whether there is a newer one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
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

RECHECK: Final = timedelta(seconds=1)
"""How old the last look for news may be when a grant is used again."""


class DirectorySource(Protocol):
    """A place that keeps a directory: a file, a database."""

    @property
    def name(self) -> str:
        """What messages call it; never with a credential."""

    async def read(self, version: str | None) -> Survey | None:
        """What it holds; None if that is still `version`, which the caller has.

        Raises:
            DirectoryError: it can't be read.
        """


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

    A directory that can't be read any more, or whose tree of organizations has a defect, leaves
    the one in force for `bound`; after that everybody is denied. Other defects deny those whom
    they touch, at once. The very first directory must have none.

    Args:
        source: of the directory.
        clock: the time by which roles and grants end; aware.
        monotonic: seconds that only grow.
        bound: how long a directory counts without being confirmed, and a grant at most.
        report: told when the directory can't be read or has defects, once for each news.
    """

    def __init__(
        self,
        source: DirectorySource,
        *,
        clock: Callable[[], datetime] = _now,
        monotonic: Callable[[], float] = time.monotonic,
        bound: timedelta = LIFETIME,
        report: Callable[[DirectoryError], None] | None = None,
    ) -> None:
        self._source = source
        self._clock = clock
        self._monotonic = monotonic
        self._bound = bound
        self._report = report
        self._authority = Authority()
        self._in_force: _InForce | None = None
        self._looked = float("-inf")  # when the last look began that came to its end
        self._begun = 0  # looks
        self._finished = 0  # the number of the last look that came to its end
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

    def _require_ours(self, grant: object) -> Grant:
        if type(grant) is Grant and grant.authority is self._authority:
            return grant
        raise AccessDenied(
            "a grant is needed that this authoriser made; get one from authorize()",
            reason="foreign grant",
        )

    def _left(self, in_force: _InForce) -> timedelta:
        """How long the directory in force still counts."""
        age = timedelta(seconds=self._monotonic() - in_force.confirmed)
        if age >= self._bound:
            raise AccessDenied(
                f"the directory can't be read within its bound of "
                f"{self._bound.total_seconds():g} s; ask whoever keeps it",
                reason=f"directory unreadable: {self.trouble}",
            )
        return self._bound - age

    async def _look(self, within: timedelta) -> _InForce:
        """The directory in force, after a look for news unless the last one is younger than this.

        Whoever has to wait for another's look is served by it only if it began after they asked.
        """
        if self._in_force is not None and self._monotonic() - self._looked < within.total_seconds():
            return self._in_force
        asked = self._begun
        async with self._looking:
            if self._in_force is None or self._finished <= asked:
                self._begun += 1
                began = self._monotonic()
                self._in_force = await self._read(self._in_force, began)
                self._looked, self._finished = began, self._begun
            return self._in_force

    async def _read(self, before: _InForce | None, began: float) -> _InForce:
        try:
            found = await self._source.read(None if before is None else before.directory.version)
            after = self._take(found, before, began)
        except DirectoryError as error:
            if before is None:
                raise
            self._tell(error)
            return before
        self._tell(after.defects)
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
        if found.directory is None or (before is None and found.defects):
            raise defects_error(self._source.name, found.defects)
        defects = defects_error(self._source.name, found.defects) if found.defects else None
        return _InForce(found.directory, began, defects)

    def _tell(self, trouble: DirectoryError | None) -> None:
        before, self.trouble = self.trouble, trouble
        if trouble is not None and self._report is not None and str(trouble) != str(before):
            self._report(trouble)
