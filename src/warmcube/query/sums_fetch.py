"""Fetching practice-level sums, every one proven.

``counts`` says of each practice whether it has rows, and whether it has sums; both are sealed, and
that a field isn't there is proven by the number of fields. What was proven is known from then on
(`warmcube.query.known`), and the sums alone are asked for the next time. A practice that has rows
but no sums is left to be read by its entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

import numpy as np

from warmcube.entry.codec import NULL_CODE, Block, decode_ids, id_code, open_prepared
from warmcube.entry.counts import TOTAL, Total, unpack_size, unpack_total
from warmcube.entry.keys import Keys, Member, parse_field
from warmcube.entry.manifest import Manifest
from warmcube.entry.seal import Seal
from warmcube.errors import Damage
from warmcube.model.schema import Datasource
from warmcube.model.scope import ALL, Box, Scope
from warmcube.query.entries import Entries, fetching
from warmcube.query.known import KnownIndex
from warmcube.query.lookup import (
    CHUNK,
    CHUNK_BYTES,
    Target,
    check_pointer,
    check_total,
    count_commands,
)
from warmcube.query.read import beside
from warmcube.query.snapshots import LiveSnapshot
from warmcube.query.sums import SumsPlan
from warmcube.store.api import Command, Reply, Store
from warmcube.store.wire import PackedCommand, pack_words

__all__ = ["Fetched", "SumsFetcher", "SumsOf"]

TRIP_COMMANDS: Final = 16

_SUMS: Final = b"sums "
"""Stands before a practice's field in what is known; no field of ``counts`` begins so."""
_WHOLE_SUMS: Final = b"sums"
"""In place of a practice's field: the whole partition's sums."""


@dataclass(frozen=True, slots=True)
class _Summed(Entries):
    """The sums of one practice, if it has any.

    Attributes:
        stands_for: how many entries it has, parts included.
    """

    stands_for: int = 0


_NOTHING: Final = _Summed((), (), b"", (), b"")
"""Of a practice without rows."""


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
        sets: how many index sets were looked up.
        trips: how many trips it took.
    """

    of: list[SumsOf]
    sets: int
    trips: int


@dataclass(slots=True)
class _Share:
    """What is fetched of one partition, for all plans that want some of it.

    Attributes:
        plan: the first of them.
        practices: by field, those that are wanted.
        are_all: whether these are all that the partition has.
        unknown: fields of which it isn't known whether they have sums.
        summed: by field, in the order of their entries, those that are asked for.
        values: what the store holds of each of `summed`.
        block: the proven ones.
    """

    plan: SumsPlan
    practices: dict[bytes, str | None]
    are_all: bool = False
    unknown: list[bytes] = field(default_factory=list)
    known: dict[bytes, _Summed] = field(default_factory=dict)
    summed: dict[bytes, _Summed] = field(default_factory=dict)
    values: list[bytes | None] = field(default_factory=list)
    block: Block | None = None

    @property
    def target(self) -> Target:
        return self.plan.target


class SumsFetcher:
    """Fetches sums of one data source in one snapshot.

    Args:
        store: the store.
        keys: of the data source.
        datasource: which one.
        live: the snapshot.
        using: the seal.
        known: what is known of the index; added to.
    """

    def __init__(
        self,
        store: Store,
        keys: Keys,
        datasource: Datasource,
        live: LiveSnapshot,
        using: Seal,
        known: KnownIndex,
    ) -> None:
        self._store = store
        self._keys = keys
        self._datasource = datasource
        self._live = live
        self._seal = using
        self._known = known

    @property
    def _manifest(self) -> Manifest:
        return self._live.manifest

    async def fetch(self, plans: Sequence[SumsPlan]) -> Fetched:
        """Fetch what some plans want, each sum once; one trip where the practices are named.

        Raises:
            PointerMoved: another snapshot is live by now.
            Damage: something isn't whole, under an unchanged pointer or not.
            StoreError: the store.
        """
        shares = _unite(plans)
        trips = await self._find_all(shares.values())
        commands: list[Command] = []
        ends: list[tuple[int, int]] = []
        for share in shares.values():
            before = len(commands)
            self._choose(share)
            if share.unknown:
                target = share.target
                commands += count_commands(target.own, target.partition, share.unknown)
            counted = len(commands) - before
            commands += fetching(share.summed.values(), _most_at_once(share.target))
            ends.append((counted, len(commands)))
        replies, more = await self._run(commands)
        at = 0
        for share, (counted, end) in zip(shares.values(), ends, strict=True):
            self._take_counts(share, replies[at : at + counted])
            share.values = [value for chunk in replies[at + counted : end] for value in chunk]
            at = end

        def prove() -> None:
            for share in shares.values():
                self._prove(share)

        size = sum(len(value) for share in shares.values() for value in share.values if value)
        await beside(size, prove)
        return Fetched(
            [_of(plan, shares[_key(plan)]) for plan in plans],
            sum(len(share.unknown) for share in shares.values()),
            trips + more,
        )

    async def fetch_known(self, plan: SumsPlan) -> SumsOf | None:
        """Fetch what one plan wants where that is known to be there, in one trip.

        Returns:
            None where something has to be looked up first, or read by its entries, or where they
            are more than one command fetches; nothing was asked for then.

        Raises:
            PointerMoved: another snapshot is live by now.
            Damage: one isn't whole, under an unchanged pointer or not.
            StoreError: the store.
        """
        wanted = self._all_known(plan)
        if wanted is None or len(wanted) > _most_at_once(plan.target):
            return None
        keys = [each.keys[0] for each in wanted]
        commands: list[Command] = []
        if keys:
            commands.append(PackedCommand.of(b"MGET", keys, [each.wire for each in wanted]))
        *replies, pointer = await self._store.run([*commands, (b"GET", self._keys.current)])
        check_pointer(pointer, self._manifest.version)
        values: Sequence[bytes | None] = replies[0] if keys else []
        prepared = [each.prepared[0] for each in wanted]
        codes = b"".join([each.codes for each in wanted])
        size = sum([len(value) for value in values if value is not None])
        prove = partial(open_prepared, prepared, values, codes, plan.form.layout, self._seal)
        block = await beside(size, prove)
        practices = [each.members[0].practice for each in wanted]
        members = sum([each.stands_for for each in wanted])
        return SumsOf(block, None, practices, members, size, None)

    def _all_known(self, plan: SumsPlan) -> list[_Summed] | None:
        """The sums of all practices that have rows; None unless all of that is known."""
        sets = self._known.sets(self._datasource.id, self._live, plan.name)
        if plan.whole:
            whole = sets.get(_WHOLE_SUMS)
            return [whole] if isinstance(whole, _Summed) else None
        fields: Iterable[bytes] | None = plan.practices
        if fields is None:
            names = sets.get(_SUMS)
            if names is None:
                return None
            fields = names.keys
        if self._datasource.roles.practice in plan.prepared.columns:
            fields = sorted(fields, key=_before_members)
        found: list[_Summed] = []
        for each in fields:
            known = sets.get(_SUMS + each)
            if not isinstance(known, _Summed):
                return None
            if known.keys:
                found.append(known)
            elif known.stands_for:
                return None
        return found

    async def _find_all(self, shares: Iterable[_Share]) -> int:
        """Find the names of all practices where all are wanted; how many trips it took."""
        asked: list[_Share] = []
        commands: list[Command] = []
        for share in shares:
            if not share.are_all:
                continue
            names = self._sets(share).get(_SUMS)
            if names is None:
                counts = share.target.own.counts
                asked.append(share)
                commands += [(b"HGET", counts, TOTAL), (b"HKEYS", counts)]
            else:
                practices = (each.practice for each in names.members)
                _take_names(share, dict(zip(names.keys, practices, strict=True)))
        if not asked:
            return 0
        replies, trips = await self._run(commands)
        for share, packed, found in zip(asked, replies[::2], replies[1::2], strict=True):
            total = unpack_total(share.target.own.counts, packed, self._seal)
            _check(share.target, total, len(found))
            fields = [each for each in found if each.startswith(b"p:")]
            if len(fields) != total.practices:
                raise Damage("a partition's counts don't have as many practices as its total says")
            _take_names(share, {each: parse_field(each)[1] for each in fields})
        return trips

    def _sets(self, share: _Share) -> Mapping[bytes, Entries]:
        return self._known.sets(self._datasource.id, self._live, share.plan.name)

    def _choose(self, share: _Share) -> None:
        """What to ask for, and of which practices it isn't known whether they have sums."""
        own = share.target.own
        sets = self._sets(share)
        if share.plan.whole:
            whole = sets.get(_WHOLE_SUMS)
            if not isinstance(whole, _Summed):
                entries = share.target.partition.entries
                whole = replace(self._describe(own.whole_sums, None), stands_for=entries)
                self._learn(share, {_WHOLE_SUMS: whole})
            share.summed[b""] = whole
            return
        for each in sorted(share.practices, key=_before_members):
            known = sets.get(_SUMS + each)
            if isinstance(known, _Summed):
                share.known[each] = known
                if known.keys:
                    share.summed[each] = known
            else:
                share.unknown.append(each)
                share.summed[each] = self._describe(own.sums(each), share.practices[each])

    def _describe(self, key: bytes, practice: str | None) -> _Summed:
        """All that is known of some sums from their key.

        Raises:
            Damage: the practice is none that its column can hold.
        """
        role = self._datasource.roles.practice
        of_column = None if role is None else self._manifest.schema[role].type
        is_integer = of_column is None or of_column.kind.is_integer
        try:
            code = id_code(practice, is_integer=is_integer)
            codes = np.array([(code, NULL_CODE)], "<i8").tobytes()
            if of_column is not None:  # so that the column can be made at any time
                decode_ids([practice], np.zeros(1, np.int64), of_column)
        except (ValueError, OverflowError) as error:
            raise Damage("a field of counts names what its column can't hold") from error
        prepared = tuple(self._seal.prepare([key]))
        return _Summed((key,), (Member(practice, None),), codes, prepared, pack_words([key]))

    async def _run(self, commands: Sequence[Command]) -> tuple[list[Reply], int]:
        """The replies, and how many trips it took: one where they aren't many."""
        current = self._keys.current
        *replies, pointer = await self._store.run([*commands[:TRIP_COMMANDS], (b"GET", current)])
        check_pointer(pointer, self._manifest.version)
        trips = 1
        for at in range(TRIP_COMMANDS, len(commands), TRIP_COMMANDS):
            replies += await self._store.run(commands[at : at + TRIP_COMMANDS])
            trips += 1
        return replies, trips

    def _take_counts(self, share: _Share, replies: Sequence[Reply]) -> None:
        """What ``counts`` says of practices of which it wasn't known."""
        if not share.unknown:
            return
        counts = share.target.own.counts
        if share.target.is_absent:
            found = dict.fromkeys(share.unknown, (0, False))
        else:
            *chunks, fields = replies
            packed = [value for chunk in chunks for value in chunk]
            _check(share.target, unpack_total(counts, packed[0], self._seal), fields)
            found = {
                each: (0, False) if value is None else unpack_size(counts, each, value, self._seal)
                for each, value in zip(share.unknown, packed[1:], strict=True)
            }
            if share.are_all and (0, False) in found.values():
                raise Damage("a partition's counts have lost a practice")
        for each, (size, has_sums) in found.items():
            summed = share.summed[each]
            share.known[each] = (
                replace(summed, stands_for=size)
                if has_sums
                else _Summed((), (), b"", (), b"", size)
            )
        learned: dict[bytes, Entries] = {_SUMS + each: share.known[each] for each in share.unknown}
        if share.are_all:
            names = tuple(share.practices)
            members = tuple(Member(practice, None) for practice in share.practices.values())
            learned[_SUMS] = Entries(names, members, b"", (), b"")
        self._learn(share, learned)

    def _learn(self, share: _Share, learned: Mapping[bytes, Entries]) -> None:
        self._known.learn(self._datasource.id, self._live, share.plan.name, learned)

    def _prove(self, share: _Share) -> None:
        """Prove the sums of those practices that have some."""
        pairs = zip(share.summed.items(), share.values, strict=True)
        kept = [
            (each, summed, value)
            for (each, summed), value in pairs
            if share.plan.whole or share.known[each].keys
        ]
        share.summed = {each: summed for each, summed, _ in kept}
        share.values = [value for _, _, value in kept]
        entries = Entries.join([summed for _, summed, _ in kept])
        layout = share.plan.form.layout
        share.block = open_prepared(
            entries.prepared, share.values, entries.codes, layout, self._seal
        )


def _before_members(each: bytes) -> bytes:
    """Sorts practices as their entries are."""
    return each + b":"


def _key(plan: SumsPlan) -> tuple[bytes, bool]:
    return plan.target.own.counts, plan.whole


def _unite(plans: Sequence[SumsPlan]) -> dict[tuple[bytes, bool], _Share]:
    shares: dict[tuple[bytes, bool], _Share] = {}
    for plan in plans:
        share = shares.setdefault(_key(plan), _Share(plan, {}))
        if plan.practices is None:
            share.are_all = not plan.whole
        else:
            share.practices |= plan.practices
    return shares


def _take_names(share: _Share, practices: dict[bytes, str | None]) -> None:
    """Know all practices of a partition: whichever else somebody has named has no rows there."""
    share.known |= {each: _NOTHING for each in share.practices if each not in practices}
    share.practices = practices


def _most_at_once(target: Target) -> int:
    """How many sums one command may fetch."""
    partition = target.partition
    average = max(1, partition.sums_bytes // max(1, partition.sums))
    return max(1, min(CHUNK, CHUNK_BYTES // average))


def _check(target: Target, total: Total, fields: int) -> None:
    check_total(total, fields, target.partition)
    if total.sums != target.partition.sums:
        raise Damage("a partition's total isn't what the manifest says")


def _of(plan: SumsPlan, share: _Share) -> SumsOf:
    """What a plan gets of a share."""
    block = share.block
    if block is None:
        raise AssertionError
    sizes = {
        each: 0 if value is None else len(value)
        for each, value in zip(share.summed, share.values, strict=True)
    }
    if plan.whole:
        return SumsOf(block, None, [None], share.target.partition.entries, sizes[b""], None)
    wanted = share.practices if plan.practices is None else plan.practices
    places = [place for place, each in enumerate(share.summed) if each in wanted]
    fields = [each for each in share.summed if each in wanted]
    lacking = [
        wanted[each]
        for each in wanted
        if share.known[each].stands_for and not share.known[each].keys
    ]
    if None in lacking:  # no scope is of the rows without a practice alone
        return SumsOf(block, [], [], 0, 0, plan.scope)
    rest = Scope.of([Box(frozenset(each for each in lacking if each is not None), ALL)])
    return SumsOf(
        block,
        None if len(fields) == len(share.summed) else places,
        [wanted[each] for each in fields],
        sum(share.known[each].stands_for for each in fields),
        sum(sizes[each] for each in fields),
        None if rest.is_empty else rest,
    )
