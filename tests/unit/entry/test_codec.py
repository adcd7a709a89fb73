"""Entries: what goes in comes out, and nothing that isn't theirs is taken for theirs."""

from __future__ import annotations

import numpy as np
import pytest

from warmcube.entry.codec import (
    HEADER,
    NULL_CODE,
    Block,
    decode_column,
    id_code,
    no_rows,
    open_entries,
    pack_header,
)
from warmcube.entry.layout import Field, Layout, TextStorage, storage_dtype
from warmcube.entry.seal import Checksum, Mac, Seal, seal, unseal
from warmcube.errors import Damage
from warmcube.model.schema import ColumnType, Kind

LAYOUT = Layout(
    (
        Field("value", ColumnType(Kind.NUMERIC, 14, 2), nullable=True),
        Field("note", ColumnType(Kind.TEXT), nullable=False, text=TextStorage.DICTIONARY),
        Field("long", ColumnType(Kind.TEXT), nullable=True, text=TextStorage.BEHIND),
    )
)
SEALS: list[Seal] = [Checksum(), Mac(b"k" * 32)]


def an_entry(values: list[int | None], texts: list[str], practice: int = 114) -> bytes:
    """The body of one entry of ``LAYOUT``."""
    records = np.zeros(len(values), LAYOUT.dtype)
    for row, (value, text) in enumerate(zip(values, texts, strict=True)):
        records[row] = ([(value is not None) | 2], value or 0, row % 2, len(text.encode()))
    return pack_header(practice, 5, len(values)) + records.tobytes() + "".join(texts).encode()


def open_one(using: Seal, key: bytes, value: bytes | None, practice: int = 114) -> Block:
    """Prove one entry."""
    return open_entries([key], [value], np.array([[practice, 5]]), LAYOUT, using)


@pytest.mark.parametrize("using", SEALS, ids=lambda s: s.name)
def test_joined_entries_decode_to_their_rows(using: Seal) -> None:
    """Several entries, NULLs and texts behind the records, come back row for row."""
    bodies = [an_entry([1, None], ["é", ""]), an_entry([-3], ["xyz"], 115)]
    keys = [b"a", b"b"]
    values = [seal(using, key, body) for key, body in zip(keys, bodies, strict=True)]
    block = open_entries(keys, values, np.array([[114, 5], [115, 5]]), LAYOUT, using)
    assert block.rows_of.tolist() == [2, 1]
    value, note, text = (decode_column(block, i, lambda _: ["n0", "n1"]) for i in range(3))
    assert value.valid is not None
    assert np.where(value.valid, value.values, 99).tolist() == [1, 99, -3]
    assert note.values.tolist() == [0, 1, 0]
    assert text.dictionary is not None
    assert [text.dictionary[code] for code in text.values] == ["é", "", "xyz"]


@pytest.mark.parametrize("using", SEALS, ids=lambda s: s.name)
def test_every_flipped_bit_is_damage(using: Seal) -> None:
    """No single bit of a value, seal and header included, can change unnoticed."""
    value = seal(using, b"key", an_entry([7], ["t"]))
    for at in range(len(value) * 8):
        flipped = bytearray(value)
        flipped[at // 8] ^= 1 << at % 8
        with pytest.raises(Damage):
            open_one(using, b"key", bytes(flipped))


@pytest.mark.parametrize("using", SEALS, ids=lambda s: s.name)
def test_every_cut_is_damage(using: Seal) -> None:
    """A value that lost its end, at a record boundary or anywhere, isn't a shorter entry."""
    value = seal(using, b"key", an_entry([7, 8, 9], ["t", "u", "v"]))
    for length in range(len(value)):
        with pytest.raises(Damage):
            open_one(using, b"key", value[:length])


def test_an_entry_under_another_key_is_damage() -> None:
    """Bytes that are whole but were copied under another practice's key aren't believed."""
    value = seal(Checksum(), b"p:114:prov:5", an_entry([7], ["t"]))
    with pytest.raises(Damage, match="checksum"):
        open_one(Checksum(), b"p:115:prov:5", value)


def test_an_entry_of_another_practice_is_damage() -> None:
    """Even under a valid seal, the header's practice must be the member's."""
    value = seal(Checksum(), b"key", an_entry([7], ["t"], practice=115))
    with pytest.raises(Damage, match="somebody else"):
        open_one(Checksum(), b"key", value)


def test_a_missing_entry_is_damage() -> None:
    """A null where the lookup proved an entry is never "no rows"."""
    with pytest.raises(Damage, match="missing"):
        open_one(Checksum(), b"key", None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        pack_header(114, 5, 2) + an_entry([1], ["t"])[24:],
        an_entry([1], ["t"]) + b"more",
        an_entry([1], ["t"])[:-1],
        pack_header(114, 5, 1),
    ],
    ids=["empty", "too few rows", "too many texts", "too few texts", "no rows"],
)
def test_a_sealed_entry_that_contradicts_itself_is_damage(body: bytes) -> None:
    """The header's row count, the records and the texts must fit each other."""
    value = seal(Checksum(), b"key", body)
    with pytest.raises(Damage):
        decode_column(open_one(Checksum(), b"key", value), 2, lambda _: [""])


def test_rows_without_texts_must_fill_the_value() -> None:
    """Without texts behind the records, the value's length is exactly header and rows."""
    layout = Layout(LAYOUT.fields[:2])
    body = pack_header(1, 2, 2) + bytes(layout.width)
    value = seal(Checksum(), b"k", body)
    with pytest.raises(Damage, match="as long as its rows"):
        open_entries([b"k"], [value], np.array([[1, 2]]), layout, Checksum())


def test_only_as_many_rows_as_the_header_says() -> None:
    """Entries of different lengths, one of which is longer than its rows."""
    layout = Layout(LAYOUT.fields[:2])
    bodies = [pack_header(1, 2, 1) + bytes(layout.width * rows) for rows in (1, 2)]
    values = [seal(Checksum(), key, body) for key, body in zip((b"k", b"l"), bodies, strict=True)]
    with pytest.raises(Damage, match="as long as its rows"):
        open_entries([b"k", b"l"], values, np.array([[1, 2], [1, 2]]), layout, Checksum())


def test_a_code_outside_its_dictionary_is_damage() -> None:
    """A dictionary that is too short for a record is told from an empty text."""
    block = open_one(Checksum(), b"key", seal(Checksum(), b"key", an_entry([1, 2], ["", ""])))
    with pytest.raises(Damage, match="dictionary"):
        decode_column(block, 1, lambda _: ["only"])


def test_a_text_that_is_not_utf8_is_damage() -> None:
    """Bytes behind the records are decoded strictly."""
    body = an_entry([1], ["xy"])[:-2] + b"\xff\xfe"
    block = open_one(Checksum(), b"key", seal(Checksum(), b"key", body))
    with pytest.raises(Damage, match="UTF-8"):
        decode_column(block, 2, lambda _: [])


def test_entries_are_proven_pair_by_pair() -> None:
    """A reply that lacks a value, or has one too many, is never matched up."""
    value = seal(Checksum(), b"a", an_entry([7], ["t"]))
    codes = np.array([[114, 5]])
    for values in ([], [value, value]):
        with pytest.raises(ValueError, match="zip"):
            open_entries([b"a"], values, codes, LAYOUT, Checksum())


@pytest.mark.parametrize("codes", [[[114, 5], [114, 5]], [[5, 114]], [[114, 6]], [[115, 5]]])
def test_both_owners_must_be_the_members(codes: list[list[int]]) -> None:
    """The practice and the provider of the header, each in its place."""
    value = seal(Checksum(), b"a", an_entry([7], ["t"]))
    with pytest.raises(Damage, match="somebody else"):
        open_entries([b"a"], [value], np.array(codes), LAYOUT, Checksum())


def test_records_without_texts_are_joined() -> None:
    """Several entries of fixed width are one table, and have no texts."""
    layout = Layout(LAYOUT.fields[1:2])
    keys = [b"a", b"b", b"c"]
    bodies = [
        pack_header(1, -2, 2) + b"\1\0\0\0\2\0\0\0",
        pack_header(-(1 << 63), 5, 0),
        pack_header(3, (1 << 63) - 1, 1) + b"\3\0\0\0",
    ]
    values = [seal(Checksum(), key, body) for key, body in zip(keys, bodies, strict=True)]
    codes = np.array([[1, -2], [-(1 << 63), 5], [3, (1 << 63) - 1]])
    block = open_entries(keys, values, codes, layout, Checksum())
    assert block.layout is layout
    assert block.records["c0"].tolist() == [1, 2, 3]
    assert block.rows_of.tolist() == [2, 0, 1]
    assert block.texts == []


def test_a_header_is_24_bytes_as_documented() -> None:
    """Two signed codes, the number of rows, and zeros."""
    assert pack_header(-2, 5, 3).hex(" ", 8) == "feffffffffffffff 0500000000000000 0300000000000000"
    assert pack_header(1, NULL_CODE, 1 << 31).hex(" ", 8) == (
        "0100000000000000 0000000000000080 0000008000000000"
    )
    assert HEADER.itemsize == 24
    assert HEADER.names == ("practice", "provider", "rows", "zero")


@pytest.mark.parametrize(
    ("canonical", "is_integer", "code"),
    [
        (None, True, -(1 << 63)),
        (None, False, -(1 << 63)),
        ("114", True, 114),
        ("-5", True, -5),
        ("114", False, 15488461594104188238 - (1 << 64)),
        ("b", False, 6294355645245719615),
    ],
)
def test_codes_are_as_documented(canonical: str | None, is_integer: bool, code: int) -> None:
    """The integer itself, xxh3-64 of a text, and the least int64 for NULL."""
    assert id_code(canonical, is_integer=is_integer) == code


def test_codes_tell_ids_apart() -> None:
    """NULL, integers and texts have different codes, within an int64."""
    codes = [
        id_code(None, is_integer=True),
        id_code("114", is_integer=True),
        id_code("-9223372036854775807", is_integer=True),
        id_code("114", is_integer=False),
        id_code("", is_integer=False),
    ]
    assert len(set(codes)) == len(codes)
    assert all(-(1 << 63) <= code < 1 << 63 for code in codes)


def test_the_mac_needs_its_key() -> None:
    """What one key sealed another doesn't open, and a mac's repr shows nothing of it."""
    value = seal(Mac(b"a" * 32), b"key", b"body")
    with pytest.raises(Damage):
        unseal(Mac(b"b" * 32), b"key", value, "it")
    assert repr(Mac(b"a" * 32)) == "Mac(…)"


def test_a_layout_has_bits_for_nullable_columns_only() -> None:
    """A record is as wide as its columns, plus a bit per nullable one."""
    assert LAYOUT.bits == {"value": 0, "long": 1}
    assert LAYOUT.width == 1 + 8 + 4 + 4
    assert Layout(LAYOUT.fields[1:2]).width == 4
    assert Layout(()).width == 1


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_a_storage_form(kind: Kind) -> None:
    """A column without rows has the dtype that columns with rows have."""
    column = no_rows(ColumnType(kind, 10, 2))
    assert len(column) == 0
    if kind is Kind.TEXT:
        assert column.dictionary == [""]
    else:
        assert column.values.dtype == storage_dtype(column.type)
    assert no_rows(ColumnType(Kind.NUMERIC, 38, 2)).values.dtype == object
