"""What an operator does to a live snapshot: roll it back, switch it off and on, unpin it.

Each is one script, which advances the fence where it takes a snapshot from readers. So a warm that
is under way has one outcome: it can't publish, stops by itself and removes what it wrote.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from warmcube.entry.keys import Keys, Version
from warmcube.entry.manifest import Manifest, answers_for
from warmcube.entry.seal import Seal
from warmcube.errors import RollbackRefused, StoreError, StoreRefused
from warmcube.model.schema import Datasource
from warmcube.store.api import Command, Store
from warmcube.warm.clearing import Clearing
from warmcube.warm.named import Named, read_named
from warmcube.warm.publish import retire
from warmcube.warm.verify import unproven

__all__ = ["Steered", "Steering", "disable", "enable", "rollback", "unpin"]

Steering: TypeAlias = Literal["rollback", "disable", "enable", "unpin"]

_TRIES: Final = 5
"""Whoever else steers or publishes at the same time can't be in the way for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steered:
    """What was done, and how the data source stands after it.

    Attributes:
        datasource: its id.
        action: what was asked for.
        changed: whether it wasn't so already.
        snapshot: the one that is live, or lies behind the switch; None if none does.
        is_disabled: whether it is switched off, so that the database answers everything.
        pinned_by: who pinned it, so that nothing warms it without being asked; None if nobody has.
    """

    datasource: int
    action: Steering
    changed: bool
    snapshot: str | None
    is_disabled: bool
    pinned_by: str | None


async def rollback(clearing: Clearing, datasource: Datasource, actor: str) -> Steered:
    """Serve the snapshot before the live one again, and pin the data source.

    Args:
        clearing: where, and how long readers of what is rolled back may still need it.
        datasource: which one.
        actor: who does it.

    Raises:
        RollbackRefused: there is none that can be served; nothing has changed.
        StoreError: the store; it may have been done.
    """
    store, keys, using = clearing.store, clearing.keys, clearing.using
    for _ in range(_TRIES):
        named = await read_named(store, keys, using)
        now = await store.now_ms()
        target = await _target(store, keys, using, datasource, named, now)
        version = str(target.version)
        outcome = await store.script(
            "rollback",
            [
                keys.current,
                keys.fence,
                keys.last_warm,
                keys.history,
                keys.kept,
                keys.pin,
                keys.manifest(version),
                keys.retired(version),
            ],
            [
                version.encode(),
                target.serve_until_ms,
                target.warmed_ms,
                secrets.token_hex(8).encode(),
                now,
                keys.channel,
                actor.encode(),
            ],
        )
        if outcome == b"ok":
            before = named.pointer.version
            also = [] if before is None or before == target.version else [before]
            # Those that are kept stay kept: how many there may be is for the next warm to say.
            with contextlib.suppress(StoreError):  # then the next warm does it
                await retire(clearing, len(named.versions), also)
            return await _state(store, keys, using, "rollback", changed=True)
    raise _busy(keys, "rolled back")


async def disable(store: Store, keys: Keys, using: Seal, actor: str) -> Steered:
    """Have the database answer everything, until it is enabled again. Its snapshot stays.

    Raises:
        StoreError: the store; it may have been done.
    """
    done = await store.script(
        "disable",
        [keys.current, keys.fence, keys.history],
        [secrets.token_hex(8).encode(), await store.now_ms(), keys.channel, actor.encode()],
    )
    return await _state(store, keys, using, "disable", changed=bool(done))


async def enable(
    store: Store, keys: Keys, using: Seal, datasource: Datasource, actor: str
) -> Steered:
    """Serve the snapshot behind the switch, if it is whole and its life isn't over.

    Raises:
        StoreError: the store; it may have been done.
    """
    for _ in range(_TRIES):
        named = await read_named(store, keys, using)
        if named.current is None or not named.current.startswith(b"disabled"):
            return await _state(store, keys, using, "enable", changed=False)
        now = await store.now_ms()
        live, until = named.live, named.pointer.serve_until_ms or 0
        is_good = (
            live is not None
            and now < until
            and answers_for(live, datasource)
            and not await _missing(store, keys, using, live)
        )
        version = str(live.version).encode() if live is not None and is_good else b""
        done = await store.script(
            "enable",
            [keys.current, keys.history],
            [named.current, version, until, now, keys.channel, actor.encode()],
        )
        if done:
            return await _state(store, keys, using, "enable", changed=True)
    raise _busy(keys, "enabled")


async def unpin(store: Store, keys: Keys, using: Seal, actor: str) -> Steered:
    """Let it be warmed again without anybody's asking.

    Raises:
        StoreError: the store; it may have been done.
    """
    done = await store.script(
        "unpin", [keys.pin, keys.history], [await store.now_ms(), actor.encode()]
    )
    return await _state(store, keys, using, "unpin", changed=bool(done))


async def _target(
    store: Store, keys: Keys, using: Seal, datasource: Datasource, named: Named, now_ms: int
) -> Manifest:
    """The snapshot to go back to.

    Raises:
        RollbackRefused: it can't be served.
    """
    if not named.versions:
        raise RollbackRefused(
            f"data source {keys.datasource} can't be rolled back: no earlier snapshot is kept; "
            "[cache] keep_snapshots says how many of those that are published from now on stay; "
            "until then, invalidate or disable it"
        )
    version, found = named.versions[0], named.kept[0]
    why = None
    if found is None:
        why = "is gone, or its manifest can't be read"
    elif now_ms >= found.serve_until_ms:
        why = "is past its life"
    elif not answers_for(found, datasource):
        why = "is of another table than is configured now"
    elif missing := await _missing(store, keys, using, found):
        why = f"isn't whole: {missing}"
    if found is None or why is not None:
        raise RollbackRefused(
            f"data source {keys.datasource} can't be rolled back: the last kept snapshot, "
            f"{version}, {why}; kept are {_list(named.versions)}; what is live stays; warm again, "
            "or disable it"
        )
    return found


async def _missing(store: Store, keys: Keys, using: Seal, manifest: Manifest) -> str | None:
    """What a snapshot lacks, so that it can't be served; None if it is whole."""
    chunks = [
        keys.dictionary(column, str(run.version), number)
        for column, dictionary in manifest.dictionaries.items()
        for run in dictionary.runs
        for number in range(run.chunks)
    ]
    commands: list[Command] = [(b"EXISTS", key) for key in chunks]
    if not all(await store.run(commands)):
        return "a part of a dictionary is gone"
    async for name, _ in unproven(store, keys, using, None, manifest.partitions):
        return f"measure {name.measure!r}, frequency {name.frequency!r} doesn't prove itself"
    return None


async def _state(
    store: Store, keys: Keys, using: Seal, action: Steering, *, changed: bool
) -> Steered:
    named = await read_named(store, keys, using)
    version = named.pointer.version
    return Steered(
        datasource=keys.datasource,
        action=action,
        changed=changed,
        snapshot=None if version is None else str(version),
        is_disabled=named.pointer.is_disabled,
        pinned_by=named.pinned_by,
    )


def _list(versions: tuple[Version, ...]) -> str:
    return ", ".join(map(str, versions[:5])) + (", …" if len(versions) > 5 else "")


def _busy(keys: Keys, what: str) -> StoreRefused:
    return StoreRefused(
        f"data source {keys.datasource} wasn't {what}: its snapshot was changed by others "
        f"{_TRIES} times meanwhile; look at warmcube stats {keys.datasource} and try again"
    )
