"""Publishing a snapshot, and retiring those before it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from warmcube.entry.keys import Keys, Version
from warmcube.entry.manifest import Manifest, pack_manifest
from warmcube.entry.master import Chunks, MasterItem, PartitionVersion, Snapshot, format_item
from warmcube.entry.seal import Seal, seal
from warmcube.errors import WarmFenced
from warmcube.store.api import Store
from warmcube.warm.cleanup import expire_items, mark_retired, master_items
from warmcube.warm.clearing import Clearing
from warmcube.warm.lease import Lease
from warmcube.warm.named import read_manifests, read_named
from warmcube.warm.past import read_past
from warmcube.warm.report import WarmReport

__all__ = ["items_of", "publish", "retire"]


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
    await store.write(
        [
            (b"SADD", keys.master, format_item(Snapshot(manifest.version))),
            (b"SET", key, value, b"PXAT", manifest.serve_until_ms),
        ]
    )
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
            keys.kept,
            keys.pin,
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


async def retire(clearing: Clearing, keep: int = 0, also: Sequence[Version] = ()) -> None:
    """Let superseded snapshots' keys expire once no reader can need them.

    What the live one, or a kept one, has in common with them stays.

    Args:
        clearing: where.
        keep: how many of the last superseded ones stay until their own end.
        also: others that go, such as one that was rolled back.

    Raises:
        StoreError: the store; the next warm does it then.
    """
    store, keys, using = clearing.store, clearing.keys, clearing.using
    await store.await_replicas(keys.current, 10.0)
    named = await read_named(store, keys, using)
    going = [
        version
        for at, (version, manifest) in enumerate(zip(named.versions, named.kept, strict=True))
        if at >= keep or (manifest is None and version not in named.opaque)
    ]
    at_ms = await store.now_ms() + int(clearing.grace * 1000)
    marked = await mark_retired(store, keys, [*going, *also], at_ms)
    manifests = await read_manifests(store, keys, using, marked)
    # Anew: whatever is marked can't come back, but what it shares may have come to be live.
    named = await read_named(store, keys, using)
    for version, manifest in zip(marked, manifests, strict=True):
        if manifest is not None:
            await expire_items(clearing, named.without(items_of(manifest)), at_ms, manifest)
        else:
            # It may be made of whatever is older; that goes when its readers are gone.
            past = await read_past(clearing)
            older = [
                item
                for item in named.without(await master_items(store, keys))
                if item.version.fence <= version.fence
                and past.is_over(item.version, is_whole=item.version == version)
            ]
            await expire_items(clearing, older, at_ms)


def items_of(manifest: Manifest) -> list[MasterItem]:
    """What a snapshot is made of, its manifest last."""
    items: list[MasterItem] = [
        PartitionVersion(name, partition.version) for name, partition in manifest.partitions.items()
    ]
    for column, dictionary in manifest.dictionaries.items():
        items += [Chunks(column, run.version, run.chunks) for run in dictionary.runs]
    return [*items, Snapshot(manifest.version)]
