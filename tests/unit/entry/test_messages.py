"""What each kind of damage says: what is wrong, and of what, without a value or a name of a row."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from warmcube.entry.codec import decode_column, open_entries, pack_header
from warmcube.entry.counts import unpack_set, unpack_total
from warmcube.entry.dictionary import pack_chunks, packed_digest, unpack_chunks
from warmcube.entry.keys import Version, decode_component, parse_field, parse_member
from warmcube.entry.layout import Field, Layout, TextStorage
from warmcube.entry.manifest import FORMAT, unpack_manifest
from warmcube.entry.master import parse_item
from warmcube.entry.seal import Checksum, seal
from warmcube.errors import Damage
from warmcube.model.schema import ColumnType, Kind

USING = Checksum()
TEXT = ColumnType(Kind.TEXT)


def _open(body: bytes | None, text: TextStorage, practice: int = 1) -> None:
    layout = Layout((Field("note", TEXT, nullable=False, text=text),))
    value = None if body is None else seal(USING, b"k", body)
    block = open_entries([b"k"], [value], np.array([[practice, 2]]), layout, USING)
    decode_column(block, 0, lambda _: ["only"])


def _count(body: bytes) -> None:
    unpack_set(b"k", b"p:1", seal(USING, b"k p:1", body), USING)


def _manifest(document: Any) -> None:
    unpack_manifest(zlib.compress(json.dumps(document).encode()))


ROW = pack_header(1, 2, 1)
BEHIND, DICTIONARY = TextStorage.BEHIND, TextStorage.DICTIONARY
CASES: list[tuple[Callable[[], Any], str]] = [
    (lambda: _open(None, BEHIND), "an entry is missing"),
    (
        lambda: open_entries([b"k"], [b"x" * 40], np.array([[1, 2]]), Layout(()), USING),
        "an entry fails its checksum",
    ),
    (lambda: _open(b"short", BEHIND), "an entry is shorter than its header"),
    (lambda: _open(ROW, BEHIND, practice=3), "an entry is somebody else's"),
    (lambda: _open(ROW + b"\0", BEHIND), "an entry is shorter than its rows"),
    (lambda: _open(ROW + b"\0", DICTIONARY), "an entry isn't as long as its rows"),
    (
        lambda: _open(ROW + b"\2\0\0\0x", BEHIND),
        "an entry's texts aren't as long as its rows say",
    ),
    (
        lambda: _open(ROW + b"\1\0\0\0\xff", BEHIND),
        "a text behind an entry's records isn't UTF-8",
    ),
    (
        lambda: _open(ROW + b"\1\0\0\0", DICTIONARY),
        "a text of column 'note' lies outside its dictionary",
    ),
    (lambda: decode_component("a b"), "a key component isn't canonically encoded (3 bytes)"),
    (lambda: decode_component(b"%ff"), "a key component isn't canonically encoded (3 bytes)"),
    (lambda: Version.parse("x"), "a snapshot version can't be read"),
    (lambda: parse_member(b"p:1"), "an index member can't be read (3 bytes)"),
    (lambda: parse_field(b"q:1"), "a field of a partition's counts can't be read (3 bytes)"),
    (lambda: parse_field(b"p:a:b"), "a key component isn't canonically encoded (3 bytes)"),
    (lambda: parse_item(b"m:x"), "a member of the master set can't be read (3 bytes)"),
    (lambda: parse_item(b"\xff"), "a member of the master set can't be read (1 bytes)"),
    (lambda: unpack_total(b"k", None, USING), "the total of a partition is missing"),
    (lambda: unpack_total(b"k", b"", USING), "the total of a partition fails its checksum"),
    (
        lambda: unpack_total(b"k", seal(USING, b"k total", b"123"), USING),
        "the total of a partition can't be read",
    ),
    (lambda: unpack_set(b"k", b"p:1", b"", USING), "the count of an index set fails its checksum"),
    (lambda: _count(b"x"), "the count of an index set can't be read"),
    (lambda: _count(b"2:5"), "an inlined index set isn't as large as its count"),
    (
        lambda: unpack_chunks([], 0, "00"),
        "a dictionary isn't the one that the manifest names",
    ),
    (
        lambda: unpack_chunks(pack_chunks(["a"]), 2, packed_digest(pack_chunks(["a"]))),
        "a dictionary has 1 values where the manifest says 2",
    ),
    (lambda: unpack_manifest(b"x"), "a manifest can't be read (error)"),
    (lambda: _manifest({}), "a manifest can't be read (KeyError)"),
    (lambda: _manifest([]), "a manifest can't be read (TypeError)"),
    (
        lambda: _manifest({"format": FORMAT, "times": [1], "owners": [1, 1]}),
        "a manifest can't be read (ValueError)",
    ),
]


@pytest.mark.parametrize(("act", "message"), CASES, ids=[message for _, message in CASES])
def test_damage_says_what_it_is(act: Callable[[], Any], message: str) -> None:
    """Exactly this, in reports and logs."""
    with pytest.raises(Damage) as caught:
        act()
    assert str(caught.value) == message
