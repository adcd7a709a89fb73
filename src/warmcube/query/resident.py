"""Answers that a process keeps, so that who asks the same again needn't go to the store. Pure.

An answer is kept under all that it hangs on: the data source, the version of the snapshot, which
never changes, the scope, and the prepared query. So it is given only to those who may see exactly
the rows that it was computed from, whoever they are; a key is found by equality of all of that.
Whether the snapshot is still live isn't known here: see `warmcube.query.snapshots`.

The budget holds what is kept, the bodies made of it included. What goes first is what came first
and hasn't been asked for since (second chance), so that a flood of questions that are asked once
doesn't drive out those that are asked all day.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final, NamedTuple

from warmcube.entry.keys import Version
from warmcube.entry.layout import storage_dtype
from warmcube.model.columns import Array, ColumnData, LazyColumns, Table
from warmcube.model.schema import ColumnType, Kind
from warmcube.model.scope import All, Scope
from warmcube.query.prepared import PreparedQuery

__all__ = ["Deferred", "Origins", "Resident", "ResidentKey", "Residents"]

LARGEST_SHARE: Final = 16
"""No answer and no body takes more than this part of the budget."""
_FIXED_BYTES: Final = 4096
"""What an answer takes beside its values: key, objects, names."""
_ID_BYTES: Final = 160
"""What an id in a scope or a value in a condition takes, beside its text."""
_INTEGER_BYTES: Final = 48
_SEEN: Final = 4096
"""So many questions are remembered as asked before."""


class ResidentKey(NamedTuple):
    """All that an answer hangs on."""

    datasource: int
    version: Version
    scope: Scope
    prepared: PreparedQuery


class Origins(NamedTuple):
    """What an answer was made of when it was read.

    Attributes:
        members: how many entries lie in its scope.
        entries: how many were fetched.
        rows: how many rows its evaluation started from.
        sums: how many of what was fetched were practice-level sums.
        held: bytes that columns hold on to until they are made.
    """

    members: int
    entries: int
    rows: int
    sums: int = 0
    held: int = 0


@dataclass(slots=True, eq=False)
class Resident:
    """One kept answer.

    Attributes:
        table: its columns; nobody can write to them.
        origins: what it was made of.
        size: bytes that count against the budget.
        is_used: whether it was asked for since it was last passed over.
        is_kept: whether it is still among those that are kept.
    """

    residents: Residents
    table: Table
    origins: Origins
    size: int
    bodies: dict[Hashable, bytes]
    is_used: bool = False
    is_kept: bool = True

    def encoded(self, form: Hashable, encode: Callable[[], bytes]) -> bytes:
        """The answer in some form, made once while it is kept.

        Args:
            form: which one; equal ones have equal bytes.
            encode: makes it.
        """
        body = self.bodies.get(form)
        if body is None:
            body = encode()
            self.residents.keep_body(self, form, body)
        return body


class Deferred:
    """An answer that is kept as soon as something is made of it.

    So is one that is evaluated from what the process holds anyway: in less time than keeping it
    would take, if its rows are all that is asked for.

    Args:
        residents: where it will be kept.
        table: its columns.
        about: tells what it hangs on, and what it was made of.
        shared: dictionaries that are there anyway.
    """

    __slots__ = ("_about", "_residents", "_shared", "_table")

    def __init__(
        self,
        residents: Residents,
        table: Table,
        about: Callable[[], tuple[ResidentKey, Origins]],
        shared: Iterable[Sequence[str]],
    ) -> None:
        self._residents = residents
        self._table = table
        self._about = about
        self._shared = shared

    def encoded(self, form: Hashable, encode: Callable[[], bytes]) -> bytes:
        """See `Resident.encoded`."""
        body, table = encode(), self._table
        made = Table(dict(table.columns), table.rows)  # holds on to nothing else
        key, origins = self._about()
        resident = self._residents.put(key, made, origins, self._shared)
        if resident is not None:
            self._residents.keep_body(resident, form, body)
        return body


class Residents:
    """The answers that a process keeps. Safe to use from several threads.

    Args:
        budget: bytes; 0 keeps nothing.
    """

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._kept: dict[ResidentKey, Resident] = {}  # in the order in which they are passed over
        self._versions: dict[int, Version] = {}
        self._seen: dict[int, None] = {}
        self._bytes = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes that count against the budget."""
        return self._bytes

    def limit(self, budget: int) -> None:
        """Take no more than so many bytes from now on."""
        with self._lock:
            self._budget = budget
            self._make_room()

    def get(self, key: ResidentKey) -> Resident | None:
        """The answer, if it is kept."""
        found = self._kept.get(key)
        if found is not None:
            found.is_used = True
        return found

    def is_repeated(self, key: ResidentKey) -> bool:
        """Whether this was asked before, among the last thousands of such questions.

        Some are taken for others that were, now and then: only their hashes are remembered.
        """
        known, seen = hash(key), self._seen
        if known in seen:
            return True
        with self._lock:
            seen[known] = None
            if len(seen) > _SEEN:
                del seen[next(iter(seen))]
        return False

    def put(
        self, key: ResidentKey, table: Table, origins: Origins, shared: Iterable[Sequence[str]]
    ) -> Resident | None:
        """Keep an answer; what is kept of other snapshots of its data source is dropped.

        Args:
            key: what it hangs on.
            table: its columns, which nobody changes from now on. Those that aren't made yet aren't
                made for this, and will have memory of their own.
            origins: what it was made of.
            shared: dictionaries that are there anyway, and cost nothing here.

        Returns:
            None if it isn't kept: it is too large.
        """
        if not self._budget:
            return None
        size = _FIXED_BYTES + _key_bytes(key) + _table_bytes(table, key.prepared, shared)
        size += origins.held
        if size * LARGEST_SHARE > self._budget:
            with self._lock:
                self._drop_one(key)
            return None
        if not isinstance(table.columns, LazyColumns):
            own = {name: _settled(column) for name, column in table.columns.items()}
            table = Table(own, table.rows)
        resident = Resident(self, table, origins, size, {})
        with self._lock:
            if self._versions.get(key.datasource, key.version) != key.version:
                self._drop(key.datasource)
            self._versions[key.datasource] = key.version
            self._drop_one(key)
            self._kept[key] = resident
            self._bytes += size
            self._make_room()
        return resident

    def keep_body(self, resident: Resident, form: Hashable, body: bytes) -> None:
        """Keep what was made of an answer, as long as that is kept."""
        size = sys.getsizeof(body)
        if size * LARGEST_SHARE > self._budget:
            return
        with self._lock:
            if resident.is_kept and form not in resident.bodies:
                resident.bodies[form] = body
                resident.size += size
                self._bytes += size
                self._make_room()

    def forget(self, datasource: int) -> None:
        """Drop all answers of a data source."""
        with self._lock:
            self._drop(datasource)

    def _drop(self, datasource: int) -> None:
        for key in [key for key in self._kept if key.datasource == datasource]:
            self._release(self._kept.pop(key))
        self._versions.pop(datasource, None)

    def _drop_one(self, key: ResidentKey) -> None:
        before = self._kept.pop(key, None)
        if before is not None:
            self._release(before)

    def _release(self, resident: Resident) -> None:
        resident.is_kept = False
        self._bytes -= resident.size

    def _make_room(self) -> None:
        while self._bytes > self._budget:
            key = next(iter(self._kept))
            oldest = self._kept.pop(key)
            if oldest.is_used:
                oldest.is_used = False
                self._kept[key] = oldest
            else:
                self._release(oldest)


def _settled(column: ColumnData) -> ColumnData:
    """The column in memory of its own, which nobody can write to."""
    values, valid = _own(column.values), None if column.valid is None else _own(column.valid)
    if values is column.values and valid is column.valid:
        return column
    return ColumnData(column.type, values, valid, column.dictionary)


def _own(array: Array) -> Array:
    own = array if array.base is None else array.copy()  # not a small part of what it would keep
    own.setflags(write=False)
    return own


def _key_bytes(key: ResidentKey) -> int:
    characters = count = 0
    for box in key.scope.boxes:
        for ids in (box.practices, box.providers):
            if not isinstance(ids, All):
                characters += sum(map(len, ids))
                count += len(ids)
    prepared = key.prepared
    for condition in prepared.conditions:
        characters += len(condition.needle)
        characters += sum(len(each.low) for each in condition.spans if isinstance(each.low, str))
        count += 1 + len(condition.spans)
    characters += len(prepared.measure or "") + len(prepared.frequency or "")
    characters += sum(len(text or "") for _, text in prepared.fixed)
    return _ID_BYTES * count + 4 * characters  # bytes of a character: 4 at the most


def _table_bytes(table: Table, prepared: PreparedQuery, shared: Iterable[Sequence[str]]) -> int:
    columns = table.columns
    if isinstance(columns, LazyColumns):
        made = [columns.made(name) for name in columns]
        size = sum(
            table.rows * _value_bytes(column.type)
            for column, known in zip(prepared.output.columns, made, strict=True)
            if known is None
        )
        found = [column for column in made if column is not None]
    else:
        size, found = 0, list(columns.values())
    known = set(map(id, shared))
    return size + sum(_column_bytes(column, known) for column in found)


def _value_bytes(type: ColumnType) -> int:
    """What a value takes in a column that isn't made yet, its bit of validity included."""
    if type.kind is Kind.TEXT:
        return 9
    return 1 + (8 + _INTEGER_BYTES if type.is_wide else storage_dtype(type).itemsize)


def _column_bytes(column: ColumnData, shared: set[int]) -> int:
    values, valid, dictionary = column.values, column.valid, column.dictionary
    size = values.nbytes
    if values.dtype.hasobject:
        size += _INTEGER_BYTES * len(values)
    if valid is not None:
        size += valid.nbytes
    if dictionary is not None and id(dictionary) not in shared:
        size += sum(map(sys.getsizeof, dictionary)) + 8 * len(dictionary)
    return size
