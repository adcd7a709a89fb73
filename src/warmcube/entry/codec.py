"""One entry as bytes, and many entries as one table.

An entry is ``seal | header | records | texts``. The header is 24 bytes: the code of the practice
and that of the provider (int64), the number of rows (uint32), and 4 bytes that are zero. A code is
the id itself where the column is an integer, xxh3-64 of the canonical id otherwise, and the least
int64 for NULL. Texts that have no dictionary follow column by column, each the concatenation of
its rows' UTF-8.

Joining the records of all fetched entries gives the answer's table with one
``numpy.frombuffer``; nothing is parsed row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final, cast

import numpy as np
from xxhash import xxh3_64_digest

from warmcube.entry.layout import Field, Layout, TextStorage, storage_dtype
from warmcube.entry.seal import Seal
from warmcube.errors import Damage
from warmcube.model.columns import Array, ColumnData
from warmcube.model.schema import ColumnType, Kind

__all__ = [
    "HEADER",
    "NULL_CODE",
    "Block",
    "decode_column",
    "decode_constant",
    "decode_ids",
    "id_code",
    "no_rows",
    "open_entries",
    "open_prepared",
    "pack_header",
    "prove_codes",
]

HEADER: Final = np.dtype(
    [("practice", "<i8"), ("provider", "<i8"), ("rows", "<u4"), ("zero", "<u4")]
)
NULL_CODE: Final = -(1 << 63)


def id_code(canonical: str | None, *, is_integer: bool) -> int:
    """What the header holds for a practice or a provider."""
    if canonical is None:
        return NULL_CODE
    if is_integer:
        return int(canonical)
    return int.from_bytes(xxh3_64_digest(canonical.encode()), signed=True)


def pack_header(practice_code: int, provider_code: int, rows: int) -> bytes:
    """The 24 bytes between an entry's seal and its records."""
    return (
        practice_code.to_bytes(8, "little", signed=True)
        + provider_code.to_bytes(8, "little", signed=True)
        + rows.to_bytes(8, "little")
    )


@dataclass(frozen=True)
class Block:
    """The proven records of several entries.

    Attributes:
        layout: of the records.
        records: structured array, one per row; of two dimensions, entries and their rows, where
            all entries have as many rows: then they still lie apart, and nothing was copied.
        rows_of: how many rows each entry has, in the order of the entries.
        texts: per entry, what lies behind its records; empty where the layout has no such column.
    """

    layout: Layout
    records: Array
    rows_of: Array
    texts: Sequence[memoryview]

    @property
    def rows(self) -> int:
        """How many there are in all."""
        return self.records.size

    @property
    def rows_of_each(self) -> int:
        """How many rows each entry has, where all have as many and lie apart; 0 otherwise."""
        return int(self.records.shape[1]) if self.records.ndim > 1 else 0

    def raw(self, position: int) -> Array:
        """A column in storage form, one value per row; of texts positions or lengths, as int64."""
        return self.layout.read(self.records, position)


def open_entries(
    keys: Sequence[bytes],
    values: Sequence[bytes | None],
    codes: Array,
    layout: Layout,
    using: Seal,
) -> Block:
    """Prove fetched entries and join their records.

    Args:
        keys: the key of each entry.
        values: what the store holds under it.
        codes: shape (entries, 2), int64: the practice's and the provider's code that each
            entry's header must bear.
        layout: of the records.
        using: the seal.

    Raises:
        Damage: if one is missing, altered, cut, or another entry's.
    """
    return open_prepared(using.prepare(keys), values, codes.astype("<i8").tobytes(), layout, using)


def open_prepared(
    prepared: Sequence[Any],
    values: Sequence[bytes | None],
    codes: bytes,
    layout: Layout,
    using: Seal,
) -> Block:
    """The same, with what `Seal.prepare` makes of the keys, and with the codes as bytes."""
    try:
        joined = b"".join(cast("Sequence[bytes]", values))
    except TypeError:
        raise Damage("an entry is missing") from None
    lengths = [len(value) for value in cast("Sequence[bytes]", values)]
    head = using.size + HEADER.itemsize
    if lengths and lengths[0] >= head and lengths.count(lengths[0]) == len(lengths):
        starts: Sequence[int] = range(0, len(joined), lengths[0])
    else:
        starts = list(accumulate(lengths, initial=0))[:-1]
    heads = _proven_heads(prepared, joined, starts, lengths, using)
    if heads[:, using.size : using.size + 16].tobytes() != codes:
        raise Damage("an entry is somebody else's")
    counts = heads[:, using.size + 16 : using.size + 20].tobytes()
    if isinstance(starts, range) and not layout.behind:
        return _even(joined, counts, lengths, head, layout)
    rows_of = np.frombuffer(counts, "<u4").astype(np.int64)
    bodies = (rows_of * layout.width).tolist()
    ends = [start + head + body for start, body in zip(starts, bodies, strict=True)]
    stops = [start + length for start, length in zip(starts, lengths, strict=True)]
    whole = memoryview(joined)
    texts = []
    if layout.behind:
        if any(end > stop for end, stop in zip(ends, stops, strict=True)):
            raise Damage("an entry is shorter than its rows")
        texts = [whole[end:stop] for end, stop in zip(ends, stops, strict=True)]
    elif ends != stops:
        raise Damage("an entry isn't as long as its rows")
    records = b"".join([whole[start + head : end] for start, end in zip(starts, ends, strict=True)])
    return Block(layout, np.frombuffer(records, layout.dtype), rows_of, texts)


def _proven_heads(
    prepared: Sequence[Any],
    joined: bytes,
    starts: Sequence[int],
    lengths: Sequence[int],
    using: Seal,
) -> Array:
    """Seals and headers of values that lie behind one another, as a matrix of bytes.

    Args:
        prepared: of their seals.
        joined: the values.
        starts: where each begins; a range where all are of one length.
        lengths: theirs.
        using: the seal.

    Raises:
        Damage: a seal isn't right, or a value is too short.
    """
    size, least = using.size, using.size + HEADER.itemsize
    whole = memoryview(joined)
    spans = zip(starts, lengths, strict=True)
    # One view at a time: a thousand that live at once wake the garbage collector.
    seals = using.of_each(prepared, (whole[at + size : at + length] for at, length in spans))
    if isinstance(starts, range):
        heads = np.frombuffer(joined, np.uint8).reshape(len(lengths), -1)
    elif lengths and min(lengths) < least:
        spans = zip(starts, lengths, strict=True)
        if b"".join([whole[at : at + min(size, length)] for at, length in spans]) != seals:
            raise Damage(f"an entry fails its {using.name}")
        raise Damage("an entry is shorter than its header")
    else:
        found = b"".join([joined[at : at + least] for at in starts])
        heads = np.frombuffer(found, np.uint8).reshape(-1, least)
    if heads[:, :size].tobytes() != seals:
        raise Damage(f"an entry fails its {using.name}")
    return heads


def _even(joined: bytes, counts: bytes, lengths: Sequence[int], head: int, layout: Layout) -> Block:
    """Records that lie evenly apart, and stay where they are.

    Args:
        joined: the values, all of one length.
        counts: the number of rows in each header.
        lengths: of the values.
        head: bytes before the records of each.
        layout: of the records.

    Raises:
        Damage: an entry isn't as long as its rows.
    """
    length, number = lengths[0], len(lengths)
    rows = (length - head) // layout.width
    if head + rows * layout.width != length or counts != rows.to_bytes(4, "little") * number:
        raise Damage("an entry isn't as long as its rows")
    records: Array = np.ndarray((number, rows), layout.dtype, joined, head, (length, layout.width))
    return Block(layout, records, np.full(number, rows), [])


def prove_codes(block: Block, position: int, length: int) -> None:
    """That each text of a column lies in its dictionary.

    Args:
        block: from `open_entries`.
        position: of a dictionary column in the layout.
        length: of its dictionary.

    Raises:
        Damage: one doesn't.
    """
    if block.rows and block.records[f"c{position}"].max() >= max(length, 1):
        name = block.layout.fields[position].name
        raise Damage(f"a text of column {name!r} lies outside its dictionary")


def decode_column(
    block: Block, position: int, dictionary: Callable[[str], Sequence[str]]
) -> ColumnData:
    """One carried column of a block.

    Args:
        block: from `open_entries`.
        position: of the column in the layout.
        dictionary: gives the values of a dictionary column by its name.

    Raises:
        Damage: if a text lies outside its dictionary or its entry, or isn't UTF-8.
    """
    column: Field = block.layout.fields[position]
    raw = block.raw(position)
    valid = None
    bit = block.layout.bits.get(column.name)
    if bit is not None:
        marks = block.records["valid"][..., bit // 8].reshape(-1)
        valid = (marks >> (bit % 8) & 1).astype(np.bool_)
        if valid.all():
            valid = None
    if column.text is TextStorage.DICTIONARY:
        values = dictionary(column.name)
        prove_codes(block, position, len(values))
        return ColumnData(column.type, raw, valid, values)
    if column.text is TextStorage.BEHIND:
        return _decode_texts(block, position, raw, valid)
    if column.type.is_wide:
        return ColumnData(column.type, _wide_integers(raw), valid)
    return ColumnData(column.type, raw, valid)


def _wide_integers(raw: Array) -> Array:
    """16-byte two's complement as Python integers."""
    halves = np.frombuffer(raw.tobytes(), np.dtype([("low", "<u8"), ("high", "<i8")]))
    whole: Array = (halves["high"].astype(object) << 64) + halves["low"].astype(object)
    return whole


def _decode_texts(block: Block, position: int, lengths: Array, valid: Array | None) -> ColumnData:
    """A column whose text lies behind the records: each distinct text once, rows point at it."""
    behind = block.layout.behind
    bounds = np.concatenate(([0], np.cumsum(block.rows_of))).tolist()
    spans = np.zeros((len(block.texts), len(behind)), np.int64)
    for at, other in enumerate(behind):
        sums = np.concatenate(([0], block.records[f"c{other}"])).cumsum()  # of int64
        spans[:, at] = np.diff(sums[bounds])
    if np.any(spans.sum(axis=1) != [len(text) for text in block.texts]):
        raise Damage("an entry's texts aren't as long as its rows say")
    at = behind.index(position)
    starts = spans[:, :at].sum(axis=1).tolist()
    known: dict[str, int] = {}
    codes = np.empty(len(lengths), np.int64)
    row = 0
    try:
        for text, start, first, last in zip(
            block.texts, starts, bounds[:-1], bounds[1:], strict=True
        ):
            for length in lengths[first:last].tolist():
                value = str(text[start : start + length], "utf-8")
                codes[row] = known.setdefault(value, len(known))
                start += length  # noqa: PLW2901 (a cursor that starts where the column does)
                row += 1
    except UnicodeDecodeError as error:
        raise Damage("a text behind an entry's records isn't UTF-8") from error
    return ColumnData(block.layout.fields[position].type, codes, valid, list(known) or [""])


def decode_ids(ids: Sequence[str | None], rows_of: Array, type: ColumnType) -> ColumnData:
    """The practice or the provider column, from what the members of the entries say.

    Args:
        ids: one canonical id per entry.
        rows_of: how many rows each entry has.
        type: of the column.
    """
    missing = np.array([value is None for value in ids])
    valid = np.repeat(~missing, rows_of) if missing.any() else None
    return _repeat_ids(ids, rows_of, type, valid)


def decode_constant(canonical: str | None, rows: int, type: ColumnType) -> ColumnData:
    """The measure or the frequency column: one value in every row of a partition."""
    valid = np.zeros(rows, np.bool_) if canonical is None else None
    return _repeat_ids([canonical], np.array([rows]), type, valid)


def _repeat_ids(
    ids: Sequence[str | None], rows_of: Array, type: ColumnType, valid: Array | None
) -> ColumnData:
    if type.kind is Kind.TEXT:
        known: dict[str, int] = {}
        codes = [known.setdefault(value or "", len(known)) for value in ids]
        values: Array = np.array(codes, np.int64)
        return ColumnData(type, np.repeat(values, rows_of), valid, list(known) or [""])
    stored: list[Any]
    if type.kind is Kind.UUID:
        stored = [b"" if v is None else bytes.fromhex(v.replace("-", "")) for v in ids]
    else:
        stored = [0 if v is None else int(v) for v in ids]
    return ColumnData(type, np.repeat(np.array(stored, storage_dtype(type)), rows_of), valid)


def no_rows(type: ColumnType) -> ColumnData:
    """A column without rows."""
    if type.kind is Kind.TEXT:
        return ColumnData(type, np.zeros(0, np.int64), None, [""])
    if type.is_wide:
        return ColumnData(type, np.zeros(0, object))
    return ColumnData(type, np.zeros(0, storage_dtype(type)))
