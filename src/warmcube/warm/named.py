"""Which snapshots may be served, now or after a rollback, and so what must stay in the store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from warmcube.entry.keys import Keys, Version
from warmcube.entry.manifest import Manifest, unpack_manifest
from warmcube.entry.master import MasterItem
from warmcube.entry.pointer import Pointer, parse_pointer
from warmcube.entry.seal import Seal, unseal
from warmcube.errors import Damage
from warmcube.store.api import Command, Store
from warmcube.warm.walk import is_named

__all__ = ["Named", "read_manifests", "read_named"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What the store names at one moment.

    Attributes:
        current: the pointer as it stands.
        pointer: what it says.
        live: the manifest that is live, or lies behind the switch; None if it can't be read.
        pinned_by: who pinned the data source; None if nobody has.
        versions: of the snapshots that are kept, the last superseded one first.
        kept: the manifest of each; None where it has expired or can't be read.
        opaque: snapshots that others may be able to read: the live one if its manifest can't be
            read or isn't there, which a reader may have read before, and kept ones whose manifests
            are there. Nobody here can tell what they need.
        is_opaque: whether the pointer itself can't be read.
        needed_until_ms: when the last of the manifests that are kept expires, Unix milliseconds; 0
            without any.
    """

    current: bytes | None
    pointer: Pointer
    live: Manifest | None
    pinned_by: str | None
    versions: tuple[Version, ...]
    kept: tuple[Manifest | None, ...]
    opaque: frozenset[Version] = frozenset()
    is_opaque: bool = False
    needed_until_ms: int = 0

    def has(self, item: MasterItem) -> bool:
        """Whether one of the snapshots needs this, or may need it."""
        if self.is_opaque or any(item.version.fence <= each.fence for each in self.opaque):
            return True  # what was written later can't be part of them
        return is_named(item, self.live) or any(is_named(item, each) for each in self.kept)

    def without(self, items: Iterable[MasterItem]) -> list[MasterItem]:
        """What none of them needs."""
        return [item for item in items if not self.has(item)]

    def made(self) -> set[Version]:
        """The versions of all that those that can be read are made of."""
        return {
            version
            for manifest in (self.live, *self.kept)
            if manifest is not None
            for version in (
                manifest.version,
                *(each.version for each in manifest.partitions.values()),
                *(run.version for each in manifest.dictionaries.values() for run in each.runs),
            )
        }


async def read_named(store: Store, keys: Keys, using: Seal) -> Named:
    """Read pointer and kept snapshots as they are at one moment, then their manifests.

    Raises:
        StoreError: the store.
    """
    current, pin, listed = await store.script("kept", [keys.current, keys.kept, keys.pin], [])
    pointer, is_opaque = Pointer(None), False
    try:
        pointer = parse_pointer(current)
    except Damage:
        is_opaque = True
    versions = []
    for each in dict.fromkeys(listed):
        with contextlib.suppress(Damage):
            versions.append(Version.parse(each))
    live = pointer.version
    wanted = [*versions] if live is None else [live, *versions]
    names = [keys.manifest(str(version)) for version in wanted]
    now = await store.now_ms()
    replies = await store.run([each for name in names for each in _reading(name)])
    found: dict[Version, Manifest | None] = {}
    opaque: set[Version] = set()
    needed_until = 0
    for version, name, value, left in zip(wanted, names, replies[::2], replies[1::2], strict=True):
        manifest = found[version] = _manifest(using, version, name, value)
        if manifest is None and (value is not None or version == live):
            opaque.add(version)
        if version != live and value is not None:
            needed_until = max(needed_until, now + left)
    return Named(
        current=current,
        pointer=pointer,
        live=None if live is None else found[live],
        pinned_by=None if pin is None else pin.decode(errors="replace"),
        versions=tuple(versions),
        kept=tuple(found[each] for each in versions),
        opaque=frozenset(opaque),
        is_opaque=is_opaque,
        needed_until_ms=needed_until,
    )


def _reading(name: bytes) -> tuple[Command, Command]:
    return (b"GET", name), (b"PTTL", name)


async def read_manifests(
    store: Store, keys: Keys, using: Seal, versions: Sequence[Version]
) -> list[Manifest | None]:
    """The manifest of each version; None where it isn't there or can't be read.

    Raises:
        StoreError: the store.
    """
    names = [keys.manifest(str(version)) for version in versions]
    values = await store.run([(b"GET", name) for name in names])
    return [
        _manifest(using, version, name, value)
        for version, name, value in zip(versions, names, values, strict=True)
    ]


def _manifest(using: Seal, version: Version, key: bytes, value: bytes | None) -> Manifest | None:
    with contextlib.suppress(Damage):
        found = unpack_manifest(unseal(using, key, value, "the manifest"))
        if found is not None and found.version == version:
            return found
    return None
