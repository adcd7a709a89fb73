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
from warmcube.store.api import Store
from warmcube.warm.cleanup import is_named

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
    """

    current: bytes | None
    pointer: Pointer
    live: Manifest | None
    pinned_by: str | None
    versions: tuple[Version, ...]
    kept: tuple[Manifest | None, ...]

    def has(self, item: MasterItem) -> bool:
        """Whether one of the snapshots needs this."""
        return is_named(item, self.live) or any(is_named(item, each) for each in self.kept)

    def without(self, items: Iterable[MasterItem]) -> list[MasterItem]:
        """What none of them needs."""
        return [item for item in items if not self.has(item)]


async def read_named(store: Store, keys: Keys, using: Seal) -> Named:
    """Read pointer and kept snapshots as they are at one moment, then their manifests.

    Raises:
        StoreError: the store.
    """
    current, pin, listed = await store.script("kept", [keys.current, keys.kept, keys.pin], [])
    pointer = Pointer(None)
    with contextlib.suppress(Damage):  # else nothing can be served, and nothing is named
        pointer = parse_pointer(current)
    versions = []
    for each in dict.fromkeys(listed):
        with contextlib.suppress(Damage):
            versions.append(Version.parse(each))
    wanted = [*versions] if pointer.version is None else [pointer.version, *versions]
    found = dict(zip(wanted, await read_manifests(store, keys, using, wanted), strict=True))
    return Named(
        current=current,
        pointer=pointer,
        live=None if pointer.version is None else found[pointer.version],
        pinned_by=None if pin is None else pin.decode(errors="replace"),
        versions=tuple(versions),
        kept=tuple(found[each] for each in versions),
    )


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
