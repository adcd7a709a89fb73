"""A cluster beside the suite's Redis: with readers, a warmer and a look at what is left over."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import redis
from tests.support.clusters import HASTY_MS, RedisCluster, run_cluster

from faults.leftovers import leftovers
from faults.readers import Library, Reader
from faults.stage import Stage
from faults.table import DATASOURCE
from faults.warm_once import shorten
from faults.warming import Warmers
from warmcube import AnalyticsCache, WarmcubeError
from warmcube.entry.keys import Keys
from warmcube.warm.report import Phase, Progress

__all__ = ["ClusterStage", "cluster_stage"]

_QUESTIONS: Final = 400
_BACK: Final = 20.0
_BEAT: Final = 0.05
_LEASE: Final = 8.0
"""Seconds for which a warm keeps others out that was lost with a master."""


class ClusterStage:
    """What a fault of a cluster may touch.

    Args:
        stage: of the suite.
        cluster: the servers.
        config: of whoever warms.
        probe: asks as a new process does.
    """

    def __init__(self, stage: Stage, cluster: RedisCluster, config: Path, probe: Reader) -> None:
        self.cluster = cluster
        self.warmers = Warmers(config)
        self._stage = stage
        self._config = config
        self._probe = probe

    @property
    def pointer(self) -> bytes:
        """The key of the data source's pointer."""
        return Keys("", DATASOURCE).current

    def partition_keys(self) -> list[bytes]:
        """A key of each partition of which there is any."""
        found = {key for key in self.cluster.all_keys() if key.startswith(b"cache:{ds:")}
        tags = {key.partition(b"}")[0]: key for key in sorted(found)}
        return list(tags.values())

    async def warm_and_strike(self, phase: Phase, act: Callable[[], object]) -> str | None:
        """Warm, and do something as a phase begins; what went wrong with the warm, if anything.

        Raises:
            LookupError: the warm never came to it.
        """
        is_struck = False

        def hear(progress: Progress) -> None:
            nonlocal is_struck
            if progress.phase is phase and not is_struck:
                is_struck = True
                act()

        trouble = None
        try:
            async with AnalyticsCache.from_config(self._config) as cache:
                shorten(cache, _LEASE)
                await cache.warm(DATASOURCE, force=True, progress=hear)
        except WarmcubeError as error:
            trouble = f"{type(error).__name__}: {error}"
        if not is_struck:
            raise LookupError(f"the warm never came to {phase}: {trouble}")
        return trouble

    async def see_it_come_back(self) -> None:
        """Wait until the store answers, warm, and see that nothing is lost or left over."""
        stage, began, is_by_itself = self._stage, time.monotonic(), True
        while (await self._probe.ask_clock()).snapshot is None:
            waited = time.monotonic() - began
            if waited > _BACK:
                stage.failures.append("the cluster did not answer again")
                break
            if is_by_itself and waited > _BACK / 4:
                is_by_itself = False
                await self.warmers.warm_at_last()
            await asyncio.sleep(_BEAT)
        how = "by itself" if is_by_itself else "by the next warm"
        stage.notes.append(f"the cluster answers again {how}")
        least = stage.world.history.settled
        if (trouble := await self.warmers.warm_at_last()) is not None:
            stage.failures.append(f"the cluster can't be warmed: {trouble}")
        answer = await self._probe.ask_clock()
        shown = int(answer.rows[0]["measure_value"]) if answer.rows else 0
        happened = stage.world.history.happened(1, least)
        if answer.snapshot is None or (happened and shown < happened[0]):
            stage.failures.append(
                f"lost: change {shown} is shown by {answer.snapshot}: {answer.error}"
            )
        stage.failures += [f"unclear error of a warm: {each}" for each in self.warmers.unclear]
        found = await asyncio.to_thread(self._leftovers)
        if lasting := sorted(key for key, expires in found.items() if not expires):
            stage.failures.append(f"{len(lasting)} keys that nobody knows: {lasting[:3]}")
        if found:
            stage.notes.append("keys whose names a killed master took with it expire by themselves")

    def _leftovers(self) -> dict[str, bool]:
        with contextlib.closing(
            redis.RedisCluster(host="127.0.0.1", port=self.cluster.live()[0].port)
        ) as client:
            return leftovers(client)  # type: ignore[arg-type]  # it takes the same calls


@asynccontextmanager
async def cluster_stage(stage: Stage) -> AsyncIterator[ClusterStage]:
    """A cluster that is warm and read from in several ways, for as long as the context lasts."""
    options = ("--cluster-require-full-coverage", "no")
    running = run_cluster(None, *options, timeout_ms=HASTY_MS)
    cluster = await asyncio.to_thread(running.__enter__)
    try:
        plain = _config(stage, cluster, "cluster")
        resident = _config(stage, cluster, "cluster-resident", resident=64_000_000)
        replicas = _config(stage, cluster, "cluster-replicas", "read_replicas = true")
        ways = [
            Library("cluster, store", plain),
            Library("cluster, resident", resident),
            Library("cluster, replicas", replicas),
            Library("cluster, new process", replicas, renewed=5),
        ]
        probe = stage.make_reader(Library("cluster, probe", plain, renewed=1), 1)
        made = ClusterStage(stage, cluster, plain, probe)
        if (trouble := await made.warmers.warm_at_last()) is not None:
            raise RuntimeError(f"the first warm of the cluster failed: {trouble}")
        readers = [stage.make_reader(way, _QUESTIONS) for way in ways]
        tasks = [asyncio.create_task(reader.run()) for reader in readers]
        try:
            yield made
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for reader in (*readers, probe):
                with contextlib.suppress(Exception):
                    await reader.way.close()
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


def _config(
    stage: Stage, cluster: RedisCluster, name: str, more: str = "", *, resident: int = 0
) -> Path:
    """A configuration whose store is the cluster."""
    proxy = stage.world.redis_proxy
    path = stage.world.config(name, proxy, resident_bytes=str(resident))
    text = path.read_text(encoding="utf-8")
    url = f'url = "{cluster.url}"\n{more}\n'
    path.write_text(text.replace(f'url = "unix://{proxy.path}"\n', url), encoding="utf-8")
    return path
