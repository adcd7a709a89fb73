"""Checksums of rows: the order doesn't count, and everything else does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from warmcube.compare.canonical import (
    Checksum,
    ColumnValues,
    arrow_values,
    hash_rows,
    hash_values,
)
from warmcube.compare.report import Finding, Findings, Table, Verdict
from warmcube.compare.slices import Difference, compare, rows_of
from warmcube.model.schema import ColumnType, Kind

BIGINT = ColumnType(Kind.BIGINT)
TEXT = ColumnType(Kind.TEXT)
Row = tuple[int | None, str | None]
ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(-3, 3)), st.one_of(st.none(), st.sampled_from(["", "a"]))
    ),
    max_size=12,
)


def columns(rows: Sequence[Row]) -> dict[str, ColumnValues]:
    """Both columns as a database gives them."""
    return {
        "n": arrow_values(pa.array([row[0] for row in rows], pa.int64()), BIGINT),
        "t": arrow_values(pa.array([row[1] for row in rows], pa.string()), TEXT),
    }


def digest(rows: Sequence[Row]) -> tuple[int, tuple[int, int]]:
    """Their checksum."""
    made = Checksum()
    hashes = [hash_values(column, 0) for column in columns(rows).values()]
    made.add(hash_rows(hashes, len(rows)))
    return made.rows, made.digest


@given(ROWS, ROWS)
def test_equal_only_if_the_rows_are(left: list[Row], right: list[Row]) -> None:
    """As multisets: how often a row is there counts, and NULL is neither zero nor empty."""
    same = sorted(map(repr, left)) == sorted(map(repr, right))
    assert (digest(left) == digest(right)) == same
    names = {"n": 0, "t": 0}
    found = compare(
        rows_of(columns(left), names, len(left)), rows_of(columns(right), names, len(right)), "nt"
    )
    assert (found is None) == same


def test_values_that_change_places_are_found() -> None:
    """The same values in other rows, and in other columns, are other rows."""
    assert digest([(1, "a"), (2, "")]) != digest([(1, ""), (2, "a")])
    names = {"n": 0, "t": 0}
    left = rows_of(columns([(1, "a"), (2, "")]), names, 2)
    right = rows_of(columns([(1, ""), (2, "a")]), names, 2)
    assert compare(left, right, "nt") == Difference(2, 2, ())


def of_numeric(values: list[int], precision: int, scale: int, at: int) -> list[int]:
    """Hashes of a numeric in storage form."""
    of_type = ColumnType(Kind.NUMERIC, precision, scale)
    stored = np.array(values, object if of_type.is_wide else np.int64)
    column = ColumnValues(of_type, stored, None)
    plain = column.plain(at)
    assert len(set(plain)) == len(set(values))
    hashed: list[int] = hash_values(column, at).tolist()
    return hashed


def test_a_numeric_is_its_value_whatever_it_is_kept_as() -> None:
    """Narrow and wide, at one scale and another, NaN and the infinities included."""
    narrow = of_numeric([150, 0, -25, 2**63 - 1, 2**63 - 2, -(2**63)], 18, 2, 2)
    same = of_numeric([1500, -250, 2**63 - 1, 2**63 - 2, -(2**63)], 18, 3, 3)
    raised = of_numeric([150, -25, 2**63 - 1, 2**63 - 2, -(2**63)], 18, 2, 3)
    wide = of_numeric([1500, -250, 2**127 - 1, 2**127 - 2, -(2**127)], 38, 3, 3)
    assert raised == same == wide
    assert len({*narrow}) == 6


def test_floats_count_by_their_bits() -> None:
    """-0 isn't 0, and there is one NaN."""
    values = np.array([0.0, -0.0, np.nan, -np.nan, 1.0])
    hashes = hash_values(ColumnValues(ColumnType(Kind.DOUBLE), values, None), 0).tolist()
    assert hashes[2] == hashes[3]
    assert len(set(hashes)) == 4


def test_the_worst_finding_is_the_verdict() -> None:
    """Damage is worse than a wrong value, that worse than what can't be told, and so on."""
    found = Findings()
    verdicts = []
    for kind, table in (
        ("rows", Table.CHANGED),
        ("sum", Table.UNKNOWN),
        ("rows", Table.CHANGED),
        ("slice", Table.UNCHANGED),
        ("damage", Table.UNKNOWN),
        ("rows", Table.CHANGED),
    ):
        found.add(Finding(kind=kind, what="", table=table))
        verdicts.append(found.worst)
    assert verdicts == [
        Verdict.CHANGED,
        Verdict.DIFFERS,
        Verdict.DIFFERS,
        Verdict.WRONG,
        Verdict.DAMAGED,
        Verdict.DAMAGED,
    ]
    assert found.total == len(found.listed) == 6
