"""From a run of rows to the entries that they make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from warmcube.entry.codec import HEADER, id_code, pack_header
from warmcube.entry.keys import encode_component
from warmcube.entry.layout import Field, Layout, TextStorage, storage_dtype
from warmcube.entry.sums import SumsForm, sums_form
from warmcube.model.schema import Kind
from warmcube.warm.gather import Gathered, canonical_ids
from warmcube.warm.runs import Run
from warmcube.warm.sums import RunSums, Share, sum_run

__all__ = [
    "MAX_ENTRY_BYTES",
    "EncodedEntry",
    "EncodedSums",
    "PartitionFacts",
    "RunEncoder",
]

MAX_ENTRY_BYTES: Final = 4 << 20
MAX_KNOWN: Final = 50_000
FINITE_NUMERIC: Final = 10**18  # a narrow numeric beyond this is a reserved value

Ints = npt.NDArray[np.int64]
Records = npt.NDArray[np.void]


class EncodedEntry(NamedTuple):
    """One entry, or one part of one, without its seal; a tuple, since a warm makes many."""

    practice: bytes  # encoded component
    provider: bytes  # encoded component
    part: int
    body: bytes
    rows: int

    @property
    def member(self) -> bytes:
        member = b"p:%b:prov:%b" % (self.practice, self.provider)
        return member + b":part:%d" % self.part if self.part else member


@dataclass(slots=True)
class PartitionFacts:
    """What a partition's rows say for the manifest; grows run by run."""

    rows: int
    earliest: int | None
    latest: int | None
    largest: dict[str, int]

    def merge(self, other: PartitionFacts) -> None:
        """Take over what a further run says."""
        self.rows += other.rows
        self.earliest = _least(self.earliest, other.earliest)
        self.latest = _greatest(self.latest, other.latest)
        for name, value in other.largest.items():
            self.largest[name] = max(value, self.largest.get(name, 0))


def _least(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else min(a, b)


def _greatest(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else max(a, b)


@dataclass(frozen=True, slots=True)
class EncodedPartition:
    """One partition's share of a run."""

    number: int
    facts: PartitionFacts
    entries: Iterator[EncodedEntry]
    sums: EncodedSums | None


@dataclass(frozen=True, slots=True)
class EncodedSums:
    """What adds up over one partition's share of a run.

    Attributes:
        practices: of each its encoded component, its code, and its sums.
        whole: of all of them.
    """

    practices: list[tuple[bytes, int, Share]]
    whole: Share


@dataclass(frozen=True, slots=True)
class _Ids:
    """A key column of a run: each row's position among the distinct ids (NULL included)."""

    position: Ints
    components: list[bytes]
    codes: list[int]


class RunEncoder:
    """Sorts runs, packs their rows into records, and cuts these into entries.

    Args:
        gathered: what the runs are of.
        with_sums: whether practice-level sums are wanted.
    """

    def __init__(self, gathered: Gathered, *, with_sums: bool = True) -> None:
        self._gathered = gathered
        self._layout: Layout = gathered.layout()
        self.sums_form: SumsForm | None = (
            sums_form(self._layout, gathered.roles) if with_sums else None
        )
        self._date = next(
            (i for i, c in enumerate(gathered.carried) if c.name == gathered.roles.date), None
        )
        self._next_part: dict[tuple[int, bytes, bytes], int] = {}
        # The same ids come in nearly every run: by key column and value, their component and code.
        self._known: dict[str, dict[Any, tuple[bytes, int]]] = {"practice": {}, "provider": {}}

    def encode(self, run: Run) -> Iterator[EncodedPartition]:
        """The partitions in a run; exhaust each one's entries before asking for the next."""
        table = run.table
        partition = _column(table, "partition").astype(np.int64)
        practices = self._ids(table, "practice", self._gathered.roles.practice)
        providers = self._ids(table, "provider", self._gathered.roles.provider)
        group = (partition * len(practices.components) + practices.position) * len(
            providers.components
        ) + providers.position
        order = sort_order(group, self._date_key(table))
        group, partition = group[order], partition[order]
        records, texts = self._pack(table, order)
        starts = _starts(group)
        firsts = _starts(partition)
        sums = self._sum(records, partition, practices.position[order], starts)
        facts = self._facts(table, records, order, firsts)
        entry_of_first = [*np.searchsorted(starts, firsts).tolist(), len(starts)]
        cut = _Cut(records, texts, practices, providers, order, starts)
        for at, number in enumerate(partition[firsts].tolist()):
            first, last = entry_of_first[at : at + 2]
            if run.is_piece or texts or cut.largest * self._layout.width > MAX_ENTRY_BYTES:
                entries = self._in_parts(number, cut, range(first, last), run)
            else:
                entries = _whole(cut, self._layout.width, range(first, last))
            own = None if sums is None else _with_codes(sums[number], practices)
            yield EncodedPartition(number, facts[at], entries, own)

    def _sum(
        self, records: Records, partition: Ints, practice: Ints, starts: Ints
    ) -> dict[int, RunSums] | None:
        if self.sums_form is None or not len(partition):
            return None
        return sum_run(self.sums_form, self._layout, records, partition, practice, starts)

    def _in_parts(self, number: int, cut: _Cut, which: range, run: Run) -> Iterator[EncodedEntry]:
        """Entries of any size, with whatever lies behind their records."""
        width = self._layout.width
        texts, data = cut.texts, cut.data
        for at in which:
            start, end = cut.starts[at], cut.ends[at]
            practice, provider = cut.practice_at[at], cut.provider_at[at]
            component = cut.practices.components[practice]
            other = cut.providers.components[provider]
            codes = cut.practices.codes[practice], cut.providers.codes[provider]
            part = self._next_part.get((number, component, other), 0) if run.is_piece else 0
            for first, last in self._portions(start, end, texts):
                body = b"".join(
                    [
                        pack_header(*codes, last - first),
                        data[first * width : last * width],
                        *[text.between(first, last) for text in texts],
                    ]
                )
                yield EncodedEntry(component, other, part, body, last - first)
                part += 1
            if run.is_piece:
                self._next_part[number, component, other] = part

    def _portions(self, start: int, end: int, texts: list[_Texts]) -> Iterator[tuple[int, int]]:
        """Cut an entry's rows so that no part is above ``MAX_ENTRY_BYTES`` (one row may be)."""
        size = (end - start) * self._layout.width
        size += sum(text.offsets[end] - text.offsets[start] for text in texts)
        if size <= MAX_ENTRY_BYTES:
            yield start, end
            return
        if not texts:
            step = max(1, MAX_ENTRY_BYTES // self._layout.width)
            for first in range(start, end, step):
                yield first, min(end, first + step)
            return
        sizes = np.full(end - start, self._layout.width, np.int64)
        for text in texts:
            sizes += np.diff(text.offsets[start : end + 1])
        first, filled = start, 0
        for row, row_size in enumerate(sizes.tolist(), start):
            if filled and filled + row_size > MAX_ENTRY_BYTES:
                yield first, row
                first, filled = row, 0
            filled += row_size
        yield first, end

    def _ids(self, table: pa.Table, key: str, role: str | None) -> _Ids:
        if role is None:
            return _Ids(
                np.zeros(table.num_rows, np.int64), [b"~"], [id_code(None, is_integer=True)]
            )
        id_type = self._gathered.schema[role].type
        column = table.column(key)
        if pa.types.is_uint32(column.type):
            values = pa.array(self._gathered.texts[role].values, pa.string())
            encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
            distinct = values.take(encoded.dictionary)
        else:
            encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
            distinct = encoded.dictionary
        known = self._known[key]
        raw = distinct.to_pylist()
        if missing := [at for at, value in enumerate(raw) if value not in known]:
            if len(known) > MAX_KNOWN:
                known.clear()
                missing = list(range(len(raw)))
            canonical = canonical_ids(distinct.take(pa.array(missing)), id_type)
            for at, value in zip(missing, canonical, strict=True):
                code = id_code(value, is_integer=id_type.kind.is_integer)
                known[raw[at]] = encode_component(value).encode(), code
        ids = [known[value] for value in raw]
        return _Ids(
            np.asarray(encoded.indices).astype(np.int64),
            [component for component, _ in ids],
            [code for _, code in ids],
        )

    def _date_key(self, table: pa.Table) -> Ints:
        if self._date is None:
            return np.zeros(table.num_rows, np.int64)
        dates = table.column(f"c{self._date}").combine_chunks()
        if not dates.null_count:
            return np.asarray(dates).astype(np.int64)
        return np.asarray(dates.cast(pa.int64()).fill_null(np.iinfo(np.int64).max))

    def _pack(self, table: pa.Table, order: Ints) -> tuple[Records, list[_Texts]]:
        """The rows' records, in order."""
        records = np.zeros(table.num_rows, self._layout.dtype)
        texts: list[_Texts] = []
        bits = np.zeros((table.num_rows, len(self._layout.bits)), np.bool_)
        for position, field in enumerate(self._layout.fields):
            column = table.column(f"c{position}").combine_chunks()
            if field.name in self._layout.bits:
                bits[:, self._layout.bits[field.name]] = np.asarray(column.is_valid())
            if field.text is TextStorage.BEHIND:
                text = _Texts(column.take(pa.array(order)))
                texts.append(text)
            else:
                self._layout.write(records, position, _plain(column, field))
        if self._layout.bits:
            records["valid"] = np.packbits(bits, axis=1, bitorder="little")
        # Whole records are put in order at once: that is one pass, where columns take one each.
        plain = np.dtype((np.void, self._layout.width))
        records = records.view(plain).take(order).view(self._layout.dtype)
        for position, text in zip(self._layout.behind, texts, strict=True):
            records[f"c{position}"] = np.diff(text.offsets)
        return records, texts

    def _facts(
        self, table: pa.Table, records: Records, order: Ints, firsts: Ints
    ) -> list[PartitionFacts]:
        rows = np.diff(np.append(firsts, table.num_rows)).tolist()
        facts = [PartitionFacts(count, None, None, {}) for count in rows]
        for position, column in enumerate(self._gathered.carried):
            kind = column.type.kind
            is_date = position == self._date
            if not (kind.is_integer or kind is Kind.NUMERIC or is_date) or column.type.is_wide:
                continue
            values = self._layout.read(records, position).astype(np.int64, copy=False)
            nulls = table.column(f"c{position}").null_count
            low, high = _ranges(values, firsts)
            if nulls or not _all_kept(low, high, kind, is_date=is_date):
                keep = np.ones(len(values), np.bool_)
                if nulls:
                    array = table.column(f"c{position}").combine_chunks()
                    keep = np.asarray(array.is_valid())[order]
                if kind is Kind.NUMERIC:
                    keep &= (values > -FINITE_NUMERIC) & (values < FINITE_NUMERIC)
                elif is_date:
                    keep &= _is_finite(values, kind)
                low, _ = _ranges(np.where(keep, values, np.iinfo(np.int64).max), firsts)
                _, high = _ranges(np.where(keep, values, np.iinfo(np.int64).min), firsts)
            for fact, least, most in zip(facts, low.tolist(), high.tolist(), strict=True):
                if least > most:
                    continue
                if is_date:
                    fact.earliest, fact.latest = least, most
                else:
                    fact.largest[column.name] = max(abs(least), abs(most))
        return facts


def _with_codes(sums: RunSums, practices: _Ids) -> EncodedSums:
    return EncodedSums(
        [
            (practices.components[position], practices.codes[position], share)
            for position, share in sums.practices.items()
        ],
        sums.whole,
    )


class _Cut:
    """A sorted run, and where each of its entries lies in it."""

    def __init__(
        self,
        records: Records,
        texts: list[_Texts],
        practices: _Ids,
        providers: _Ids,
        order: Ints,
        starts: Ints,
    ) -> None:
        self.texts = texts
        self.practices = practices
        self.providers = providers
        self.data: memoryview = records.view(np.uint8).reshape(-1).data
        heads = order[starts]
        bounds = np.append(starts, len(order))
        practice_at, provider_at = practices.position[heads], providers.position[heads]
        self.largest = int(np.diff(bounds).max())
        self.starts: list[int] = starts.tolist()
        self.ends: list[int] = bounds[1:].tolist()
        self.practice_at: list[int] = practice_at.tolist()
        self.provider_at: list[int] = provider_at.tolist()
        headers = np.zeros(len(starts), HEADER)
        headers["practice"] = np.array(practices.codes, np.int64)[practice_at]
        headers["provider"] = np.array(providers.codes, np.int64)[provider_at]
        headers["rows"] = np.diff(bounds)
        self.headers = headers.tobytes()


def _whole(cut: _Cut, width: int, which: range) -> Iterator[EncodedEntry]:
    """Entries of one part, with nothing behind their records: nearly all that there are."""
    practices, providers = cut.practices.components, cut.providers.components
    starts, ends, data, headers = cut.starts, cut.ends, cut.data, cut.headers
    practice_at, provider_at, size = cut.practice_at, cut.provider_at, HEADER.itemsize
    for at in which:
        start, end = starts[at], ends[at]
        body = b"".join((headers[at * size : at * size + size], data[start * width : end * width]))
        yield EncodedEntry(
            practices[practice_at[at]], providers[provider_at[at]], 0, body, end - start
        )


def sort_order(group: Ints, dates: Ints) -> Ints:
    """The order by group, then by date."""
    if not len(group):
        return np.zeros(0, np.int64)
    earliest, groups = int(dates.min()), int(group.max()) + 1
    span = int(dates.max()) - earliest + 1
    if groups * span * len(group) >= 2**63:
        return np.lexsort((dates, group))
    # One integer of group, date and place: sorting these is far faster than sorting twice by keys.
    packed = (group * span + (dates - earliest)) * len(group)
    packed += np.arange(len(group))
    packed.sort()
    order: Ints = packed % len(group)
    return order


def _ranges(values: Ints, firsts: Ints) -> tuple[Ints, Ints]:
    """The least and the greatest value from each of `firsts` to the next."""
    return np.minimum.reduceat(values, firsts), np.maximum.reduceat(values, firsts)


def _all_kept(low: Ints, high: Ints, kind: Kind, *, is_date: bool) -> bool:
    """Whether no value in these ranges is a reserved one."""
    if kind is Kind.NUMERIC:
        return bool(low.min() > -FINITE_NUMERIC and high.max() < FINITE_NUMERIC)
    return not is_date or bool(_is_finite(low, kind).all() and _is_finite(high, kind).all())


def _is_finite(values: Ints, kind: Kind) -> npt.NDArray[np.bool_]:
    limits = np.iinfo(np.int32 if kind is Kind.DATE else np.int64)
    finite: npt.NDArray[np.bool_] = (values > limits.min) & (values < limits.max)
    return finite


class _Texts:
    """Sorted texts of one column: their bytes and where each begins."""

    def __init__(self, column: pa.Array) -> None:
        column = column.fill_null("").cast(pa.large_string())
        _, offsets, data = column.buffers()
        self.offsets: Ints = np.frombuffer(offsets, np.int64, len(column) + 1, column.offset * 8)
        self._data = memoryview(data) if data is not None else memoryview(b"")

    def between(self, first: int, last: int) -> memoryview:
        """The bytes of some consecutive rows."""
        return self._data[self.offsets[first] : self.offsets[last]]


def _column(table: pa.Table, name: str) -> npt.NDArray[Any]:
    return np.asarray(table.column(name).combine_chunks())


def _plain(column: pa.Array, field: Field) -> npt.NDArray[Any]:
    """A fixed-width column as numpy has it; NULLs are what becomes zeros in a record."""
    dtype = storage_dtype(field.type)
    if pa.types.is_fixed_size_binary(column.type):
        raw = column.fill_null(bytes(16)).buffers()[1]
        return np.frombuffer(raw, dtype, len(column), column.offset * 16)
    if pa.types.is_boolean(column.type):
        return np.asarray(column.fill_null(False))
    return np.asarray(column.fill_null(field.offset)).astype(dtype, copy=False)


def _starts(sorted_values: Ints) -> Ints:
    """Where each run of equal values begins."""
    if not len(sorted_values):
        return np.zeros(0, np.int64)
    return np.concatenate(([0], np.flatnonzero(np.diff(sorted_values)) + 1))
