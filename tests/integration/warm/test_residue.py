"""What is left in the store after crashes: nothing that nobody knows."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from itertools import count

import pytest
from tests.support.crashing import SETTINGS, crash_table
from tests.support.leftovers import unknown_keys
from tests.support.memory import DATASOURCE, MemorySource, read_all

from warmcube.entry.keys import Keys
from warmcube.entry.seal import Checksum
from warmcube.store.api import Command, Store
from warmcube.store.connect import open_store
from warmcube.warm.steer import enable
from warmcube.warm.warmer import Warmer

SEAL = Checksum()
ACTIONS = ("warm", "refresh", "invalidate", "rollback", "switch")
DATABASES = 16
"""Of one server: in each of them something else is killed, so that all wait together."""


async def a_history(store: Store) -> None:
    """Two snapshots, of which the first is kept."""
    warmer = Warmer(store, "", SEAL, SETTINGS)
    for value in (1, 2):
        await warmer.warm(DATASOURCE, MemorySource(crash_table(value)))


async def state_of(store: Store) -> list[Command]:
    """What puts everything back as it is now."""
    (keys,) = await store.run([(b"KEYS", b"*")])
    commands: list[Command] = []
    for key in keys:
        dump, left = await store.run([(b"DUMP", key), (b"PTTL", key)])
        commands.append((b"RESTORE", key, max(0, left), dump))
    return commands


@pytest.mark.long
async def test_line_8_no_key_is_left_that_nobody_knows(redis_url: str) -> None:
    """Line 8: wherever a process is killed, the next warm leaves only what is named or expires, and
    what the one after it removes.

    The process dies in the middle of each of its trips, or in front of it where it is one command,
    while it warms, refreshes, invalidates, rolls back, switches off and on.
    """
    async with AsyncExitStack() as stack:
        stores = []
        for number in range(DATABASES):
            store = open_store(f"{redis_url}?db={number}")
            stack.push_async_callback(store.close)
            stores.append(store)
        await a_history(stores[0])
        state = await state_of(stores[0])
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.crashing", redis_url),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        ends: set[str] = set()
        left = ((action, at) for at in count(1) for action in ACTIONS if action not in ends)
        crashes = 0
        while len(ends) < len(ACTIONS):
            used = dict(zip(stores, left, strict=False))
            await stores[0].run([(b"FLUSHALL",)])
            for number, (store, (action, at)) in enumerate(used.items()):
                await store.run(state)
                asked = {"database": number, "action": action, "at": at}
                process.stdin.write(json.dumps(asked).encode() + b"\n")
                if await process.stdout.readline() == b"done\n":
                    assert at > 3
                    ends.add(action)
                crashes += 1
            for is_second in (False, True):
                await asyncio.sleep(2.5 * SETTINGS.lease_seconds)  # until a dead lease is long dead
                for store, crash in used.items():
                    warmer = Warmer(store, "", SEAL, SETTINGS)
                    await warmer.warm(DATASOURCE, MemorySource(crash_table(4)), force=True)
                    if crash[0] == "switch":  # it may have been killed between off and on
                        await enable(store, Keys("", DATASOURCE.id), SEAL, DATASOURCE, "test")
                    assert {value for _, _, value in await read_all(store)} == {4}, crash
                    assert (
                        await unknown_keys(store, grace=SETTINGS.grace, with_master=not is_second)
                        == []
                    ), crash
        process.stdin.close()
        assert await process.wait() == 0
    assert crashes > 60
