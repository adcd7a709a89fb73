"""Every read is judged before anything is read for it: nothing of what is asked gets lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.support.access import NOW, grant_of
from tests.support.columns import a_datasource, a_schema

from warmcube.entry.keys import PartitionName
from warmcube.errors import AccessDenied, InvalidFilter, LimitExceeded, MissingRole, UnknownColumn
from warmcube.model.request import NULL, Filter, Query
from warmcube.model.schema import ColumnType, Datasource, Kind
from warmcube.model.scope import ALL, Box, Scope
from warmcube.query.asked import Asked
from warmcube.query.judge import Judged, judge
from warmcube.query.prepared import Extent, Limits

TEXT, INTEGER = ColumnType(Kind.TEXT), ColumnType(Kind.INTEGER)
SCHEMA = a_schema(measure=TEXT, frequency=TEXT, practice=INTEGER, provider=TEXT)
DATASOURCE = a_datasource(
    measure="measure", frequency="frequency", practice="practice", provider="provider"
)
LIMITS = Limits(list=3)
RECORDS: dict[str, Any] = {
    "roles": {
        "admin": ["analytics:read:all"],
        "analyst": ["analytics:read:organization", "analytics:export:organization"],
        "reader": ["analytics:read:organization"],
    },
    "organizations": [
        {"id": "north", "practices": [101, 102]},
        {"id": "coast", "parent": "north", "practices": [103]},
    ],
    "users": [
        {"id": "root", "roles": ["admin"]},
        {"id": "ana", "roles": ["analyst"], "organizations": ["north"]},
        {"id": "rea", "roles": ["reader"], "organizations": ["north"]},
    ],
}
MEASURE = {"measure": "Charges", "frequency": "Monthly"}


def judged(
    user: str,
    datasource: Datasource = DATASOURCE,
    seconds: float = 0,
    limits: Limits = LIMITS,
    **asked: Any,
) -> Judged:
    """One read of a user's."""
    about = {name: asked.pop(name) for name in ("wanted", "column", "purpose") if name in asked}
    query = Query(datasource=1, **(MEASURE | asked))
    return judge(
        Asked(query=query, **about),
        grant_of(RECORDS, user),
        datasource=datasource,
        schema=SCHEMA,
        limits=limits,
        now=NOW + timedelta(seconds=seconds),
    )


def ids(*values: str) -> frozenset[str]:
    """Some ids."""
    return frozenset(values)


@pytest.mark.parametrize(
    ("asked", "box"),
    [
        ({}, Box(ids("101", "102", "103"), ALL)),
        ({"practices": [101]}, Box(ids("101"), ALL)),
        ({"providers": ["5"]}, Box(ids("101", "102", "103"), ids("5"))),
        ({"organization": "coast"}, Box(ids("103"), ALL)),
        ({"organization": "north", "practices": [102]}, Box(ids("102"), ALL)),
        ({"purpose": "export"}, Box(ids("101", "102", "103"), ALL)),
    ],
)
def test_every_name_narrows(asked: dict[str, Any], box: Box) -> None:
    """Organization, practices and providers of a request all come to the grant."""
    found = judged("ana", **asked)
    assert found.narrowed.scope == Scope((box,))
    assert found.narrowed.purpose == asked.get("purpose", "read")
    assert found.narrowed.grant.user.id == "ana"
    assert found.asked.query.practices == asked.get("practices")


@pytest.mark.parametrize("asked", [{"practices": []}, {"providers": []}])
def test_empty_lists_come_through(asked: dict[str, Any]) -> None:
    """Nothing asked for is nothing, for a super admin too."""
    for user in ("root", "ana"):
        assert judged(user, **asked).narrowed.scope == Scope(())
        assert not judged(user).narrowed.scope.is_empty


@pytest.mark.parametrize(
    "asked",
    [{"practices": [104]}, {"organization": "south"}, {"practices": [101, 104], "providers": []}],
)
def test_what_lies_outside_is_denied(asked: dict[str, Any]) -> None:
    """Whatever else is named beside it."""
    with pytest.raises(AccessDenied):
        judged("ana", **asked)


def test_the_purpose_counts() -> None:
    """Who may read needn't be allowed to export."""
    assert not judged("rea").narrowed.scope.is_empty
    with pytest.raises(AccessDenied):
        judged("rea", purpose="export")


def test_a_grant_is_judged_now() -> None:
    """One that has ended while the request waited is worth nothing."""
    assert not judged("ana", seconds=59).narrowed.scope.is_empty
    with pytest.raises(AccessDenied, match="authorise anew"):
        judged("ana", seconds=60)


def test_access_comes_first() -> None:
    """Somebody who may not ask learns nothing of columns, measures or limits of conditions."""
    for wrong in (
        {"measure": None},
        {"where": [Filter("gone", "eq", 1)]},
        {"where": [Filter("measure", "eq", "x")] * 51},
        {"wanted": "values", "column": "gone"},
    ):
        with pytest.raises(AccessDenied):
            judged("ana", practices=[104], **wrong)
    with pytest.raises(UnknownColumn):
        judged("ana", wanted="values", column="gone")


def test_ids_are_read_as_their_columns_types() -> None:
    """Practices are integers here and providers text, each by its own role column."""
    with pytest.raises(InvalidFilter, match=r"^practice 'x' .* integer"):
        judged("root", practices=["x"])
    with pytest.raises(InvalidFilter, match=r"^provider 5 .* text"):
        judged("root", providers=[5])
    without = a_datasource(measure="measure", frequency="frequency", practice="practice")
    with pytest.raises(MissingRole, match="no provider column"):
        judged("root", without, providers=["5"])
    without = a_datasource(measure="measure", frequency="frequency", provider="provider")
    with pytest.raises(MissingRole, match="no practice column"):
        judged("root", without, practices=[101])
    with pytest.raises(AccessDenied):
        judged("ana", without)


@pytest.mark.parametrize("role", ["practices", "providers"])
@pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
def test_long_lists_are_refused_before_they_are_judged(role: str, kind: type) -> None:
    """As many as the limit are allowed; one more is an error that names the limit."""
    three: dict[str, Any] = {role: ["1", "2", "3"]}
    four: dict[str, Any] = {role: kind(["1", "2", "3", "4"])}
    assert not judged("root", **three).narrowed.scope.is_empty
    with pytest.raises(LimitExceeded) as caught:
        judged("ana", **four)
    assert str(caught.value) == (
        f"{role} has 4 ids, more than [limits] list = 3; "
        "ask for fewer, or name an organization instead"
    )


def test_figures_in_messages_are_grouped() -> None:
    """Long numbers can be read."""
    with pytest.raises(LimitExceeded, match=r"has 1,001 ids, more than \[limits\] list = 1,000;"):
        judged("root", limits=Limits(list=1000), practices=list(range(1001)))


def test_the_partition_is_the_one_asked_for() -> None:
    """By its canonical names, NULL included."""
    found = judged("ana")
    assert found.partition == PartitionName("Charges", "Monthly")
    assert found.named_partition == MEASURE
    found = judged("ana", measure=NULL, frequency="")
    assert found.partition == PartitionName(None, "")
    assert found.named_partition == {"measure": None, "frequency": ""}


def test_partitions_are_named_as_far_as_they_are() -> None:
    """Where measures are wanted, only what was given narrows them down."""
    found = judged("ana", wanted="measures", measure=None, frequency="Monthly")
    assert found.prepared.extent is Extent.PARTITIONS
    assert found.named_partition == {"frequency": "Monthly"}
    found = judged("ana", wanted="measures", measure=None, frequency=None)
    assert found.named_partition == {}


def test_what_was_asked_is_kept_as_it_came() -> None:
    """Beside what was made of it."""
    asked = Asked(query=Query(datasource=1, measure="Charges", frequency="Monthly", limit=3))
    found = judge(
        asked,
        grant_of(RECORDS, "ana"),
        datasource=DATASOURCE,
        schema=SCHEMA,
        limits=LIMITS,
        now=NOW,
    )
    assert found.asked is asked
    assert found.prepared.limit == 3
    assert found.prepared.limits is LIMITS
    assert found.narrowed.datasource == DATASOURCE.id
