"""What a warm writes, as commands in the order in which they must reach the store.

Per partition: its name into ``master``, its members into ``idx:T:v<n>``, entries, sums, sets,
counts, their totals last. So whatever prefix of this a crash leaves behind either proves itself or
is damage, and clean-up finds every key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeVar

from warmcube.entry.codec import NULL_CODE, pack_header
from warmcube.entry.counts import (
    INLINE_MEMBERS,
    TOTAL,
    Total,
    bin_of,
    bins_of,
    member_from,
    pack_set,
    pack_total,
)
from warmcube.entry.keys import Keys, PartitionKeys, PartitionName, Version
from warmcube.entry.manifest import Partition
from warmcube.entry.master import PartitionVersion, format_item
from warmcube.entry.seal import Seal
from warmcube.store.api import Command
from warmcube.store.wire import pack_command, pack_set_until
from warmcube.warm.encode import EncodedEntry, EncodedSums, PartitionFacts, RunEncoder
from warmcube.warm.gather import Gathered
from warmcube.warm.index import DistinctCount, Family, MemberIndex
from warmcube.warm.runs import Run, runs_of
from warmcube.warm.sums import Share, Summing

__all__ = ["Target", "Written", "write_commands"]

T = TypeVar("T")

CHUNK_MEMBERS: Final = 1000
CHUNK_BYTES: Final = 2 << 20


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how one snapshot is written."""

    keys: Keys
    version: Version
    expires_ms: int
    seal: Seal
    batch_size: int
    with_sums: bool = True


@dataclass(slots=True)
class Written:
    """What has been written so far; read by whoever shows progress."""

    rows: int = 0
    entries: int = 0
    bytes: int = 0
    started: list[PartitionName] = field(default_factory=list)
    partitions: dict[PartitionName, Partition] = field(default_factory=dict)
    owners: dict[Family, DistinctCount] = field(
        default_factory=lambda: {"practice": DistinctCount(), "provider": DistinctCount()}
    )


@dataclass(slots=True)
class _Open:
    """A partition that is being written."""

    keys: PartitionKeys
    facts: PartitionFacts
    item: bytes  # what stands for it in ``master``
    index: MemberIndex = field(default_factory=MemberIndex)
    entry_bytes: int = 0
    index_bytes: int = 0
    sums_bytes: int = 0
    with_sums: set[bytes] = field(default_factory=set)  # components of practices
    has_whole_sums: bool = False
    whole: Summing | None = None
    divided: dict[bytes, tuple[int, Summing]] = field(default_factory=dict)  # practices, by runs
    owners: dict[Family, int] = field(default_factory=lambda: {"practice": 0, "provider": 0})
    largest: dict[Family, int] = field(default_factory=lambda: {"practice": 0, "provider": 0})


def write_commands(
    gathered: Gathered,
    target: Target,
    written: Written,
    as_of_ms: int,
    run_bytes: int | None = None,
) -> Iterator[list[Command | bytes]]:
    """All commands of a warm but those of dictionaries and manifest, in chunks.

    Each chunk must be written, and its replies read, before the next; within a chunk, order only
    matters per slot.

    Args:
        gathered: the rows; emptied on the way.
        target: where to.
        written: brought up to date on the way.
        as_of_ms: when the source was read.
        run_bytes: how much to sort at a time; None for the default.
    """
    encoder = RunEncoder(gathered, with_sums=target.with_sums)
    opened: dict[int, _Open] = {}
    runs = runs_of(gathered) if run_bytes is None else runs_of(gathered, limit=run_bytes)
    for run in runs:
        yield from _announce(run, gathered, target, opened, written)
        chunk = _Chunk(target)
        for share in encoder.encode(run):
            partition = opened[share.number]
            chunk.begin(partition.item)
            if partition.facts.rows:
                partition.facts.merge(share.facts)
            else:
                partition.facts = share.facts
            for entries in _by_size(share.entries, target.batch_size):
                _add_entries(chunk, partition, entries, target, written)
                if chunk.bytes >= CHUNK_BYTES:
                    yield chunk.take()
            for _ in _add_sums(chunk, partition, share.sums, run, encoder, target):
                yield chunk.take()
            if run.is_last:
                name = gathered.partitions[share.number]
                del opened[share.number]
                for _ in _finish(chunk, partition, target, written):
                    yield chunk.take()
                written.partitions[name] = _describe(partition, target, as_of_ms)
                partition.index.close()
        if chunk.commands:
            yield chunk.take()


def _announce(
    run: Run, gathered: Gathered, target: Target, opened: dict[int, _Open], written: Written
) -> Iterator[list[Command | bytes]]:
    """The names of a run's new partitions into ``master``, before any of their keys."""
    numbers = run.table.column("partition").unique().to_pylist()
    fresh = [number for number in numbers if number not in opened]
    if not fresh:
        return
    names = [gathered.partitions[number] for number in fresh]
    for number, name in zip(fresh, names, strict=True):
        keys = target.keys.partition(name, str(target.version))
        item = format_item(PartitionVersion(name, target.version))
        opened[number] = _Open(keys, PartitionFacts(0, None, None, {}), item)
    written.started += names
    items = [opened[number].item for number in fresh]
    yield [
        (b"SADD", target.keys.master, *items[at : at + CHUNK_MEMBERS])
        for at in range(0, len(items), CHUNK_MEMBERS)
    ]


class _Chunk:
    """Commands that are written in one trip."""

    def __init__(self, target: Target) -> None:
        self.commands: list[Command | bytes] = []
        self.bytes = 0
        self._expires = b"%d" % target.expires_ms
        self._master = target.keys.master
        self._items: list[bytes] = []

    def begin(self, item: bytes) -> None:
        """What is added from now on is of another item of ``master``."""
        self._items.append(item)

    def add(self, *command: bytes | int) -> None:
        words = [word if isinstance(word, bytes) else b"%d" % word for word in command]
        self.add_packed([pack_command(words)])

    def add_packed(self, commands: list[bytes]) -> None:
        """Take in commands that are protocol bytes already."""
        self.commands += commands
        self.bytes += sum(map(len, commands))

    def expire(self, key: bytes) -> None:
        self.add_packed([pack_command([b"PEXPIREAT", key, self._expires])])

    def take(self) -> list[Command | bytes]:
        # Named once more: a warm that was stopped for longer than anybody waits for it may have
        # been cleared up after, and off ``master``, when this is written.
        taken: list[Command | bytes] = [(b"SADD", self._master, *self._items), *self.commands]
        self.commands, self.bytes, self._items = [], 0, self._items[-1:]
        return taken


def _batched(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """Items in lists of at most `size`; itertools has it from Python 3.12 on."""
    while held := list(islice(items, size)):
        yield held


def _by_size(entries: Iterator[EncodedEntry], size: int) -> Iterator[list[EncodedEntry]]:
    """Entries in lists of at most ``CHUNK_MEMBERS`` (or `size`) and about ``CHUNK_BYTES``."""
    held: list[EncodedEntry] = []
    held_bytes, most = 0, min(size, CHUNK_MEMBERS)
    for entry in entries:
        held.append(entry)
        held_bytes += len(entry.body)
        if len(held) >= most or held_bytes >= CHUNK_BYTES:
            yield held
            held, held_bytes = [], 0
    if held:
        yield held


def _add_entries(
    chunk: _Chunk, partition: _Open, entries: list[EncodedEntry], target: Target, written: Written
) -> None:
    keys, seal, expires = partition.keys, target.seal, target.expires_ms
    members = [entry.member for entry in entries]
    chunk.add(b"RPUSH", keys.all, *members)
    chunk.expire(keys.all)
    partition.index_bytes += sum(map(len, members))
    bodies = [entry.body for entry in entries]
    names = [keys.entry(member) for member in members]
    chunk.add_packed(
        [
            pack_set_until(key, seal(key, body), body, expires)
            for key, body in zip(names, bodies, strict=True)
        ]
    )
    size = sum(map(len, bodies)) + seal.size * len(bodies)
    partition.entry_bytes += size
    partition.index.extend([entry[:3] for entry in entries])
    written.rows += sum([entry.rows for entry in entries])
    written.bytes += size
    written.entries += len(entries)


def _add_sums(
    chunk: _Chunk,
    partition: _Open,
    sums: EncodedSums | None,
    run: Run,
    encoder: RunEncoder,
    target: Target,
) -> Iterator[None]:
    """Write the sums that are whole, keep those that aren't; stops whenever the chunk is large."""
    if sums is None or encoder.sums_form is None:
        return
    if partition.whole is None:
        partition.whole = Summing(encoder.sums_form)
    partition.whole.add(sums.whole)
    for component, code, share in sums.practices:
        if run.has_whole_practices:
            yield from _write_sums(chunk, partition, component, code, share, target)
            continue
        _, summing = partition.divided.setdefault(component, (code, Summing(encoder.sums_form)))
        summing.add(share)
    if not run.is_last:
        return
    for component, (code, summing) in partition.divided.items():
        yield from _write_sums(chunk, partition, component, code, summing.join(), target)
    whole = partition.whole.join()
    if whole.pays:
        key = partition.keys.whole_sums
        partition.has_whole_sums = True
        partition.sums_bytes += _set_sums(chunk, key, NULL_CODE, whole, target)


def _write_sums(
    chunk: _Chunk, partition: _Open, component: bytes, code: int, share: Share, target: Target
) -> Iterator[None]:
    if not share.pays:
        return
    key = partition.keys.sums(b"p:" + component)
    partition.with_sums.add(component)
    partition.sums_bytes += _set_sums(chunk, key, code, share, target)
    if chunk.bytes >= CHUNK_BYTES:
        yield


def _set_sums(chunk: _Chunk, key: bytes, code: int, share: Share, target: Target) -> int:
    records = share.records
    if records is None:
        raise AssertionError
    body = pack_header(code, NULL_CODE, len(records)) + records.tobytes()
    seal = target.seal(key, body)
    chunk.add_packed([pack_set_until(key, seal, body, target.expires_ms)])
    return len(seal) + len(body)


def _finish(chunk: _Chunk, partition: _Open, target: Target, written: Written) -> Iterator[None]:
    """Sets and counts of a partition, totals last; stops whenever the chunk is large."""
    keys = partition.keys
    fields = [1] * (1 + bins_of(partition.index.size))  # of counts, and of each bin
    families: tuple[tuple[Family, bytes], ...] = (("practice", b"p:"), ("provider", b"prov:"))
    for family, prefix in families:
        for sets in _batched(partition.index.sets(family), CHUNK_MEMBERS):
            written.owners[family].update([owner for owner, _ in sets])
            partition.owners[family] += len(sets)
            largest = max([len(others) for _, others in sets])
            partition.largest[family] = max(partition.largest[family], largest)
            if largest > INLINE_MEMBERS:
                for owner, others in sets:
                    if len(others) > INLINE_MEMBERS:
                        yield from _write_set(chunk, partition, prefix + owner, others)
            _add_counts(chunk, partition, family, sets, fields, target)
            if chunk.bytes >= CHUNK_BYTES:
                yield
    for at in reversed(range(len(fields))):
        key = _hash(keys, at)
        total = Total(
            entries=partition.index.size,
            rows=partition.facts.rows,
            practices=partition.owners["practice"],
            providers=partition.owners["provider"],
            sums=len(partition.with_sums),
            fields=fields[at],
        )
        chunk.add(b"HSET", key, TOTAL, pack_total(key, total, target.seal))
        chunk.expire(key)  # a bin may have nothing else
        if chunk.bytes >= CHUNK_BYTES:
            yield


def _add_counts(
    chunk: _Chunk,
    partition: _Open,
    family: Family,
    sets: Sequence[tuple[bytes, list[bytes]]],
    fields: list[int],
    target: Target,
) -> None:
    """Some sets into the counts, of which each hash has so many `fields`."""
    keys = partition.keys
    is_practice = family == "practice"
    prefix = b"p:" if is_practice else b"prov:"
    pending: defaultdict[int, list[bytes]] = defaultdict(list)
    for owner, others in sets:
        own_field = prefix + owner
        summed = is_practice and owner in partition.with_sums
        value = pack_set(keys.counts, own_field, others, target.seal, has_sums=summed)
        at = 0 if is_practice else 1 + bin_of(owner, len(fields) - 1)
        pending[at] += (own_field, value)
    for at, words in pending.items():
        partition.index_bytes += sum(map(len, words))
        fields[at] += len(words) // 2
        chunk.add(b"HSET", _hash(keys, at), *words)
        chunk.expire(_hash(keys, at))


def _hash(keys: PartitionKeys, at: int) -> bytes:
    """The key of ``counts``, and from 1 on of its bins."""
    return keys.bin(at - 1) if at else keys.counts


def _write_set(
    chunk: _Chunk, partition: _Open, own_field: bytes, others: list[bytes]
) -> Iterator[None]:
    key = partition.keys.set(own_field)
    for at in range(0, len(others), CHUNK_MEMBERS):
        members = [member_from(own_field, other) for other in others[at : at + CHUNK_MEMBERS]]
        chunk.add(b"SADD", key, *members)
        chunk.expire(key)
        partition.index_bytes += sum(map(len, members))
        if chunk.bytes >= CHUNK_BYTES:
            yield


def _describe(partition: _Open, target: Target, as_of_ms: int) -> Partition:
    return Partition(
        version=target.version,
        layout=0,
        entries=partition.index.size,
        rows=partition.facts.rows,
        practices=partition.owners["practice"],
        providers=partition.owners["provider"],
        largest_practice=partition.largest["practice"],
        largest_provider=partition.largest["provider"],
        entry_bytes=partition.entry_bytes,
        index_bytes=partition.index_bytes,
        sums=len(partition.with_sums),
        has_whole_sums=partition.has_whole_sums,
        sums_bytes=partition.sums_bytes,
        earliest=partition.facts.earliest,
        latest=partition.facts.latest,
        largest=partition.facts.largest,
        as_of_ms=as_of_ms,
    )
