"""Answers that are kept: for whom, how many, and in whose memory."""

from __future__ import annotations

import dataclasses
import threading
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.columns import MONEY, WIDE, a_column, a_schema, a_table

from warmcube.entry.keys import Version
from warmcube.model.columns import ColumnData, LazyColumns, Table
from warmcube.model.schema import ColumnType, Kind
from warmcube.model.scope import ALL, NOTHING, Box, Scope
from warmcube.query.conditions import Condition
from warmcube.query.prepared import Limits, PreparedQuery
from warmcube.query.resident import Deferred, Origins, Resident, ResidentKey, Residents
from warmcube.query.values import Span

TEXT = ColumnType(Kind.TEXT)
NORTH = Scope((Box(frozenset({"101", "102"}), ALL),))
FIRST, SECOND = Version(1, "a" * 16), Version(2, "b" * 16)
PREPARED = PreparedQuery(
    datasource=1,
    measure="Charges",
    frequency="Monthly",
    conditions=(Condition("n", "eq", (Span(5, 5),)),),
    dates=None,
    columns=("n",),
    group_by=(),
    aggregate=None,
    order=(),
    limit=None,
    output=a_schema(n=MONEY),
    limits=Limits(),
)
KEY = ResidentKey(1, FIRST, NORTH, PREPARED)
LARGE = 1 << 24
MADE_OF = Origins(1, 1, 1)


def a_table_of(rows: int) -> Table:
    """One column of numbers."""
    return a_table(n=ColumnData(MONEY, np.arange(rows)))


def keep(residents: Residents, key: ResidentKey = KEY, rows: int = 3) -> Resident:
    """An answer that is kept."""
    resident = residents.put(key, a_table_of(rows), MADE_OF, ())
    assert resident is not None
    return resident


def changed(**changes: Any) -> ResidentKey:
    """The key of another query."""
    return KEY._replace(prepared=dataclasses.replace(PREPARED, **changes))


OTHERS = {
    "data source": KEY._replace(datasource=2),
    "version": KEY._replace(version=SECOND),
    "fewer practices": KEY._replace(scope=Scope((Box(frozenset({"101"}), ALL),))),
    "more practices": KEY._replace(scope=Scope((Box(frozenset({"101", "102", "103"}), ALL),))),
    "all practices": KEY._replace(scope=Scope((Box(ALL, ALL),))),
    "own rows": KEY._replace(scope=Scope((Box(frozenset({"101", "102"}), frozenset({"5"})),))),
    "no rows": KEY._replace(scope=NOTHING),
    "measure": changed(measure="Payments"),
    "no measure": changed(measure=None),
    "frequency": changed(frequency="Weekly"),
    "condition": changed(conditions=()),
    "value of a condition": changed(conditions=(Condition("n", "eq", (Span(5, 6),)),)),
    "operator": changed(conditions=(Condition("n", "neq", (Span(5, 5),)),)),
    "columns": changed(columns=("n", "m")),
    "groups": changed(group_by=("n",)),
    "limit": changed(limit=3),
    "limits": changed(limits=Limits(rows=1)),
    "output": changed(output=a_schema(n=WIDE)),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_whatever_differs_is_another_answer(other: ResidentKey) -> None:
    """Nobody is given what was computed from other rows, or in another way."""
    residents = Residents(LARGE)
    keep(residents)
    assert residents.get(other) is None


def test_equal_keys_share_an_answer() -> None:
    """They needn't be the same objects."""
    residents = Residents(LARGE)
    kept = keep(residents)
    same = ResidentKey(
        1,
        Version(1, "a" * 16),
        Scope((Box(frozenset(["102", "101"]), ALL),)),
        dataclasses.replace(PREPARED, conditions=(Condition("n", "eq", (Span(5, 5),)),)),
    )
    assert residents.get(same) is kept
    assert (kept.table.rows, kept.origins) == (3, MADE_OF)
    assert kept.table.columns["n"].values.tolist() == [0, 1, 2]


def test_keys_of_one_hash_are_told_apart() -> None:
    """Equality decides: -1 and -2 have one hash in Python."""
    one = changed(conditions=(Condition("n", "eq", (Span(-1, -1),)),))
    two = changed(conditions=(Condition("n", "eq", (Span(-2, -2),)),))
    assert hash(one) == hash(two)
    residents = Residents(LARGE)
    keep(residents, one)
    assert residents.get(two) is None


def test_nothing_is_kept_without_a_budget() -> None:
    """And nothing of it is counted."""
    residents = Residents(0)
    assert residents.put(KEY, a_table_of(1), MADE_OF, ()) is None
    assert (residents.get(KEY), residents.size, len(residents)) == (None, 0, 0)


def test_an_answer_over_its_share_is_not_kept() -> None:
    """One question may not drive out all others; nor may what is made of its answer."""
    residents = Residents(160_000)
    assert residents.put(KEY, a_table_of(1250), MADE_OF, ()) is None
    kept = keep(residents, rows=10)
    size = residents.size
    assert kept.encoded("csv", lambda: bytes(10_000)) == bytes(10_000)
    assert (kept.bodies, residents.size) == ({}, size)


def test_the_newest_answer_counts() -> None:
    """Two who asked at a time keep one answer."""
    residents = Residents(LARGE)
    first, second = keep(residents), keep(residents)
    assert residents.get(KEY) is second
    assert (len(residents), residents.size) == (1, second.size)
    first.encoded("csv", lambda: b"a,b")
    assert (first.bodies, residents.size) == ({}, second.size)


def test_a_new_snapshot_drops_the_answers_of_the_old_one() -> None:
    """Those of other data sources stay."""
    residents = Residents(LARGE)
    other = KEY._replace(datasource=2)
    keep(residents)
    keep(residents, changed(limit=1))
    stays = keep(residents, other)
    kept = keep(residents, KEY._replace(version=SECOND))
    assert residents.get(KEY) is None
    assert residents.get(other) is stays
    assert residents.size == stays.size + kept.size


def test_what_is_forgotten_is_gone() -> None:
    """Of one data source, with the bodies."""
    residents = Residents(LARGE)
    keep(residents).encoded("csv", lambda: b"a,b")
    stays = keep(residents, KEY._replace(datasource=2))
    residents.forget(1)
    assert residents.get(KEY) is None
    assert (len(residents), residents.size) == (1, stays.size)


def test_a_body_is_made_once() -> None:
    """For each form."""
    kept = keep(Residents(LARGE))
    made: list[str] = []

    def make(form: str) -> bytes:
        made.append(form)
        return form.encode()

    for form in ("csv", "json", "csv", "json"):
        assert kept.encoded(form, lambda form=form: make(form)) == form.encode()  # type: ignore[misc]
    assert made == ["csv", "json"]


def test_what_is_asked_for_outlives_a_flood() -> None:
    """A thousand questions that are asked once don't drive out one that is asked again."""
    residents = Residents(64 * 4500)
    hot = keep(residents)
    for number in range(1000):
        assert residents.get(KEY) is hot
        keep(residents, changed(limit=number))
    assert residents.get(changed(limit=0)) is None
    assert residents.get(changed(limit=999)) is not None


def test_kept_columns_have_memory_of_their_own_that_nobody_writes_to() -> None:
    """A user who writes to an answer's arrays can't change what another gets."""
    long = np.arange(100_000)
    valid = np.ones(100_000, np.bool_)
    table = a_table(n=ColumnData(MONEY, long[:2], valid[:2]))
    kept = Residents(LARGE).put(KEY, table, MADE_OF, ())
    assert kept is not None
    column = kept.table.columns["n"]
    assert column.valid is not None
    for array in (column.values, column.valid):
        assert array.base is None
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    long[0] = 7
    assert column.values.tolist() == [0, 1]


def test_the_first_answer_can_not_be_written_to_either() -> None:
    """It is the same memory."""
    table = a_table_of(2)
    Residents(LARGE).put(KEY, table, MADE_OF, ())
    with pytest.raises(ValueError, match="read-only"):
        table.columns["n"].values[0] = 1


def test_all_that_is_kept_is_counted() -> None:
    """Integers of Python, words that no snapshot holds anyway, ids and values in the key."""
    residents = Residents(LARGE)
    words = ["x" * 1000, "y" * 1000]
    text = ColumnData(TEXT, np.array([0, 1]), None, words)
    least = {
        "integers": (a_table(n=a_column(WIDE, [Decimal(10**30)] * 1000)), KEY, 48_000),
        "words": (a_table(n=text), KEY, 2000),
        "ids": (
            a_table_of(1),
            KEY._replace(scope=Scope((Box(frozenset(map(str, range(500))), ALL),))),
            50_000,
        ),
        "values": (
            a_table_of(1),
            changed(conditions=(Condition("t", "in", (Span("z" * 5000, "z" * 5000),)),)),
            5000,
        ),
        "needle": (
            a_table_of(1),
            changed(conditions=(Condition("t", "like", (), "z" * 5000),)),
            5000,
        ),
        "measure": (a_table_of(1), changed(measure="z" * 50_000), 50_000),
        "frequency": (a_table_of(1), changed(frequency="z" * 50_000), 50_000),
        "fixed": (a_table_of(1), changed(fixed=(("measure", "z" * 50_000),)), 50_000),
        "id": (
            a_table_of(1),
            KEY._replace(scope=Scope((Box(ALL, frozenset({"z" * 50_000})),))),
            50_000,
        ),
    }
    for name, (table, key, size) in least.items():
        kept = residents.put(key, table, MADE_OF, ())
        assert kept is not None
        assert kept.size >= size, name
    shared = residents.put(KEY, a_table(n=text), MADE_OF, [words])
    own = residents.put(KEY, a_table(n=text), MADE_OF, ())
    assert shared is not None
    assert own is not None
    assert own.size >= shared.size + 2000


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["put", "get", "body", "forget", "move"]),
            st.integers(0, 12),
            st.integers(0, 60_000),
        ),
        max_size=80,
    )
)
def test_the_budget_is_never_exceeded(steps: list[tuple[str, int, int]]) -> None:
    """Whatever is put, asked for and made of it; and what is given is what was put last."""
    budget = 1_000_000
    residents = Residents(budget)
    last: dict[ResidentKey, Resident | None] = {}
    versions = [FIRST, SECOND]
    for step, number, amount in steps:
        key = changed(limit=number)._replace(datasource=number % 3, version=versions[0])
        if step == "put":
            last[key] = residents.put(key, a_table_of(amount // 8), MADE_OF, ())
        elif step == "body" and last.get(key) is not None:
            kept = last[key]
            assert kept is not None
            assert kept.encoded(amount, lambda amount=amount: bytes(amount)) == bytes(amount)  # type: ignore[misc]
        elif step == "forget":
            residents.forget(number % 3)
        elif step == "move":
            versions.reverse()
        found = residents.get(key)
        assert found is None or found is last[key]
        assert residents.size <= budget
        assert residents.size == sum(kept.size for kept in residents._kept.values())
        assert all(kept.is_kept for kept in residents._kept.values())


def test_threads_may_make_bodies_while_answers_come_and_go() -> None:
    """The count stays right."""
    residents = Residents(200_000)
    start = threading.Barrier(4)

    def work(number: int) -> None:
        start.wait()
        for round_ in range(300):
            kept = residents.put(changed(limit=(number + round_) % 40), a_table_of(50), MADE_OF, ())
            if kept is not None:
                kept.encoded("csv", lambda: bytes(3000))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert residents.size == sum(kept.size for kept in residents._kept.values()) <= 200_000


def test_less_budget_keeps_less() -> None:
    """What others take of it is taken away at once; what was asked for again goes last."""
    residents = Residents(LARGE)
    for number in range(10):
        keep(residents, changed(limit=number))
    assert residents.get(changed(limit=0)) is not None
    residents.limit(3 * residents.size // 10)
    assert len(residents) == 3
    assert residents.get(changed(limit=0)) is not None
    residents.limit(0)
    assert (len(residents), residents.size) == (0, 0)


def test_keeping_an_answer_makes_none_of_its_columns() -> None:
    """They are counted as if they were, with what they hold on to until then."""
    made: list[str] = []

    def make(name: str) -> ColumnData:
        made.append(name)
        return ColumnData(MONEY, np.arange(1000))

    residents = Residents(LARGE)
    lazy = Table(LazyColumns(["n"], make), 1000)
    kept = residents.put(KEY, lazy, MADE_OF._replace(held=5000), ())
    assert kept is not None
    assert not made
    assert kept.size >= 8 * 1000 + 5000
    assert kept.table.columns["n"].values.tolist() == list(range(1000))


def test_what_is_deferred_is_kept_with_what_is_made_of_it() -> None:
    """By whoever makes something first; then its columns hold on to nothing else."""
    residents = Residents(LARGE)
    lazy = Table(LazyColumns(["n"], lambda _: ColumnData(MONEY, np.arange(3))), 3)
    deferred = Deferred(residents, lazy, lambda: (KEY, MADE_OF), ())
    assert residents.get(KEY) is None
    assert deferred.encoded("csv", lambda: b"n\n0\n1\n2\n") == b"n\n0\n1\n2\n"
    kept = residents.get(KEY)
    assert kept is not None
    assert kept.encoded("csv", lambda: b"made again") == b"n\n0\n1\n2\n"
    assert not isinstance(kept.table.columns, LazyColumns)
    nowhere = Deferred(Residents(0), lazy, lambda: (KEY, MADE_OF), ())
    assert nowhere.encoded("csv", lambda: b"n") == b"n"


def test_the_questions_of_late_are_known() -> None:
    """Not all that ever were."""
    residents = Residents(LARGE)
    assert not residents.is_repeated(KEY)
    assert residents.is_repeated(KEY)
    for number in range(5000):
        residents.is_repeated(changed(limit=number))
    assert not residents.is_repeated(KEY)
