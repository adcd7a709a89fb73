"""`warmcube.audit.request`: what was asked for is told as it was named, cut, and without values."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.access import Request as Asked
from tests.support.access import ask, grant_of

from warmcube import NULL, Filter, Query
from warmcube.audit.listed import EMPTY, Listed, listed_ids
from warmcube.audit.request import Because, Condition, Request, because, request_of


class Name(str):
    """Text that would show as something else."""

    __slots__ = ()

    def __str__(self) -> str:
        return "bob"


def test_a_query_is_told_without_its_values() -> None:
    """Names of columns and operators are kept; what they compare with is not."""
    query = Query(
        datasource=3,
        measure="Charges",
        frequency=NULL,
        organization="north",
        practices=[101, "102"],
        providers=[],
        where=[Filter("note", "like", "secret"), Filter("value", "between", [1, 2])],
    )
    request = request_of(query, "export")
    assert request == Request(
        action="export",
        datasource=3,
        measure="Charges",
        frequency="~",
        organization="north",
        practices=Listed((101, "102"), 2),
        providers=Listed((), 0),
        conditions=Listed(
            (
                Condition(column="note", operator="like"),
                Condition(column="value", operator="between"),
            ),
            2,
        ),
    )
    assert "secret" not in repr(request)


def test_no_filter_and_an_empty_one_differ() -> None:
    """None is no filter; an empty list is one that nothing passes."""
    assert listed_ids(None) is None
    assert listed_ids([]) == EMPTY
    assert request_of(Query(datasource=1)).practices is None


@pytest.mark.parametrize(
    ("ids", "listed"),
    [
        (range(3), Listed(("a range",), 1)),
        ("abc", Listed(("abc",), 1)),
        ((5,), Listed((5,), 1)),
        ({7}, Listed((7,), 1)),
        ([True, None, 2**63, -(2**63), 2**20000], None),
        ([1.5, Decimal(1), b"x", object()], None),
        (list(range(5000)), Listed(tuple(range(20)), 5000)),
        ([Name("ana")], Listed(("ana",), 1)),
        (["x" * 1000], Listed(("x" * 180 + "… (1,000 characters)",), 1)),
    ],
)
def test_lists_are_bounded(ids: object, listed: Listed[str | int] | None) -> None:
    """Whatever is named, it is cut and never fails."""
    found = listed_ids(ids)
    assert found is not None
    assert all(type(each) in (str, int) and len(str(each)) <= 200 for each in found.first)
    if listed is not None:
        assert found == listed


@pytest.mark.parametrize(
    ("named", "kept"), [(1, 1), ("1", None), (True, None), (2**64, None), (None, None), ([], None)]
)
def test_only_what_can_be_a_data_source_is_one(named: Any, kept: int | None) -> None:
    """Anything else is left out, so that it can't be taken for another."""
    assert request_of(Query(datasource=named)).datasource == kept


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner),
)


@given(ANYTHING)
def test_any_query_can_be_told(thing: Any) -> None:
    """A request is told before anything in it was checked."""
    request = request_of(
        Query(
            datasource=thing,
            measure=thing,
            organization=thing,
            practices=thing,
            where=[thing, Filter(thing, thing, thing)],
        )
    )
    assert request.action == "query"
    assert len(repr(request)) < 40_000
    request_of(Query(datasource=1, where=thing))


RECORDS = {
    "roles": {
        "analyst": ["analytics:read:organization", "analytics:export:organization"],
        "provider": ["analytics:read:own"],
    },
    "organizations": [{"id": "north", "practices": [1, 2]}, {"id": "south", "practices": [3]}],
    "users": [
        {
            "id": "ana",
            "roles": ["analyst", {"role": "provider", "organization": "south"}],
            "organizations": ["north", "south"],
            "provider": 7,
        }
    ],
}


def test_a_grant_is_told_by_the_rights_that_it_rests_on() -> None:
    """From role to permission to where it is held, each once."""
    grant = grant_of(RECORDS, "ana")
    read = Because(role="analyst", permission="analytics:read:organization", organization=None)
    own = Because(role="provider", permission="analytics:read:own", organization="south")
    export = Because(role="analyst", permission="analytics:export:organization", organization=None)
    assert because(ask(grant, Asked()).reasons) == Listed((read, own), 2)
    assert because(ask(grant, Asked(purpose="export")).reasons) == Listed((export, read, own), 3)
    assert because(()) == EMPTY


def test_many_rights_are_cut() -> None:
    """The first twenty, and how many there are."""
    roles = {f"role {n}": ["analytics:read:all"] for n in range(30)}
    records = {"roles": roles, "users": [{"id": "ana", "roles": list(roles)}]}
    listed = because(ask(grant_of(records, "ana"), Asked()).reasons)
    assert (len(listed.first), listed.count) == (20, 30)
