"""A key for what is asked: equal only for what is judged alike; none where Python can't tell."""

from __future__ import annotations

import enum
from array import array
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.model.request import NULL, Filter, Order, Query
from warmcube.query.asked import Asked
from warmcube.query.exact import ExactForm, exact_form, settled


class _Text(str):
    __slots__ = ()


class _Number(enum.IntEnum):
    ONE = 1


class _Filter(Filter):
    pass


class _Query(Query):
    pass


def form(**asked: Any) -> ExactForm | None:
    """The key of a query."""
    return exact_form(Asked(query=Query(**({"datasource": 1} | asked))))


def of_value(value: Any, op: str = "eq") -> ExactForm | None:
    """The key of a query with one condition."""
    return form(where=[Filter("value", op, value)])


ALIKE: list[Any] = [
    *(1, True, 1.0, "1", Decimal(1), Decimal("1.0"), Decimal("1.00"), "1.0"),
    *(0, False, 0.0, -0.0, "", None, NULL, "NULL", "None", -1, -2),
    *(date(2024, 1, 1), "2024-01-01", UUID(int=1), str(UUID(int=1))),
    *(float("inf"), "inf", Decimal("Infinity")),
]
"""Values of which many are equal, hash alike or print alike, and no two are the same."""


def test_values_that_python_holds_for_equal_have_keys_of_their_own() -> None:
    """As values of a condition, alone and among others."""
    keys = [of_value(value) for value in ALIKE]
    assert None not in keys
    assert len(set(keys)) == len(ALIKE)
    plain = [each for each in ALIKE if not isinstance(each, bool | float | Decimal)]
    lists = [of_value([value, "x"], "in") for value in plain]
    assert len({*lists, *keys}) == len(lists) + len(keys)


@pytest.mark.parametrize("field", ["practices", "providers"])
@pytest.mark.parametrize("value", [True, 1.0, Decimal(1), b"1", [1], _Text("1"), _Number.ONE])
def test_ids_that_equality_cant_tell_have_no_key(field: str, value: Any) -> None:
    """They are judged anew each time, however they come out."""
    assert form(**{field: [value]}) is None
    assert form(**{field: [7, value]}) is None
    assert form(**{field: [1]}) != form(**{field: ["1"]})


UNTOLD: list[Any] = [{1}, frozenset({1}), "1", range(2), np.array([1])]


@pytest.mark.parametrize(
    "asked",
    [
        *({"practices": some} for some in UNTOLD),
        *({"group_by": some} for some in UNTOLD),
        *({"order_by": some} for some in UNTOLD),
        *({"order_by": [some]} for some in (("kind", True), 1, None, Order(_Text("kind")))),
        {"order_by": [Order("kind", descending=1)]},  # type: ignore[arg-type]
        *({"where": some} for some in UNTOLD),
        *({"where": [some]} for some in (("kind", "eq", 1), None, "kind")),
        *(
            {"where": [Filter("kind", "in", some)]}
            for some in ({1}, array("i", [1]), bytearray(b"1"))
        ),
        *({"where": [Filter("kind", "in", some)]} for some in ([1.0], [True], np.array([1]))),
        {"where": [Filter(_Text("kind"), "eq", 1)]},
        {"where": [Filter("kind", _Text("eq"), 1)]},
        {"where": [_Filter("kind", "eq", 1)]},
        {"where": [Filter("kind", "eq", datetime(2024, 1, 1, tzinfo=UTC))]},
        {"start": datetime(2024, 1, 1, tzinfo=UTC)},
        *({"limit": some} for some in (True, 5.0, Decimal(5))),
        *({"datasource": True}, {"datasource": 1.0}, {"measure": True}, {"frequency": 1.0}),
        *({"organization": _Text("north")}, {"aggregate": _Text("sum")}),
    ],
)
def test_what_a_key_cant_hold_has_none(asked: dict[str, Any]) -> None:
    """Sets, subclasses, and whatever else isn't plain."""
    assert form(**asked) is None


def test_subclasses_of_queries_have_no_key() -> None:
    """Nobody knows what else they are."""
    assert exact_form(Asked(query=_Query(datasource=1))) is None


@pytest.mark.parametrize(
    "asked",
    [
        {"datasource": 2},
        *({"measure": some} for some in ("Charges", 1, "1", NULL)),
        *({"frequency": some} for some in ("Monthly", 1, "1", NULL)),
        *({"organization": some} for some in ("", "north")),
        *({"practices": some} for some in ([], [1], ["1"], [1, 2], [2, 1], [1, 1])),
        *({"providers": some} for some in ([], [1], ["1"], [1, 2])),
        *({"start": some} for some in ("2024-01-01", date(2024, 1, 1))),
        *({"end": some} for some in ("2024-01-01", date(2024, 1, 1))),
        *({"where": [Filter("kind", op, 1)]} for op in ("eq", "neq")),
        {"where": [Filter("kind", "eq", 1), Filter("kind", "eq", 1)]},
        {"where": [Filter("other", "eq", 1)]},
        *({"where": [Filter("kind", "in", some)]} for some in ([], [1], [None], [NULL], ["1"])),
        *({"group_by": some} for some in (["kind"], ["date"], ["kind", "date"])),
        *({"aggregate": some} for some in ("sum", "count")),
        *({"order_by": some} for some in (["kind"], ["-kind"], [Order("kind")])),
        {"order_by": [Order("kind", descending=True)]},
        *({"limit": some} for some in (0, 1)),
    ],
    ids=repr,
)
def test_whatever_differs_has_another_key(asked: dict[str, Any]) -> None:
    """Field by field."""
    seen = {
        (field, repr(value)): form(**{field: value})
        for field, value in [*asked.items(), ("datasource", 1), ("practices", [5]), ("limit", 5)]
    }
    assert None not in seen.values()
    assert len(set(seen.values())) == len(seen)


def test_what_is_wanted_and_what_for_have_their_own_keys() -> None:
    """The values of a column aren't the rows, and an export is no read."""
    query = Query(datasource=1)
    keys = {
        exact_form(Asked(query=query)),
        exact_form(Asked(query=query, purpose="export")),
        exact_form(Asked(query=query, purpose="embed")),
        exact_form(Asked(query=query, wanted="measures")),
        exact_form(Asked(query=query, wanted="values", column="kind")),
        exact_form(Asked(query=query, wanted="values", column="date")),
        exact_form(Asked(query=query, wanted="values", column=1)),
    }
    assert None not in keys
    assert len(keys) == 7


def test_lists_and_tuples_are_alike() -> None:
    """They are judged alike, and come out as tuples, which nobody changes."""
    lists = Asked(
        query=Query(
            datasource=1,
            practices=[1],
            providers=["2"],
            where=[Filter("kind", "in", ["x", "y"]), Filter("kind", "eq", 1.0)],
            group_by=["kind"],
            aggregate="sum",
            order_by=["-kind"],
        )
    )
    tuples = settled(lists)
    assert tuples.query == Query(
        datasource=1,
        practices=(1,),
        providers=("2",),
        where=(Filter("kind", "in", ("x", "y")), Filter("kind", "eq", 1.0)),
        group_by=("kind",),
        aggregate="sum",
        order_by=("-kind",),
    )
    assert exact_form(lists) == exact_form(tuples)
    assert settled(Asked(query=Query(datasource=1))).query == Query(datasource=1)


def test_a_key_stays_when_a_list_changes() -> None:
    """It holds what was asked, not what its lists have become."""
    practices, values = [1], ["x"]
    query = Query(datasource=1, practices=practices, where=[Filter("kind", "in", values)])
    before = exact_form(Asked(query=query))
    practices.append(2)
    values.append("y")
    assert before == form(practices=[1], where=[Filter("kind", "in", ["x"])])
    assert exact_form(Asked(query=query)) != before


def test_it_says_how_much_it_holds() -> None:
    """Every value in a list counts, and every condition."""
    key = form(
        practices=[1, 2],
        providers=[1],
        where=[Filter("a", "in", [1, 2, 3]), Filter("b", "eq", 1)],
        group_by=["a"],
        order_by=["a"],
    )
    assert key is not None
    assert (key.values, key.listed, key.characters) == (3 + 1 + 1 + 1, 2 + 1, 0)
    texts = form(practices=["abc", 1], providers=["de"])
    assert texts is not None
    assert (texts.values, texts.listed, texts.characters) == (0, 3, 5)


VALUES = st.one_of(
    st.sampled_from(ALIKE), st.integers(), st.text(), st.floats(), st.decimals(), st.booleans()
)


@given(one=VALUES, other=VALUES)
def test_equal_keys_are_of_equal_values_of_one_type(one: Any, other: Any) -> None:
    """And equal values of one type have equal keys, but for NaN and what prints otherwise."""
    if of_value(one) == of_value(other):
        assert (type(one), repr(one)) == (type(other), repr(other))
