"""The adapter for a Redis Cluster: one adapter per node, and who holds what.

Commands go to the master of their key's slot, those of one trip to all masters at once. What moves
meanwhile is followed by the nodes' own redirections. A node that doesn't answer makes its slots
unavailable and nothing else; who took over is found out in the background.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from redis import exceptions as failure

from warmcube.errors import StoreError, StoreUnavailable
from warmcube.store.api import Command, Down, Memory, Reply
from warmcube.store.cluster_url import ClusterUrl
from warmcube.store.redis import RedisStore, script_command
from warmcube.store.slots import cut, key_of, key_slot, tag_in
from warmcube.store.topology import Address, Topology

__all__ = ["ClusterStore", "MayLag"]

ROUNDS: Final = 12
"""So often what was redirected is sent once more."""
TRY_AGAIN: Final = 0.02
"""Seconds before a command is sent again whose keys are just being moved, for the first time."""
WATCH_EVERY: Final = 0.25
"""Seconds between two looks at who holds what, while something is wrong."""
_READONLY: Final = (b"READONLY",)
_ASKING: Final = (b"ASKING",)
LOOK_SECONDS: Final = 0.5
"""What a node may take to say who holds what."""

T = TypeVar("T")
_Words: TypeAlias = Command | bytes
MayLag: TypeAlias = Callable[[Command], bool]
"""Whether a replica may answer a command."""
_Ask: TypeAlias = Callable[[RedisStore, Sequence[Any], float], Awaitable[list[Any]]]
"""Sends commands to a node; errors are returned where they stand among the replies."""


@dataclass(frozen=True, slots=True)
class _Way:
    """Where one command goes next.

    Attributes:
        node: where.
        is_asking: whether another node has sent it there, whose slot it still is.
        is_replica: whether that is a replica.
    """

    node: Address
    is_asking: bool = False
    is_replica: bool = False


class ClusterStore:
    """A `warmcube.store.api.Store` on a cluster.

    Args:
        url: ``redis+cluster://`` or ``rediss+cluster://``; credentials in it stay in it.
        timeout: seconds for a trip that says nothing else.

    Raises:
        ConfigError: the URL can't be read.
    """

    def __init__(self, url: str, *, timeout: float = 5.0) -> None:
        self._url = ClusterUrl.parse(url)
        self.place = self._url.place
        self._timeout = timeout
        self._nodes: dict[Address, RedisStore] = {}
        self._topology: Topology | None = None
        self._looking: asyncio.Task[Topology] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._troubled: set[Address] = set()
        self._turn = 0  # whose it is among replicas

    def __repr__(self) -> str:
        return f"ClusterStore({self.place!r})"

    async def run(
        self, commands: Sequence[Command], *, seconds: float | None = None
    ) -> list[Reply]:
        return await self.read(commands, seconds=seconds, may_lag=None)

    async def read(
        self,
        commands: Sequence[Command],
        *,
        seconds: float | None,
        may_lag: MayLag | None,
    ) -> list[Reply]:
        """What `run` does, some of it on replicas.

        Args:
            commands: what to run.
            seconds: at most; None takes the store's own.
            may_lag: what a replica may answer; None asks masters only.
        """
        if not commands:
            return []
        limit = self._timeout if seconds is None else seconds
        self._turn += 1
        return await self._run(commands, _ask, limit, may_lag)

    async def write(self, commands: Sequence[Command | bytes]) -> None:
        if commands:
            await self._run(commands, _ask_once, max(self._timeout, 30.0))

    async def script(
        self, name: str, keys: Sequence[bytes], arguments: Sequence[bytes | int]
    ) -> Reply:
        command = script_command(name, keys, arguments)
        (reply,) = await self._run([command], _ask_once, self._timeout)
        return reply

    def down(self) -> list[Down]:
        topology = self._topology
        serving = set() if topology is None else topology.nodes
        found = [node.down() for address, node in self._nodes.items() if address in serving]
        return [down for each in found for down in each]

    async def now_ms(self) -> int:
        first, *others = (await self._known()).masters
        try:
            return await self._node(first).now_ms()
        except StoreUnavailable:
            self._note(first)
            if not others:
                raise
            return await self._node(others[0]).now_ms()

    async def memory(self) -> list[Memory]:
        found = await self._of_masters(lambda _, node: node.memory())
        return [memory for memories in found for memory in memories]

    async def masters_of(self, keys: Sequence[bytes]) -> list[str]:
        topology = await self._known()
        return [self._node(self._master(topology, key_slot(key))).place for key in keys]

    async def await_replicas(self, key: bytes, seconds: float, *, everywhere: bool = False) -> None:
        topology = await self._known()
        holder = self._master(topology, key_slot(key))
        if not everywhere:
            await self._node(holder).await_replicas(key, seconds)
            return

        async def wait(address: Address, node: RedisStore) -> None:
            own = key
            if address != holder:
                tag = tag_in(lambda slot: self._master(topology, slot) == address)
                own = b"%b{%b}" % (key.partition(b"{")[0], tag)  # in its namespace
            await node.await_replicas(own, seconds)

        await self._of_masters(wait)

    async def close(self) -> None:
        for task in (self._looking, self._watching):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, StoreError):
                    await task
        for node in self._nodes.values():
            await node.close()

    async def _run(
        self,
        commands: Sequence[_Words],
        ask: _Ask,
        limit: float,
        may_lag: MayLag | None = None,
    ) -> list[Reply]:
        """Each command's reply, wherever it went.

        Raises:
            StoreUnavailable: a node that holds one of the keys doesn't answer.
            StoreRefused: a command was answered with an error.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + limit
        topology = await self._known()
        replies: list[Any] = [None] * len(commands)
        ways = {n: self._way(topology, c, may_lag) for n, c in enumerate(commands)}
        for attempt in range(ROUNDS):
            left = until - clock()
            if any(way.is_replica for way in ways.values()):
                left /= 2  # so that there is time left to ask the masters
            answers = await self._round(commands, ways, ask, left)
            again: dict[int, _Way] = {}
            for number, answer in answers.items():
                way = self._next(topology, commands[number], ways[number], answer)
                pieces = None if way is None else _pieces(commands[number], answer)
                if pieces is not None:
                    smaller, join = pieces
                    replies[number] = join(await self._run(smaller, ask, until - clock()))
                elif way is not None:
                    again[number] = way
                else:
                    replies[number] = self._answered(commands[number], ways[number], answer)
            if not again:
                return replies
            if any(isinstance(answers[number], failure.TryAgainError) for number in again):
                await asyncio.sleep(TRY_AGAIN * (attempt + 1))
            if clock() >= until:
                break
            ways = again
        raise StoreUnavailable(
            f"the slots of {self.place} are moving, and where a key is couldn't be found out in "
            "time; try again when they have moved"
        )

    def _answered(self, command: _Words, way: _Way, answer: Any) -> Reply:
        if isinstance(answer, failure.ResponseError):
            raise self._node(way.node).refusal(command, answer)
        return answer

    async def _round(
        self, commands: Sequence[_Words], ways: Mapping[int, _Way], ask: _Ask, seconds: float
    ) -> dict[int, Any]:
        """Send commands to all nodes at once, and wait for all of them.

        Returns:
            the replies, errors and a replica's failure included.

        Raises:
            StoreUnavailable: a master doesn't answer.
        """
        trips: dict[Address, list[int]] = {}
        for number, way in ways.items():
            trips.setdefault(way.node, []).append(number)
        self._require_up(trips, ways, is_unsent=len(ways) == len(commands))
        sent = [
            self._send(node, [(commands[n], ways[n]) for n in numbers], ask, seconds)
            for node, numbers in trips.items()
        ]
        if len(sent) == 1:
            answers: list[list[Any] | BaseException] = [await sent[0]]
        else:
            answers = await asyncio.gather(*sent, return_exceptions=True)
        found: dict[int, Any] = {}
        for numbers, answer in zip(trips.values(), answers, strict=True):
            if isinstance(answer, StoreUnavailable):
                raise StoreUnavailable(str(answer)) from answer  # others may have been sent to
            if isinstance(answer, BaseException):
                raise answer
            found.update(zip(numbers, answer, strict=True))
        return found

    def _require_up(
        self, trips: Mapping[Address, Sequence[int]], ways: Mapping[int, _Way], *, is_unsent: bool
    ) -> None:
        """Send nothing to any master if one of them is given up."""
        for address, numbers in trips.items():
            for down in self._node(address).down():
                self._note(address)
                if not ways[numbers[0]].is_replica:
                    raise StoreUnavailable(
                        f"can't reach {down.node} of the cluster {self.place}: {down.why}; it is "
                        "tried again all the time, and so is who takes over: check that it runs",
                        is_unsent=is_unsent,
                    )

    async def _send(
        self, to: Address, what: Sequence[tuple[_Words, _Way]], ask: _Ask, seconds: float
    ) -> list[Any]:
        """One node's replies; those of a replica that doesn't answer are the failure itself."""
        words: list[_Words] = []
        wanted: list[int] = []
        if what[0][1].is_replica:
            words.append(_READONLY)
        for command, way in what:
            if way.is_asking:
                words.append(_ASKING)
            wanted.append(len(words))
            words.append(command)
        try:
            replies = await ask(self._node(to), words, max(0.0, seconds))
        except StoreUnavailable as error:
            self._note(to)
            if what[0][1].is_replica:
                return [error] * len(what)
            raise
        return replies if len(words) == len(wanted) else [replies[at] for at in wanted]

    def _next(self, topology: Topology, command: _Words, way: _Way, answer: Any) -> _Way | None:
        """Where a command goes that wasn't answered there; None if it was.

        Raises:
            StoreUnavailable: nobody can answer it.
        """
        if not isinstance(answer, BaseException):
            return None
        if isinstance(answer, failure.MovedError):
            node = Address.parse(answer.message.rpartition(" ")[2], way.node)
            topology.move(answer.slot_id, node)
            self._look()
            return _Way(node)
        if isinstance(answer, failure.AskError):
            node = Address.parse(answer.message.rpartition(" ")[2], way.node)
            return _Way(node, is_asking=True)
        if isinstance(answer, failure.TryAgainError):
            return self._way(topology, command)
        if way.is_replica and isinstance(answer, StoreUnavailable | failure.ResponseError):
            return self._way(topology, command)
        if isinstance(answer, StoreUnavailable):
            raise answer
        if isinstance(answer, failure.ClusterDownError):
            self._note(way.node)
            raise StoreUnavailable(
                f"the cluster {self.place} is down: {answer}; check its nodes, "
                "and whether each slot has a master"
            )
        return None

    def _way(self, topology: Topology, command: _Words, may_lag: MayLag | None = None) -> _Way:
        key = key_of(command)
        if key is None:
            return _Way(topology.masters[0])
        slot = key_slot(key)
        shard = topology.shards[slot]
        asks_replica = may_lag is not None and isinstance(command, tuple) and may_lag(command)
        if asks_replica and shard is not None:
            replicas = [node for node in shard.replicas if node not in self._troubled]
            if replicas:
                return _Way(replicas[self._turn % len(replicas)], is_replica=True)
        return _Way(self._master(topology, slot))

    def _master(self, topology: Topology, slot: int) -> Address:
        shard = topology.shards[slot]
        if shard is None:
            self._look()
            raise StoreUnavailable(
                f"no master of {self.place} holds the slot {slot}; check the cluster with "
                "redis-cli --cluster check"
            )
        return shard.master

    async def _of_masters(self, ask: Callable[[Address, RedisStore], Awaitable[T]]) -> list[T]:
        """What all masters say, who are asked at once."""
        topology = await self._known()

        async def one(address: Address) -> T:
            try:
                return await ask(address, self._node(address))
            except StoreUnavailable:
                self._note(address)
                raise

        found = await asyncio.gather(
            *[one(address) for address in topology.masters], return_exceptions=True
        )
        said: list[T] = []
        for each in found:
            if isinstance(each, BaseException):
                raise each
            said.append(each)
        return said

    def _node(self, address: Address) -> RedisStore:
        node = self._nodes.get(address)
        if node is None:
            scheme = self._url.scheme
            node = RedisStore(
                self._url.of(address), place=f"{scheme}://{address}", timeout=self._timeout
            )
            self._nodes[address] = node
        return node

    async def _known(self) -> Topology:
        """Who holds what, as far as is known; at first somebody has to be asked."""
        topology = self._topology
        return await asyncio.shield(self._look()) if topology is None else topology

    def _look(self) -> asyncio.Task[Topology]:
        """Have it found out who holds what; many that want to know it are one look."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._find_out())
            self._looking.add_done_callback(_heed)
        return self._looking

    async def _find_out(self) -> Topology:
        known = set() if self._topology is None else self._topology.nodes
        asked = [*dict.fromkeys([*known, *self._url.seeds])]
        said = await asyncio.gather(*map(self._ask_topology, asked), return_exceptions=True)
        found = [each for each in said if isinstance(each, Topology)]
        if not found:
            failures = [each for each in said if isinstance(each, StoreError)]
            for each in said:
                if not isinstance(each, StoreError | Topology):
                    raise each
            raise StoreUnavailable(
                f"can't reach the cluster {self.place}: of {len(asked)} nodes none says who holds "
                f"which slots ({failures[0]})"
            )
        # A node that was cut off may believe what was true before.
        best = max(found, key=lambda each: (each.is_whole, each.epoch))
        self._topology = best
        if not best.is_whole:
            self._watch()
        return best

    async def _ask_topology(self, address: Address) -> Topology:
        commands: list[Command] = [(b"CLUSTER", b"INFO"), (b"CLUSTER", b"SLOTS")]
        info, slots = await self._node(address).run(commands, seconds=LOOK_SECONDS)
        return Topology.read(slots, info, address)

    def _note(self, node: Address) -> None:
        """A node didn't answer, or said that the cluster is down."""
        self._troubled.add(node)
        self._watch()

    def _watch(self) -> None:
        if self._watching is None or self._watching.done():
            self._watching = asyncio.ensure_future(self._until_well())

    async def _until_well(self) -> None:
        """Look at who holds what until the cluster is whole and its nodes answer."""
        while True:
            await asyncio.sleep(WATCH_EVERY)
            with contextlib.suppress(StoreError):
                topology = await asyncio.shield(self._look())
                await asyncio.gather(*map(self._is_well, self._troubled & topology.nodes))
                self._troubled &= topology.nodes
                if topology.is_whole and not self._troubled:
                    return

    async def _is_well(self, address: Address) -> None:
        with contextlib.suppress(StoreError):
            await self._node(address).run([(b"PING",)], seconds=LOOK_SECONDS)
            self._troubled.discard(address)


def _pieces(
    command: _Words, answer: Any
) -> tuple[list[Command], Callable[[Sequence[Any]], Any]] | None:
    """A command of several keys, some of which have moved, in pieces; None if it isn't one."""
    is_split = isinstance(answer, failure.AskError | failure.TryAgainError) and not isinstance(
        answer, failure.MovedError
    )
    return cut(command) if is_split and isinstance(command, tuple) else None


async def _ask(node: RedisStore, commands: Sequence[Command], seconds: float) -> list[Any]:
    return await node.ask(commands, seconds=seconds)


async def _ask_once(node: RedisStore, commands: Sequence[_Words], seconds: float) -> list[Any]:
    return await node.ask_once(commands, seconds)


def _heed(task: asyncio.Task[Topology]) -> None:
    """Whoever waits for it gets its failure, too; perhaps nobody waits."""
    if not task.cancelled():
        task.exception()
