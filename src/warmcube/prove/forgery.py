"""Ways around the decision itself: users that there aren't, and grants that aren't any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from warmcube.engine import AnalyticsCache
from warmcube.model.request import Query
from warmcube.prove.oddities import FORGED
from warmcube.prove.records import Records

__all__ = ["FalseGrant", "false_grants", "false_users", "try_grant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseGrant:
    """Something in the place of a grant."""

    kind: str
    make: Callable[[], Any]


def false_users(records: Records) -> Iterator[Any]:
    """What no user is called, some of it nearly as one."""
    nearly = [
        near
        for name in list(records.people)[:20]
        for near in (f" {name}", f"{name} ", name.upper(), name.title(), f"{name}\0", f"{name}'--")
    ]
    others: list[Any] = [*FORGED, "", "\0", "\ud800", None, 0, 1, True, b"root", 1.5]
    for name in [*nearly, *others]:
        if not isinstance(name, str) or name not in records.people:
            yield name


def false_grants(user: str, real: Any, foreign: Any) -> Iterator[FalseGrant]:
    """What isn't a grant of this cache's.

    Args:
        user: somebody who may read.
        real: that user's grant.
        foreign: the same by another authoriser.
    """
    yield FalseGrant(kind="break out: a grant of another authoriser", make=lambda: foreign)
    yield FalseGrant(kind="break out: a name in the place of a grant", make=lambda: user)
    yield FalseGrant(kind="break out: nothing in the place of a grant", make=lambda: None)
    yield FalseGrant(kind="break out: the likeness of a grant", make=lambda: _likeness(real))
    yield FalseGrant(kind="break out: the likeness of a grant", make=lambda: _Proxy(real))


def _likeness(real: Any) -> Any:
    names = [name for name in dir(real) if not name.startswith("__")]
    return SimpleNamespace(**{name: getattr(real, name) for name in names})


class _Proxy:
    """Has whatever the grant has, and says that it is one."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._real)


async def try_grant(cache: AnalyticsCache, query: Query, grant: Any) -> Exception | None:
    """The error that a grant brings; None if it was taken."""
    try:
        await cache.query(query, grant)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is judged
        return error
    return None
