"""The cases about no data source: who may enter, with what in the hand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from warmcube.config import Settings
from warmcube.engine import AnalyticsCache
from warmcube.errors import AccessDenied, InvalidQuery
from warmcube.model.request import Query
from warmcube.prove.forgery import false_grants, false_users, try_grant
from warmcube.prove.judge import Verdict
from warmcube.prove.predicate import Door, Ground, view_of
from warmcube.prove.records import Records
from warmcube.prove.watch import Tried, Watch

__all__ = ["GateTrial"]

_MOST_GRANTS: Final = 3


class GateTrial:
    """Cases about no data source: users that there aren't, grants that aren't any.

    Args:
        cache: that is asked.
        settings: its configuration.
        records: the directory.
        users: who is tried.
        watch: counts.
    """

    def __init__(
        self,
        cache: AnalyticsCache,
        settings: Settings,
        records: Records,
        users: Sequence[str],
        watch: Watch,
    ) -> None:
        self._cache = cache
        self._settings = settings
        self._records = records
        self._users = users
        self._watch = watch
        self._names = list(false_users(records))

    @property
    def planned(self) -> int:
        """How many cases, about."""
        return len(self._names) + len(self._users) + _MOST_GRANTS * 5

    async def run(self, actor: str) -> None:
        """Try them all."""
        for name in self._names:
            await self._authorize(name, is_right=False)
        for user in self._users:
            view = view_of(self._records, user, Ground(), datetime.now(UTC))
            await self._authorize(user, is_right=view.door is not Door.NO_GRANT)
        await self._false_grants(actor)

    async def _authorize(self, user: Any, *, is_right: bool) -> None:
        self._watch.check()
        started = time.perf_counter()
        error: Exception | None = None
        try:
            await self._cache.authorize(user)
        except Exception as raised:  # noqa: BLE001 - whatever it is, it is judged
            error = raised
        verdict = Verdict()
        if is_right and error is not None:
            verdict.note(f"{type(error).__name__}, where a grant was due", losses=1)
        elif not is_right and error is None:
            verdict.note("a grant, where a denial was due", leaks=1)
        elif not is_right and not isinstance(error, AccessDenied):
            verdict.note(f"{type(error).__name__}, where a denial was due", differences=1)
        elif not is_right and not self._watch.same_words("", None, "user", user, error):
            verdict.note("other words than for other users without a right", leaks=1)
        self._note(
            "a user with a right" if is_right else "break out: a user without a right",
            user,
            verdict,
            started,
            is_refusal=not is_right,
        )

    async def _false_grants(self, actor: str) -> None:
        readers = [
            user
            for user in self._users
            if view_of(self._records, user, Ground(), datetime.now(UTC)).door is Door.OPEN
        ][:_MOST_GRANTS]
        if not readers:
            return
        query = Query(datasource=self._settings.datasources[0].id, measure="Charges")
        other = AnalyticsCache(self._settings, actor=actor, is_probe=True, stdout=2)
        async with other:
            for user in readers:
                real = await self._cache.authorize(user)
                for false in false_grants(user, real, await other.authorize(user)):
                    self._watch.check()
                    started = time.perf_counter()
                    error = await try_grant(self._cache, query, false.make())
                    verdict = Verdict()
                    if error is None or isinstance(error, InvalidQuery):
                        verdict.note("it was taken, where a denial was due", leaks=1)
                    elif not isinstance(error, AccessDenied):
                        verdict.note(
                            f"{type(error).__name__}, where a denial was due", differences=1
                        )
                    self._note(false.kind, user, verdict, started, is_refusal=True)

    def _note(
        self, kind: str, user: Any, verdict: Verdict, started: float, *, is_refusal: bool
    ) -> None:
        tried = Tried(
            user=user if isinstance(user, str) else repr(user),
            kind=kind,
            verdict=verdict,
            seconds=time.perf_counter() - started,
            is_refusal=is_refusal,
        )
        self._watch.note(tried, self._watch.report.gate)
