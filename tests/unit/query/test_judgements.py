"""Judgements that are kept: for one grant, one question and one schema, and never an error."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.access import NOW, grant_of
from tests.support.columns import a_datasource, a_schema

from warmcube.access.grant import Grant
from warmcube.errors import (
    AccessDenied,
    InvalidFilter,
    InvalidQuery,
    LimitExceeded,
    WarmcubeError,
)
from warmcube.model.request import NULL, Filter, Query
from warmcube.model.schema import ColumnType, Kind, Schema
from warmcube.model.scope import ALL, Box, Scope
from warmcube.query.asked import Asked
from warmcube.query.exact import exact_form, settled
from warmcube.query.judge import Judged, judge
from warmcube.query.judgements import Judgements
from warmcube.query.prepared import Limits

TEXT, INTEGER = ColumnType(Kind.TEXT), ColumnType(Kind.INTEGER)
DATE, DOUBLE = ColumnType(Kind.DATE), ColumnType(Kind.DOUBLE)
SCHEMA = a_schema(
    measure=TEXT, frequency=TEXT, practice=INTEGER, provider=TEXT, date=DATE, value=DOUBLE
)
WIDER = a_schema(
    measure=TEXT, frequency=TEXT, practice=TEXT, provider=TEXT, date=DATE, value=DOUBLE
)
DATASOURCE = a_datasource(
    measure="measure",
    frequency="frequency",
    practice="practice",
    provider="provider",
    date="date",
    value="value",
)
LIMITS = Limits(list=4, conditions=2)
RECORDS: dict[str, Any] = {
    "roles": {"admin": ["analytics:read:all"], "analyst": ["analytics:read:organization"]},
    "organizations": [
        {"id": "north", "practices": [101, 102]},
        {"id": "south", "practices": [103]},
    ],
    "users": [
        {"id": "root", "roles": ["admin"]},
        {"id": "ana", "roles": ["analyst"], "organizations": ["north"]},
        {"id": "sue", "roles": ["analyst"], "organizations": ["south"]},
    ],
}
ROOT, ANA, SUE = (grant_of(RECORDS, user) for user in ("root", "ana", "sue"))


def asked_for(**asked: Any) -> Asked:
    """A question."""
    about = {name: asked.pop(name) for name in ("wanted", "column", "purpose") if name in asked}
    given: dict[str, Any] = {"datasource": 1, "measure": "Charges", "frequency": "Monthly"} | asked
    return Asked(query=Query(**given), **about)


def judged(
    judgements: Judgements,
    grant: Grant = ROOT,
    schema: Schema = SCHEMA,
    seconds: float = 0,
    **asked: Any,
) -> Judged:
    """A judgement of one."""
    now = NOW + timedelta(seconds=seconds)
    return judgements.judge(
        asked_for(**asked), grant, datasource=DATASOURCE, schema=schema, now=now
    )


def anew(grant: Grant, schema: Schema = SCHEMA, **asked: Any) -> Judged:
    """The judgement that isn't kept."""
    return judge(
        asked_for(**asked), grant, datasource=DATASOURCE, schema=schema, limits=LIMITS, now=NOW
    )


def test_the_same_question_is_judged_once() -> None:
    """However it is put: lists and tuples are alike."""
    judgements = Judgements(LIMITS)
    first = judged(judgements, practices=[101], where=[Filter("measure", "in", ["x"])])
    assert judged(judgements, practices=(101,), where=[Filter("measure", "in", ("x",))]) is first
    assert first.prepared == anew(ROOT, where=[Filter("measure", "in", ["x"])]).prepared
    assert first.narrowed.scope == Scope((Box(frozenset({"101"}), ALL),))


def test_nobody_finds_anothers() -> None:
    """Each grant has its own, whoever asked before."""
    judgements = Judgements(LIMITS)
    scopes = [
        judged(judgements, grant).narrowed.scope for grant in (ROOT, ANA, SUE, ANA, ROOT, SUE)
    ]
    assert scopes == [anew(grant).narrowed.scope for grant in (ROOT, ANA, SUE, ANA, ROOT, SUE)]
    again = grant_of(RECORDS, "ana")
    assert judged(judgements, again).narrowed.grant is again


def test_a_question_that_differs_only_in_whose_rows_is_prepared_once() -> None:
    """And only for one grant."""
    judgements = Judgements(LIMITS)
    first = judged(judgements, ANA)
    other = judged(judgements, ANA, practices=[102], providers=["5"])
    assert other.prepared is first.prepared
    assert other.narrowed.scope == Scope((Box(frozenset({"102"}), frozenset({"5"})),))
    assert judged(judgements, SUE).prepared is not first.prepared


def test_a_question_for_other_days_is_prepared_from_the_one_before() -> None:
    """And is what it would be anew: days, limit, and the columns that it needs."""
    judgements = Judgements(LIMITS)
    about: dict[str, Any] = {
        "aggregate": "sum",
        "group_by": ["practice"],
        "where": [Filter("measure", "neq", "x")],
        "order_by": ["practice"],
    }
    spans: list[dict[str, Any]] = [
        {},
        {"start": "2024-01-01"},
        {"end": date(2024, 2, 1), "limit": 5},
        {"start": "2024-01-01", "end": "2024-02-01"},
        {"limit": 0},
        *({"limit": limit} for limit in range(100, 120)),
        {},
    ]
    for span in spans:
        found = judged(judgements, ANA, **about, **span)
        expected = anew(ANA, **about, **span)
        assert found.prepared == expected.prepared
        assert found.asked == settled(expected.asked)
    for wrong in ({"limit": -1}, {"start": "2024-02-01", "end": "2024-01-01"}, {"end": "x"}):
        with pytest.raises(InvalidQuery) as refused:
            judged(judgements, ANA, **about, **wrong)
        with pytest.raises(InvalidQuery, match=re.escape(str(refused.value))):
            anew(ANA, **about, **wrong)


def test_what_is_asked_is_brief_if_an_audit_line_has_it_whole() -> None:
    """Few ids, short names, no conditions; what has no key may be anything."""
    judgements = Judgements(LIMITS)
    for _ in range(2):  # what is judged first, and what is like it
        assert judged(judgements, practices=[101]).is_brief
        assert judged(judgements, practices=[102]).is_brief
        assert not judged(judgements, where=[Filter("measure", "eq", "x")]).is_brief
        assert not judged(judgements, measure="x" * 1000).is_brief
        assert not judged(judgements, providers=["x" * 1000]).is_brief
        assert not judged(judgements, where=[Filter("value", "in", [1.0])]).is_brief
    many = Judgements(Limits())
    assert judged(many, practices=list(range(1, 21))).is_brief
    assert not judged(many, practices=list(range(1, 22))).is_brief


def test_a_denial_is_none_for_long() -> None:
    """What was denied to one, or judged for another, says nothing of the next."""
    judgements = Judgements(LIMITS)
    judged(judgements, ROOT, practices=[103])
    for _ in range(3):
        with pytest.raises(AccessDenied, match="practice '103' is outside"):
            judged(judgements, ANA, practices=[103])
    assert judged(judgements, SUE, practices=[103]).narrowed.scope == Scope(
        (Box(frozenset({"103"}), ALL),)
    )


def test_other_rights_are_another_judgement() -> None:
    """A grant of another directory; and what was kept of the one before is let go."""
    judgements = Judgements(LIMITS)
    judged(judgements, ANA)
    weight = judgements.weight
    organizations = [{"id": "north", "practices": [101]}, RECORDS["organizations"][1]]
    less = grant_of({**RECORDS, "organizations": organizations}, "ana")
    assert judged(judgements, less).narrowed.scope == Scope((Box(frozenset({"101"}), ALL),))
    assert judgements.weight == weight
    with pytest.raises(AccessDenied):
        judged(judgements, less, practices=[102])


def test_a_grant_that_is_over_is_over() -> None:
    """Whatever was judged under it before."""
    judgements = Judgements(LIMITS)
    judged(judgements, ANA)
    with pytest.raises(AccessDenied, match="the grant of 'ana' held until"):
        judged(judgements, ANA, seconds=3600)
    with pytest.raises(AccessDenied, match="the grant of 'ana' held until"):
        judged(judgements, ANA, seconds=-3600)


def test_another_schema_is_another_judgement() -> None:
    """A snapshot may have another table, in which the same words mean something else."""
    judgements = Judgements(LIMITS)
    assert judged(judgements, practices=[101]).narrowed.scope.boxes[0].practices == frozenset(
        {"101"}
    )
    with pytest.raises(InvalidFilter):
        judged(judgements, schema=WIDER, practices=[101])
    text = judged(judgements, schema=WIDER, practices=["0101"])
    assert text.narrowed.scope.boxes[0].practices == frozenset({"0101"})
    assert text.prepared.output == WIDER
    with pytest.raises(InvalidFilter):
        judged(judgements, practices=["0101"])


def test_what_is_equal_in_python_is_judged_by_itself() -> None:
    """1 is a practice, True and 1.0 are none; "1" is one too."""
    judgements = Judgements(LIMITS)
    practices: list[Any] = [1, "1"]
    for practice in practices:
        found = judged(judgements, practices=[practice])
        assert found.narrowed.scope.boxes[0].practices == frozenset({"1"})
    practices = [True, 1.0]
    for practice in practices:
        for _ in range(2):
            with pytest.raises(InvalidFilter):
                judged(judgements, practices=[practice])
    for value in (1, 1.0):
        assert judged(judgements, where=[Filter("value", "eq", value)]).prepared.conditions
    for _ in range(2):
        with pytest.raises(InvalidFilter):
            judged(judgements, where=[Filter("value", "eq", True)])


def test_a_list_that_changes_later_changes_nothing() -> None:
    """Neither what was judged, nor what is told of it in the audit, nor the next judgement."""
    judgements = Judgements(LIMITS)
    practices, values = [101], ["x"]
    where = [Filter("measure", "in", values)]
    first = judged(judgements, practices=practices, where=where)
    practices.append(102)
    values.append("y")
    where.append(Filter("measure", "eq", "z"))
    assert first.asked.query.practices == (101,)
    assert first.asked.query.where == (Filter("measure", "in", ("x",)),)
    second = judged(judgements, practices=practices, where=where)
    assert second.narrowed.scope.boxes[0].practices == frozenset({"101", "102"})
    assert len(second.prepared.conditions) == 2
    assert judged(judgements, practices=[101], where=[Filter("measure", "in", ["x"])]) is first


def test_what_has_no_key_is_judged_anew() -> None:
    """A value that equality can't tell from another one."""
    judgements = Judgements(LIMITS)
    where = [Filter("value", "in", [1.0, 2.0])]
    first, second = (judged(judgements, where=where) for _ in range(2))
    assert first is not second
    assert (first.prepared, first.narrowed) == (second.prepared, second.narrowed)
    assert judgements.weight == 0


def test_errors_are_the_same_each_time() -> None:
    """The first error counts, and access comes first."""
    judgements = Judgements(LIMITS)
    wrong: list[dict[str, Any]] = [
        {"practices": [103], "limit": -1},
        {"practices": ["x"], "measure": None},
        {"practices": [101] * 5},
        {"where": [Filter("measure", "eq", "x")] * 3},
        {"limit": -1, "group_by": ["nothing"]},
        {"measure": None},
    ]
    for asked in wrong:
        with pytest.raises(WarmcubeError) as expected:
            anew(ANA, **asked)
        for _ in range(2):
            with pytest.raises(expected.type) as found:
                judged(judgements, ANA, **asked)
            assert str(found.value) == str(expected.value)
    assert judgements.weight == 0


def test_long_texts_weigh() -> None:
    """Whoever asks can make up texts as long as a request may be: few of those are kept."""
    judgements = Judgements(LIMITS)
    for number in range(20):
        text = f"{number}".zfill(1_000_000)
        judged(judgements, measure=text)
        assert judged(judgements, measure=text) is judged(judgements, measure=text)
        judged(judgements, where=[Filter("measure", "in", [text])])
    assert len(judgements._judged._items) < 6
    assert len(judgements._alike._items) < 6


def test_a_limit_holds_for_what_was_prepared_before() -> None:
    """A question that was judged says nothing of the length of other lists."""
    judgements = Judgements(LIMITS)
    judged(judgements)
    for asked in ({"practices": ["1"] * 5}, {"providers": ["1"] * 5}):
        with pytest.raises(LimitExceeded):
            judged(judgements, ROOT, SCHEMA, 0, **asked)


def test_what_is_kept_is_bounded() -> None:
    """By how much it holds; what came first goes first."""
    judgements = Judgements(LIMITS, most=200)
    first = judged(judgements, limit=0)
    for limit in range(1, 100):
        judged(judgements, limit=limit, practices=[101, 102])
        assert judgements.weight <= 200
    assert judged(judgements, limit=0) is not first
    assert judged(judgements, limit=99, practices=[101, 102]).prepared.limit == 99
    for _ in range(5):  # the same again under another schema takes the place of what was there
        for schema in (SCHEMA, WIDER):
            judged(judgements, schema=schema)
            assert judgements.weight <= 200


def outcome(attempt: Callable[[], Judged]) -> tuple[Judged | None, tuple[type, str] | None]:
    """A judgement, or how it was refused."""
    try:
        return attempt(), None
    except WarmcubeError as error:
        return None, (type(error), str(error))


SAME = [1, True, 1.0, "1", 101, "101", "0101", 103, None]
QUESTIONS = st.fixed_dictionaries(
    {},
    optional={
        "practices": st.lists(st.sampled_from(SAME), max_size=2) | st.just((101,)),
        "providers": st.lists(st.sampled_from(["5", 5, ""]), max_size=2),
        "organization": st.sampled_from(["north", "south", "", 1]),
        "measure": st.sampled_from(["Charges", 1, NULL]),
        "limit": st.sampled_from([0, 1, True, 1.0, False, -1]),
        "start": st.sampled_from(["2024-01-01", date(2024, 2, 1), "2024", 1, "2024-13-01"]),
        "end": st.sampled_from(["2024-03-01", date(2023, 12, 31), ""]),
        "group_by": st.sampled_from([[], ["date"], ("practice",)]),
        "wanted": st.sampled_from(["rows", "rows", "rows", "values", "measures"]),
        "column": st.sampled_from([None, "measure", "practice"]),
        "where": st.lists(
            st.builds(
                Filter,
                st.sampled_from(["value", "measure", "practice"]),
                st.sampled_from(["eq", "in", "gt", "is_null"]),
                st.sampled_from([1, True, 1.0, "1", [1], [1.0], (1,), ["1"], NULL, [NULL], None]),
            ),
            max_size=2,
        ),
        "aggregate": st.sampled_from(["sum", "count"]),
        "purpose": st.sampled_from(["read", "export"]),
    },
)


@given(
    asked=st.lists(
        st.tuples(st.sampled_from([ROOT, ANA, SUE]), st.sampled_from([SCHEMA, WIDER]), QUESTIONS),
        max_size=12,
    )
)
@settings(max_examples=150, deadline=None)
def test_keeping_changes_nothing(asked: list[tuple[Grant, Schema, dict[str, Any]]]) -> None:
    """Whatever was asked before, by whomever: the judgement is that of who judges anew."""
    judgements = Judgements(LIMITS, most=150)
    for grant, schema, question in [*asked, *asked]:
        expected, refused = outcome(partial(anew, grant, schema, **question))
        got, error = outcome(partial(judged, judgements, grant, schema, 0, **question))
        assert error == refused
        if got is None or expected is None:
            continue
        assert (got.prepared, got.narrowed) == (expected.prepared, expected.narrowed)
        told = settled(expected.asked) if exact_form(expected.asked) else expected.asked
        assert got.asked == told
        assert hash(got.prepared) == hash(expected.prepared)
        assert got.narrowed.grant is grant
        assert got.partition == expected.partition
