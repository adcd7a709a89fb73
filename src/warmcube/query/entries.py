"""Entries that are about to be fetched, with all that can be made ready before. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from warmcube.entry.codec import decode_ids, id_code
from warmcube.entry.keys import Member, PartitionKeys
from warmcube.entry.seal import Seal
from warmcube.errors import Damage
from warmcube.model.columns import Array
from warmcube.model.schema import Datasource, Schema
from warmcube.store.api import Command
from warmcube.store.wire import PackedCommand, pack_words

__all__ = ["Entries", "codes_of", "describe", "fetching"]

ENTRY_BYTES: Final = 320
"""What an entry costs here beside its key, about: a parsed member, codes, a seed, the objects."""


@dataclass(frozen=True, slots=True)
class Entries:
    """Some entries of a partition, in order.

    Attributes:
        keys: theirs.
        members: what their keys name.
        codes: what their headers must bear, as `codes_of` has them, in bytes.
        prepared: of their seals, see `warmcube.entry.seal.Seal.prepare`.
        wire: the keys, packed as words of a command.
    """

    keys: Sequence[bytes]
    members: Sequence[Member]
    codes: bytes
    prepared: Sequence[Any]
    wire: bytes

    @classmethod
    def join(cls, pieces: Sequence[Entries]) -> Self:
        """Those of several pieces, one behind the other."""
        return cls(
            [key for piece in pieces for key in piece.keys],
            [member for piece in pieces for member in piece.members],
            b"".join([piece.codes for piece in pieces]),
            [each for piece in pieces for each in piece.prepared],
            b"".join([piece.wire for piece in pieces]),
        )

    def part(self, start: int, stop: int) -> Entries:
        """Those from one place to another."""
        keys = self.keys[start:stop]
        return Entries(
            keys,
            self.members[start:stop],
            self.codes[16 * start : 16 * stop],
            self.prepared[start:stop],
            pack_words(keys),
        )

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return len(self.wire) + sum(map(len, self.keys)) + ENTRY_BYTES * len(self.keys)


def describe(
    own: PartitionKeys,
    members: Mapping[bytes, Member],
    schema: Schema,
    datasource: Datasource,
    using: Seal,
) -> Entries:
    """All that is known of some entries, in the order of their members.

    Args:
        own: the keys of their partition.
        members: by what the index calls them.
        schema: of the snapshot.
        datasource: its roles.
        using: the seal.

    Raises:
        Damage: a member's practice or provider is none that its column can hold.
    """
    names = sorted(members)
    keys = tuple([own.entry(name) for name in names])
    parsed = tuple([members[name] for name in names])
    roles = datasource.roles
    try:
        codes = codes_of(schema, datasource, parsed).tobytes()
        for role, ids in (
            (roles.practice, [member.practice for member in parsed]),
            (roles.provider, [member.provider for member in parsed]),
        ):
            if role is not None:  # so that the column can be made at any time
                decode_ids(ids, np.zeros(len(ids), np.int64), schema[role].type)
    except (ValueError, OverflowError) as error:
        raise Damage("an index member names what its column can't hold") from error
    return Entries(keys, parsed, codes, tuple(using.prepare(keys)), pack_words(keys))


def codes_of(schema: Schema, datasource: Datasource, members: Sequence[Member]) -> Array:
    """What the headers of entries must bear, see `warmcube.entry.codec.open_entries`."""
    roles = datasource.roles
    practice_is_integer = _is_integer(schema, roles.practice)
    provider_is_integer = _is_integer(schema, roles.provider)
    codes = [
        (
            id_code(member.practice, is_integer=practice_is_integer),
            id_code(member.provider, is_integer=provider_is_integer),
        )
        for member in members
    ]
    return np.array(codes, "<i8").reshape(-1, 2)


def _is_integer(schema: Schema, role: str | None) -> bool:
    return role is None or schema[role].type.kind.is_integer


def fetching(pieces: Iterable[Entries], most: int) -> list[Command]:
    """The commands that fetch entries, each at most so many.

    Args:
        pieces: what to fetch.
        most: of one command; no command is longer, so that none holds the server for long.
    """
    commands: list[Command] = []
    keys: list[bytes] = []
    packed: list[bytes] = []
    for piece in pieces:
        if keys and len(keys) + len(piece.keys) > most:
            commands.append(PackedCommand.of(b"MGET", keys, packed))
            keys, packed = [], []
        if len(piece.keys) <= most:
            keys += piece.keys
            packed.append(piece.wire)
            continue
        for at in range(0, len(piece.keys), most):
            some = piece.part(at, at + most)
            commands.append(PackedCommand.of(b"MGET", some.keys, [some.wire]))
    if keys:
        commands.append(PackedCommand.of(b"MGET", keys, packed))
    return commands
