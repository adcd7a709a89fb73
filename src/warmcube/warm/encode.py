"""From a run of rows to the entries that they make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from warmcube.entry.codec import id_code, pack_header
from warmcube.entry.keys import encode_component
from warmcube.entry.layout import Layout, TextStorage
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
FINITE_NUMERIC: Final = 10**18  # a narrow numeric beyond this is a reserved value

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class EncodedEntry:
    """One entry, or one part of one, without its seal."""

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

    def encode(self, run: Run) -> Iterator[EncodedPartition]:
        """The partitions in a run; exhaust each one's entries before asking for the next."""
        table = run.table
        partition = _column(table, "partition").astype(np.int64)
        practices = self._ids(table, "practice", self._gathered.roles.practice)
        providers = self._ids(table, "provider", self._gathered.roles.provider)
        group = (partition * len(practices.components) + practices.position) * len(
            providers.components
        ) + providers.position
        order = np.lexsort((self._date_key(table), group))
        group, partition = group[order], partition[order]
        records, texts = self._pack(table, order)
        starts = _starts(group)
        ends = np.append(starts[1:], len(group))
        firsts = _starts(partition)
        sums = self._sum(records, partition, practices.position[order], starts)
        facts = self._facts(table, order, firsts)
        entry_of_first = [*np.searchsorted(starts, firsts).tolist(), len(starts)]
        heads = order[starts]
        practice_at = practices.position[heads].tolist()
        provider_at = providers.position[heads].tolist()
        spans = list(zip(starts.tolist(), ends.tolist(), practice_at, provider_at, strict=True))
        for at, first in enumerate(firsts.tolist()):
            number = int(partition[first])
            share = spans[entry_of_first[at] : entry_of_first[at + 1]]
            entries = self._cut(number, share, records, texts, practices, providers, run)
            own = None if sums is None else _with_codes(sums[number], practices)
            yield EncodedPartition(number, facts[at], entries, own)

    def _sum(
        self, records: memoryview, partition: Ints, practice: Ints, starts: Ints
    ) -> dict[int, RunSums] | None:
        if self.sums_form is None or not len(partition):
            return None
        rows = np.frombuffer(records, self._layout.dtype)
        return sum_run(self.sums_form, self._layout, rows, partition, practice, starts)

    def _cut(
        self,
        number: int,
        spans: list[tuple[int, int, int, int]],
        records: memoryview,
        texts: list[_Texts],
        practices: _Ids,
        providers: _Ids,
        run: Run,
    ) -> Iterator[EncodedEntry]:
        width = self._layout.width
        for start, end, practice, provider in spans:
            component, other = practices.components[practice], providers.components[provider]
            codes = practices.codes[practice], providers.codes[provider]
            part = self._next_part.get((number, component, other), 0) if run.is_piece else 0
            for first, last in self._portions(start, end, texts):
                body = b"".join(
                    [
                        pack_header(*codes, last - first),
                        records[first * width : last * width],
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
        canonical = canonical_ids(distinct, id_type)
        return _Ids(
            np.asarray(encoded.indices).astype(np.int64),
            [encode_component(value).encode() for value in canonical],
            [id_code(value, is_integer=id_type.kind.is_integer) for value in canonical],
        )

    def _date_key(self, table: pa.Table) -> Ints:
        if self._date is None:
            return np.zeros(table.num_rows, np.int64)
        dates = table.column(f"c{self._date}").combine_chunks()
        return np.asarray(dates.cast(pa.int64()).fill_null(np.iinfo(np.int64).max))

    def _pack(self, table: pa.Table, order: Ints) -> tuple[memoryview, list[_Texts]]:
        records = np.zeros(table.num_rows, self._layout.dtype)
        texts: list[_Texts] = []
        bits = np.zeros((table.num_rows, len(self._layout.bits)), np.bool_)
        for position, field in enumerate(self._layout.fields):
            column = table.column(f"c{position}").combine_chunks()
            if field.name in self._layout.bits:
                bits[:, self._layout.bits[field.name]] = np.asarray(column.is_valid())[order]
            if field.text is TextStorage.BEHIND:
                text = _Texts(column.take(pa.array(order)))
                records[f"c{position}"] = np.diff(text.offsets)
                texts.append(text)
            else:
                records[f"c{position}"] = _plain(column, records.dtype[f"c{position}"])[order]
        if self._layout.bits:
            records["valid"] = np.packbits(bits, axis=1, bitorder="little")
        return records.view(np.uint8).reshape(-1).data, texts

    def _facts(self, table: pa.Table, order: Ints, firsts: Ints) -> list[PartitionFacts]:
        rows = np.diff(np.append(firsts, table.num_rows)).tolist()
        facts = [PartitionFacts(count, None, None, {}) for count in rows]
        for position, column in enumerate(self._gathered.carried):
            kind = column.type.kind
            is_date = position == self._date
            if not (kind.is_integer or kind is Kind.NUMERIC or is_date) or column.type.is_wide:
                continue
            array = table.column(f"c{position}").combine_chunks()
            values = np.asarray(array.cast(pa.int64()).fill_null(0))[order]
            keep = np.asarray(array.is_valid())[order]
            if kind is Kind.NUMERIC:
                keep &= (values > -FINITE_NUMERIC) & (values < FINITE_NUMERIC)
            elif is_date:
                keep &= _is_finite(values, kind)
            least = np.minimum.reduceat(np.where(keep, values, np.iinfo(np.int64).max), firsts)
            most = np.maximum.reduceat(np.where(keep, values, np.iinfo(np.int64).min), firsts)
            for fact, low, high in zip(facts, least.tolist(), most.tolist(), strict=True):
                if low > high:
                    continue
                if is_date:
                    fact.earliest, fact.latest = low, high
                else:
                    fact.largest[column.name] = max(abs(low), abs(high))
        return facts


def _with_codes(sums: RunSums, practices: _Ids) -> EncodedSums:
    return EncodedSums(
        [
            (practices.components[position], practices.codes[position], share)
            for position, share in sums.practices.items()
        ],
        sums.whole,
    )


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


def _plain(column: pa.Array, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """A fixed-width column as numpy has it in a record; NULLs become zeros."""
    if pa.types.is_fixed_size_binary(column.type):
        raw = column.fill_null(bytes(16)).buffers()[1]
        return np.frombuffer(raw, dtype, len(column), column.offset * 16)
    if pa.types.is_boolean(column.type):
        return np.asarray(column.fill_null(False))
    return np.asarray(column.fill_null(0)).astype(dtype, copy=False)


def _starts(sorted_values: Ints) -> Ints:
    """Where each run of equal values begins."""
    if not len(sorted_values):
        return np.zeros(0, np.int64)
    return np.concatenate(([0], np.flatnonzero(np.diff(sorted_values)) + 1))
