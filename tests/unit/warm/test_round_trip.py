"""Rows that go through gather, spill, sort and encode come back, each exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import hiredis
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmcube.entry.codec import decode_column, id_code, open_entries
from warmcube.entry.counts import TOTAL, bins_of, unpack_set, unpack_total
from warmcube.entry.keys import (
    Keys,
    PartitionName,
    Version,
    parse_member,
    practice_field,
    provider_field,
)
from warmcube.entry.master import PartitionVersion, parse_item
from warmcube.entry.seal import Checksum
from warmcube.errors import TableMismatch
from warmcube.model.columns import ColumnData
from warmcube.model.schema import Column, ColumnType, Kind, Roles, Schema
from warmcube.store.api import Command
from warmcube.warm import commands, encode, gather, runs
from warmcube.warm.commands import Target, Written, write_commands
from warmcube.warm.gather import Gathered
from warmcube.warm.texts import TextColumn

USING = Checksum()
VERSION = Version(3, "00000000000000aa")
TARGET = Target(Keys("", 1), VERSION, 10**12, USING, 5000)

TYPES: dict[str, tuple[ColumnType, pa.DataType, st.SearchStrategy[Any]]] = {
    "small": (ColumnType(Kind.SMALLINT), pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    "int": (ColumnType(Kind.INTEGER), pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "big": (ColumnType(Kind.BIGINT), pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "real": (ColumnType(Kind.REAL), pa.float32(), st.floats(width=32)),
    "double": (ColumnType(Kind.DOUBLE), pa.float64(), st.floats()),
    "money": (ColumnType(Kind.NUMERIC, 14, 2), pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "wide": (ColumnType(Kind.NUMERIC, 38, 4), pa.binary(16), st.binary(min_size=16, max_size=16)),
    "flag": (ColumnType(Kind.BOOLEAN), pa.bool_(), st.booleans()),
    "day": (ColumnType(Kind.DATE), pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "at": (ColumnType(Kind.TIMESTAMPTZ), pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "id": (ColumnType(Kind.UUID), pa.binary(16), st.binary(min_size=16, max_size=16)),
    "text": (
        ColumnType(Kind.TEXT),
        pa.string(),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9),
    ),
}
KEYS = ("text", "int", "id", "big")


@st.composite
def tables(draw: st.DrawFn) -> tuple[Schema, Roles, list[pa.RecordBatch]]:
    """A table of columns of every type, with any of the roles lacking."""
    few = st.integers(0, 2)
    chosen = {
        "m": draw(st.sampled_from(KEYS)),
        "p": draw(st.sampled_from(KEYS)),
        "v": draw(st.sampled_from(KEYS)),
        "f": draw(st.sampled_from(KEYS)),
        **{f"x{i}": kind for i, kind in enumerate(TYPES)},
    }
    pools = {
        name: draw(st.lists(TYPES[kind][2], min_size=3, max_size=3))
        for name, kind in chosen.items()
    }
    batches = []
    for _ in range(draw(st.integers(1, 3))):
        rows = draw(st.integers(0, 12))
        columns = {}
        for name, kind in chosen.items():
            picks = draw(st.lists(st.none() | few, min_size=rows, max_size=rows))
            values = [None if pick is None else pools[name][pick] for pick in picks]
            columns[name] = pa.array(values, TYPES[kind][1])
        batches.append(pa.RecordBatch.from_pydict(columns))
    schema = Schema(tuple(Column(name, TYPES[kind][0]) for name, kind in chosen.items()))
    roles = Roles(
        measure=draw(st.sampled_from(["m", None])),
        practice=draw(st.sampled_from(["p", None])),
        provider=draw(st.sampled_from(["v", None])),
        frequency=draw(st.sampled_from(["f", None])),
        date=draw(st.sampled_from(["x8", "x9", None])),
        value="x5",
    )
    return schema, roles, batches


def gathered_from(
    schema: Schema, roles: Roles, batches: list[pa.RecordBatch], **limits: int
) -> Gathered:
    """All batches, gathered."""
    gathered = Gathered(schema, roles, folder=None, count_entries=True)
    for name in gathered.texts:
        gathered.texts[name] = TextColumn(**limits)  # type: ignore[arg-type]
    for batch in batches:
        gathered.add(batch)
    return gathered


def plain(column: ColumnData, row: int) -> Any:
    """One decoded value, comparable (floats by their bits)."""
    if column.valid is not None and not column.valid[row]:
        return None
    if column.dictionary is not None:
        return column.dictionary[column.values[row]]
    return plain_value(column.values[row], column.type)


def plain_value(value: Any, type: ColumnType) -> Any:
    """A value as the tests compare it."""
    if type.kind.is_float:
        return np.float64(value).tobytes()
    if type.kind is Kind.UUID:
        return bytes(value).ljust(16, b"\0")
    if type.is_wide:
        return int.from_bytes(value, "little", signed=True) if isinstance(value, bytes) else value
    return value if isinstance(value, str) else int(value)


def expected_rows(schema: Schema, batches: list[pa.RecordBatch]) -> Iterator[tuple[Any, ...]]:
    """What went in."""
    for batch in batches:
        for row in batch.to_pylist():
            yield tuple(
                None if row[c.name] is None else plain_value(row[c.name], c.type)
                for c in schema.columns
            )


def words_of(command: Command | bytes) -> Command:
    """A command's words, by the client library's own parser where it is packed."""
    if not isinstance(command, bytes):
        return command
    reader = hiredis.Reader()
    reader.feed(command)
    words = reader.gets()
    assert isinstance(words, list)
    assert not reader.has_data(), "one command is packed as one"
    return tuple(words)


class Replay:
    """What a store would hold after some commands, with the order of writing checked."""

    def __init__(self, chunks: Iterator[list[Command | bytes]]) -> None:
        self.values: dict[bytes, bytes] = {}
        self.sets: dict[bytes, set[bytes]] = {}
        self.lists: dict[bytes, list[bytes]] = {}
        self.hashes: dict[bytes, dict[bytes, bytes]] = {}
        self.expiring: set[bytes] = set()
        for chunk in chunks:
            for command in chunk:
                self._apply(command)

    def _apply(self, command: Command | bytes) -> None:
        name, key, *rest = words_of(command)
        assert isinstance(key, bytes)
        words: list[Any] = rest
        if name == b"SADD":
            self.sets.setdefault(key, set()).update(words)
        elif name == b"RPUSH":
            self.lists.setdefault(key, []).extend(words)
        elif name == b"HSET":
            counts, _, _ = key.partition(b":counts:")
            for each in {key, counts.removesuffix(b":counts") + b":counts"}:
                assert TOTAL not in self.hashes.get(each, {}), "totals are written last"
            self.hashes.setdefault(key, {}).update(zip(words[::2], words[1::2], strict=True))
        elif name == b"PEXPIREAT":
            self.expiring.add(key)
        else:
            assert (name, words[1:]) == (b"SET", [b"PXAT", b"%d" % TARGET.expires_ms])
            assert key not in self.values, "an entry is written once"
            counts = key.replace(b"cache:", b"idx:").partition(b"}")[0] + b"}:v%b:counts" % (
                str(VERSION).encode()
            )
            assert counts not in self.hashes, "counts are written after what they count"
            self.values[key] = words[0]
            self.expiring.add(key)

    @property
    def entries(self) -> dict[bytes, bytes]:
        """What isn't sums."""
        return {k: v for k, v in self.values.items() if not k.endswith(b"sums")}

    def partitions(self) -> list[PartitionName]:
        """What ``master`` names."""
        items = [parse_item(member) for member in self.sets.get(TARGET.keys.master, ())]
        assert all(isinstance(item, PartitionVersion) for item in items)
        return [item.name for item in items if isinstance(item, PartitionVersion)]


def read_back(
    replay: Replay, gathered: Gathered, schema: Schema, roles: Roles
) -> Iterator[tuple[Any, ...]]:
    """Every row that the written entries hold, and that the index is complete."""
    layout = gathered.layout()
    for name in replay.partitions():
        own = TARGET.keys.partition(name, str(VERSION))
        members = sorted(replay.lists[own.all])
        parsed = [parse_member(member) for member in members]
        keys = [own.entry(member) for member in members]

        def is_integer(role: str | None) -> bool:
            return role is None or schema[role].type.kind.is_integer

        codes = [
            (
                id_code(member.practice, is_integer=is_integer(roles.practice)),
                id_code(member.provider, is_integer=is_integer(roles.provider)),
            )
            for member in parsed
        ]
        values = [replay.values[key] for key in keys]
        block = open_entries(keys, values, np.array(codes), layout, USING)
        fields: dict[bytes, bytes] = {}
        for key in (own.counts, *own.bins(bins_of(len(members)))):
            hashed = replay.hashes[key]
            total = unpack_total(key, hashed[TOTAL], USING)
            assert (total.entries, total.fields) == (len(members), len(hashed))
            assert total.rows == block.rows
            assert not fields.keys() & hashed.keys() - {TOTAL}, "each field is in one hash"
            fields |= hashed
        indexed: Counter[bytes] = Counter()
        for field, packed in fields.items():
            if field != TOTAL:
                count = unpack_set(own.counts, field, packed, USING)
                found = count.members or tuple(replay.sets[own.set(field)])
                assert len(found) == count.size
                indexed.update(found)
        assert indexed == Counter(members * 2), "each member is in two sets"
        for member in parsed:
            assert practice_field(member.practice) in fields
            assert provider_field(member.provider) in fields
        decoded = {
            f.name: decode_column(block, i, lambda name: gathered.texts[name].values)
            for i, f in enumerate(layout.fields)
        }
        row_member = np.repeat(np.arange(len(members)), block.rows_of)
        for row in range(block.rows):
            member = parsed[row_member[row]]
            said = {
                roles.measure: name.measure,
                roles.frequency: name.frequency,
                roles.practice: member.practice,
                roles.provider: member.provider,
            }
            yield tuple(
                from_canonical(said[c.name], c.type)
                if c.name in said
                else plain(decoded[c.name], row)
                for c in schema.columns
            )


def from_canonical(text: str | None, type: ColumnType) -> Any:
    """What a canonical id stands for, as the tests compare it."""
    if text is None or type.kind is Kind.TEXT:
        return text
    return bytes.fromhex(text.replace("-", "")) if type.kind is Kind.UUID else int(text)


@settings(deadline=None, max_examples=150)
@given(
    tables(),
    st.sampled_from([1, 3, 10**6]),
    st.sampled_from([1, 200, 10**9]),
    st.sampled_from([(1, 1, 1), (150, 100, 2), (4 << 20, 2 << 20, 1000)]),
)
def test_every_row_comes_back_once(
    table: tuple[Schema, Roles, list[pa.RecordBatch]],
    max_values: int,
    run_bytes: int,
    sizes: tuple[int, int, int],
) -> None:
    """Whatever the types, roles, dictionaries, splits: what comes back is what went in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encode, "MAX_ENTRY_BYTES", sizes[0])
        patch.setattr(commands, "CHUNK_BYTES", sizes[1])
        patch.setattr(commands, "CHUNK_MEMBERS", sizes[2])
        check_round_trip(*table, max_values, run_bytes)


def check_round_trip(
    schema: Schema, roles: Roles, batches: list[pa.RecordBatch], max_values: int, run_bytes: int
) -> None:
    """Encode a table, and read it back."""
    gathered = gathered_from(schema, roles, batches, max_values=max_values)
    predicted, practices = gathered.entries, gathered.practices
    written = Written()
    replay = Replay(write_commands(gathered, TARGET, written, 0, run_bytes))
    assert Counter(read_back(replay, gathered, schema, roles)) == Counter(
        expected_rows(schema, batches)
    )
    assert written.rows == sum(batch.num_rows for batch in batches)
    assert (
        written.entries
        == len(replay.entries)
        == sum(p.entries for p in written.partitions.values())
    )
    assert replay.expiring >= replay.values.keys() | replay.hashes.keys() | replay.lists.keys()
    distinct = {key.partition(b":part:")[0] for key in replay.entries}
    assert predicted == len(distinct)
    assert practices == sum(each.practices for each in written.partitions.values())


def a_batch(rows: int, *, partitions: int = 1, practices: int = 1) -> pa.RecordBatch:
    """Rows of a plain table."""
    numbers = np.arange(rows)
    return pa.RecordBatch.from_pydict(
        {
            "measure": pa.array([f"M{i % partitions}" for i in range(rows)]),
            "practice_uid": pa.array(numbers % practices, pa.int32()),
            "date_index": pa.array(numbers[::-1].copy(), pa.int32()),
            "measure_value": pa.array(numbers, pa.int64()),
        }
    )


PLAIN = Schema(
    (
        Column("measure", ColumnType(Kind.TEXT)),
        Column("practice_uid", ColumnType(Kind.INTEGER)),
        Column("date_index", ColumnType(Kind.DATE)),
        Column("measure_value", ColumnType(Kind.BIGINT)),
    )
)
PLAIN_ROLES = Roles(provider=None, frequency=None)


@pytest.mark.parametrize(
    ("rows", "partitions", "practices"),
    [(50_000, 1, 1), (50_000, 1, 500), (20_000, 700, 3), (20_000, 20_000, 1)],
    ids=["one entry", "one partition", "many partitions", "a partition per row"],
)
def test_a_spilled_table_of_any_shape_comes_back(
    rows: int, partitions: int, practices: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that went through the file and were split again are all there, in bounded runs."""
    monkeypatch.setattr(gather, "MEMORY_BUDGET", 50_000)
    monkeypatch.setattr(runs, "SPLIT_BUDGET", 20_000)
    monkeypatch.setattr(encode, "MAX_ENTRY_BYTES", 64_000)
    batches = [
        a_batch(rows, partitions=partitions, practices=practices).slice(at, 7_000)
        for at in range(0, rows, 7_000)
    ]
    gathered = gathered_from(PLAIN, PLAIN_ROLES, batches)
    assert gathered.spill._file is not None
    largest = 0
    encoder = encode.RunEncoder(gathered)
    seen: list[tuple[int, bool]] = []
    for run in runs.runs_of(gathered, limit=100_000):
        largest = max(largest, run.table.nbytes)
        seen += [
            (number, run.is_last) for number in run.table.column("partition").unique().to_pylist()
        ]
        for share in encoder.encode(run):
            assert all(len(entry.body) <= 64_100 for entry in share.entries)
    gathered.spill.close()
    assert largest < 250_000
    assert [n for n, is_last in seen if is_last] == list(dict.fromkeys(n for n, _ in seen))
    again = gathered_from(PLAIN, PLAIN_ROLES, batches)
    replay = Replay(write_commands(again, TARGET, Written(), 0, 100_000))
    again.spill.close()
    assert Counter(read_back(replay, again, PLAIN, PLAIN_ROLES)) == Counter(
        expected_rows(PLAIN, batches)
    )


def test_columns_are_as_narrow_as_all_of_their_values() -> None:
    """Over all batches, reserved values counted, NULLs not; a column of NULLs takes one byte."""
    schema = Schema(
        (
            Column("day", ColumnType(Kind.DATE)),
            Column("at", ColumnType(Kind.TIMESTAMP)),
            Column("money", ColumnType(Kind.NUMERIC, 14, 2)),
            Column("lost", ColumnType(Kind.NUMERIC, 14, 2)),
            Column("nothing", ColumnType(Kind.BIGINT)),
            Column("origin", ColumnType(Kind.TEXT)),
        )
    )
    batches = [
        pa.RecordBatch.from_pydict(
            {
                "day": pa.array([None, first], pa.int32()),
                "at": pa.array([2**50 + first, None], pa.int64()),
                "money": pa.array([-first, 5], pa.int64()),
                "lost": pa.array([2**63 - 1, first], pa.int64()),
                "nothing": pa.array([None, None], pa.int64()),
                "origin": pa.array(["a", f"{first}"], pa.string()),
            }
        )
        for first in (19_000, 19_255, 19_100)
    ]
    roles = Roles(measure=None, practice=None, provider=None, frequency=None)
    gathered = gathered_from(schema, roles, batches)
    assert [(f.name, f.narrow, f.offset) for f in gathered.layout().fields] == [
        ("day", 1, 19_000),
        ("at", 1, 2**50 + 19_000),
        ("money", 2, -19_255),
        ("lost", None, 0),
        ("nothing", 1, 0),
        ("origin", 1, 0),
    ]
    assert gathered.layout().width == 1 + 1 + 1 + 2 + 8 + 1 + 1
    replay = Replay(write_commands(gathered, TARGET, Written(), 0, 10**9))
    assert Counter(read_back(replay, gathered, schema, roles)) == Counter(
        expected_rows(schema, batches)
    )
    (entry,) = replay.entries.values()
    packed = np.frombuffer(entry, gathered.layout().dtype, offset=USING.size + 24)
    stored_days = sorted(packed["c0"].tolist())
    assert stored_days == [0, 0, 0, 0, 100, 255], "NULL is stored as 0"


def test_facts_say_what_the_rows_hold() -> None:
    """Ranges and largest absolute values leave NULLs and reserved values out."""
    schema = Schema(
        (
            Column("measure", ColumnType(Kind.TEXT)),
            Column("date_index", ColumnType(Kind.DATE)),
            Column("measure_value", ColumnType(Kind.NUMERIC, 14, 2)),
        )
    )
    batch = pa.RecordBatch.from_pydict(
        {
            "measure": pa.array(["a", "a", "a", "b"]),
            "date_index": pa.array([5, -7, 2**31 - 1, None], pa.int32()),
            "measure_value": pa.array([3, -4, 2**63 - 1, None], pa.int64()),
        }
    )
    roles = Roles(practice=None, provider=None, frequency=None)
    written = Written()
    list(write_commands(gathered_from(schema, roles, [batch]), TARGET, written, 77))
    a, b = (written.partitions[PartitionName(name, None)] for name in "ab")
    assert (a.rows, a.earliest, a.latest, dict(a.largest)) == (3, -7, 5, {"measure_value": 4})
    assert (b.rows, b.earliest, b.latest, dict(b.largest)) == (1, None, None, {})
    assert (a.entries, a.practices, a.providers, a.as_of_ms) == (1, 1, 1, 77)


def test_a_measure_column_of_too_many_values_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that can't be the measure is named before the store fills with partitions."""
    monkeypatch.setattr(gather, "MAX_PARTITIONS", 10)
    with pytest.raises(TableMismatch, match="more than 10 combinations"):
        gathered_from(PLAIN, PLAIN_ROLES, [a_batch(100, partitions=11)])
