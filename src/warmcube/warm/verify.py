"""What must hold before a snapshot may be published."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final

from warmcube.entry.keys import Keys, PartitionName
from warmcube.entry.manifest import Manifest, Partition
from warmcube.entry.seal import Seal
from warmcube.errors import Damage, WarmMismatch, WarmRefused
from warmcube.observe.index import check_indexes, shares_of
from warmcube.store.api import Store
from warmcube.warm.gather import Gathered
from warmcube.warm.lease import Lease
from warmcube.warm.report import Reporter

__all__ = ["MAX_LOSS", "check_counts", "check_loss", "unproven", "verify"]

MAX_LOSS: Final = 0.5
"""A snapshot that holds less than this share of the previous one's rows needs ``--force``."""


def check_counts(counted: Mapping[PartitionName, int], gathered: Gathered) -> None:
    """Compare what was read with what the source itself counts, partition by partition.

    Raises:
        WarmMismatch: rows were lost or doubled on the way.
    """
    read = dict(zip(gathered.partitions, gathered.rows_of.tolist(), strict=True))
    if read == counted:
        return
    differing = [
        name for name in counted.keys() | read.keys() if counted.get(name) != read.get(name)
    ]
    name = min(differing, key=lambda n: (n.measure or "", n.frequency or ""))
    raise WarmMismatch(
        f"{len(differing)} partitions were read with another number of rows than the source "
        f"counts, among them measure {name.measure!r}, frequency {name.frequency!r}: "
        f"{read.get(name, 0):,} rows read, {counted.get(name, 0):,} counted; nothing was "
        "published; warm again, and if it happens again check the table for corruption"
    )


def check_loss(previous: Manifest | None, rows: int, *, force: bool) -> None:
    """Refuse a table that holds far fewer rows than the live snapshot, unless forced.

    Raises:
        WarmRefused: fewer than ``MAX_LOSS`` of them.
    """
    if previous is None or force or rows >= previous.rows * MAX_LOSS:
        return
    raise WarmRefused(
        f"the table holds {rows:,} rows where the live snapshot holds "
        f"{previous.rows:,}; that looks like a load that is half done; if it is right, warm "
        "with --force"
    )


async def verify(
    store: Store, keys: Keys, using: Seal, lease: Lease, manifest: Manifest, progress: Reporter
) -> None:
    """Read back, for every partition, that all of it is there and proves itself.

    Raises:
        WarmMismatch: something of it is gone.
        Damage: a total is missing or altered.
    """
    async for name, error in unproven(store, keys, using, lease, manifest.partitions, progress):
        if isinstance(error, Damage):
            raise error
        partition = manifest.partitions[name]
        raise WarmMismatch(
            f"measure {name.measure!r}, frequency {name.frequency!r} was written with "
            f"{partition.entries:,} entries but reads back with {error:,}; nothing "
            "was published; something else removes keys from this server: check its "
            "eviction policy and who uses it, then warm again"
        )


async def unproven(
    store: Store,
    keys: Keys,
    using: Seal,
    lease: Lease | None,
    partitions: Mapping[PartitionName, Partition],
    progress: Reporter | None = None,
) -> AsyncIterator[tuple[PartitionName, int | Damage]]:
    """Partitions whose index isn't as large as the manifest says, or doesn't prove itself.

    Args:
        store: the store.
        keys: of the data source.
        using: the seal.
        lease: under which this is done; None where nothing is to be published.
        partitions: what to look at.
        progress: told as it goes.

    Returns:
        with how many members the index has, or what is wrong with its total.
    """
    done = 0
    for share in shares_of(partitions):
        if lease is not None:
            await lease.ensure()
        for name, error in (await check_indexes(store, keys, using, share)).items():
            yield name, error
        done += sum(partition.rows for _, partition in share)
        if progress is not None:
            progress.update(rows=done)
