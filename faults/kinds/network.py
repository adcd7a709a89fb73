"""Faults between clients and the store: cut, slow, swallowed, refused."""

from __future__ import annotations

from typing import Final

from faults.moments import READING, WARMING, WRITING, Moment
from faults.stage import Fault, Stage

__all__ = ["FAULTS"]


class _Cut(Fault):
    """Replies end in the middle, and their connections with them."""

    name, title = "cut-replies", "connection cut mid-reply"
    moments = (*READING, *WRITING)
    is_quiet = False

    def act(self, stage: Stage) -> None:
        stage.world.redis_proxy.cuts = 40
        stage.world.warm_proxy.cuts = 10


class _Hang(Fault):
    """Every connection is cut at a moment."""

    name, title = "cut-all", "all connections cut at once"
    moments = (*READING, *WARMING)

    async def inject(self, stage: Stage, moment: Moment) -> None:
        through = stage.world.redis_proxy if moment.pattern is None else stage.proxy_of(moment)
        await stage.strike(moment, through.cut_all)


class _Slow(Fault):
    """Each reply takes 200 ms longer."""

    name, title = "latency", "200 ms of added latency"
    moments = READING
    seconds = 2.0
    is_quiet = False

    def act(self, stage: Stage) -> None:
        stage.world.redis_proxy.delay = stage.world.warm_proxy.delay = 0.2


class _Swallowed(Fault):
    """Nothing arrives any more, and nobody is told."""

    name, title = "black-hole", "the network swallows everything"
    moments = (*READING, *WARMING)
    seconds = 2.5

    def act(self, stage: Stage) -> None:
        stage.world.redis_proxy.is_swallowing = stage.world.warm_proxy.is_swallowing = True


class _Loading(Fault):
    """Redis reads its data, and answers nothing meanwhile."""

    name, title = "loading", "LOADING"
    moments = (*READING, *WRITING)
    is_quiet = False

    def act(self, stage: Stage) -> None:
        refusal = b"LOADING Redis is loading the dataset in memory"
        stage.world.redis_proxy.refusal = stage.world.warm_proxy.refusal = refusal


FAULTS: Final[tuple[Fault, ...]] = (_Cut(), _Hang(), _Slow(), _Swallowed(), _Loading())
