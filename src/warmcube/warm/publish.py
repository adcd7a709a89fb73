"""Publishing a snapshot, and retiring the one before it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict

from warmcube.entry.keys import Keys
from warmcube.entry.manifest import Manifest, pack_manifest, unpack_manifest
from warmcube.entry.master import Chunks, MasterItem, PartitionVersion, Snapshot, format_item
from warmcube.entry.seal import Seal, seal, unseal
from warmcube.errors import Damage, WarmFenced
from warmcube.store.api import Store
from warmcube.warm.cleanup import expire_items, is_named
from warmcube.warm.lease import Lease
from warmcube.warm.report import WarmReport

__all__ = ["publish", "read_previous", "retire"]


async def read_previous(store: Store, keys: Keys, using: Seal) -> Manifest | None:
    """The manifest of the live snapshot; None if there is none that can be read."""
    (current,) = await store.run([(b"GET", keys.current)])
    if current is None:
        return None
    key = keys.manifest(current.decode("ascii", "replace"))
    (value,) = await store.run([(b"GET", key)])
    with contextlib.suppress(Damage):
        return unpack_manifest(unseal(using, key, value, "the manifest"))
    return None


async def publish(
    store: Store,
    keys: Keys,
    using: Seal,
    lease: Lease,
    manifest: Manifest,
    report: WarmReport,
    base: Manifest | None = None,
) -> None:
    """Write the manifest and make its snapshot the live one, if nothing has overtaken this warm.

    Args:
        store: the store.
        keys: of the data source.
        using: the seal.
        lease: of this warm.
        manifest: of the new snapshot.
        report: for the history.
        base: what partitions were carried over from, which must still be live; None if none were.

    Raises:
        WarmFenced: something has.
    """
    version = str(manifest.version)
    key = keys.manifest(version)
    value = seal(using, key, pack_manifest(manifest))
    await lease.ensure()
    await store.write([(b"SADD", keys.master, format_item(Snapshot(manifest.version)))])
    await store.write([(b"SET", key, value, b"PXAT", manifest.serve_until_ms)])
    await store.await_replicas(keys.current, 10.0, everywhere=True)
    outcome = await store.script(
        "publish",
        [
            keys.lock,
            keys.fence,
            keys.current,
            key,
            keys.last_warm,
            keys.history,
        ],
        [
            lease.value,
            version.encode(),
            b"" if base is None else str(base.version).encode(),
            manifest.serve_until_ms,
            await store.now_ms(),
            keys.channel,
            json.dumps(asdict(report)).encode(),
        ],
    )
    if outcome != b"ok":
        reasons = {
            b"lease": "its lease ran out, or the store was emptied",
            b"fence": "the data source was invalidated or warmed by somebody else meanwhile",
            b"base": "the snapshot that it carried partitions over from isn't live any more",
            b"manifest": "its manifest is gone from the store",
        }
        raise WarmFenced(
            f"the warm of data source {keys.datasource} was not published: "
            f"{reasons.get(outcome, 'the store changed')}; warm again"
        )


async def retire(
    store: Store, keys: Keys, previous: Manifest | None, grace: float, live: Manifest
) -> None:
    """Let the previous snapshot's keys expire once no reader can need them, in `grace` seconds.

    What the live one has carried over stays.
    """
    if previous is None:
        return
    await store.await_replicas(keys.current, 10.0)
    items: list[MasterItem] = [
        PartitionVersion(name, partition.version) for name, partition in previous.partitions.items()
    ]
    for column, dictionary in previous.dictionaries.items():
        items += [Chunks(column, run.version, run.chunks) for run in dictionary.runs]
    items.append(Snapshot(previous.version))
    at = await store.now_ms() + int(grace * 1000)
    going = [item for item in items if not is_named(item, live)]
    await expire_items(store, keys, going, at, previous)
