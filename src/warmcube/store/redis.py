"""The adapter for one Redis or Valkey server, over redis-py's connections.

Each server has a breaker of its own (`warmcube.store.breaker`): a call that has no answer opens it,
and a probe in the background closes it as soon as the server answers again.

Only connections and the reply parser are taken from the client library: commands are packed and
replies read here, so that a pipeline is exactly one write and one read, an error inside it can't
shift the replies of those behind it, and a half-read connection is never used again.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from functools import cache
from importlib import resources
from typing import Any, Final, TypeAlias

import redis.asyncio as redis
from hiredis import Reader
from redis import exceptions as failure
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random

from warmcube.errors import Damage, StoreRefused, StoreTooSmall, StoreUnavailable
from warmcube.store.api import Command, Down, Memory, Reply
from warmcube.store.breaker import Breaker
from warmcube.store.connections import Connections
from warmcube.store.probe import Probe
from warmcube.store.silence import LONGEST, Silence
from warmcube.store.wire import PackedCommand, pack

try:  # not a public name: another version of the client library may lack it
    from redis._parsers.hiredis import NOT_ENOUGH_DATA
except ImportError:  # pragma: no cover - then replies are awaited one by one
    NOT_ENOUGH_DATA = None

__all__ = ["RedisStore", "script_command"]

CONNECTIONS: Final = 64
MANY_WORDS: Final = 100
"""A command with more words has a large reply."""
PORTIONS_AHEAD: Final = 2
"""So many commands with large replies are under way at once; each other one is sent when a reply
has been read. Replies that wait in the server and in the socket fall out of the processor's caches
before they are read: three of 1.5 MB take half as long again."""

_LOG: Final = logging.getLogger("warmcube.store")
TELL_EVERY: Final = 60.0
"""Once in so many seconds the log has what isn't right with a configuration."""
IMPATIENT: Final = 1.0
"""A call that may take less than so many seconds is one that somebody waits for: that it has no
answer in time is reason enough to open the breaker. Others may have been long."""
PATIENT: Final = 0.1
"""A call that had less than so many seconds, as one whose time is nearly up, says little of a
server that had no answer by then: a probe finds out."""
NOTICE: Final = 0.25
"""After so many seconds without an answer, a probe finds out whether the server is there at all."""
_READONLY: Final = b"*1\r\n$8\r\nREADONLY\r\n"
_JITTER: Final = 0.02
_SECOND_TRIES: Final = 2

_Read: TypeAlias = Callable[[AbstractConnection, int], Awaitable[list[Any]]]
"""Reads so many replies from a connection."""


class RedisStore:
    """A `warmcube.store.api.Store` on one server.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``; credentials in it stay in it.
        timeout: seconds for a trip that says nothing else.
        place: how messages name the server, without credentials.
    """

    def __init__(self, url: str, *, place: str, timeout: float = 5.0) -> None:
        self.place = place
        self._timeout = timeout
        # Of the pool only what it reads out of the URL is used.
        self._pool: redis.ConnectionPool = redis.ConnectionPool.from_url(
            url,
            socket_connect_timeout=timeout,
            socket_timeout=None,  # `_exchange` has the deadline; their `wait_for` swallows a Ctrl-C
            retry=Retry(NoBackoff(), 0),
            decode_responses=False,
        )
        # RESP2 whatever the URL says: with RESP3 the client library asks servers for news of their
        # upkeep, which come between the replies, and would be taken for replies.
        self._pool.connection_kwargs["protocol"] = 2
        # Nor is the server told the client library's name, which takes a trip and a right.
        self._pool.connection_kwargs["driver_info"] = None
        self._connections = Connections(self._pool.make_connection, CONNECTIONS)
        self._breaker = Breaker()
        self._probe = Probe(self._pool.make_connection, self._breaker, place)
        self._refusal_told = -math.inf

    def __repr__(self) -> str:
        return f"RedisStore({self.place!r})"

    def of_replica(self) -> RedisStore:
        """The same server, over connections of their own on which it answers as a replica.

        On any other connection a replica sends everybody to its master, who might be asked without
        knowing that another one is by now. What is known of the server's health is shared.
        """
        made = copy(self)
        made._connections = Connections(self._connect_to_replica, CONNECTIONS)  # noqa: SLF001 (its own)
        return made

    def _connect_to_replica(self) -> AbstractConnection:
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        connection.redis_connect_func = _greet_replica
        return connection

    async def run(
        self, commands: Sequence[Command], *, seconds: float | None = None
    ) -> list[Reply]:
        if not commands:
            return []
        return self._checked(commands, await self.ask(commands, seconds=seconds))

    async def ask(
        self, commands: Sequence[Command], *, seconds: float | None = None
    ) -> list[Reply | failure.ResponseError]:
        """What `run` does, but errors are returned where they stand among the replies.

        Raises:
            StoreUnavailable: no connection, or no answer in time.
        """
        breaker = self._breaker
        if breaker.is_open:
            raise self._down()
        limit, began = self._timeout if seconds is None else seconds, breaker.closings
        try:
            if limit < IMPATIENT:
                replies = await self._exchange(commands, limit)
            else:
                replies = await self._exchange_noticed(commands, limit)
        except (failure.RedisError, OSError, TimeoutError) as error:
            replies = await self._second_try(commands, limit, began, error)
        return replies

    async def write(self, commands: Sequence[Command | bytes]) -> None:
        self._checked(commands, await self.ask_once(commands, max(self._timeout, 30.0)))

    async def ask_once(
        self, commands: Sequence[Command | bytes], seconds: float | None = None
    ) -> list[Reply | failure.ResponseError]:
        """Run what must not run twice; errors are returned where they stand among the replies.

        Raises:
            StoreUnavailable: no connection, or no answer in time.
        """
        limit = self._timeout if seconds is None else seconds
        return await self._once(commands, limit, _many_replies)

    async def script(
        self, name: str, keys: Sequence[bytes], arguments: Sequence[bytes | int]
    ) -> Reply:
        (reply,) = await self.ask_once([script_command(name, keys, arguments)])
        if isinstance(reply, failure.ResponseError):
            raise self.refusal((b"EVAL " + name.encode(),), reply)
        return reply

    def down(self) -> list[Down]:
        breaker = self._breaker
        return [Down(self.place, breaker.why)] if breaker.is_open else []

    async def now_ms(self) -> int:
        ((seconds, micros),) = await self.run([(b"TIME",)])
        return int(seconds) * 1000 + int(micros) // 1000

    async def memory(self) -> list[Memory]:
        (text,) = await self.run([(b"INFO", b"memory")])
        facts = dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)
        return [
            Memory(
                node=self.place,
                used=int(facts["used_memory"]),
                limit=int(facts.get("maxmemory", 0)),
                policy=facts.get("maxmemory_policy", "noeviction"),
            )
        ]

    async def masters_of(self, keys: Sequence[bytes]) -> list[str]:
        return [self.place] * len(keys)

    async def await_replicas(
        self,
        key: bytes,
        seconds: float,
        *,
        everywhere: bool = False,  # noqa: ARG002 (there is one master)
    ) -> None:
        (text,) = await self.run([(b"INFO", b"replication")])
        replicas = text.count(b"state=online")
        if not replicas:
            return
        # WAIT is for what its own connection wrote last. So something is written on it, behind
        # all that others wrote; what is in the way of nothing and gone at once.
        mark = key + b":replicated"
        commands: list[Command] = [
            (b"SET", mark, b"", b"PX", 1000),
            (b"UNLINK", mark),
            (b"WAIT", replicas, int(seconds * 1000)),
        ]
        *_, reached = await self.run(commands, seconds=seconds + self._timeout)
        if reached < replicas:
            raise StoreUnavailable(
                f"only {reached} of {replicas} replicas of {self.place} hold the new snapshot "
                f"after {seconds:.0f} s; check their replication, then warm again"
            )

    async def retire(self) -> None:
        """Close it without cutting off a trip; it isn't asked again."""
        await self._probe.close()
        await self._connections.retire()

    async def close(self) -> None:
        await self._probe.close()
        await self._connections.close()

    async def _once(
        self, commands: Sequence[Command | bytes], limit: float, read: _Read | None = None
    ) -> list[Any]:
        """What may have been done when its reply is lost, and is never tried again."""
        if self._breaker.is_open:
            raise self._down()
        try:
            return await self._exchange_noticed(commands, limit, read)
        except (failure.RedisError, OSError, TimeoutError) as error:
            if not _is_answer(error):
                self._probe.begin()  # one long command that fails says little of the server
            raise self._unavailable(error) from error

    async def _second_try(
        self,
        commands: Sequence[Command],
        limit: float,
        began: int,
        error: failure.RedisError | OSError,
    ) -> list[Any]:
        """Try a read again where that is worth it; else open the breaker.

        It is where the connection broke, as one does that the server closed while it lay idle.
        Nobody waits twice for a server that is silent.
        """
        if _is_answer(error):
            raise self._unavailable(error) from error
        if isinstance(error, _Unsent):
            self._probe.begin()  # it may be why the others take so long
            raise self._unavailable(error) from error
        tries = AsyncRetrying(
            sleep=asyncio.sleep,
            stop=stop_after_attempt(_SECOND_TRIES),
            wait=wait_random(0, _JITTER),
            retry=retry_if_exception_type((failure.ConnectionError, ConnectionError)),
            reraise=True,
        )
        try:
            if isinstance(error, TimeoutError | failure.TimeoutError):
                raise error
            async with asyncio.timeout(max(limit, LONGEST)):
                async for attempt in tries:
                    with attempt:
                        return await self._exchange(commands, limit)
        except (failure.RedisError, OSError, TimeoutError) as again:
            if not _is_answer(again):
                self._suspect(limit, began, again)
            raise self._unavailable(again) from again
        raise AssertionError

    def _suspect(self, limit: float, began: int, error: BaseException) -> None:
        """A call had no answer: open the breaker, or have it found out whether to."""
        now = asyncio.get_running_loop().time()
        is_silent = PATIENT <= limit < IMPATIENT and now - self._breaker.heard >= limit
        is_unclear = isinstance(error, _Unsent) or (
            isinstance(error, TimeoutError | failure.TimeoutError) and not is_silent
        )
        if is_unclear or self._breaker.fail(began, _why(error), now):
            self._probe.begin()

    async def _exchange_noticed(
        self, commands: Sequence[Command | bytes], seconds: float, read: _Read | None = None
    ) -> list[Any]:
        """The same for what may take long: if it does, it is found out whether that is all."""
        notice = asyncio.get_running_loop().call_later(NOTICE, self._probe.begin)
        try:
            return await self._exchange(commands, seconds, read)
        finally:
            notice.cancel()

    async def _exchange(
        self, commands: Sequence[Command | bytes], seconds: float, read: _Read | None = None
    ) -> list[Any]:
        """One write, one reply each; error replies are returned, not raised."""
        longest = max(seconds, LONGEST)
        connection = await self._lend(longest)
        complete = False
        now = asyncio.get_running_loop().time
        silence: Silence | None = None
        try:
            async with asyncio.timeout(longest) as deadline:
                silence = Silence(deadline, self._breaker, seconds)
                await self._connections.make_ready(connection)
                reply_to = read or _replies
                portions = _portions(commands)
                ahead = b"".join(map(pack, portions[:PORTIONS_AHEAD]))
                await connection.send_packed_command([ahead], check_health=False)
                replies: list[Any] = []
                for number, portion in enumerate(portions, PORTIONS_AHEAD):
                    replies += await reply_to(connection, len(portion))
                    self._breaker.heard = now()
                    if number < len(portions):
                        # Each portion has the whole time: what counts is that replies come.
                        deadline.reschedule(now() + longest)
                        more = pack(portions[number])
                        await connection.send_packed_command([more], check_health=False)
                complete = True
                return replies
        finally:
            if silence is not None:
                silence.end()
            try:
                # Replies may still be under way: nobody else may read them as theirs.
                if not complete or self._connections.keeps_none:
                    await connection.disconnect(nowait=True)
            finally:
                self._connections.give_back(connection)

    async def _lend(self, longest: float) -> AbstractConnection:
        """A connection, as soon as it is this call's turn."""
        if not self._connections.must_wait:
            return await self._connections.borrow()
        try:
            async with asyncio.timeout(longest):
                connection = await self._connections.borrow()
        except TimeoutError as error:
            raise _Unsent from error
        if self._breaker.is_open:  # found out by those in front of it
            self._connections.give_back(connection)
            raise _Unsent
        return connection

    def _unavailable(self, error: BaseException) -> StoreUnavailable:
        if isinstance(error, failure.AuthenticationError | failure.AuthorizationError):
            todo = "check the user and the password in [store] url"
            self._tell_refusal()
        elif isinstance(error, failure.BusyLoadingError):
            todo = "it answers when that is done"
        elif isinstance(error, failure.ResponseError):
            todo = "it takes no connections until that is over"
        else:
            todo = "check that it runs and that [store] url is right"
        return StoreUnavailable(f"can't reach the store at {self.place}: {_why(error)}; {todo}")

    def _tell_refusal(self) -> None:
        """Have it in the log, since queries are answered by the database meanwhile."""
        now = asyncio.get_running_loop().time()
        if now - self._refusal_told >= TELL_EVERY:
            self._refusal_told = now
            _LOG.warning(
                "the store at %s refuses the user or the password of [store] url", self.place
            )

    def _down(self) -> StoreUnavailable:
        """For calls that aren't even tried."""
        return StoreUnavailable(
            f"can't reach the store at {self.place}: {self._breaker.why}; it is tried again all "
            "the time: check that it runs and that [store] url is right",
            is_unsent=True,
        )

    def _checked(self, commands: Sequence[Command | bytes], replies: list[Any]) -> list[Reply]:
        for command, reply in zip(commands, replies, strict=True):
            if isinstance(reply, failure.ResponseError):
                raise self.refusal(command, reply)
        return replies

    def refusal(
        self, command: Command | bytes, error: failure.ResponseError
    ) -> StoreRefused | StoreTooSmall | Damage:
        """What is raised for a reply that is an error."""
        if str(error).startswith("WRONGTYPE"):
            return Damage("a key of the store holds another type than warmcube wrote")
        if isinstance(error, failure.OutOfMemoryError):
            return StoreTooSmall(
                f"the store at {self.place} is out of memory; raise its maxmemory or keep less "
                "in it"
            )
        first = command.split(b"\r\n", 3)[2] if isinstance(command, bytes) else command[0]
        name = str(first, "ascii") if isinstance(first, bytes) else str(first)
        return StoreRefused(f"the store at {self.place} refused {name}: {error}")


@cache
def _script(name: str) -> bytes:
    return (resources.files("warmcube.store") / "scripts" / f"{name}.lua").read_bytes()


def script_command(name: str, keys: Sequence[bytes], arguments: Sequence[bytes | int]) -> Command:
    """The command that runs one of the scripts in ``store/scripts``."""
    return (b"EVAL", _script(name), len(keys), *keys, *arguments)


class _Unsent(TimeoutError):
    """A time-out of waiting for other trips of this process, which says nothing of the server."""


def _is_answer(error: BaseException) -> bool:
    """Whether it is the server that says so: then there is one, and nothing to be probed."""
    answers = (
        failure.AuthenticationError,
        failure.AuthorizationError,
        failure.BusyLoadingError,
        failure.ResponseError,
    )
    return isinstance(error, answers)


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError | failure.TimeoutError):
        return "it didn't answer in time"
    return str(error).rstrip(".") or type(error).__name__


def _portions(commands: Sequence[Command | bytes]) -> list[Sequence[Command | bytes]]:
    """Commands as they are sent: each that asks for much apart, with what follows it."""
    starts = [
        at
        for at, command in enumerate(commands)
        if isinstance(command, PackedCommand) and len(command) > MANY_WORDS
    ]
    if len(starts) <= PORTIONS_AHEAD:
        return [commands]
    ends = [*starts[1:], len(commands)]
    return [commands[at:end] for at, end in zip([0, *starts[1:]], ends, strict=True)]


async def _greet_replica(connection: AbstractConnection) -> None:
    """What is said on a new connection to a replica."""
    await connection.on_connect()
    await connection.send_packed_command([_READONLY], check_health=False)
    await connection.read_response(disable_decoding=True)


async def _replies(connection: AbstractConnection, count: int) -> list[Any]:
    return [await _reply(connection) for _ in range(count)]


async def _many_replies(connection: AbstractConnection, count: int) -> list[Any]:
    """The same for very many small replies.

    One is awaited; those that arrived with it are then taken straight from the parser, since to
    await a reply takes ten times as long as to parse it.
    """
    parser = getattr(getattr(connection, "_parser", None), "_reader", None)
    if NOT_ENOUGH_DATA is None or not isinstance(parser, Reader):
        return await _replies(connection, count)
    replies: list[Any] = []
    while len(replies) < count:
        replies.append(await _reply(connection))
        try:
            while len(replies) < count and (reply := parser.gets(False)) is not NOT_ENOUGH_DATA:
                if isinstance(reply, failure.ConnectionError):
                    raise reply
                replies.append(reply)
        except ValueError as error:
            raise _nonsense(error) from error
    return replies


async def _reply(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response(disable_decoding=True)
    except failure.ResponseError as error:
        return error
    except ValueError as error:
        raise _nonsense(error) from error


def _nonsense(error: ValueError) -> failure.InvalidResponse:
    """For an error reply that the client library takes apart and can't, such as a redirection."""
    return failure.InvalidResponse(f"it answered with what makes no sense ({error})")
