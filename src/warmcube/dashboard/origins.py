"""Where a chart's, or a whole dashboard's, figures come from. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from warmcube.dashboard.plan import Plan
from warmcube.dashboard.rendered import RenderMeta
from warmcube.errors import WarmcubeError
from warmcube.model.origin import Origin
from warmcube.query.result import Result

__all__ = ["meta_of", "meta_of_page"]

_SLOWEST: Final[tuple[Origin, ...]] = ("resident", "store", "database")


def meta_of(plan: Plan, results: Mapping[int, Result], ms: float) -> RenderMeta:
    """Where some answers come from, taken together.

    All questions of a plan are about the same practices and providers, so those of one partition
    are answered from the same rows, which are counted once.

    Args:
        plan: of the dashboard.
        results: the answers, by the places of their questions.
        ms: how long it took.
    """
    metas = [each.meta for each in results.values()]
    if not metas:
        return RenderMeta(ms=ms)
    fetched: dict[tuple[object, object], int] = {}
    for place, each in results.items():
        query = plan.queries[place]
        partition = (query.measure, query.frequency)
        fetched[partition] = max(fetched.get(partition, 0), each.meta.rows_fetched)
    return RenderMeta(
        origin=max((each.origin for each in metas), key=_SLOWEST.index),
        snapshot=metas[0].snapshot,
        as_of=min((each.as_of for each in metas if each.as_of is not None), default=None),
        stale=any(each.stale for each in metas),
        rows_fetched=sum(fetched.values()),
        rows=sum(each.rows for each in metas),
        ms=ms,
    )


def meta_of_page(
    plan: Plan, answers: Sequence[Result | WarmcubeError], charts: int, ms: float
) -> RenderMeta:
    """Where all answers come from, taken together; see `meta_of`."""
    results = {place: each for place, each in enumerate(answers) if isinstance(each, Result)}
    return replace(meta_of(plan, results, ms), charts=charts, queries=len(plan.queries))
