"""Sessions and attempts in a real store: what lives, what ends, and when.

Time is the store's. To let some pass, a test writes the past into what the store keeps.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from warmcube.authn.attempts import Attempts, Pace
from warmcube.authn.sessions import Session, Sessions
from warmcube.errors import TooManyAttempts
from warmcube.store.api import Store, pairs_of

PREFIX = b"ns:service:"
IDLE, LIFE = 600, 3600
NAMES = ("ana", "Ana", "ana ", "ünïcode", "a:b{c}*", "")


@pytest.fixture
def sessions(store: Store) -> Sessions:
    """Sessions of ten minutes' idleness and an hour's life."""
    return Sessions(store, PREFIX, idle=IDLE, life=LIFE)


async def keys(store: Store) -> list[bytes]:
    """All keys there are."""
    (found,) = await store.run([(b"KEYS", b"*")])
    return sorted(found)


async def age(store: Store, seconds: float, *, seen: float | None = None) -> None:
    """Make all sessions older by so much, and last seen longer ago by so much."""
    back, seen_back = int(seconds * 1000), int((seconds if seen is None else seen) * 1000)
    for key in await keys(store):
        (fields,) = await store.run([(b"HGETALL", key)])
        for name, value in pairs_of(fields).items():
            if name != b"user":
                begun, last, by = value.split()
                changed = b"%d %d %b" % (int(begun) - back, int(last) - seen_back, by)
                await store.run([(b"HSET", key, name, changed)])


@pytest.mark.parametrize("user", NAMES)
async def test_a_session_is_its_users(store: Store, sessions: Sessions, user: str) -> None:
    """Who begins it is who it is of, however they are called, until it ends."""
    before = await store.now_ms()
    token = await sessions.begin(user, "oidc")
    after = await store.now_ms()
    found = await sessions.find(token)
    assert found is not None
    assert (found.user, found.by) == (user, "oidc")
    assert before <= (found.ends - LIFE) * 1000 <= after
    await sessions.end(token)
    assert await sessions.find(token) is None
    await sessions.end(token)  # again is fine


async def test_tokens_are_random_and_not_kept(store: Store, sessions: Sessions) -> None:
    """Each has 256 random bits, and no part of those lies in the store."""
    tokens = [await sessions.begin("ana", "password") for _ in range(20)]
    secrets = {token.partition(".")[2] for token in tokens}
    assert len(secrets) == 20
    assert {len(secret) for secret in secrets} == {43}
    (key,) = await keys(store)
    kept = repr(await store.run([(b"HGETALL", key)])) + repr(key)
    assert not [secret for secret in secrets if secret in kept]


async def test_what_is_no_token_finds_nothing(store: Store, sessions: Sessions) -> None:
    """Neither rubbish, nor another user's first half, nor any change of a letter."""
    token = await sessions.begin("ana", "password")
    other = await sessions.begin("bob", "password")
    whose, _, secret = token.partition(".")
    for wrong in (
        "",
        ".",
        "x" * 5000,
        f"{whose}.",
        f".{secret}",
        f"{other.partition('.')[0]}.{secret}",
        f"{token} ",
        f"{token}\n",
        token.swapcase(),
        f"{whose}.{'é' * 43}",
    ):
        assert await sessions.find(wrong) is None, wrong
        await sessions.end(wrong)
    for place in range(len(token)):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert await sessions.find(changed) is None, place
    assert await sessions.find(token) is not None
    assert [key for key in await keys(store) if b"{" not in key] == await keys(store)


async def test_an_unused_session_ends(store: Store, sessions: Sessions) -> None:
    """After the idle time it is over, and gone from the store; using it keeps it."""
    token = await sessions.begin("ana", "password")
    for _ in range(4):
        await age(store, IDLE - 60)
        assert await sessions.find(token) is not None
    await age(store, IDLE)
    assert await sessions.find(token) is None
    assert await sessions.find(token) is None


async def test_every_session_ends(store: Store, sessions: Sessions) -> None:
    """However much it is used, after its life it is over; its key goes by itself."""
    token = await sessions.begin("ana", "password")
    (key,) = await keys(store)
    (left,) = await store.run([(b"PTTL", key)])
    assert LIFE - 60 < left / 1000 <= LIFE
    await age(store, LIFE - 10, seen=0)
    assert await sessions.find(token) is not None
    (left,) = await store.run([(b"PTTL", key)])
    assert left / 1000 <= LIFE
    await age(store, 10, seen=0)
    assert await sessions.find(token) is None


async def test_shorter_lives_hold_for_sessions_that_are_there(
    store: Store, sessions: Sessions
) -> None:
    """A setting that was lowered needs no new login to take effect."""
    token = await sessions.begin("ana", "password")
    await age(store, 120, seen=0)
    assert await Sessions(store, PREFIX, idle=60, life=100).find(token) is None


async def test_a_clock_that_was_set_back(store: Store, sessions: Sessions) -> None:
    """A session from the future would live too long: it ends."""
    token = await sessions.begin("ana", "password")
    await age(store, -30)
    assert await sessions.find(token) is not None
    await age(store, -300)
    assert await sessions.find(token) is None


async def test_use_is_written_now_and_then_only(store: Store, sessions: Sessions) -> None:
    """A look at a session that was seen just now changes nothing in the store."""
    token = await sessions.begin("ana", "password")
    (key,) = await keys(store)
    before = await store.run([(b"HGETALL", key)])
    await sessions.find(token)
    assert await store.run([(b"HGETALL", key)]) == before
    await age(store, 30)
    await sessions.find(token)
    after = await store.run([(b"HGETALL", key)])
    assert after != before


async def test_all_of_a_user_end_but_one(store: Store, sessions: Sessions) -> None:
    """Those of others stay, and it is told how many ended."""
    first, second, third = [await sessions.begin("ana", "password") for _ in range(3)]
    other = await sessions.begin("bob", "password")
    assert await sessions.end_all("ana", but=second) == 2
    found = [await sessions.find(token) is not None for token in (first, second, third, other)]
    assert found == [False, True, False, True]
    assert await sessions.end_all("ana") == 1
    assert await sessions.end_all("ana") == 0
    assert await sessions.find(other) is not None
    assert len(await keys(store)) == 1


async def test_the_least_used_makes_room(store: Store, sessions: Sessions) -> None:
    """A user has at most fifty sessions; dead ones are swept out first."""
    dead = await sessions.begin("ana", "password")
    await age(store, IDLE + 1)
    tokens = []
    for _ in range(50):
        await age(store, 1)
        tokens.append(await sessions.begin("ana", "password"))
    (key,) = await keys(store)
    assert await store.run([(b"HLEN", key)]) == [51]
    assert await sessions.find(dead) is None
    assert await sessions.find(tokens[0]) is not None  # the oldest, and seen just now
    tokens.append(await sessions.begin("ana", "password"))
    alive = [await sessions.find(token) is not None for token in tokens]
    assert alive == [True, False] + [True] * 49


async def test_what_is_broken_in_the_store_is_no_session(store: Store, sessions: Sessions) -> None:
    """Half a record ends a session rather than making one."""
    for field, value in ((b"user", None), (None, b"soon never password"), (None, b"")):
        token = await sessions.begin("ana", "password")
        (key,) = await keys(store)
        (fields,) = await store.run([(b"HKEYS", key)])
        names = [name for name in fields if name != b"user"] if field is None else [field]
        for name in names:
            await store.run(
                [(b"HDEL", key, name) if value is None else (b"HSET", key, name, value)]
            )
        assert await sessions.find(token) is None
        await store.run([(b"DEL", key)])


PACE = Pace(per_user=3, per_address=6, first_wait=10, longest_wait=35, memory=1000)


@pytest.fixture
def attempts(store: Store) -> Attempts:
    """Attempts at a pace that is soon too fast."""
    return Attempts(store, PREFIX, PACE)


async def wait_of(attempts: Attempts, address: str, user: str | None = None) -> float:
    """How long an attempt has to wait; 0 where it counted."""
    try:
        await attempts.begin(address, user)
    except TooManyAttempts as error:
        return error.retry_after
    return 0.0


async def let_pass(store: Store, seconds: float) -> None:
    """As if so much time had passed for all who wait."""
    for key in await keys(store):
        (until,) = await store.run([(b"HGET", key, b"until")])
        if until is not None:
            changed = b"%d" % (int(until) - int(seconds * 1000))
            await store.run([(b"HSET", key, b"until", changed)])


async def test_waits_grow(store: Store, attempts: Attempts) -> None:
    """After the free attempts each further one waits twice as long, up to a bound."""
    assert [await wait_of(attempts, "192.0.2.1", "ana") for _ in range(3)] == [0.0] * 3
    for expected in (10, 20, 35, 35):
        wait = await wait_of(attempts, f"198.51.100.{expected}", "ana")
        assert expected - 5 < wait <= expected
        await let_pass(store, expected)
        assert await wait_of(attempts, f"198.51.100.{expected}", "ana") == 0.0
    # Waiting attempts count nothing, and nobody else waits.
    assert await wait_of(attempts, "192.0.2.1", "bob") == 0.0


async def test_an_address_waits_for_all_its_users(attempts: Attempts) -> None:
    """Guessing one password for many users is slowed down too; other addresses aren't."""
    waits = [await wait_of(attempts, "192.0.2.1", f"user {n}") for n in range(7)]
    assert waits[:6] == [0.0] * 6
    assert waits[6] > 0
    assert await wait_of(attempts, "192.0.2.1") > 0
    assert await wait_of(attempts, "192.0.2.2", "user 6") == 0.0


async def test_many_at_once_slip_through_nowhere(attempts: Attempts) -> None:
    """An attempt counts before it is judged, so that speed is of no use."""
    waits = await asyncio.gather(*(wait_of(attempts, f"192.0.2.{n}", "ana") for n in range(40)))
    assert sum(wait == 0.0 for wait in waits) == 3


async def test_success_settles(store: Store, attempts: Attempts) -> None:
    """It forgets the user's failures, and of the address' only its own attempt."""
    for _ in range(2):
        await attempts.begin("192.0.2.1", "ana")
    good = await attempts.begin("192.0.2.1", "ana")
    await attempts.settle(good, is_success=True)
    (key,) = await keys(store)
    assert await store.run([(b"HGETALL", key)]) == [[b"attempts", b"2"]]


async def test_undone_is_as_if_never_begun(store: Store, attempts: Attempts) -> None:
    """An attempt that nobody judged leaves nothing behind, not even a wait."""
    for _ in range(5):
        attempt = await attempts.begin("192.0.2.1", "ana")
        await attempts.settle(attempt, is_success=False)
    assert await keys(store) == []
    await attempts.settle(attempt, is_success=False)
    assert await keys(store) == []
    for _ in range(2):
        await attempts.begin("192.0.2.1", "ana")
    last = await attempts.begin("192.0.2.1", "ana")
    await attempts.settle(last, is_success=False)
    assert await wait_of(attempts, "192.0.2.1", "ana") == 0.0


async def test_failures_are_forgotten_in_time(store: Store, attempts: Attempts) -> None:
    """The store forgets them by itself, and a clock set back locks nobody out for long."""
    for _ in range(3):
        await attempts.begin("192.0.2.1", "ana")
    for key in await keys(store):
        (left,) = await store.run([(b"PTTL", key)])
        assert 990 < left / 1000 <= 1000
    await let_pass(store, -1_000_000)
    assert await wait_of(attempts, "192.0.2.1", "ana") == PACE.longest_wait


async def test_sessions_and_attempts_know_nothing_of_each_other(
    store: Store, sessions: Sessions, attempts: Attempts
) -> None:
    """Nobody can be signed out by trying their name."""
    token = await sessions.begin("ana", "password")
    before: Session | None = await sessions.find(token)
    waits: list[Any] = [await wait_of(attempts, "192.0.2.1", "ana") for _ in range(10)]
    assert waits[-1] > 0
    assert await sessions.find(token) == before
