"""Manifests and dictionaries: stored forms that are read back, or not believed."""

import dataclasses
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.entry.dictionary import CHUNK_BYTES, pack_chunks, packed_digest, unpack_chunks
from warmcube.entry.keys import PartitionName, Version
from warmcube.entry.layout import Field, Layout, TextStorage
from warmcube.entry.manifest import (
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
    older = dataclasses.replace(PARTITION, as_of_ms=99)
    partitions = {PartitionName("a", None): PARTITION, PartitionName("b", None): older}
    assert dataclasses.replace(MANIFEST, partitions=partitions).as_of_ms == 99
    assert dataclasses.replace(MANIFEST, partitions={}).as_of_ms == MANIFEST.warmed_ms
