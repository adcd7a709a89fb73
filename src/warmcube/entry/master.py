"""What stands in a data source's ``master`` set: everything that exists, live or not.

Three kinds of members, each written before the first key that it stands for:

- ``m:<measure>:freq:<frequency>:v<version>``: one version of one partition
- ``dict:<column>:v<version>:<chunks>``: the dictionary chunks that one warm wrote
- ``snapshot:<version>``: a manifest, and what is counted beside it
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from warmcube.entry.keys import PartitionName, Version, decode_component, encode_component
from warmcube.errors import Damage

__all__ = ["Chunks", "MasterItem", "PartitionVersion", "Snapshot", "format_item", "parse_item"]

_PARTITION: Final = re.compile(r"m:([^:]+|):freq:([^:]+|):v([^:]+)\Z")
_CHUNKS: Final = re.compile(r"dict:([^:]+|):v([^:]+):(0|[1-9][0-9]{0,8})\Z")
_SNAPSHOT: Final = re.compile(r"snapshot:([^:]+)\Z")


@dataclass(frozen=True, slots=True)
class PartitionVersion:
    """One version of one partition."""

    name: PartitionName
    version: Version


@dataclass(frozen=True, slots=True)
class Chunks:
    """The chunks that one warm wrote of one column's dictionary."""

    column: str
    version: Version
    chunks: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A manifest."""

    version: Version


MasterItem: TypeAlias = PartitionVersion | Chunks | Snapshot


def format_item(item: MasterItem) -> bytes:
    """The member that stands for `item`."""
    if isinstance(item, Snapshot):
        return f"snapshot:{item.version}".encode()
    if isinstance(item, Chunks):
        return f"dict:{encode_component(item.column)}:v{item.version}:{item.chunks}".encode()
    measure = encode_component(item.name.measure)
    frequency = encode_component(item.name.frequency)
    return f"m:{measure}:freq:{frequency}:v{item.version}".encode()


def parse_item(member: bytes) -> MasterItem:
    """What a member of ``master`` stands for.

    Raises:
        Damage: if nothing that `format_item` writes.
    """
    text = member.decode(errors="replace")
    if found := _PARTITION.match(text):
        name = PartitionName(decode_component(found[1]), decode_component(found[2]))
        return PartitionVersion(name, Version.parse(found[3]))
    if found := _CHUNKS.match(text):
        column = decode_component(found[1])
        if column is not None:
            return Chunks(column, Version.parse(found[2]), int(found[3]))
    if found := _SNAPSHOT.match(text):
        return Snapshot(Version.parse(found[1]))
    raise Damage(f"a member of the master set can't be read ({len(member)} bytes)")
