"""Denied or empty, as the design's §6 says: the decision alone, for every case that there is.

The cases and the rule stand in `tests.support.denied_or_empty`. What becomes of them through the
ways in is in ``tests/integration/isolation/test_denied_or_empty.py``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from datetime import UTC, datetime
from typing import Final

import pytest
from tests.support.denied_or_empty import (
    DATASOURCES,
    DEFECTIVE,
    EVERY_ROW,
    NOT_CONFIGURED,
    ROWS,
    SCOPES,
    STATES,
    Case,
    Door,
    Outcome,
    Refusal,
    cases,
    expected,
    expected_export,
    refusal_of,
    user_named,
)
from tests.support.denied_or_empty_files import access_records

from warmcube.access.decide import decide
from warmcube.access.directory import Directory
from warmcube.access.grant import Authority, Grant
from warmcube.access.narrow import narrow, unknown_datasource
from warmcube.access.standing import Purpose
from warmcube.access.survey import build_directory
from warmcube.errors import AccessDenied, WarmcubeError
from warmcube.model.schema import ColumnType, Datasource, Kind, Roles

NOW: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
INTEGER: Final = ColumnType(Kind.INTEGER)


def _datasource(id: int, door: Door) -> Datasource:
    return Datasource(
        id=id,
        name=str(id),
        source="main",
        table="facts",
        roles=Roles(
            practice="practice_uid" if door.practice else None,
            provider="provider_uid" if door.provider else None,
        ),
        door=None if door.role is None else frozenset({door.role}),
    )


CONFIGURED: Final = {number: _datasource(number, door) for number, door in DATASOURCES.items()}


@pytest.fixture(scope="module")
def directory() -> Directory:
    """All users; those who are touched by a defect are said to be."""
    made = build_directory(access_records(), version="1")
    given = {each.name: getattr(made, each.name) for each in fields(made) if each.init}
    defective = frozenset(user_named(DEFECTIVE, scope) for scope in SCOPES)
    return Directory(**given | {"defective": defective})


def _outcome(grant: Grant, case: Case, purpose: Purpose) -> Outcome:
    try:
        datasource = CONFIGURED.get(case.datasource)
        if datasource is None:
            raise unknown_datasource(case.datasource)
        narrowed = narrow(
            grant,
            datasource=datasource,
            practice_type=INTEGER if datasource.roles.practice else None,
            provider_type=INTEGER if datasource.roles.provider else None,
            purpose=purpose,
            now=NOW,
            **case.names,
        )
    except WarmcubeError as error:
        return refusal_of(error)
    has = DATASOURCES[case.datasource]
    return frozenset(
        number
        for number, (practice, provider) in ROWS.items()
        if narrowed.scope.allows(
            str(practice) if has.practice and practice is not None else None,
            str(provider) if has.provider and provider is not None else None,
        )
    )


@pytest.mark.parametrize("state", STATES)
def test_every_case(directory: Directory, state: str) -> None:
    """Users of each state and scope, whatever they name of whatever data source, to read it."""
    for scope in SCOPES:
        grant = _grant(directory, state, scope)
        for datasource in (*DATASOURCES, NOT_CONFIGURED):
            for case in cases(state, scope, datasource):
                found = Refusal.DENIED if grant is None else _outcome(grant, case, "read")
                assert found == expected(case), case


@pytest.mark.parametrize("state", [state for state, may_read in STATES.items() if may_read])
def test_every_case_of_an_export(directory: Directory, state: str) -> None:
    """An export is a read, and is denied to those who may only read."""
    for scope in SCOPES:
        grant = _grant(directory, state, scope)
        assert grant is not None
        for datasource in (*DATASOURCES, NOT_CONFIGURED):
            for case in cases(state, scope, datasource):
                assert _outcome(grant, case, "export") == expected_export(case), case


def _grant(directory: Directory, state: str, scope: str) -> Grant | None:
    try:
        return decide(directory, user_named(state, scope), NOW, authority=Authority())
    except AccessDenied:
        return None


def test_the_rule_itself() -> None:
    """Cases that the design spells out, so that the rule can't drift along with the code."""

    def of(scope: str, state: str = "active", **more: object) -> Outcome:
        return expected(Case(state=state, scope=scope, **({"datasource": 1} | more)))  # type: ignore[arg-type]

    rows = {scope: of(scope) for scope in SCOPES}
    assert rows["all"] == EVERY_ROW
    assert {
        scope: len(found) for scope, found in rows.items() if not isinstance(found, Refusal)
    } == {
        "all": 36,
        "all within north": 12,
        "organization": 12,
        "organization within north-east": 4,
        "organization without practices": 0,
        "own": 3,
        "own, bound to practices": 1,
        "own without a provider": 0,
        "organization in north, own in south": 13,
    }
    empty = frozenset[int]()
    assert of("all", practices=()) == empty
    assert of("all", organization="vacant") == empty
    assert of("all", organization="closed") is Refusal.DENIED
    assert of("all", organization="atlantis") is Refusal.DENIED
    assert of("all", practices=(999,)) == empty
    assert of("organization", practices=(999,)) is of("organization", practices=(106,))
    assert of("organization", providers=(999,)) == empty
    assert of("own", providers=(3,)) is Refusal.DENIED
    assert of("own", practices=(102,)) != empty
    assert of("own", datasource=6) is Refusal.DENIED
    assert of("organization", datasource=5) is Refusal.DENIED
    assert of("organization", datasource=3) is of("all", datasource=99) is Refusal.UNKNOWN
    assert of("all", "exports only") is of("all", "expired") is Refusal.DENIED
    # Names are checked before the empty short cut.
    assert of("organization without practices", practices=(101,)) is Refusal.DENIED


def _rows(outcome: Outcome) -> frozenset[int]:
    assert not isinstance(outcome, Refusal)
    return outcome


def test_the_cases_are_of_every_kind() -> None:
    """A table in which hardly anything is answered, or refused, would prove nothing."""
    tally = Counter(
        outcome if isinstance(outcome, Refusal) else bool(outcome)
        for state in STATES
        for scope in SCOPES
        for datasource in (*DATASOURCES, NOT_CONFIGURED)
        for case in cases(state, scope, datasource)
        for outcome in [expected(case)]
    )
    assert min(tally[kind] for kind in (True, False, *Refusal)) > 1_000, tally
    assert tally.total() == 9 * 9 * 10 * 315
