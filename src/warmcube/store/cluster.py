"""The adapter for a Redis Cluster: one adapter per node, and who holds what.

Commands go to the master of their key's slot, those of one trip to all masters at once. What moves
meanwhile is followed by the nodes' own redirections. A node that doesn't answer makes its slots
unavailable and nothing else; who took over is found out in the background.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from redis import exceptions as failure

from warmcube.errors import StoreUnavailable
from warmcube.store.api import Command, Down, Memory, Reply
from warmcube.store.cluster_nodes import Nodes
from warmcube.store.cluster_url import ClusterUrl
from warmcube.store.cluster_watch import Watch
from warmcube.store.redis import RedisStore, script_command
from warmcube.store.silence import LONGEST
from warmcube.store.slots import cut, key_of, key_slot, tag_in
from warmcube.store.topology import Address, Topology

__all__ = ["ClusterStore", "MayLag"]

ROUNDS: Final = 12
"""So often what was redirected is sent once more."""
TRY_AGAIN: Final = 0.02
"""Seconds before a command is sent again whose keys are just being moved, for the first time."""
_ASKING: Final = (b"ASKING",)

T = TypeVar("T")
_Words: TypeAlias = Command | bytes
MayLag: TypeAlias = Callable[[Command], bool]
"""Whether a replica may answer a command."""
_Ask: TypeAlias = Callable[[RedisStore, Sequence[Any], float], Awaitable[list[Any]]]
"""Sends commands to a node; errors are returned where they stand among the replies."""
_Pieces: TypeAlias = tuple[list[Command], Callable[[Sequence[Any]], Any]]
"""A command in smaller ones, and what joins their replies."""


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
        parsed = ClusterUrl.parse(url)
        self.place = parsed.place
        self._timeout = timeout
        self._nodes = Nodes(parsed, timeout)
        self._watch = Watch(parsed, self._nodes)
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
        topology = self._watch.topology
        return [] if topology is None else self._nodes.down(topology.nodes)

    async def now_ms(self) -> int:
        first, *others = self._masters(await self._watch.known())
        try:
            return await self._nodes.at(first).now_ms()
        except StoreUnavailable:
            self._watch.note(first)
            if not others:
                raise
            return await self._nodes.at(others[0]).now_ms()

    async def memory(self) -> list[Memory]:
        found = await self._of_masters(lambda _, node: node.memory())
        return [memory for memories in found for memory in memories]

    async def masters_of(self, keys: Sequence[bytes]) -> list[str]:
        topology = await self._watch.known()
        return [self._nodes.at(self._master(topology, key_slot(key))).place for key in keys]

    async def await_replicas(self, key: bytes, seconds: float, *, everywhere: bool = False) -> None:
        topology = await self._watch.known()
        holder = self._master(topology, key_slot(key))
        if not everywhere:
            await self._nodes.at(holder).await_replicas(key, seconds)
            return

        async def wait(address: Address, node: RedisStore) -> None:
            own = key
            if address != holder:
                tag = tag_in(lambda slot: self._master(topology, slot) == address)
                own = b"%b{%b}" % (key.partition(b"{")[0], tag)  # in its namespace
            await node.await_replicas(own, seconds)

        await self._of_masters(wait)

    async def close(self) -> None:
        await self._watch.close()
        await self._nodes.close()

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
        topology = await self._watch.known()
        clock = asyncio.get_running_loop().time
        until = clock() + max(limit, LONGEST)  # as long as one node may take, while others answer
        replies: list[Any] = [None] * len(commands)
        ways = {n: self._way(topology, c, may_lag) for n, c in enumerate(commands)}
        for attempt in range(ROUNDS):
            left = min(limit, until - clock())
            if left <= 0:
                break
            if any(way.is_replica for way in ways.values()):
                left /= 2  # so that there is time left to ask the masters
            answers = await self._round(commands, ways, ask, left)
            again = await self._settle(topology, commands, ways, answers, replies, ask, until)
            if not again:
                return replies
            if any(isinstance(answers[number], failure.TryAgainError) for number in again):
                await asyncio.sleep(TRY_AGAIN * (attempt + 1))
            ways = again
        raise StoreUnavailable(
            f"where a key of {self.place} is couldn't be found out in time: its slots are moving, "
            "or one of its nodes is slow; try again when that is over"
        )

    async def _settle(
        self,
        topology: Topology,
        commands: Sequence[_Words],
        ways: Mapping[int, _Way],
        answers: Mapping[int, Any],
        replies: list[Any],
        ask: _Ask,
        until: float,
    ) -> dict[int, _Way]:
        """Put replies where they belong, those of what had to be cut in pieces too.

        Returns:
            where to go with those commands that have none yet.
        """
        again: dict[int, _Way] = {}
        split: dict[int, _Pieces] = {}
        for number, answer in answers.items():
            way = self._next(topology, commands[number], ways[number], answer)
            if way is None:
                replies[number] = self._answered(commands[number], ways[number], answer)
            elif (pieces := _pieces(commands[number], answer)) is not None:
                split[number] = pieces
            else:
                again[number] = way
        if split:
            smaller = [part for parts, _ in split.values() for part in parts]
            try:
                found = await self._run(smaller, ask, until - asyncio.get_running_loop().time())
            except StoreUnavailable as error:
                raise StoreUnavailable(str(error)) from error  # what isn't split has been sent
            said = iter(found)
            for number, (parts, join) in split.items():
                replies[number] = join([next(said) for _ in parts])
        return again

    def _answered(self, command: _Words, way: _Way, answer: Any) -> Reply:
        if isinstance(answer, failure.ResponseError):
            raise self._nodes.at(way.node).refusal(command, answer)
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
        trips: dict[tuple[Address, bool], list[int]] = {}
        for number, way in ways.items():
            trips.setdefault((way.node, way.is_replica), []).append(number)
        self._require_up(trips, is_unsent=len(ways) == len(commands))
        sent = [
            self._send(node, [(commands[n], ways[n]) for n in numbers], ask, seconds)
            for (node, _), numbers in trips.items()
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

    def _require_up(self, trips: Iterable[tuple[Address, bool]], *, is_unsent: bool) -> None:
        """Send nothing to any master if one of them is given up."""
        for address, is_replica in trips:
            for down in self._nodes.at(address).down():
                self._watch.note(address)
                if not is_replica:
                    raise StoreUnavailable(
                        f"can't reach {down.node} of the cluster {self.place}: {down.why}; it is "
                        "tried again all the time, and so is who takes over: check that it runs",
                        is_unsent=is_unsent,
                    )

    async def _send(
        self, to: Address, what: Sequence[tuple[_Words, _Way]], ask: _Ask, seconds: float
    ) -> list[Any]:
        """One node's replies; those of a replica that doesn't answer are the failure itself."""
        is_replica = what[0][1].is_replica
        words: list[_Words] = []
        wanted: list[int] = []
        for command, way in what:
            if way.is_asking:
                words.append(_ASKING)
            wanted.append(len(words))
            words.append(command)
        node = self._nodes.replica_at(to) if is_replica else self._nodes.at(to)
        try:
            replies = await ask(node, words, seconds)
        except StoreUnavailable as error:
            self._watch.note(to)
            if is_replica:
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
            self._watch.look()
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
            self._watch.note(way.node)
            raise StoreUnavailable(
                f"the cluster {self.place} is down: {answer}; check its nodes, "
                "and whether each slot has a master"
            )
        return None

    def _way(self, topology: Topology, command: _Words, may_lag: MayLag | None = None) -> _Way:
        key = key_of(command)
        if key is None:
            return _Way(self._masters(topology)[0])
        slot = key_slot(key)
        shard = topology.shards[slot]
        asks_replica = may_lag is not None and isinstance(command, tuple) and may_lag(command)
        if asks_replica and shard is not None:
            replicas = [node for node in shard.replicas if node not in self._watch.troubled]
            if replicas:
                return _Way(replicas[self._turn % len(replicas)], is_replica=True)
        return _Way(self._master(topology, slot))

    def _master(self, topology: Topology, slot: int) -> Address:
        shard = topology.shards[slot]
        if shard is None:
            self._watch.look()
            raise StoreUnavailable(
                f"no master of {self.place} holds the slot {slot}; check the cluster with "
                "redis-cli --cluster check"
            )
        return shard.master

    def _masters(self, topology: Topology) -> list[Address]:
        masters = topology.masters
        if not masters:
            self._watch.look()
            raise StoreUnavailable(
                f"no node of {self.place} holds any slot; check the cluster with "
                "redis-cli --cluster check"
            )
        return masters

    async def _of_masters(self, ask: Callable[[Address, RedisStore], Awaitable[T]]) -> list[T]:
        """What all masters say, who are asked at once."""
        topology = await self._watch.known()

        async def one(address: Address) -> T:
            try:
                return await ask(address, self._nodes.at(address))
            except StoreUnavailable:
                self._watch.note(address)
                raise

        found = await asyncio.gather(
            *[one(address) for address in self._masters(topology)], return_exceptions=True
        )
        said: list[T] = []
        for each in found:
            if isinstance(each, BaseException):
                raise each
            said.append(each)
        return said


def _pieces(command: _Words, answer: Any) -> _Pieces | None:
    """A command of several keys, some of which have moved, in pieces; None if it isn't one."""
    is_split = isinstance(answer, failure.AskError | failure.TryAgainError) and not isinstance(
        answer, failure.MovedError
    )
    return cut(command) if is_split and isinstance(command, tuple) else None


async def _ask(node: RedisStore, commands: Sequence[Command], seconds: float) -> list[Any]:
    return await node.ask(commands, seconds=seconds)


async def _ask_once(node: RedisStore, commands: Sequence[_Words], seconds: float) -> list[Any]:
    return await node.ask_once(commands, seconds)
