"""The first half of a warm: every row of the source, encoded by column, in buckets.

Nothing is decided here that needs all rows; but once all have passed, everything is known that the
records need: which columns hold NULLs, how wide their values are, which texts have a dictionary,
which partitions there are and how many rows each has.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_64_intdigest

from warmcube.entry.keys import PartitionName
from warmcube.entry.layout import Field, Layout, TextStorage, storage_dtype
from warmcube.errors import TableMismatch
from warmcube.model.schema import Column, ColumnType, Kind, Roles, Schema
from warmcube.warm.spill import Spill
from warmcube.warm.texts import TextColumn

__all__ = ["Gathered", "canonical_ids", "hash_column"]

COARSE_BUCKETS: Final = 64
MEMORY_BUDGET: Final = 64 << 20
MAX_PARTITIONS: Final = 200_000
MERGED_HASHES: Final = 1 << 18

Int64s = npt.NDArray[np.int64]


class Gathered:
    """All rows of a source on their way into entries.

    Args:
        schema: of the source.
        roles: which column plays which role.
        folder: for the spill file.
        count_entries: whether `entries` is wanted, which costs a hash per row.
        known: dictionaries that go on, by column; a carried text column without one has none, if
            any are given.
    """

    def __init__(
        self,
        schema: Schema,
        roles: Roles,
        *,
        folder: Path | None,
        count_entries: bool,
        known: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.schema = schema
        self.roles = roles
        self.rows = 0
        self.partitions: list[PartitionName] = []
        self.rows_of: Int64s = np.zeros(0, np.int64)
        self.text_bytes = 0  # of texts that have no dictionary
        self.spill = Spill(COARSE_BUCKETS, MEMORY_BUDGET, folder)
        keys = {roles.measure, roles.practice, roles.provider, roles.frequency}
        self.carried = tuple(c for c in schema.columns if c.name not in keys)
        self.texts = {
            column.name: TextColumn()
            for column in schema.columns
            if column.type.kind is Kind.TEXT and column.name not in (roles.measure, roles.frequency)
        }
        if known is not None:
            for column in self.carried:
                if column.name in self.texts:
                    text = TextColumn(known=known.get(column.name, ()))
                    text.overflowed = column.name not in known
                    self.texts[column.name] = text
        # Of the columns that are integers in storage form: least and greatest value; None before.
        self._ranges: dict[str, tuple[int, int] | None] = {
            c.name: None for c in self.carried if storage_dtype(c.type).kind == "i"
        }
        self._nulls = dict.fromkeys(schema.names, 0)
        self._numbers: dict[PartitionName, int] = {}
        self._entries = DistinctHashes() if count_entries else None
        self._practices = DistinctHashes() if count_entries else None

    @property
    def entries(self) -> int | None:
        """How many entries there will be, not counting further parts."""
        return None if self._entries is None else len(self._entries)

    @property
    def practices(self) -> int | None:
        """How many practices all partitions have, each for itself."""
        return None if self._practices is None else len(self._practices)

    def add(self, batch: pa.RecordBatch) -> None:
        """Take over one batch in storage form."""
        if not batch.num_rows:
            return
        numbers = self._number_rows(batch)
        columns: dict[str, pa.Array] = {"partition": pa.array(numbers)}
        for key, role in (("practice", self.roles.practice), ("provider", self.roles.provider)):
            if role is not None:
                columns[key] = self._encode(role, batch.column(role))
        for position, column in enumerate(self.carried):
            columns[f"c{position}"] = self._encode(column.name, batch.column(column.name))
        encoded = pa.RecordBatch.from_pydict(columns)
        if self._entries is not None and self._practices is not None:
            hashes = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            for role, seen in (
                (self.roles.practice, self._practices),
                (self.roles.provider, self._entries),
            ):
                if role is not None:
                    hashes = mix(hashes ^ hash_column(batch.column(role)))
                seen.add(hashes)
        self.rows += batch.num_rows
        self.spill.add(encoded, numbers % COARSE_BUCKETS)

    def has_overflowed(self, known: Collection[str]) -> bool:
        """Whether one of the dictionaries that were to go on has no room for what is new."""
        return any(self.texts[column].overflowed for column in known)

    def layout(self) -> Layout:
        """The record that all rows fit."""
        return Layout(tuple(map(self._field, self.carried)))

    def _field(self, column: Column) -> Field:
        name = column.name
        field = Field(name, column.type, self._nulls[name] > 0, self._storage(name))
        text = self.texts.get(name)
        if text is not None:
            return field.narrowed(0, max(0, len(text.values) - 1))
        return field.narrowed(*(self._ranges.get(name) or (0, 0)))

    def _storage(self, name: str) -> TextStorage | None:
        text = self.texts.get(name)
        if text is None:
            return None
        return TextStorage.BEHIND if text.overflowed else TextStorage.DICTIONARY

    def _encode(self, name: str, values: pa.Array) -> pa.Array:
        self._nulls[name] += values.null_count
        text = self.texts.get(name)
        if text is None:
            self._widen(name, values)
            return values
        encoded = text.encode(values)
        if text.overflowed:
            self.text_bytes += values.nbytes
        return encoded

    def _widen(self, name: str, values: pa.Array) -> None:
        if name not in self._ranges or values.null_count == len(values):
            return
        found = pc.min_max(values)
        least, most = found["min"].as_py(), found["max"].as_py()
        known = self._ranges[name] or (least, most)
        self._ranges[name] = min(known[0], least), max(known[1], most)

    def _number_rows(self, batch: pa.RecordBatch) -> npt.NDArray[np.int32]:
        """Each row's partition, numbered as they first appear."""
        measures, measure_of = _distinct(batch, self.roles.measure, self.schema)
        frequencies, frequency_of = _distinct(batch, self.roles.frequency, self.schema)
        pairs, row_pair = _distinct_codes(
            measure_of * len(frequencies) + frequency_of, len(measures) * len(frequencies)
        )
        numbers = np.empty(len(pairs), np.int32)
        for at, pair in enumerate(pairs.tolist()):
            measure, frequency = divmod(pair, len(frequencies))
            name = PartitionName(measures[measure], frequencies[frequency])
            number = self._numbers.get(name)
            if number is None:
                number = self._numbers[name] = len(self.partitions)
                self.partitions.append(name)
            numbers[at] = number
        if len(self.partitions) > MAX_PARTITIONS:
            raise TableMismatch(
                f"columns {self.roles.measure!r} (measure) and {self.roles.frequency!r} "
                f"(frequency) have more than {MAX_PARTITIONS:,} combinations; a measure is a kind "
                "of figure, so check that these are the right columns"
            )
        of_rows: npt.NDArray[np.int32] = numbers[row_pair]
        counts = np.bincount(of_rows, minlength=len(self.partitions))
        self.rows_of = np.pad(self.rows_of, (0, len(self.partitions) - len(self.rows_of)))
        self.rows_of += counts
        return of_rows


class DistinctHashes:
    """Counts different hashes."""

    def __init__(self) -> None:
        self._merged: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._fresh: list[npt.NDArray[np.uint64]] = []
        self._waiting = 0

    def add(self, hashes: npt.NDArray[np.uint64]) -> None:
        """See some."""
        self._fresh.append(np.unique(hashes))
        self._waiting += len(self._fresh[-1])
        # Seldom, or each batch would sort anew all that have come before.
        if self._waiting > max(MERGED_HASHES, len(self._merged)):
            self._merge()

    def __len__(self) -> int:
        self._merge()
        return len(self._merged)

    def _merge(self) -> None:
        if self._waiting:
            self._merged = np.unique(np.concatenate([self._merged, *self._fresh]))
        self._fresh, self._waiting = [], 0


def mix(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Spread every bit over all others (the finalizer of splitmix64)."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


def hash_column(values: pa.Array) -> npt.NDArray[np.uint64]:
    """64 bits per row; equal values, NULL included, give equal bits."""
    if pa.types.is_integer(values.type):
        plain = np.asarray(values.fill_null(0).cast(pa.int64())).view(np.uint64)
        return mix(plain + np.asarray(values.is_null()).astype(np.uint64) * np.uint64(0xA5A5A5A5A5))
    encoded = values.dictionary_encode()
    digests = [xxh3_64_intdigest(bytes(v.as_buffer())) for v in encoded.dictionary]
    digests.append(0x5851F42D4C957F2D)  # NULL
    indices = encoded.indices.fill_null(len(digests) - 1)
    hashes: npt.NDArray[np.uint64] = np.array(digests, np.uint64)[np.asarray(indices)]
    return hashes


def _distinct(
    batch: pa.RecordBatch, role: str | None, schema: Schema
) -> tuple[list[str | None], Int64s]:
    """The distinct canonical values of a key column, and each row's position among them."""
    if role is None:
        return [None], np.zeros(batch.num_rows, np.int64)
    encoded = batch.column(role).dictionary_encode(null_encoding="encode")
    values = canonical_ids(encoded.dictionary, schema[role].type)
    return values, np.asarray(encoded.indices).astype(np.int64)


def _distinct_codes(codes: Int64s, codes_end: int) -> tuple[Int64s, Int64s]:
    """The distinct codes below `codes_end`, ascending, and each row's position among them."""
    if codes_end > len(codes):
        found, position = np.unique(codes, return_inverse=True)
        return found, position.reshape(-1)
    is_found = np.bincount(codes, minlength=codes_end) > 0
    return np.flatnonzero(is_found), (np.cumsum(is_found) - 1)[codes]


def canonical_ids(values: pa.Array, type: ColumnType) -> list[str | None]:
    """Values of a key column in canonical text form."""
    if type.kind is Kind.UUID:
        return [None if v is None else _uuid_text(v) for v in values.to_pylist()]
    items: list[Any] = values.to_pylist()
    return [None if item is None else str(item) for item in items]


def _uuid_text(raw: bytes) -> str:
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
