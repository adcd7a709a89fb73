"""Faults of a cluster: a master dies or hangs until its replica takes over, slots move."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Final

import redis
from tests.support.clusters import Node, RedisCluster

from faults.cluster import ClusterStage, cluster_stage
from faults.moments import AT_REST, WARMING, Moment
from faults.stage import Fault, Stage
from warmcube.store.slots import key_slot
from warmcube.warm.report import Phase

__all__ = ["FAULTS"]

_PHASES: Final = {
    "reading": Phase.READING,
    "write": Phase.WRITING,
    "verify": Phase.VERIFYING,
    "publish": Phase.PUBLISHING,
    "clean-up": Phase.CLEANING,
}
"""As which a warm tells that a step begins."""
_STEADY: Final = 1.0
_TAKES_OVER: Final = 15.0
_SLOTS: Final = 4
_PER_KEY: Final = 0.002
_END: Final = 60.0


class _ClusterFault(Fault):
    """One of a cluster of its own, which is read from and warmed all the while."""

    moments = (
        AT_REST,
        *(each for each in WARMING if each.when == "before" and each.step in _PHASES),
    )
    seconds = 0.0
    is_quiet = False

    async def inject(self, stage: Stage, moment: Moment) -> None:
        async with cluster_stage(stage) as own:
            await asyncio.sleep(_STEADY)
            act, finish = self.prepare(own, stage)
            if moment.pattern is None:
                await asyncio.to_thread(act)
            elif (trouble := await own.warm_and_strike(_PHASES[moment.step], act)) is not None:
                stage.notes.append(f"the warm: {trouble.partition(':')[0]}")
            await asyncio.to_thread(finish)
            await own.see_it_come_back()
            await asyncio.sleep(_STEADY)

    def prepare(
        self, own: ClusterStage, stage: Stage
    ) -> tuple[Callable[[], object], Callable[[], object]]:
        """What is done at the moment, at once, and what then has to be waited for, in a thread."""
        raise NotImplementedError

    def undo(self, stage: Stage) -> None:
        """The cluster is gone already."""


class _MasterGone(_ClusterFault):
    """A master is gone until its replica has taken over, and comes back as that one's replica.

    Args:
        name: of the fault.
        title: of the fault.
        is_frozen: whether it only hangs, and wakes up as the master that it was.
        holds_pointer: whether it holds the pointer, and not only partitions.
    """

    def __init__(self, name: str, title: str, *, is_frozen: bool, holds_pointer: bool) -> None:
        self.name, self.title = name, title
        self._is_frozen, self._holds_pointer = is_frozen, holds_pointer

    def prepare(
        self, own: ClusterStage, stage: Stage
    ) -> tuple[Callable[[], object], Callable[[], object]]:
        cluster = own.cluster
        holder = cluster.master_of(own.pointer)
        others = [node for node in cluster.masters() if node is not holder]
        gone = holder if self._holds_pointer else stage.random.choice(others)
        replica = cluster.replica_of(gone)

        def finish() -> None:
            _await(lambda: replica.info("replication")["role"] == "master")
            if self._is_frozen:
                gone.thaw()
            else:
                gone.start()
            _await(lambda: _follows(gone, replica))
            cluster.await_whole()

        return (gone.freeze if self._is_frozen else gone.kill), finish


class _MasterEmpty(_ClusterFault):
    """A master is killed, and started again before anybody took over: its share is gone."""

    name, title = "cluster-master-empty", "a cluster's master killed, back at once and empty"

    def prepare(
        self, own: ClusterStage, stage: Stage
    ) -> tuple[Callable[[], object], Callable[[], object]]:
        gone = stage.random.choice(own.cluster.masters())

        def act() -> None:
            gone.kill()
            gone.start()

        return act, own.cluster.await_whole


class _SlotsMove(_ClusterFault):
    """Slots move to another master, key by key, that of the pointer and those of partitions."""

    name, title = "cluster-slots-move", "a cluster's slots migrating, the pointer's too"

    def prepare(
        self, own: ClusterStage, stage: Stage
    ) -> tuple[Callable[[], object], Callable[[], object]]:
        partitions = own.partition_keys()
        stage.random.shuffle(partitions)
        slots = [*{key_slot(key): key for key in (own.pointer, *partitions[:_SLOTS])}.values()]
        failed: list[BaseException] = []

        def move_all() -> None:
            try:
                for key in slots:
                    _move(own.cluster, key)
            except Exception as error:  # noqa: BLE001 - told by whoever waits for it
                failed.append(error)

        moving = threading.Thread(target=move_all, name="slots move")

        def finish() -> None:
            moving.join(_END)
            if failed:
                raise failed[0]
            own.cluster.await_whole()

        return moving.start, finish


def _move(cluster: RedisCluster, key: bytes) -> None:
    """Move the slot of a key to another master, as ``redis-cli --cluster reshard`` does."""
    slot, origin = key_slot(key), cluster.master_of(key)
    target = next(node for node in cluster.masters() if node is not origin)
    target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", origin.id)
    origin.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id)
    with redis.Redis(port=origin.port) as raw:
        while names := raw.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            for name in names:
                raw.execute_command("MIGRATE", "127.0.0.1", target.port, name, 0, 5000)
                time.sleep(_PER_KEY)
    for node in (target, origin, *cluster.masters()):
        node.ask("CLUSTER", "SETSLOT", slot, "NODE", target.id)


def _follows(node: Node, master: Node) -> bool:
    try:
        found = node.info("replication")
    except redis.RedisError:
        return False
    return found.get("master_port") == master.port and found["master_link_status"] == "up"


def _await(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _TAKES_OVER
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("nobody took over in time")
        time.sleep(0.02)


FAULTS: Final[tuple[Fault, ...]] = (
    _MasterGone(
        "cluster-kill-master",
        "a cluster's master killed, its replica takes over",
        is_frozen=False,
        holds_pointer=False,
    ),
    _MasterGone(
        "cluster-kill-pointer",
        "a cluster's master of the pointer killed, its replica takes over",
        is_frozen=False,
        holds_pointer=True,
    ),
    _MasterGone(
        "cluster-freeze-master",
        "SIGSTOP a cluster's master of the pointer until its replica has taken over",
        is_frozen=True,
        holds_pointer=True,
    ),
    _MasterEmpty(),
    _SlotsMove(),
)
