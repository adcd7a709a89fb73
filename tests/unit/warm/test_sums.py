"""What is written as practice-level sums is what the rows add up to, where that pays."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.warm.test_round_trip import TARGET, USING, VERSION, Replay, gathered_from

from warmcube.entry.codec import NULL_CODE, decode_column, id_code, open_entries
from warmcube.entry.counts import TOTAL, bins_of, unpack_set, unpack_total
from warmcube.entry.keys import PartitionKeys, PartitionName, practice_field
from warmcube.entry.layout import Field, Layout, TextStorage
from warmcube.entry.sums import SumsForm, sums_form
from warmcube.model.schema import Column, ColumnType, Kind, Roles, Schema
from warmcube.warm import sums
from warmcube.warm.commands import Written, write_commands

Row: TypeAlias = tuple[str | None, int | None, int | None, int | None]
"""Practice, provider, date, value."""

ROLES = Roles(measure=None, practice="p", provider="v", frequency=None, date="d", value="x")
NAN, INFINITY, LEAST = 2**63 - 1, 2**63 - 2, -(2**63)
DATES = st.none() | st.sampled_from([-(2**31), -3, 0, 1, 2, 2**31 - 1])
KINDS = {
    "bigint": (ColumnType(Kind.BIGINT), pa.int64(), [0, 1, -5, 2**40, 2**61, -(2**63), 2**63 - 1]),
    "smallint": (ColumnType(Kind.SMALLINT), pa.int16(), [0, 1, -5, 2**15 - 1, -(2**15)]),
    "numeric": (
        ColumnType(Kind.NUMERIC, 18, 2),
        pa.int64(),
        [0, 1, -5, 10**18 - 1, -(10**18) + 1, NAN, INFINITY, LEAST],
    ),
}


@st.composite
def rows_of(draw: st.DrawFn) -> tuple[str, list[Row]]:
    """A kind of value, and rows."""
    kind = draw(st.sampled_from(list(KINDS)))
    row = st.tuples(
        st.none() | st.sampled_from(["a", "b:sums", "~"]),
        st.none() | st.integers(1, 4),
        DATES,
        st.none() | st.sampled_from(KINDS[kind][2]),
    )
    return kind, draw(st.lists(row, min_size=1, max_size=40))


def added(kind: str, values: list[int]) -> int:
    """As Postgres adds."""
    if kind != "numeric":
        return sum(values)
    if NAN in values or {INFINITY, LEAST} <= set(values):
        return NAN
    for special in (INFINITY, LEAST):
        if special in values:
            return special
    return sum(values)


Expected: TypeAlias = list[tuple[int | None, int, Any, Any, Any]]


def expected(kind: str, rows: list[Row]) -> tuple[Expected, bool]:
    """By date: count, sum, least and greatest value; and whether the sums surely fit 62 bits."""
    by_date: dict[int | None, list[int]] = defaultdict(list)
    for _, _, date, value in rows:
        by_date[date] += [] if value is None else [value]
    found: Expected = []
    fits = True
    for date in sorted(by_date, key=lambda d: (d is None, d or 0)):
        values = by_date[date]
        specials = (NAN, INFINITY, LEAST) if kind == "numeric" else ()
        fits &= sum(abs(v) for v in values if v not in specials) < 2**61
        found.append(
            (date, len(values), added(kind, values), min(values), max(values))
            if values
            else (date, 0, None, None, None)
        )
    return found, fits


def no_dictionary(name: str) -> list[str]:
    """Sums hold no texts."""
    raise AssertionError(name)


def decoded(form: SumsForm, key: bytes, value: bytes, code: int) -> Expected:
    """What lies under a key."""
    block = open_entries([key], [value], np.array([[code, NULL_CODE]]), form.layout, USING)
    columns = [decode_column(block, i, no_dictionary) for i in range(len(form.layout.fields))]
    found = []
    for row in range(block.rows):
        date, count, *rest = (
            None if c.valid is not None and not c.valid[row] else int(c.values[row])
            for c in columns
        )
        assert count is not None
        found.append((date, count, *(rest if count else (None, None, None))))
    return found


def written_from(kind: str, rows: list[Row], run_bytes: int) -> tuple[Replay, Written, SumsForm]:
    """Warm some rows."""
    value_type, arrow, _ = KINDS[kind]
    schema = Schema(
        (
            Column("p", ColumnType(Kind.TEXT)),
            Column("v", ColumnType(Kind.INTEGER)),
            Column("d", ColumnType(Kind.DATE)),
            Column("x", value_type),
        )
    )
    types = [pa.string(), pa.int32(), pa.int32(), arrow]
    columns = [pa.array(c, t) for c, t in zip(zip(*rows, strict=True), types, strict=True)]
    batch = pa.RecordBatch.from_arrays(columns, list(schema.names))
    gathered = gathered_from(schema, ROLES, [batch])
    written = Written()
    replay = Replay(write_commands(gathered, TARGET, written, 0, run_bytes))
    form = sums_form(gathered.layout(), ROLES)
    assert form is not None
    return replay, written, form


def own_keys() -> PartitionKeys:
    """Of the one partition."""
    return TARGET.keys.partition(PartitionName(None, None), str(VERSION))


@settings(deadline=None, max_examples=300)
@given(rows_of(), st.sampled_from([1, 300, 10**6]))
def test_sums_are_what_the_rows_add_up_to(given: tuple[str, list[Row]], run_bytes: int) -> None:
    """By date, NULLs and what isn't finite included, in however many runs the rows came."""
    kind, rows = given
    replay, written, form = written_from(kind, rows, run_bytes)
    own = own_keys()
    fields = replay.hashes[own.counts]
    with_sums = 0
    for practice in {row[0] for row in rows}:
        mine = [row for row in rows if row[0] == practice]
        field = practice_field(practice)
        marked = unpack_set(own.counts, field, fields[field], USING).has_sums
        want, fits = expected(kind, mine)
        providers = len({row[1] for row in mine})
        if run_bytes > 300:  # of what is cut into pieces, an entry may count as several
            assert marked == (fits and providers >= 2 and 2 * len(want) <= len(mine))
        assert marked == (own.sums(field) in replay.values)
        if marked:
            code = id_code(practice, is_integer=False)
            assert decoded(form, own.sums(field), replay.values[own.sums(field)], code) == want
            with_sums += 1
    (partition,) = written.partitions.values()
    assert with_sums == partition.sums == unpack_total(own.counts, fields[TOTAL], USING).sums
    assert partition.has_whole_sums == (own.whole_sums in replay.values)
    if partition.has_whole_sums:
        want, _ = expected(kind, rows)
        assert decoded(form, own.whole_sums, replay.values[own.whole_sums], NULL_CODE) == want
    sizes = [len(v) for k, v in replay.values.items() if k.endswith(b"sums")]
    assert partition.sums_bytes == sum(sizes)
    of_providers = [
        unpack_set(own.counts, field, value, USING)
        for key in own.bins(bins_of(partition.entries))
        for field, value in replay.hashes[key].items()
        if field != TOTAL
    ]
    assert len(of_providers) == partition.providers
    assert not any(each.has_sums for each in of_providers)


def test_sums_that_are_too_large_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A practice with more dates than anybody charts has entries only; others keep theirs."""
    monkeypatch.setattr(sums, "MAX_SUMS_BYTES", 100)
    many = [("many", provider, date, 1) for provider in (1, 2) for date in range(50)]
    few = [("few", provider, date, 1) for provider in (1, 2) for date in range(2)]
    replay, written, _ = written_from("bigint", [*many, *few], 10**6)
    assert [key for key in replay.values if key.endswith(b"sums")] == [own_keys().sums(b"p:few")]
    (partition,) = written.partitions.values()
    assert (partition.sums, partition.has_whole_sums) == (1, False)


FLOAT = ColumnType(Kind.DOUBLE)
NUMBER = ColumnType(Kind.BIGINT)
DAY = ColumnType(Kind.DATE)


@pytest.mark.parametrize(
    ("roles", "date", "value"),
    [
        (Roles(provider=None), DAY, NUMBER),
        (Roles(practice=None), DAY, NUMBER),
        (Roles(), DAY, FLOAT),
        (Roles(), DAY, ColumnType(Kind.REAL)),
        (Roles(), DAY, ColumnType(Kind.NUMERIC, 19, 2)),
        (Roles(), DAY, ColumnType(Kind.TEXT)),
        (Roles(), DAY, ColumnType(Kind.BOOLEAN)),
        (Roles(), DAY, DAY),
        (Roles(), ColumnType(Kind.TEXT), NUMBER),
        (Roles(), ColumnType(Kind.INTEGER), NUMBER),
        (Roles(value="date_index"), DAY, NUMBER),
    ],
)
def test_some_tables_have_no_sums(roles: Roles, date: ColumnType, value: ColumnType) -> None:
    """Nothing to add up over, nothing to add up by, or nothing that adds up exactly."""

    def field(name: str, type: ColumnType) -> Field:
        text = TextStorage.DICTIONARY if type.kind is Kind.TEXT else None
        return Field(name, type, nullable=False, text=text)

    layout = Layout((field("date_index", date), field("measure_value", value)))
    assert sums_form(layout, roles) is None
    assert sums_form(Layout((field("date_index", DAY), field("measure_value", NUMBER))), Roles())


def test_without_values_rows_are_counted() -> None:
    """There is nothing to add up, and no least or greatest; without dates there are those only."""
    form = sums_form(Layout((Field("date_index", DAY, nullable=False),)), Roles(value=None))
    assert form is not None
    assert form.value is None
    assert [each.name for each in form.layout.fields] == ["date", "count"]
    assert form.count == 1
    dateless = Layout((Field("measure_value", NUMBER, nullable=False),))
    form = sums_form(dateless, Roles(date=None))
    assert form is not None
    assert [each.name for each in form.layout.fields] == ["count", "sum", "least", "greatest"]
    assert form.count == 0
