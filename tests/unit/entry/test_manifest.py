"""Manifests and dictionaries: stored forms that are read back, or not believed."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_hexdigest

from warmcube.entry.dictionary import (
    CHUNK_BYTES,
    MAX_BYTES,
    MAX_VALUES,
    pack_chunks,
    packed_digest,
    unpack_chunks,
)
from warmcube.entry.keys import PartitionName, Version
from warmcube.entry.layout import Field, Layout, TextStorage
from warmcube.entry.manifest import (
    FORMAT,
    ChunkRef,
    Dictionary,
    Manifest,
    Partition,
    answers_for,
    fingerprint,
    pack_manifest,
    unpack_manifest,
)
from warmcube.errors import Damage
from warmcube.model.schema import Column, ColumnType, Datasource, Kind, Roles, Schema

VERSION = Version(7, "00000000000000ff")
DATASOURCE = Datasource(id=1, name="n", source="main", table="ih.t")
SCHEMA = Schema(
    (
        Column("measure", ColumnType(Kind.TEXT, source_type="text")),
        Column("measure_value", ColumnType(Kind.NUMERIC, 38, 4, "numeric")),
    )
)
PARTITION = Partition(
    version=VERSION,
    layout=0,
    entries=3,
    rows=9,
    practices=2,
    providers=3,
    largest_practice=2,
    largest_provider=1,
    entry_bytes=100,
    index_bytes=20,
    sums=1,
    has_whole_sums=True,
    sums_bytes=30,
    earliest=None,
    latest=5,
    largest={"measure_value": 10**17},
    as_of_ms=123,
)
MANIFEST = Manifest(
    version=VERSION,
    source="main",
    table="ih.t",
    fingerprint=fingerprint(DATASOURCE, SCHEMA),
    schema=SCHEMA,
    roles=DATASOURCE.roles,
    layouts=(
        Layout(
            (
                Field("note", ColumnType(Kind.TEXT), nullable=True, text=TextStorage.BEHIND),
                Field("measure_value", SCHEMA["measure_value"].type, nullable=False),
                Field("day", ColumnType(Kind.DATE), nullable=True, narrow=2, offset=19000),
            )
        ),
    ),
    partitions={
        PartitionName("é:{}", "Monthly"): PARTITION,
        PartitionName(None, None): PARTITION,
    },
    dictionaries={"note": Dictionary((ChunkRef(VERSION, 2),), 70, "00ff")},
    seal="checksum",
    warmed_ms=1,
    fresh_until_ms=2,
    serve_until_ms=3,
    practices=2,
    providers=None,
)


def test_a_manifest_round_trips() -> None:
    """What is read back is equal, sums included."""
    found = unpack_manifest(pack_manifest(MANIFEST))
    assert found == MANIFEST
    assert found is not None
    assert (found.rows, found.entries) == (18, 6)
    assert found.layouts[0].width == MANIFEST.layouts[0].width
    assert found.schema["measure_value"].type.source_type == "numeric"


def document_of(manifest: Manifest) -> Any:
    """What lies in the store."""
    return json.loads(zlib.decompress(pack_manifest(manifest)))


def test_the_stored_form_of_format_6() -> None:
    """What other processes read: whoever changes it must raise ``FORMAT``."""
    version = "7-00000000000000ff"
    partition = [
        *(version, {"measure_value": 10**17}, 0, 3, 9, 2, 3, 2, 1, 100, 20),
        *(1, True, 30, None, 5, 123, None),
    ]
    assert FORMAT == 6
    assert document_of(MANIFEST) == {
        "format": 6,
        "version": version,
        "source": "main",
        "table": "ih.t",
        "fingerprint": "88aadbb28c41941d",
        "columns": [
            ["measure", "text", 0, 0, "text"],
            ["measure_value", "numeric", 38, 4, "numeric"],
        ],
        "roles": {
            "measure": "measure",
            "practice": "practice_uid",
            "provider": "provider_uid",
            "frequency": "frequency",
            "date": "date_index",
            "value": "measure_value",
        },
        "layouts": [
            [
                ["note", "text", 0, 0, "", True, "behind", None, 0],
                ["measure_value", "numeric", 38, 4, "numeric", False, None, None, 0],
                ["day", "date", 0, 0, "", True, None, 2, 19000],
            ]
        ],
        "partitions": [["é:{}", "Monthly", partition], [None, None, partition]],
        "dictionaries": {"note": [[[version, 2]], 70, "00ff"]},
        "seal": "checksum",
        "owners": [2, None],
        "times": [1, 2, 3],
    }


def test_the_stored_form_is_small() -> None:
    """JSON without blanks, compressed at the fastest level."""
    packed = pack_manifest(MANIFEST)
    assert packed[:2] == b"\x78\x01"
    assert b", " not in zlib.decompress(packed)
    assert b": " not in zlib.decompress(packed)


def test_equal_manifests_are_stored_alike() -> None:
    """Partitions stand in the order of their encoded names, in whatever order they were warmed."""
    names = [
        PartitionName(measure, frequency)
        for measure in ("", "1", "a b", "a", None)
        for frequency in ("", "1", "m", None)
    ]
    expected = [[name.measure, name.frequency] for name in names]
    expected[8:16] = [*expected[12:16], *expected[8:12]]  # "a" comes before "a%20b"
    for order in (names, names[::-1]):
        manifest = replace(MANIFEST, partitions=dict.fromkeys(order, PARTITION))
        assert [each[:2] for each in document_of(manifest)["partitions"]] == expected


def test_the_owners_are_told_apart() -> None:
    """Practices and providers, each perhaps unknown."""
    for practices, providers in ((None, 3), (2, None), (4, 5)):
        manifest = replace(MANIFEST, practices=practices, providers=providers)
        found = unpack_manifest(pack_manifest(manifest))
        assert found is not None
        assert (found.practices, found.providers) == (practices, providers)


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    """Of source, table, roles, and the columns' names, kinds and database types."""
    assert fingerprint(DATASOURCE, SCHEMA) == "88aadbb28c41941d"
    finer = Schema(
        (SCHEMA.columns[0], Column("measure_value", ColumnType(Kind.NUMERIC, 20, 9, "numeric")))
    )
    assert fingerprint(DATASOURCE, finer) == fingerprint(DATASOURCE, SCHEMA)
    for columns in (
        (SCHEMA.columns[1], SCHEMA.columns[0]),
        (SCHEMA.columns[0], Column("value", SCHEMA.columns[1].type)),
        (SCHEMA.columns[0], Column("measure_value", ColumnType(Kind.BIGINT, 38, 4, "numeric"))),
        (SCHEMA.columns[0], Column("measure_value", ColumnType(Kind.NUMERIC, 38, 4, "money"))),
    ):
        assert fingerprint(DATASOURCE, Schema(columns)) != fingerprint(DATASOURCE, SCHEMA)


@pytest.mark.parametrize("numbers", [11, 13])
def test_a_partition_with_a_number_too_few_or_too_many_is_damage(numbers: int) -> None:
    """Numbers are never taken for their neighbours."""
    document = document_of(MANIFEST)
    document["partitions"][0][2][2:] = range(numbers)
    with pytest.raises(Damage, match="ValueError"):
        unpack_manifest(zlib.compress(json.dumps(document).encode()))


def test_an_unknown_format_is_cold_not_a_crash() -> None:
    """A later version's manifest isn't guessed at."""
    document = json.loads(zlib.decompress(pack_manifest(MANIFEST)))
    document["format"] += 1
    del document["partitions"]
    assert unpack_manifest(zlib.compress(json.dumps(document).encode())) is None


@pytest.mark.parametrize(
    "body",
    [b"", b"x", zlib.compress(b"x"), zlib.compress(b"{}"), zlib.compress(b"[]")],
)
def test_what_is_no_manifest_is_damage(body: bytes) -> None:
    """It is never half read."""
    with pytest.raises(Damage):
        unpack_manifest(body)


@pytest.mark.parametrize(
    "form", [[3, 0], [8, 0], [2, 2**31], [2, 0.5], [2, "0"], [True, 0], [None, 1], [2], [2, 0, 0]]
)
def test_a_layout_that_could_give_wrong_values_is_damage(form: list[Any]) -> None:
    """Of a column that is narrowed, width and offset are looked at before any entry is read."""
    document = document_of(MANIFEST)
    document["layouts"][0][2][-2:] = form
    with pytest.raises(Damage):
        unpack_manifest(zlib.compress(json.dumps(document).encode()))


def test_every_field_is_needed() -> None:
    """A manifest that lacks any of them is damage."""
    document = json.loads(zlib.decompress(pack_manifest(MANIFEST)))
    for name in document:
        rest = {key: value for key, value in document.items() if key != name}
        with pytest.raises(Damage):
            unpack_manifest(zlib.compress(json.dumps(rest).encode()))


def test_a_snapshot_answers_for_what_it_was_made_from() -> None:
    """Another source, table or role in the configuration makes it cold."""
    assert answers_for(MANIFEST, DATASOURCE)
    for other in (
        Datasource(id=1, name="n", source="other", table="ih.t"),
        Datasource(id=1, name="n", source="main", table="ih.u"),
        Datasource(id=1, name="n", source="main", table="ih.t", roles=Roles(value="x")),
    ):
        assert not answers_for(MANIFEST, other)
        assert fingerprint(other, SCHEMA) != MANIFEST.fingerprint
    assert fingerprint(DATASOURCE, Schema(SCHEMA.columns[:1])) != MANIFEST.fingerprint


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), unique=True, max_size=30))
def test_a_dictionary_round_trips(values: list[str]) -> None:
    """Positions, the empty text and every character survive."""
    chunks = pack_chunks(values)
    assert unpack_chunks(chunks, len(values), packed_digest(chunks)) == values


def test_a_dictionary_is_stored_as_documented() -> None:
    """Each value as its length in bytes and its UTF-8; the digest is of all chunks joined."""
    chunks = pack_chunks(["a", "", "é"])
    assert chunks == [b"\1\0\0\0a\0\0\0\0\2\0\0\0\xc3\xa9"]
    assert packed_digest([b"ab", b"c"]) == xxh3_64_hexdigest(b"abc")
    assert pack_chunks([]) == []
    assert (MAX_VALUES, MAX_BYTES, CHUNK_BYTES) == (65_536, 4 * 1024 * 1024, 256 * 1024)


def test_a_chunk_ends_when_it_is_full() -> None:
    """At 256 KiB exactly, lengths counted in, and never with an empty one behind."""
    half = "x" * (CHUNK_BYTES // 2 - 4)
    less = half[1:]
    assert list(map(len, pack_chunks([half, half]))) == [CHUNK_BYTES]
    assert list(map(len, pack_chunks([half, half] * 2))) == [CHUNK_BYTES] * 2
    assert len(pack_chunks([half, less])) == 1
    assert [len(chunk) for chunk in pack_chunks([half, less, ""])] == [CHUNK_BYTES + 3]
    assert [len(chunk) for chunk in pack_chunks([half, half, half, less, ""])] == [
        CHUNK_BYTES,
        CHUNK_BYTES + 3,
    ]
    assert [len(chunk) for chunk in pack_chunks([half, half, less, "", "z"])] == [
        CHUNK_BYTES,
        CHUNK_BYTES // 2 - 1 + 4 + 5,
    ]


def test_a_long_dictionary_comes_in_chunks() -> None:
    """No chunk is much larger than it should be, and a lost, swapped or added one is damage."""
    values = [f"{number:06}" * 40 for number in range(5000)]
    chunks = pack_chunks(values)
    assert len(chunks) > 3
    assert max(map(len, chunks)) < CHUNK_BYTES + 300
    digest = packed_digest(chunks)
    assert unpack_chunks(chunks, 5000, digest) == values
    for wrong in (chunks[:-1], chunks[::-1], [*chunks, chunks[0]]):
        with pytest.raises(Damage, match="manifest"):
            unpack_chunks(wrong, 5000, digest)
    with pytest.raises(Damage, match="4999"):
        unpack_chunks(chunks, 4999, digest)


def test_a_snapshot_is_as_old_as_its_oldest_partition() -> None:
    """That is told of an answer without rows; an empty table was read when it was warmed."""
    older = replace(PARTITION, as_of_ms=99)
    partitions = {PartitionName("a", None): PARTITION, PartitionName("b", None): older}
    assert replace(MANIFEST, partitions=partitions).as_of_ms == 99
    assert replace(MANIFEST, partitions={}).as_of_ms == MANIFEST.warmed_ms
