"""From sorted rows to practice-level sums: what they are, and where they pay. Pure.

A practice has sums where its entries are at least two and the sums take at most half as many
records, so that they cost little beside the entries. Both follow from its own rows, so that whoever
sees those learns nothing of others' by how an answer was made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from warmcube.entry.layout import Layout
from warmcube.entry.sums import SumsForm
from warmcube.model.schema import Kind

__all__ = ["MAX_SUMS_BYTES", "RunSums", "Share", "Summing", "sum_run"]

MAX_SUMS_BYTES: Final = 1 << 20
"""Of one practice in one partition: larger ones aren't written. Nobody charts so many dates."""

LEAST_SAVING: Final = 2
"""How many times fewer records than rows there must be."""

_FITS: Final = 1 << 62
_LEAST: Final = -(1 << 63)  # -infinity of a narrow numeric; NaN is the greatest int64
_INFINITY: Final = (1 << 63) - 2
_NAN: Final = (1 << 63) - 1
_MAX_ROWS: Final = (1 << 31) - 1  # of one date, which its count must hold

Ints = npt.NDArray[np.int64]
Records = npt.NDArray[Any]


@dataclass(slots=True)
class Share:
    """The sums of some rows of one practice, or of a whole partition.

    Attributes:
        records: one for each date; None where they can't be written.
        rows: how many rows they are of.
        entries: how many entries these make.
    """

    records: Records | None
    rows: int
    entries: int

    @property
    def pays(self) -> bool:
        """Whether to write them."""
        if self.records is None or self.entries < 2:
            return False
        return len(self.records) * LEAST_SAVING <= self.rows


@dataclass(frozen=True, slots=True)
class RunSums:
    """The sums of one partition's share of a run.

    Attributes:
        practices: by the practice's position in the run.
        whole: of all of them together.
    """

    practices: dict[int, Share]
    whole: Share


@dataclass(slots=True)
class Summing:
    """The sums of a partition, or of a practice, that comes in several runs."""

    form: SumsForm
    _shares: list[Share] = field(default_factory=list)

    def add(self, share: Share) -> None:
        """Take in those of one run."""
        self._shares.append(share)
        if len(self._shares) > 16:
            self._shares = [self.join()]

    def join(self) -> Share:
        """Those of all runs."""
        if len(self._shares) == 1:
            return self._shares[0]
        rows = sum(share.rows for share in self._shares)
        entries = sum(share.entries for share in self._shares)
        parts = [share.records for share in self._shares if share.records is not None]
        if len(parts) < len(self._shares):
            return Share(None, rows, entries)
        joined = np.concatenate(parts)
        figures = _Figures.of_sums(self.form, joined)
        found = _by_date(self.form, np.zeros(len(joined), np.int64), figures)
        return Share(_within(found.records) if found.fits.all() else None, rows, entries)


@dataclass(frozen=True, slots=True)
class _Figures:
    """What is added up, row by row (or date by date): as columns of int64.

    Attributes:
        date: in storage form; None without a date column.
        dateless: True where the date is NULL; None if nowhere.
        count: how many values each stands for.
        total: of its values; None without a value column. Anything where the count is 0.
        least: likewise.
        greatest: likewise.
        has_reserved: whether the values are numerics, some of which stand for no number.
    """

    date: Ints | None
    dateless: npt.NDArray[np.bool_] | None
    count: Ints
    total: Ints | None
    least: Ints | None
    greatest: Ints | None
    has_reserved: bool

    @classmethod
    def of_rows(cls, form: SumsForm, layout: Layout, records: Records) -> _Figures:
        """Of rows of entries."""
        positions = {each.name: i for i, each in enumerate(layout.fields)}

        def valid(name: str) -> npt.NDArray[np.bool_] | None:
            bit = layout.bits.get(name)
            if bit is None:
                return None
            found: npt.NDArray[np.bool_] = (records["valid"][:, bit // 8] >> (bit % 8) & 1).astype(
                np.bool_
            )
            return None if found.all() else found

        date, dateless = None, None
        if form.date is not None:
            date = layout.read(records, positions[form.date]).astype(np.int64)
            dated = valid(form.date)
            dateless = None if dated is None else ~dated
        count = np.ones(len(records), np.int64)
        if form.value is None:
            return cls(date, dateless, count, None, None, None, has_reserved=False)
        value = layout.read(records, positions[form.value]).astype(np.int64)
        has_value = valid(form.value)
        if has_value is not None:
            count = has_value.astype(np.int64)
        is_numeric = layout.fields[positions[form.value]].type.kind is Kind.NUMERIC
        return cls(date, dateless, count, value, value, value, has_reserved=is_numeric)

    @classmethod
    def of_sums(cls, form: SumsForm, records: Records) -> _Figures:
        """Of sums by date, of several runs."""
        layout = form.layout
        columns = {
            each.name: layout.read(records, i).astype(np.int64)
            for i, each in enumerate(layout.fields)
        }
        dateless = None
        if "date" in layout.bits:
            dateless = (records["valid"][:, 0] & 1) == 0
        is_numeric = layout.fields[-1].type.kind is Kind.NUMERIC
        return cls(
            columns.get("date"),
            dateless,
            columns["count"],
            columns.get("sum"),
            columns.get("least"),
            columns.get("greatest"),
            has_reserved=is_numeric,
        )


def sum_run(
    form: SumsForm,
    layout: Layout,
    records: Records,
    partition: Ints,
    practice: Ints,
    entries: Ints,
) -> dict[int, RunSums]:
    """The sums of a run, by partition.

    Args:
        form: of the sums.
        layout: of the rows.
        records: the run's rows, at least one, sorted by partition and practice.
        partition: of each row.
        practice: of each row, its position in the run.
        entries: where each entry begins.
    """
    firsts = _starts(partition, practice)  # of owners: practices in partitions
    by_owner = _by_date(
        form, _numbered(firsts, len(records)), _Figures.of_rows(form, layout, records)
    )
    parts = _starts(partition[firsts])  # of partitions, in owners
    part_of = _numbered(parts, len(firsts))
    whole = _by_date(form, part_of[by_owner.owner], _Figures.of_sums(form, by_owner.records))
    whole_fits = whole.fits & np.logical_and.reduceat(by_owner.fits, parts)
    rows = np.diff(np.append(firsts, len(records)))
    made = np.diff(np.append(np.searchsorted(entries, firsts), len(entries)))
    found = {
        int(partition[firsts[first]]): RunSums({}, share)
        for first, share in zip(
            parts.tolist(),
            _shares(
                whole.records,
                whole.bounds,
                whole_fits,
                np.add.reduceat(rows, parts),
                np.add.reduceat(made, parts),
            ),
            strict=True,
        )
    }
    shares = _shares(by_owner.records, by_owner.bounds, by_owner.fits, rows, made)
    for first, share in zip(firsts.tolist(), shares, strict=True):
        found[int(partition[first])].practices[int(practice[first])] = share
    return found


def _shares(
    records: Records, bounds: Ints, fits: npt.NDArray[np.bool_], rows: Ints, entries: Ints
) -> Iterator[Share]:
    ends = bounds.tolist()
    for start, end, each_fits, each_rows, each_entries in zip(
        ends[:-1], ends[1:], fits.tolist(), rows.tolist(), entries.tolist(), strict=True
    ):
        own = _within(records[start:end]) if each_fits else None
        yield Share(own, each_rows, each_entries)


def _within(records: Records) -> Records | None:
    return records if records.nbytes <= MAX_SUMS_BYTES else None


@dataclass(frozen=True, slots=True)
class _ByDate:
    """Sums by owner and date.

    Attributes:
        records: in the order of their owners, then of their dates, NULL last.
        owner: of each record.
        fits: of each owner, whether all of its sums surely fit.
    """

    records: Records
    owner: Ints
    fits: npt.NDArray[np.bool_]

    @property
    def bounds(self) -> Ints:
        """Where the records of each owner begin, and where the last ones end."""
        return np.searchsorted(self.owner, np.arange(len(self.fits) + 1))


def _by_date(form: SumsForm, owner: Ints, figures: _Figures) -> _ByDate:
    """Add up what is of one owner and one date.

    Args:
        form: of the sums.
        owner: of each row: 0, 1, …, in this order.
        figures: the rows.
    """
    order, starts = _sorted(owner, figures)
    records = np.zeros(len(starts), form.layout.dtype)
    count = figures.count[order]
    counts = np.add.reduceat(count, starts)
    fits = counts <= _MAX_ROWS
    if figures.date is not None:
        form.layout.write(records, 0, figures.date[order][starts])
        if "date" in form.layout.bits:
            records["valid"] = 1
            if figures.dateless is not None:
                is_without = figures.dateless[order][starts]
                records["valid"][is_without] = 0
                records["c0"][is_without] = 0
    records[f"c{form.count}"] = np.where(fits, counts, 0)
    if figures.total is not None and figures.least is not None and figures.greatest is not None:
        has_values = count > 0
        totals, fit = _totals(figures.total[order], has_values, starts, figures)
        fits &= fit
        least = np.where(has_values, figures.least[order], _NAN)
        greatest = np.where(has_values, figures.greatest[order], _LEAST)
        is_empty = counts == 0
        extremes = (np.minimum.reduceat(least, starts), np.maximum.reduceat(greatest, starts))
        for function, values in zip(("sum", "min", "max"), (totals, *extremes), strict=True):
            position = form.position(function)
            nothing = form.layout.fields[position].offset
            form.layout.write(records, position, np.where(is_empty, nothing, values))
    owners = owner[order][starts]
    own_fits = np.ones(int(owner[-1]) + 1, np.bool_)
    own_fits[owners[~fits]] = False
    return _ByDate(records, owners, own_fits)


def _totals(
    values: Ints, has_values: npt.NDArray[np.bool_], starts: Ints, figures: _Figures
) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Sums of runs of values; and which of them surely fit."""
    is_finite = has_values
    marks: list[npt.NDArray[np.bool_]] = []
    if figures.has_reserved and (values.min() == _LEAST or values.max() >= _INFINITY):
        for code in (_NAN, _INFINITY, _LEAST):
            is_code = (values == code) & has_values
            marks.append(np.logical_or.reduceat(is_code, starts))
            is_finite = is_finite & ~is_code
    finite = values if is_finite.all() else np.where(is_finite, values, 0)
    totals = np.add.reduceat(finite, starts)
    largest = max(-int(finite.min()), int(finite.max()))
    longest = int(np.diff(np.append(starts, len(values))).max())
    if largest * longest < _FITS:
        fits = np.ones(len(starts), np.bool_)
    else:  # in doubles, whose error is far below the margin
        fits = np.add.reduceat(np.abs(finite.astype(np.float64)), starts) < _FITS / 2
    if marks:
        nan, infinity, least = marks
        totals[infinity] = _INFINITY
        totals[least] = _LEAST
        totals[nan | (infinity & least)] = _NAN
    return totals, fits


def _sorted(owner: Ints, figures: _Figures) -> tuple[Ints | slice, Ints]:
    """The rows by owner and date, NULL last; and where each date of each owner begins."""
    date, dateless = figures.date, figures.dateless
    if date is None:
        return slice(None), _starts(owner)
    low, owners = int(date.min()), int(owner[-1]) + 1
    span = int(date.max()) - low + 2
    if span * owners < _FITS:  # nearly always: one key, which is sorted in long runs already
        key = owner * span + (date - low)
        if dateless is not None:
            key = np.where(dateless, owner * span + (span - 1), key)
        order = np.argsort(key, kind="stable")
        return order, _starts(key[order])
    without = np.zeros(len(date), np.bool_) if dateless is None else dateless
    date = np.where(without, 0, date)
    order = np.lexsort((date, without, owner))
    return order, _starts(owner[order], without[order], date[order])


def _numbered(starts: Ints, length: int) -> Ints:
    """0 up to the second start, then 1, and so on."""
    steps = np.zeros(length, np.int64)
    steps[starts[1:]] = 1
    return steps.cumsum()


def _starts(*sorted_values: npt.NDArray[Any]) -> Ints:
    """Where each run of equal values begins."""
    changes = np.zeros(max(0, len(sorted_values[0]) - 1), np.bool_)
    for values in sorted_values:
        changes |= values[1:] != values[:-1]
    return np.concatenate(([0], np.flatnonzero(changes) + 1))
