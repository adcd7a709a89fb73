"""What crashed and superseded warms left in the store."""

from __future__ import annotations

from typing import Final

from warmcube.entry.keys import Version
from warmcube.store.api import Command
from warmcube.warm.carrying import end_carrying, read_carrying
from warmcube.warm.cleanup import expire_items, master_items, remove_items
from warmcube.warm.clearing import Clearing
from warmcube.warm.ends import cross_off, read_ends
from warmcube.warm.named import read_named
from warmcube.warm.past import read_past

__all__ = ["remove_residue"]

_VERSIONS: Final = 500


async def remove_residue(clearing: Clearing) -> None:
    """Remove what crashed warms left behind and cross off what has expired.

    What another warm may still be writing is left alone, and so is whatever a snapshot may need
    that can't be read here. What a reader may be in the middle of, since it may have been live,
    goes by a retirement.

    Args:
        clearing: where.

    Raises:
        StoreError: the store; the next one does it then.
    """
    store, keys = clearing.store, clearing.keys
    past = await read_past(clearing)
    found = await master_items(store, keys)
    named = await read_named(store, keys, clearing.using)  # what is named later was named by now
    items = named.without(found)
    carrying = await read_carrying(store, keys, past)
    now = await store.now_ms()
    at_ms = now + int(clearing.grace * 1000)
    again = [item for item in items if carrying.was_prolonged(item) and past.is_over(item.version)]
    await expire_items(clearing, again, at_ms)
    await end_carrying(store, keys, *carrying.ended)
    items = [item for item in items if not carrying.was_prolonged(item)]
    ends = await read_ends(store, keys, items)
    over = [item for item, end in ends.items() if end <= now]
    await cross_off(store, keys, [item for item in over if not carrying.may_be_prolonged(item)])
    items = [item for item in items if item not in ends]
    versions = list({item.version for item in items})
    going: set[Version] = set()
    gone: set[Version] = set()
    for at in range(0, len(versions), _VERSIONS):
        some = versions[at : at + _VERSIONS]
        commands: list[Command] = []
        for version in some:
            commands += [
                (b"EXISTS", keys.retired(str(version))),
                (b"PTTL", keys.manifest(str(version))),
            ]
        replies = await store.run(commands)
        for version, held, left in zip(some, replies[::2], replies[1::2], strict=True):
            if not past.is_over(version, is_whole=left != -2):  # -2: there is none
                continue
            if left > clearing.grace * 1000:  # it goes last: its retirement wasn't finished
                going.add(version)
            elif left < 0 and not held:
                gone.add(version)
    await expire_items(clearing, [item for item in items if item.version in going], at_ms)
    await remove_items(clearing, [item for item in items if item.version in gone])
