"""The manifest: what one snapshot holds, and how to read it.

Stored as zlib-compressed JSON behind a seal. The first field is the format number; a reader that
doesn't know it takes the snapshot for cold rather than guessing.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from xxhash import xxh3_64_hexdigest

from warmcube.entry.keys import PartitionName, Version, encode_component
from warmcube.entry.layout import Field, Layout, TextStorage
from warmcube.errors import Damage
from warmcube.model.schema import Column, ColumnType, Datasource, Kind, Roles, Schema

__all__ = [
    "FORMAT",
    "ChunkRef",
    "Dictionary",
    "Manifest",
    "Partition",
    "answers_for",
    "fingerprint",
    "pack_manifest",
    "unpack_manifest",
]

FORMAT: Final = 6
"""Raised whenever entries, counts, dictionaries or this file can't be read as before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """What a snapshot holds of one partition.

    Attributes:
        version: which version's keys; a carried partition's is older than the snapshot's.
        layout: position in `Manifest.layouts`.
        entries: how many, parts included.
        rows: how many.
        practices: how many practices have entries, NULL counted as one.
        providers: how many providers, likewise.
        largest_practice: members of the largest practice's index set.
        largest_provider: members of the largest provider's.
        entry_bytes: of all entries' values.
        index_bytes: of all members and counts as written (what the server adds isn't in it).
        sums: how many practices have sums.
        has_whole_sums: whether the partition as a whole has.
        sums_bytes: of the values of all of these; not in `entry_bytes`.
        earliest: least value of the date column in storage form, reserved values left out; None
            without any.
        latest: greatest, likewise.
        largest: per integer or narrow numeric column the largest absolute value, reserved values
            left out: sums of so many rows fit 64 bits if largest x rows < 2**63.
        as_of_ms: when the source was read, or was last found to hold what had been read, Unix
            milliseconds by the database's clock.
        fingerprint: of the source's rows, by which a refresh tells whether they have changed; None
            if none was taken.
    """

    version: Version
    layout: int
    entries: int
    rows: int
    practices: int
    providers: int
    largest_practice: int
    largest_provider: int
    entry_bytes: int
    index_bytes: int
    sums: int = 0
    has_whole_sums: bool = False
    sums_bytes: int = 0
    earliest: int | None
    latest: int | None
    largest: Mapping[str, int]
    as_of_ms: int
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class ChunkRef:
    """One run of dictionary chunks, written by one warm."""

    version: Version
    chunks: int


@dataclass(frozen=True, slots=True)
class Dictionary:
    """A text column's dictionary; it only grows, by further runs of chunks."""

    runs: tuple[ChunkRef, ...]
    length: int
    digest: str  # xxh3-64 of all packed values, in hexadecimal


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One complete, immutable snapshot of a data source.

    Attributes:
        version: of the snapshot.
        source: name of the configured source that it was read from.
        table: as configured then.
        fingerprint: of the table, its columns and the roles: see `fingerprint`.
        schema: all columns, in table order.
        roles: which column plays which role.
        layouts: of the records; a partition says which.
        partitions: by name.
        dictionaries: by column.
        seal: the name of the seal that all its values bear.
        warmed_ms: when the warm took its expiry, Unix milliseconds by the store's clock.
        fresh_until_ms: until then it is fresh.
        serve_until_ms: until then it may be served, marked stale; every key expires then.
        practices: how many distinct practices it has, NULL counted as one; None if too many.
        providers: how many distinct providers, likewise.
    """

    version: Version
    source: str
    table: str
    fingerprint: str
    schema: Schema
    roles: Roles
    layouts: tuple[Layout, ...]
    partitions: Mapping[PartitionName, Partition]
    dictionaries: Mapping[str, Dictionary]
    seal: str
    warmed_ms: int
    fresh_until_ms: int
    serve_until_ms: int
    practices: int | None
    providers: int | None
    has_fingerprints: bool = field(init=False)  # of any partition
    rows: int = field(init=False)
    entries: int = field(init=False)
    as_of_ms: int = field(init=False)  # of the partition that was read longest ago

    def __post_init__(self) -> None:
        has_fingerprints = any(p.fingerprint is not None for p in self.partitions.values())
        object.__setattr__(self, "has_fingerprints", has_fingerprints)
        object.__setattr__(self, "rows", sum(p.rows for p in self.partitions.values()))
        object.__setattr__(self, "entries", sum(p.entries for p in self.partitions.values()))
        read = (p.as_of_ms for p in self.partitions.values())
        object.__setattr__(self, "as_of_ms", min(read, default=self.warmed_ms))


def answers_for(manifest: Manifest, datasource: Datasource) -> bool:
    """Whether a snapshot was made from what is configured now."""
    return (manifest.source, manifest.table, manifest.roles) == (
        datasource.source,
        datasource.table,
        datasource.roles,
    )


def fingerprint(datasource: Datasource, schema: Schema) -> str:
    """What must be equal for a later warm to carry partitions over from a snapshot.

    Covers the source, table, roles, and the columns' names and kinds; not the precision that an
    unconstrained numeric happens to need.
    """
    columns = [[c.name, c.type.kind.value, c.type.source_type] for c in schema.columns]
    facts = [datasource.source, datasource.table, _roles_to_json(datasource.roles), columns]
    return xxh3_64_hexdigest(json.dumps(facts, sort_keys=True).encode())


def pack_manifest(manifest: Manifest) -> bytes:
    """The manifest's stored form, without its seal."""
    names = sorted(
        manifest.partitions,
        key=lambda n: (encode_component(n.measure), encode_component(n.frequency)),
    )
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": str(manifest.version),
        "source": manifest.source,
        "table": manifest.table,
        "fingerprint": manifest.fingerprint,
        "columns": [[c.name, *_type_to_json(c.type)] for c in manifest.schema.columns],
        "roles": _roles_to_json(manifest.roles),
        "layouts": [
            [_field_to_json(each) for each in layout.fields] for layout in manifest.layouts
        ],
        "partitions": [
            [name.measure, name.frequency, _partition_to_json(manifest.partitions[name])]
            for name in names
        ],
        "dictionaries": {
            column: [
                [[str(run.version), run.chunks] for run in dictionary.runs],
                dictionary.length,
                dictionary.digest,
            ]
            for column, dictionary in manifest.dictionaries.items()
        },
        "seal": manifest.seal,
        "owners": [manifest.practices, manifest.providers],
        "times": [manifest.warmed_ms, manifest.fresh_until_ms, manifest.serve_until_ms],
    }
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 1)


def unpack_manifest(body: bytes | memoryview) -> Manifest | None:
    """What `pack_manifest` packed; None if it is of a format that this version doesn't know.

    Raises:
        Damage: if it can't be read at all.
    """
    try:
        document = json.loads(zlib.decompress(body))
        if document["format"] != FORMAT:
            return None
        return _from_json(document)
    except (zlib.error, ValueError, KeyError, TypeError, IndexError) as error:
        raise Damage(f"a manifest can't be read ({type(error).__name__})") from error


def _from_json(document: Mapping[str, Any]) -> Manifest:
    warmed, fresh, serve = document["times"]
    practices, providers = document["owners"]
    return Manifest(
        version=Version.parse(document["version"]),
        source=document["source"],
        table=document["table"],
        fingerprint=document["fingerprint"],
        schema=Schema(
            tuple(Column(name, _type_from_json(*rest)) for name, *rest in document["columns"])
        ),
        roles=Roles(**document["roles"]),
        layouts=tuple(
            Layout(tuple(_field_from_json(*each) for each in fields))
            for fields in document["layouts"]
        ),
        partitions={
            PartitionName(measure, frequency): _partition_from_json(values)
            for measure, frequency, values in document["partitions"]
        },
        dictionaries={
            column: Dictionary(
                tuple(ChunkRef(Version.parse(version), chunks) for version, chunks in runs),
                length,
                digest,
            )
            for column, (runs, length, digest) in document["dictionaries"].items()
        },
        seal=document["seal"],
        warmed_ms=warmed,
        fresh_until_ms=fresh,
        serve_until_ms=serve,
        practices=practices,
        providers=providers,
    )


def _field_to_json(field: Field) -> list[Any]:
    of_type = _type_to_json(field.type)
    return [field.name, *of_type, field.nullable, field.text, field.narrow, field.offset]


def _field_from_json(name: str, *values: Any) -> Field:
    *of_type, nullable, text, narrow, offset = values
    storage = None if text is None else TextStorage(text)
    return Field(name, _type_from_json(*of_type), nullable, storage, narrow, offset)


def _type_to_json(type: ColumnType) -> list[Any]:
    return [type.kind.value, type.precision, type.scale, type.source_type]


def _type_from_json(kind: str, precision: int, scale: int, source_type: str) -> ColumnType:
    return ColumnType(Kind(kind), precision, scale, source_type)


def _roles_to_json(roles: Roles) -> dict[str, str | None]:
    return {
        "measure": roles.measure,
        "practice": roles.practice,
        "provider": roles.provider,
        "frequency": roles.frequency,
        "date": roles.date,
        "value": roles.value,
    }


_PARTITION_FIELDS: Final = (
    "layout",
    "entries",
    "rows",
    "practices",
    "providers",
    "largest_practice",
    "largest_provider",
    "entry_bytes",
    "index_bytes",
    "sums",
    "has_whole_sums",
    "sums_bytes",
    "earliest",
    "latest",
    "as_of_ms",
    "fingerprint",
)


def _partition_to_json(partition: Partition) -> list[Any]:
    numbers = [getattr(partition, name) for name in _PARTITION_FIELDS]
    return [str(partition.version), dict(partition.largest), *numbers]


def _partition_from_json(values: list[Any]) -> Partition:
    version, largest, *numbers = values
    return Partition(
        version=Version.parse(version),
        largest=largest,
        **dict(zip(_PARTITION_FIELDS, numbers, strict=True)),
    )
