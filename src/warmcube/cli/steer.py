"""``warmcube rollback``, ``unpin``, ``disable`` and ``enable``: what is served, at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias

import typer

from warmcube.cli.console import say
from warmcube.cli.state import integer, run, state_of
from warmcube.engine import AnalyticsCache
from warmcube.warm.steer import Steered

__all__ = ["disable", "enable", "rollback", "unpin"]

_Id: TypeAlias = Annotated[
    int, typer.Argument(parser=integer, metavar="ID", help="The data source.")
]


def rollback(context: typer.Context, id: _Id) -> None:
    """Serve the snapshot before the live one again.

    It must be kept ([cache] keep_snapshots). The data source is pinned: workers leave it alone
    until somebody warms or unpins it. A warm that is under way can't publish any more.
    """
    _steer(context, id, lambda cache: cache.rollback(id))


def unpin(context: typer.Context, id: _Id) -> None:
    """Let workers warm a data source again that was rolled back."""
    _steer(context, id, lambda cache: cache.unpin(id))


def disable(context: typer.Context, id: _Id) -> None:
    """Have the database answer everything of a data source, in every process.

    Its snapshot stays, and can be warmed anew; warmcube enable serves it again.
    """
    _steer(context, id, lambda cache: cache.disable(id))


def enable(context: typer.Context, id: _Id) -> None:
    """Answer from a data source's snapshot again, if it can still be served."""
    _steer(context, id, lambda cache: cache.enable(id))


def _steer(
    context: typer.Context, id: int, call: Callable[[AnalyticsCache], Awaitable[Steered]]
) -> None:
    cache = state_of(context).open_cache()

    async def steer() -> None:
        async with cache:
            done = await call(cache)
        name = cache.settings.datasource(id).name
        say(f"data source {id} ({name}) {_told(done)}")

    run(steer())


def _told(done: Steered) -> str:
    """How a data source stands, in words."""
    which = "nothing; it is cold" if done.snapshot is None else f"snapshot {done.snapshot}"
    if done.is_disabled:
        state = f"is disabled, the database answers; behind the switch lies {which}"
    else:
        state = f"serves {which}"
    if done.pinned_by is not None:
        state += "; it is pinned: workers leave it alone until warmcube warm or unpin"
    return state if done.changed else f"was so already: it {state}"
