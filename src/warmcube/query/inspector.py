"""One entry as it lies in the store: for those who look after the cache, and audited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from warmcube.access.grant import Grant
from warmcube.access.standing import KeyTypes, stand
from warmcube.audit.events import EntryInspected, denial
from warmcube.audit.request import Request
from warmcube.audit.trail import Trail
from warmcube.directory.authoriser import Authoriser
from warmcube.entry.codec import HEADER, Block, open_entries
from warmcube.entry.counts import unpack_set, unpack_total
from warmcube.entry.keys import (
    Member,
    PartitionKeys,
    PartitionName,
    encode_component,
    member_of,
    parse_member,
    practice_field,
    provider_field,
)
from warmcube.entry.layout import TextStorage
from warmcube.entry.manifest import Partition
from warmcube.entry.seal import Seal
from warmcube.errors import AccessDenied, Damage, InvalidQuery, StoreRefused, UnknownDatasource
from warmcube.model.columns import Table
from warmcube.model.schema import Datasource
from warmcube.model.scope import All
from warmcube.query.entries import codes_of
from warmcube.query.inspected import ColumnSize, EntryName, Inspected, Listing, Part
from warmcube.query.lookup import check_total, count_commands, split_counts
from warmcube.query.prepare import role_text
from warmcube.query.read import decode
from warmcube.query.snapshots import LiveSnapshot, Snapshots
from warmcube.query.textform import texts
from warmcube.store.api import Command, Store

__all__ = ["MOST_LISTED", "MOST_ROWS", "Inspector"]

MOST_ROWS: Final = 200
"""Of an entry so many rows are shown; the inspector is for looking, not for exports."""
MOST_LISTED: Final = 500
"""Entries of one page."""

_PARTS: Final = 32
"""Further parts that are looked for in one trip."""


@dataclass(frozen=True, slots=True)
class _Named:
    """A name in canonical ids, and where it is to be found."""

    partition: PartitionName
    practice: str | None
    provider: str | None


class Inspector:
    """Looks at entries. What somebody may must have been looked at before, but for rows.

    Args:
        store: where they are.
        snapshots: knows the live ones.
        seal: what they bear.
        authoriser: made the grants.
        trail: has it written who looked at what.
    """

    def __init__(
        self, store: Store, snapshots: Snapshots, seal: Seal, authoriser: Authoriser, trail: Trail
    ) -> None:
        self._store = store
        self._snapshots = snapshots
        self._seal = seal
        self._authoriser = authoriser
        self._trail = trail

    async def entry(
        self, datasource: Datasource, name: EntryName, grant: Grant, *, has_rows: bool = False
    ) -> Inspected:
        """One entry.

        Args:
            datasource: the one that is named.
            name: which entry.
            grant: of whoever looks.
            has_rows: whether its rows are wanted too; needs the right to read every row.

        Raises:
            AccessDenied: rows are wanted, and the grant doesn't reach every row.
            InvalidQuery: the name can't be one of this data source.
            Damage: the manifest isn't whole.
            StoreError: the store.
        """
        self._authoriser.check(grant)
        live = await self._snapshots.load(datasource)
        if has_rows:
            self._require_everything(datasource, live, grant)
        named, found = None, Inspected(datasource=datasource.id, exists=False, why=_COLD)
        if live is not None:
            named = _named(datasource, live, name)
            found = await self._inspect(datasource, live, named, has_rows=has_rows)
        shown = None if found.data is None else len(found.data["rows"])
        await self._trail.record(
            EntryInspected(
                outcome="done" if found.is_proven else "failed",
                actor=grant.actor,
                subject=grant.user.id,
                datasource=datasource.id,
                what="rows" if has_rows else "entry",
                measure=None if named is None else encode_component(named.partition.measure),
                frequency=None if named is None else encode_component(named.partition.frequency),
                practice=None if named is None else encode_component(named.practice),
                provider=None if named is None else encode_component(named.provider),
                snapshot=found.snapshot,
                rows=shown,
            )
        )
        return found

    async def entries(
        self, datasource: Datasource, name: EntryName, grant: Grant, cursor: int = 0
    ) -> Listing:
        """Which entries a partition has, a page at a time.

        Raises:
            InvalidQuery: the name can't be one of this data source.
            Damage: what is there isn't what warmcube wrote.
            StoreError: the store.
        """
        self._authoriser.check(grant)
        live = await self._snapshots.load(datasource)
        found, at = Listing(datasource=datasource.id), None
        if live is not None:
            at = _partition(datasource, live, name)
            partition = live.manifest.partitions.get(at)
            found = replace(found, snapshot=str(live.manifest.version))
            if partition is not None:
                found = await self._page(found, at, partition, cursor)
        await self._trail.record(
            EntryInspected(
                outcome="done" if found.total else "failed",
                actor=grant.actor,
                subject=grant.user.id,
                datasource=datasource.id,
                what="list",
                measure=None if at is None else encode_component(at.measure),
                frequency=None if at is None else encode_component(at.frequency),
                snapshot=found.snapshot,
            )
        )
        return found

    async def partitions(self, datasource: Datasource) -> tuple[Mapping[str, Any], ...]:
        """The partitions of the live snapshot, with their figures; none where nothing is live.

        Raises:
            Damage: the manifest isn't whole.
            StoreError: the store.
        """
        live = await self._snapshots.load(datasource)
        if live is None:
            return ()
        return tuple(
            {
                "measure": name.measure,
                "frequency": name.frequency,
                "entries": each.entries,
                "rows": each.rows,
                "practices": each.practices,
                "providers": each.providers,
                "entry_bytes": each.entry_bytes,
                "index_bytes": each.index_bytes,
                "sums_bytes": each.sums_bytes,
            }
            for name, each in live.manifest.partitions.items()
        )

    def _require_everything(
        self, datasource: Datasource, live: LiveSnapshot | None, grant: Grant
    ) -> None:
        """That a grant reaches every row of a data source, those of no practice included."""
        roles = datasource.roles
        schema = None if live is None else live.manifest.schema
        types = KeyTypes(
            *(
                None if schema is None or role is None else schema[role].type
                for role in (roles.practice, roles.provider)
            )
        )
        try:
            boxes = stand(grant, datasource, types, "read").boxes
        except (AccessDenied, UnknownDatasource):
            boxes = ()
        if any(isinstance(b.practices, All) and isinstance(b.providers, All) for b in boxes):
            return
        error = AccessDenied(
            "the rows of an entry need the permission analytics:read:all; look at its figures, or "
            "ask whoever keeps the directory",
            reason="no permission to read every row",
        )
        request = Request(action="administer", datasource=datasource.id)
        self._trail.note(denial(error, actor=grant.actor, subject=grant.user.id, request=request))
        raise error

    async def _page(
        self,
        found: Listing,
        name: PartitionName,
        partition: Partition,
        cursor: int,
    ) -> Listing:
        own = self._snapshots.keys(found.datasource).partition(name, str(partition.version))
        cursor = min(cursor, partition.entries)
        following = cursor + MOST_LISTED
        (members,) = await self._store.run([(b"LRANGE", own.all, cursor, following - 1)])
        entries = sorted(
            (parse_member(member) for member in members),
            key=lambda each: (each.practice or "", each.provider or "", each.part),
        )
        return replace(
            found,
            total=partition.entries,
            entries=tuple(each._asdict() for each in entries),
            cursor=None if following >= partition.entries else str(following),
        )

    async def _inspect(
        self, datasource: Datasource, live: LiveSnapshot, named: _Named, *, has_rows: bool
    ) -> Inspected:
        manifest = live.manifest
        found = Inspected(
            datasource=datasource.id,
            exists=False,
            snapshot=str(manifest.version),
            fresh_until=manifest.fresh_until_ms,
            serve_until=manifest.serve_until_ms,
            seal=manifest.seal,
        )
        partition = manifest.partitions.get(named.partition)
        if partition is None:
            return replace(found, why="the snapshot has no rows of this measure and frequency")
        own = self._snapshots.keys(datasource.id).partition(named.partition, str(partition.version))
        found = replace(found, version=str(partition.version), as_of=partition.as_of_ms)
        members, proofs = await self._members(own, partition, named)
        if not members:
            if all(each == _OK for each in proofs.values()):
                why = "the partition has no entry of this practice and provider"
                return replace(found, why=why, proofs=proofs)
            return replace(found, why=_first(proofs), proofs=proofs, is_proven=False)
        return await self._describe(
            datasource, live, named, (own, partition, members, proofs, found), has_rows=has_rows
        )

    async def _describe(
        self,
        datasource: Datasource,
        live: LiveSnapshot,
        named: _Named,
        looked: tuple[PartitionKeys, Partition, list[Member], dict[str, str], Inspected],
        *,
        has_rows: bool,
    ) -> Inspected:
        own, partition, members, proofs, found = looked
        layout = live.manifest.layouts[partition.layout]
        keys = [own.entry(member_of(*member)) for member in members]
        values, parts = await self._parts(keys)
        columns: tuple[ColumnSize, ...] = ()
        data, rows = None, None
        try:
            codes = codes_of(live.manifest.schema, datasource, members)
            block = open_entries(keys, values, codes, layout, self._seal)
            proofs["entry"], rows, columns = _OK, block.rows, _sizes(block)
            if has_rows:
                for each in layout.fields:
                    if each.name in live.manifest.dictionaries:
                        await self._snapshots.dictionary(datasource, live, each.name)
                names = live.manifest.schema.names
                data = _rows(decode(block, members, named.partition, live, datasource, names))
        except Damage as error:
            proofs["entry"] = str(error)
        is_proven = all(each == _OK for each in proofs.values())
        return replace(
            found,
            exists=True,
            why=None if is_proven else _first(proofs),
            is_proven=is_proven,
            proofs=proofs,
            record_bytes=layout.width,
            rows=rows,
            bytes=sum(each.bytes or 0 for each in parts),
            parts=tuple(parts),
            columns=columns,
            data=data,
        )

    async def _members(
        self, own: PartitionKeys, partition: Partition, named: _Named
    ) -> tuple[list[Member], dict[str, str]]:
        """The parts of an entry that the index has, and whether the index proves itself."""
        fields = (practice_field(named.practice), provider_field(named.provider))
        replies = await self._store.run(count_commands(own, partition, fields))
        counts, totals = split_counts(own, fields, replies, partition)
        proofs = {"counts": _OK}
        try:
            for key, total, length in totals:
                check_total(unpack_total(key, total, self._seal), length, partition)
        except Damage as error:
            proofs["counts"] = str(error)
        members = sorted(
            {
                member
                for name in fields
                for member in await self._parts_in(own, name, counts[name], named)
            }
        )
        for kind, name in zip(("practice", "provider"), fields, strict=True):
            proofs[kind] = await self._in_set(own, name, counts[name], members)
        return members, proofs

    async def _parts_in(
        self, own: PartitionKeys, name: bytes, packed: bytes | None, named: _Named
    ) -> list[Member]:
        """The parts of an entry that one index set has; none where its count is damaged."""
        if packed is None:
            return []
        try:
            count = unpack_set(own.counts, name, packed, self._seal)
        except Damage:
            return []
        if count.members is None:
            return await self._parts_of(own.set(name), named)
        members = map(parse_member, count.members)
        return [each for each in members if each[:2] == (named.practice, named.provider)]

    async def _parts_of(self, key: bytes, named: _Named) -> list[Member]:
        """Those that a set has, from the first one on."""
        members: list[Member] = []
        while True:
            first = len(members)
            some = [Member(named.practice, named.provider, first + n) for n in range(_PARTS)]
            commands: list[Command] = [(b"SISMEMBER", key, member_of(*each)) for each in some]
            there = await self._store.run(commands)
            have = there.index(0) if 0 in there else _PARTS
            members += some[:have]
            if have < _PARTS:
                return members

    async def _in_set(
        self, own: PartitionKeys, name: bytes, packed: bytes | None, members: Sequence[Member]
    ) -> str:
        """Whether an index set has just these members of the entry, and its count proves itself."""
        if packed is None:
            return _OK if not members else "the index has no set for this one"
        try:
            count = unpack_set(own.counts, name, packed, self._seal)
        except Damage as error:
            return str(error)
        wanted = [member_of(*each) for each in members]
        if count.members is not None:
            lost = set(wanted) - set(count.members)
        elif not wanted:
            return _OK
        else:
            commands: list[Command] = [(b"SISMEMBER", own.set(name), each) for each in wanted]
            size, *there = await self._store.run([(b"SCARD", own.set(name)), *commands])
            if size != count.size:
                return f"an index set has {size} members where its count says {count.size}"
            lost = {each for each, is_there in zip(wanted, there, strict=True) if not is_there}
        return "the index set lacks the entry" if lost else _OK

    async def _parts(self, keys: Sequence[bytes]) -> tuple[list[bytes | None], list[Part]]:
        commands: list[Command] = [(b"GET", key) for key in keys]
        commands += [(b"PTTL", key) for key in keys]
        replies = await self._store.run(commands)
        values, left = replies[: len(keys)], replies[len(keys) :]
        try:
            memory = await self._store.run([(b"MEMORY", b"USAGE", key) for key in keys])
        except StoreRefused:  # some managed services bar MEMORY
            memory = [None] * len(keys)
        parts = map(self._part, keys, values, left, memory)
        return values, list(parts)

    def _part(self, key: bytes, value: bytes | None, left: int, memory: int | None) -> Part:
        part = Part(
            key=key.decode(),
            memory_bytes=memory,
            expires_seconds=left / 1000 if left >= 0 else None,
        )
        if value is None:
            return part
        part = replace(part, bytes=len(value))
        head = value[self._seal.size : self._seal.size + HEADER.itemsize]
        if len(head) < HEADER.itemsize:
            return part
        practice, provider, rows = (
            int.from_bytes(head[:8], "little", signed=True),
            int.from_bytes(head[8:16], "little", signed=True),
            int.from_bytes(head[16:20], "little"),
        )
        return replace(part, practice_code=practice, provider_code=provider, rows=rows)


_OK: Final = "ok"
_COLD: Final = "no snapshot is live: it was never warmed, has expired or was invalidated"


def _first(proofs: Mapping[str, str]) -> str:
    return next(each for each in proofs.values() if each != _OK)


def _sizes(block: Block) -> tuple[ColumnSize, ...]:
    """What each column takes: in the records, and behind them."""
    sizes = []
    for at, each in enumerate(block.layout.fields):
        behind = int(block.raw(at).sum()) if each.text is TextStorage.BEHIND else 0
        storage = "record" if each.text is None else str(each.text)
        sizes.append(
            ColumnSize(
                name=each.name,
                type=str(each.type),
                storage=storage,
                bytes=each.dtype.itemsize * block.rows + behind,
            )
        )
    return tuple(sizes)


def _rows(table: Table) -> dict[str, Any]:
    """The first rows of a table as text."""
    written = [texts(column)[:MOST_ROWS] for column in table.columns.values()]
    return {
        "columns": list(table.columns),
        "rows": [list(row) for row in zip(*written, strict=True)],
        "total": table.rows,
    }


def _partition(datasource: Datasource, live: LiveSnapshot, name: EntryName) -> PartitionName:
    roles, schema = datasource.roles, live.manifest.schema
    return PartitionName(
        role_text("measure", name.measure, roles.measure, schema),
        role_text("frequency", name.frequency, roles.frequency, schema),
    )


def _named(datasource: Datasource, live: LiveSnapshot, name: EntryName) -> _Named:
    """A name in canonical ids.

    Raises:
        InvalidQuery: it can't be one.
    """
    roles, schema = datasource.roles, live.manifest.schema
    if name.datasource != datasource.id:
        raise InvalidQuery(f"the entry is one of data source {name.datasource}; ask that one")
    return _Named(
        _partition(datasource, live, name),
        role_text("practice", name.practice, roles.practice, schema),
        role_text("provider", name.provider, roles.provider, schema),
    )
