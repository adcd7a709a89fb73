"""Fetching practice-level sums, every one proven.

``counts`` says of each practice whether it has rows, and whether it has sums; both are sealed, and
that a field isn't there is proven by the number of fields. A version never changes, so a process
keeps what it has proven of it, and asks for the sums alone the next time. A practice that has rows
but no sums is left to be read by its entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from warmcube.entry.codec import NULL_CODE, Block, id_code, open_entries
from warmcube.entry.counts import TOTAL, Total, unpack_size, unpack_total
from warmcube.entry.keys import Keys, parse_field
from warmcube.entry.manifest import Manifest
from warmcube.entry.seal import Seal
from warmcube.errors import Damage
from warmcube.model.scope import ALL, Box, Scope
from warmcube.query.lookup import (
    CHUNK,
    CHUNK_BYTES,
    Target,
    check_pointer,
    check_total,
    count_commands,
)
from warmcube.query.read import beside
from warmcube.query.sums import SumsPlan
from warmcube.store.api import Command, Reply, Store

__all__ = ["Fetched", "KnownPractices", "SumsOf", "fetch_sums"]

KNOWN_FIELDS: Final = 50_000
"""Of how many practices in partitions a process knows whether they have sums."""

TRIP_CHUNKS: Final = 16


class Known(NamedTuple):
    """What ``counts`` says of a practice.

    Attributes:
        members: how many entries it has, parts included.
        has_sums: whether it has sums.
    """

    members: int
    has_sums: bool


_NO_ROWS: Final = Known(0, has_sums=False)


class KnownPractices:
    """What a process has proven of practices, by the key of ``counts``, which has the version.

    Partitions are told apart by the name that was asked for: what is known of one that doesn't
    exist is known like what is known of one that has no rows for the asker.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, dict[bytes, Known]] = {}
        self._whole: dict[bytes, tuple[bytes, ...]] = {}
        self._size = 0

    def of(self, counts: bytes) -> dict[bytes, Known]:
        """By field, what is known of a partition's practices; not to be changed."""
        return self._known.get(counts, {})

    def all_of(self, counts: bytes) -> tuple[bytes, ...] | None:
        """The fields of all practices of a partition, if they are known."""
        return self._whole.get(counts)

    def learn(self, counts: bytes, found: Mapping[bytes, Known], *, are_all: bool) -> None:
        """Take in what was proven.

        Args:
            counts: the key.
            found: by field.
            are_all: whether these are all practices of the partition.
        """
        if self._size + len(found) > KNOWN_FIELDS:
            self._known, self._whole, self._size = {}, {}, 0
        known = self._known.setdefault(counts, {})
        self._size += len(found.keys() - known.keys())
        known.update(found)
        if are_all:
            self._whole[counts] = tuple(found)


@dataclass(frozen=True, slots=True)
class SumsOf:
    """What was fetched for one plan.

    Attributes:
        block: sums of the partition; perhaps of more practices than were wanted.
        places: which of them; None for all.
        practices: which practices these are.
        members: how many entries they stand for.
        bytes: of their values.
        lacking: the rest of the scope, where there are no sums; None where there is nothing.
    """

    block: Block
    places: list[int] | None
    practices: list[str | None]
    members: int
    bytes: int
    lacking: Scope | None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched, plan by plan, and how.

    Attributes:
        of: what each plan gets.
        sets: how many index sets were looked at.
        trips: how many trips it took.
    """

    of: list[SumsOf]
    sets: int
    trips: int


@dataclass(slots=True)
class _Share:
    """What is fetched of one partition, for all plans that want some of it."""

    target: Target
    plan: SumsPlan
    practices: dict[bytes, str | None]
    are_all: bool = False
    unknown: list[bytes] = field(default_factory=list)
    known: dict[bytes, Known] = field(default_factory=dict)
    summed: list[bytes] = field(default_factory=list)  # fields whose sums are asked for
    values: list[bytes | None] = field(default_factory=list)
    block: Block | None = None
    places: dict[bytes, int] = field(default_factory=dict)


async def fetch_sums(
    store: Store,
    keys: Keys,
    manifest: Manifest,
    plans: Sequence[SumsPlan],
    using: Seal,
    known: KnownPractices,
) -> Fetched:
    """Fetch what some plans want, each sum once, in one trip where the practices are named.

    Args:
        store: the store.
        keys: of the data source.
        manifest: of the snapshot.
        plans: what is wanted.
        using: the seal.
        known: what the process has proven so far; added to.

    Raises:
        PointerMoved: another snapshot is live by now.
        Damage: something isn't whole, under an unchanged pointer or not.
        StoreError: the store.
    """
    shares = _unite(plans)
    trips = await _find_all(store, keys, manifest, shares.values(), using, known)
    commands: list[Command] = []
    ends: list[tuple[int, int]] = []
    for share in shares.values():
        before = len(commands)
        _ask_known(share, known)
        if share.unknown:
            commands += count_commands(share.target.own, share.unknown)
        counted = len(commands) - before
        commands += _sums_commands(share)
        ends.append((counted, len(commands)))
    replies, more = await _run(store, keys, manifest, commands)
    at = 0
    for share, (counted, end) in zip(shares.values(), ends, strict=True):
        _take_counts(share, replies[at : at + counted], using, known)
        share.values = [value for chunk in replies[at + counted : end] for value in chunk]
        at = end
    size = sum(len(value) for share in shares.values() for value in share.values if value)

    def prove() -> None:
        for share in shares.values():
            _open(share, manifest, using)

    await beside(size, prove)
    return Fetched(
        [_of(plan, shares[_key(plan)]) for plan in plans],
        sum(1 if share.plan.whole else len(share.practices) for share in shares.values()),
        trips + more,
    )


def _key(plan: SumsPlan) -> tuple[bytes, bool]:
    return plan.target.own.counts, plan.whole


def _unite(plans: Sequence[SumsPlan]) -> dict[tuple[bytes, bool], _Share]:
    shares: dict[tuple[bytes, bool], _Share] = {}
    for plan in plans:
        share = shares.get(_key(plan))
        if share is None:
            share = shares[_key(plan)] = _Share(plan.target, plan, {})
        if plan.practices is None:
            share.are_all = not plan.whole
        else:
            share.practices |= plan.practices
    return shares


async def _find_all(
    store: Store,
    keys: Keys,
    manifest: Manifest,
    shares: Iterable[_Share],
    using: Seal,
    known: KnownPractices,
) -> int:
    """Find the names of all practices where all are wanted; how many trips it took."""
    asked: list[_Share] = []
    commands: list[Command] = []
    for share in shares:
        if not share.are_all:
            continue
        fields = known.all_of(share.target.own.counts)
        if fields is None:
            counts = share.target.own.counts
            asked.append(share)
            commands += [(b"HGET", counts, TOTAL), (b"HKEYS", counts)]
        else:
            share.practices = dict.fromkeys(fields)
    if asked:
        replies, _ = await _run(store, keys, manifest, commands)
        for share, packed, found in zip(asked, replies[::2], replies[1::2], strict=True):
            total = unpack_total(share.target.own.counts, packed, using)
            _check(share, total, len(found))
            fields = tuple(sorted(each for each in found if each.startswith(b"p:")))
            if len(fields) != total.practices:
                raise Damage("a partition's counts don't have as many practices as its total says")
            share.practices = dict.fromkeys(fields)
    for share in shares:
        if share.are_all:
            share.practices = {each: parse_field(each)[1] for each in share.practices}
    return 1 if asked else 0


def _ask_known(share: _Share, known: KnownPractices) -> None:
    if share.plan.whole:
        return
    proven = known.of(share.target.own.counts)
    for each in sorted(share.practices, key=lambda each: each + b":"):  # as their entries are
        found = proven.get(each)
        if found is None:
            share.unknown.append(each)
            share.summed.append(each)
        else:
            share.known[each] = found
            if found.has_sums:
                share.summed.append(each)


def _sums_commands(share: _Share) -> list[Command]:
    own, partition = share.target.own, share.target.partition
    if share.plan.whole:
        return [(b"MGET", own.whole_sums)]
    average = max(1, partition.sums_bytes // max(1, partition.sums))
    size = max(1, min(CHUNK, CHUNK_BYTES // average))
    keys = [own.sums(each) for each in share.summed]
    return [(b"MGET", *keys[at : at + size]) for at in range(0, len(keys), size)]


async def _run(
    store: Store, keys: Keys, manifest: Manifest, commands: Sequence[Command]
) -> tuple[list[Reply], int]:
    """The replies, and how many trips it took: one where they aren't many."""
    *replies, current = await store.run([*commands[:TRIP_CHUNKS], (b"GET", keys.current)])
    check_pointer(current, manifest.version)
    trips = 1
    for at in range(TRIP_CHUNKS, len(commands), TRIP_CHUNKS):
        replies += await store.run(commands[at : at + TRIP_CHUNKS])
        trips += 1
    return replies, trips


def _check(share: _Share, total: Total, fields: int) -> None:
    check_total(total, fields, share.target.partition)
    if total.sums != share.target.partition.sums:
        raise Damage("a partition's total isn't what the manifest says")


def _take_counts(
    share: _Share, replies: Sequence[Reply], using: Seal, known: KnownPractices
) -> None:
    """What ``counts`` says of practices of which it wasn't known."""
    if not share.unknown:
        return
    counts = share.target.own.counts
    if share.target.is_absent:
        found = dict.fromkeys(share.unknown, _NO_ROWS)
    else:
        *chunks, fields = replies
        packed = [value for chunk in chunks for value in chunk]
        _check(share, unpack_total(counts, packed[0], using), fields)
        found = {
            each: _NO_ROWS if value is None else Known(*unpack_size(counts, each, value, using))
            for each, value in zip(share.unknown, packed[1:], strict=True)
        }
        if share.are_all and _NO_ROWS in found.values():
            raise Damage("a partition's counts have lost a practice")
    share.known |= found
    known.learn(counts, found, are_all=share.are_all and len(found) == len(share.practices))


def _open(share: _Share, manifest: Manifest, using: Seal) -> None:
    """Prove the sums of those practices that have some."""
    own, form = share.target.own, share.plan.form
    if share.plan.whole:
        codes = np.array([[NULL_CODE, NULL_CODE]], np.int64)
        share.block = open_entries([own.whole_sums], share.values, codes, form.layout, using)
        return
    values = dict(zip(share.summed, share.values, strict=True))
    fields = [each for each in share.summed if share.known[each].has_sums]
    share.places = {each: place for place, each in enumerate(fields)}
    role = manifest.roles.practice
    is_integer = role is None or manifest.schema[role].type.kind.is_integer
    codes = np.array(
        [(id_code(share.practices[each], is_integer=is_integer), NULL_CODE) for each in fields],
        np.int64,
    ).reshape(-1, 2)
    share.block = open_entries(
        [own.sums(each) for each in fields],
        [values[each] for each in fields],
        codes,
        form.layout,
        using,
    )


def _of(plan: SumsPlan, share: _Share) -> SumsOf:
    """What a plan gets of a share."""
    block = share.block
    if block is None:
        raise AssertionError
    if plan.whole:
        size = sum(len(value) for value in share.values if value is not None)
        return SumsOf(block, None, [None], share.target.partition.entries, size, None)
    wanted = share.practices if plan.practices is None else plan.practices
    fields = [each for each in share.places if each in wanted]
    lacking = [
        wanted[each]
        for each in wanted
        if share.known[each].members and not share.known[each].has_sums
    ]
    if None in lacking:  # no scope is of the rows without a practice alone
        return SumsOf(block, [], [], 0, 0, plan.scope)
    values = dict(zip(share.summed, share.values, strict=True))
    rest = Scope.of([Box(frozenset(each for each in lacking if each is not None), ALL)])
    return SumsOf(
        block,
        None if len(fields) == len(share.places) else [share.places[each] for each in fields],
        [wanted[each] for each in fields],
        sum(share.known[each].members for each in fields),
        sum(len(values[each] or b"") for each in fields),
        None if rest.is_empty else rest,
    )
