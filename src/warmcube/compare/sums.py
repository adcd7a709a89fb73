"""Practice-level sums, checked against the entries that they are of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, pairwise
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from warmcube.compare.canonical import ColumnValues, column_values
from warmcube.compare.stored import Chunk, StoredSnapshot
from warmcube.entry.codec import NULL_CODE, decode_column, open_entries
from warmcube.entry.keys import Member, PartitionName, practice_field
from warmcube.entry.sums import SumsForm, sums_form
from warmcube.errors import Damage
from warmcube.model.schema import Kind
from warmcube.query.entries import codes_of

__all__ = ["SumsCheck"]

AT_ONCE: Final = 200

_NAN: Final = (1 << 63) - 1
_INFINITY: Final = (1 << 63) - 2
_MINUS_INFINITY: Final = -(1 << 63)
_RESERVED: Final = (_NAN, _INFINITY, _MINUS_INFINITY)

Ints: TypeAlias = npt.NDArray[np.int64]


@dataclass(slots=True)
class _Day:
    """What the values of one date amount to; `specials` are those that stand for no number."""

    count: int = 0
    total: int = 0
    least: int = _NAN
    greatest: int = _MINUS_INFINITY
    specials: frozenset[int] = frozenset()

    def add(self, other: _Day) -> None:
        self.count += other.count
        self.total += other.total
        self.least = min(self.least, other.least)
        self.greatest = max(self.greatest, other.greatest)
        if other.specials:
            self.specials |= other.specials

    @property
    def sum(self) -> int:
        if not self.specials:
            return self.total
        if len(self.specials) > 1 or _NAN in self.specials:
            return _NAN
        return next(iter(self.specials))


Days: TypeAlias = dict[int | None, _Day]


@dataclass(slots=True)
class SumsCheck:
    """The sums of one partition, made anew from its entries as they come, and compared.

    Attributes:
        stored: the snapshot.
        name: of the partition.
        with_sums: fields of the practices that have sums, with the practices.
        troubles: what is wrong.
    """

    stored: StoredSnapshot
    name: PartitionName
    with_sums: Mapping[bytes, str | None]
    troubles: set[str] = field(default_factory=set)
    _form: SumsForm | None = None
    _whole: Days = field(default_factory=dict)
    _practice: tuple[str | None] | None = None
    _days: Days = field(default_factory=dict)
    _waiting: list[tuple[bytes, str | None, Days]] = field(default_factory=list)
    _seen: int = 0

    def __post_init__(self) -> None:
        manifest = self.stored.live.manifest
        partition = manifest.partitions[self.name]
        self._form = sums_form(manifest.layouts[partition.layout], manifest.roles)
        if self._form is None and (self.with_sums or partition.has_whole_sums):
            self.troubles.add("there are sums where the table can't have any")

    @property
    def is_needed(self) -> bool:
        """Whether the partition has any."""
        has_whole = self.stored.live.manifest.partitions[self.name].has_whole_sums
        return self._form is not None and (bool(self.with_sums) or has_whole)

    async def add(self, chunk: Chunk) -> None:
        """Take in some entries; all of one practice come one after the other."""
        form = self._form
        if form is None or not self.is_needed:
            return
        columns = chunk.table.columns
        date = None if form.date is None else column_values(columns[form.date])
        value = None if form.value is None else column_values(columns[form.value])
        owner = [0]
        for before, member in pairwise(chunk.members):
            owner.append(owner[-1] + (before.practice != member.practice))
        practices = dict(zip(owner, (each.practice for each in chunk.members), strict=True))
        owners = np.repeat(np.array(owner, np.int64), chunk.rows_of)
        for at, day, figures in _days(owners, date, value):
            practice = practices[at]
            if self._practice is None or self._practice[0] != practice:
                await self._finish()
                self._practice = (practice,)
            for days in (self._days, self._whole):
                days.setdefault(day, _Day()).add(figures)

    async def end(self) -> set[str]:
        """Compare what is left; what was found to be wrong.

        Raises:
            Damage: sums aren't what was written.
        """
        await self._finish()
        await self._compare()
        partition = self.stored.live.manifest.partitions[self.name]
        if self._form is not None and partition.has_whole_sums:
            key = self.stored.own(self.name).whole_sums
            (value,) = await self.stored.store.run([(b"GET", key)])
            codes = np.array([[NULL_CODE, NULL_CODE]], np.int64)
            if not self._are_equal(key, value, codes, self._whole):
                self.troubles.add("the sums of the partition aren't those of its entries")
        if self.is_needed and self._seen != len(self.with_sums):
            self.troubles.add("a practice without entries has sums")
        return self.troubles

    async def _finish(self) -> None:
        if self._practice is None:
            return
        practice_key = practice_field(self._practice[0])
        if practice_key in self.with_sums:
            self._seen += 1
            self._waiting.append((practice_key, self._practice[0], self._days))
        self._days, self._practice = {}, None
        if len(self._waiting) >= AT_ONCE:
            await self._compare()

    async def _compare(self) -> None:
        if not self._waiting:
            return
        own, schema = self.stored.own(self.name), self.stored.live.manifest.schema
        keys = [own.sums(practice_key) for practice_key, _, _ in self._waiting]
        (values,) = await self.stored.store.run([(b"MGET", *keys)])
        codes = codes_of(
            schema, self.stored.datasource, [Member(each, None) for _, each, _ in self._waiting]
        )
        for at, (_, _, days) in enumerate(self._waiting):
            if not self._are_equal(keys[at], values[at], codes[at : at + 1], days):
                self.troubles.add("the sums of a practice aren't those of its entries")
        self._waiting = []

    def _are_equal(
        self,
        key: bytes,
        value: bytes | None,
        codes: Ints,
        days: Days,
    ) -> bool:
        form = self._form
        if form is None:
            return False
        try:
            block = open_entries([key], [value], codes, form.layout, self.stored.seal)
        except Damage as error:
            raise Damage(f"practice-level sums: {error}") from None
        columns = [
            column_values(decode_column(block, at, _no_dictionary))
            for at in range(len(form.layout.fields))
        ]
        if form.date is None:
            keys: list[int | None] = [0] * block.rows
        else:
            keys = columns[0].plain(0)
        counts = columns[form.count].values.tolist()
        if len(keys) != len(days) or set(keys) != set(days):
            return False
        figures = [column.values.tolist() for column in columns[form.count + 1 :]]
        for at, day in enumerate(keys):
            own = days[day]
            if counts[at] != own.count:
                return False
            if form.value is not None and own.count:
                found = [each[at] for each in figures]
                if found != [own.sum, own.least, own.greatest]:
                    return False
        return True


def _days(
    owners: Ints, date: ColumnValues | None, value: ColumnValues | None
) -> Iterator[tuple[int, int | None, _Day]]:
    """What the values of each owner and date amount to, owner by owner.

    Args:
        owners: of each row, ascending.
        date: its dates; None where the table has none.
        value: its values; None where rows are counted.
    """
    if not len(owners):
        return
    day = np.zeros(len(owners), np.int64) if date is None else date.values.astype(np.int64)
    dated = np.ones(len(owners), np.bool_)
    if date is not None and date.valid is not None:
        dated = date.valid
        day = np.where(dated, day, 0)
    order = np.lexsort((day, dated, owners))
    owners, day, dated = owners[order], day[order], dated[order]
    is_first = np.ones(len(owners), np.bool_)
    is_first[1:] = (np.diff(owners) != 0) | (np.diff(day) != 0) | (dated[1:] != dated[:-1])
    firsts = np.flatnonzero(is_first)
    counted = np.ones(len(owners), np.bool_)
    values = np.zeros(len(owners), np.int64)
    if value is not None:
        values = value.values.astype(np.int64)[order]
        counted = counted if value.valid is None else value.valid[order]
    has_reserved = value is not None and value.type.kind is Kind.NUMERIC
    reserved = [values == each for each in _RESERVED] if has_reserved else []
    numbers = np.where(np.logical_or.reduce([~counted, *reserved]), 0, values)
    # Halves of 32 bits, so that no sum leaves 64.
    columns = [
        np.add.reduceat(counted.astype(np.int64), firsts),
        np.add.reduceat(numbers & 0xFFFFFFFF, firsts),
        np.add.reduceat(numbers >> 32, firsts),
        np.minimum.reduceat(np.where(counted, values, _NAN), firsts),
        np.maximum.reduceat(np.where(counted, values, _MINUS_INFINITY), firsts),
        owners[firsts],
        day[firsts],
        dated[firsts],
        *(np.logical_or.reduceat(each & counted, firsts) for each in reserved),
    ]
    for count, low, high, least, greatest, owner, own_day, is_dated, *special in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        specials: frozenset[int] = frozenset()
        if any(special):
            specials = frozenset(compress(_RESERVED, special))
        figures = _Day(count, (high << 32) + low, least, greatest, specials)
        yield owner, own_day if is_dated else None, figures


def _no_dictionary(name: str) -> Sequence[str]:
    raise AssertionError(name)
