"""What an answer is worth, against what it should have been.

A *leak* is a row, a group or a value of somebody else, or an answer where there should be none. A
*loss* is what is missing. A *difference* is something else in the place of what should be there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from warmcube.errors import AccessDenied, InvalidQuery, UnknownDatasource, WarmcubeError
from warmcube.model.request import NULL
from warmcube.prove.canonical import Form, from_python
from warmcube.prove.case import Case, Scene, Wanted
from warmcube.prove.expected import Expected
from warmcube.prove.totals import Key, agrees, form_of
from warmcube.prove.witness import Pair, Row

__all__ = ["Answer", "Limits", "Verdict", "judge"]

Table: TypeAlias = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the cache made of a question.

    Attributes:
        rows: None if it was an error; of a list of values or measures, each as a row.
        error: None if it wasn't.
        fetched: how many rows were fetched for it.
    """

    rows: Table | None = None
    error: Exception | None = None
    fetched: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one answer may have; beyond it is an error about the query."""

    rows: int
    groups: int


@dataclass(slots=True)
class Verdict:
    """How one case ended; a count and a sentence for each that is wrong.

    Attributes:
        rows: compared.
    """

    rows: int = 0
    leaks: int = 0
    losses: int = 0
    differences: int = 0
    what: str = ""

    @property
    def is_right(self) -> bool:
        return not (self.leaks or self.losses or self.differences)

    def note(self, what: str, *, leaks: int = 0, losses: int = 0, differences: int = 0) -> None:
        """Add what is wrong."""
        self.leaks += leaks
        self.losses += losses
        self.differences += differences
        self.what = f"{self.what}; {what}" if self.what else what


def judge(
    scene: Scene, case: Case, answer: Answer, limits: Limits, *, leaks_only: bool = False
) -> Verdict:
    """Compare an answer with what it should have been.

    Args:
        scene: who asked, and what the database says.
        case: what was asked.
        answer: what came of it.
        limits: that the cache keeps.
        leaks_only: whether the table has changed since it was warmed, so that only whose rows they
            are can be judged.
    """
    verdict = Verdict()
    if case.wanted is not Wanted.ROWS:
        _judge_refusal(case.wanted, answer, verdict)
        return verdict
    if case.is_inventory:
        _judge_inventory(scene, answer, verdict, leaks_only=leaks_only)
        return verdict
    expected = Expected(scene, case)
    if leaks_only:
        if answer.rows is not None:
            _judge_owners(expected, answer.rows, verdict)
        return verdict
    is_rows = case.query.aggregate is None and case.column is None
    if expected.size > (limits.rows if is_rows else limits.groups):
        _judge_refusal(Wanted.INVALID, answer, verdict)
        return verdict
    if answer.rows is None:
        verdict.note(
            f"{type(answer.error).__name__}, where an answer of {_some(expected.size, 'row')} "
            "was due",
            losses=max(1, expected.size),
        )
        return verdict
    if answer.fetched > expected.within:
        verdict.note(
            f"{_some(answer.fetched, 'row')} fetched, where {expected.within:,} are in the right",
            leaks=answer.fetched - expected.within,
        )
    if case.column is not None:
        _judge_values(expected, case.column, answer.rows, verdict)
    elif is_rows:
        _judge_rows(expected, answer.rows, verdict)
    else:
        _judge_groups(expected, answer.rows, verdict)
    return verdict


def _judge_refusal(wanted: Wanted, answer: Answer, verdict: Verdict) -> None:
    if answer.rows is not None:
        count = max(1, len(answer.rows))
        given = f"an answer of {_some(len(answer.rows), 'row')}"
        if wanted is Wanted.INVALID and not answer.rows:
            verdict.note(f"an empty answer, where {wanted} was due", differences=1)
        else:
            verdict.note(f"{given}, where {_due(wanted)} was due", leaks=count)
        return
    error = answer.error
    is_right = {
        Wanted.DENIED: isinstance(error, AccessDenied),
        Wanted.UNKNOWN: isinstance(error, UnknownDatasource),
        Wanted.INVALID: isinstance(error, InvalidQuery)
        and not isinstance(error, UnknownDatasource),
    }[wanted]
    if not is_right:
        failed = "" if isinstance(error, WarmcubeError) else " (it failed unexpectedly)"
        verdict.note(f"{type(error).__name__}{failed}, where {_due(wanted)} was due", differences=1)


def _due(wanted: Wanted) -> str:
    return {
        Wanted.DENIED: "a denial",
        Wanted.UNKNOWN: "an unknown data source",
    }.get(wanted, str(wanted))


def _judge_owners(expected: Expected, answer: Table, verdict: Verdict) -> None:
    """Only whether rows or groups say themselves that they are of others."""
    query, roles = expected.query, expected.scene.datasource.roles
    names = expected.names if query.aggregate is None else list(query.group_by)
    if answer:
        names = [name for name in names if name in answer[0]]
    verdict.rows = len(answer)
    if not answer or roles.practice not in names:
        return
    forms = expected.scene.witness.forms
    practices = from_python((row[roles.practice] for row in answer), forms[roles.practice])
    if roles.provider in names:
        providers = from_python((row[roles.provider] for row in answer), forms[roles.provider])
        pairs = zip(practices, providers, strict=True)
        of_others = sum(expected.is_of_others(pair) for pair in pairs)
    else:
        view = expected.scene.view
        of_others = sum(
            not view.is_unlimited and (each is None or not view.may_name_practice(each))
            for each in practices
        )
    if of_others:
        verdict.note(f"{_some(of_others, 'row')} of others", leaks=of_others)


def _judge_rows(expected: Expected, answer: Table, verdict: Verdict) -> None:
    found = _canonical(answer, expected.scene.witness.forms)
    verdict.rows = len(found)
    roles = expected.scene.datasource.roles
    places = [
        None if column is None else expected.names.index(column)
        for column in (roles.practice, roles.provider)
    ]
    whole = [row for row in found if len(row) == len(expected.names)]
    pairs = Counter(_pair(row, places) for row in whole)
    of_others = sum(count for pair, count in pairs.items() if expected.is_of_others(pair))
    if of_others:
        verdict.note(f"{_some(of_others, 'row')} of others", leaks=of_others)
    counts, due = Counter(found), Counter(expected.rows)
    if counts == due:
        return
    surplus, missing = counts - due, due - counts
    extra = sum(
        count
        for row, count in surplus.items()
        if len(row) != len(expected.names) or not expected.is_of_others(_pair(row, places))
    )
    disguised = _disguised(expected, surplus, places)
    if disguised:
        verdict.note(
            f"{_some(disguised, 'row')} of others under an id of one's own", leaks=disguised
        )
    changed = max(0, min(extra - disguised, missing.total()))
    lost, other = missing.total() - changed, extra - disguised
    if lost > 0:
        verdict.note(f"{_some(lost, 'row')} missing", losses=lost)
    if other > 0:
        verdict.note(f"{_some(other, 'row')} that SQL hasn't", differences=other)


def _judge_values(expected: Expected, column: str, answer: Table, verdict: Verdict) -> None:
    form = expected.scene.witness.forms[column]
    texts = from_python((row[column] for row in answer), form)
    found = set(texts)
    verdict.rows = len(texts)
    due = expected.values(column)
    surplus, lost = found - due, len(due - found)
    foreign = len(surplus & expected.foreign_values(column)) if surplus else 0
    if foreign:
        verdict.note(f"{_some(foreign, 'value')} of rows of others", leaks=foreign)
    other = len(surplus) - foreign + len(texts) - len(found)
    if other:
        verdict.note(f"{_some(other, 'value')} that SQL hasn't, or twice", differences=other)
    if lost:
        verdict.note(f"{_some(lost, 'value')} missing", losses=lost)


def _judge_inventory(scene: Scene, answer: Answer, verdict: Verdict, *, leaks_only: bool) -> None:
    """The list of measures: those alone of which the user has rows."""
    due = {name for name, is_seen in scene.inventory.items() if is_seen}
    if answer.rows is None:
        if not leaks_only:
            verdict.note(
                f"an error ({type(answer.error).__name__}), where a list of measures was due",
                losses=max(1, len(due)),
            )
        return
    roles, forms = scene.datasource.roles, scene.witness.forms
    columns = [
        [None] * len(answer.rows)
        if column is None
        else from_python(
            (None if row[name] is NULL else row[name] for row in answer.rows), forms[column]
        )
        for name, column in (("measure", roles.measure), ("frequency", roles.frequency))
    ]
    found = set(zip(*columns, strict=True))
    verdict.rows = len(answer.rows)
    surplus, lost = len(found - due), len(due - found)
    if surplus and not leaks_only:
        verdict.note(f"{_some(surplus, 'measure')} without a row for the user", leaks=surplus)
    if lost and not leaks_only:
        verdict.note(f"{_some(lost, 'measure')} missing", losses=lost)


def _disguised(expected: Expected, surplus: Counter[Row], places: Sequence[int | None]) -> int:
    """How many rows that are too many are rows of others but for practice and provider."""
    witness, view = expected.scene.witness, expected.scene.view
    candidates = {
        row: count
        for row, count in surplus.items()
        if len(row) == len(expected.names) and not expected.is_of_others(_pair(row, places))
    }
    if not candidates:
        return 0
    foreign = {_without(row, places) for row in witness.rows if not view.sees(*_pair(row, places))}
    foreign -= {_without(row, places) for row in expected.rows}
    return sum(count for row, count in candidates.items() if _without(row, places) in foreign)


def _without(row: Row, places: Sequence[int | None]) -> Row:
    return tuple(value for place, value in enumerate(row) if place not in places)


def _pair(row: Row, places: Sequence[int | None]) -> Pair:
    practice, provider = (None if place is None else row[place] for place in places)
    return practice, provider


def _judge_groups(expected: Expected, answer: Table, verdict: Verdict) -> None:
    scene, function = expected.scene, str(expected.query.aggregate)
    forms, value = scene.witness.forms, scene.datasource.roles.value
    keys = {name: forms[name] for name in expected.query.group_by}
    result = form_of(function, Form.INTEGER if value is None else forms[value])
    columns = [*keys, list(answer[0])[-1]] if answer else []
    rows = _canonical(answer, dict(zip(columns, [*keys.values(), result], strict=False)))
    found = {row[:-1]: row[-1] for row in rows}
    verdict.rows = len(rows)
    if len(found) < len(rows):
        verdict.note(
            f"{_some(len(rows) - len(found), 'group')} twice", differences=len(rows) - len(found)
        )
    known = expected.all_days
    surplus = found.keys() - expected.groups.keys()
    foreign = len((surplus - known.keys()) & expected.foreign_groups) if surplus else 0
    if foreign:
        verdict.note(f"{_some(foreign, 'group')} of rows of others", leaks=foreign)
    if len(surplus) > foreign:
        other = len(surplus) - foreign
        verdict.note(f"{_some(other, 'group')} that SQL hasn't", differences=other)
    lost = len(expected.groups.keys() - found.keys())
    if lost:
        verdict.note(f"{_some(lost, 'group')} missing", losses=lost)
    wrong = [
        key
        for key in expected.groups.keys() & found.keys()
        if not agrees(expected.groups[key], found[key], function)
    ]
    if function == "count":
        wrong = _note_counts(expected, found, wrong, verdict)
    if wrong:
        verdict.note(
            f"{_some(len(wrong), 'group')} with another {function}", differences=len(wrong)
        )


def _note_counts(
    expected: Expected, found: Mapping[Key, str | None], wrong: Sequence[Key], verdict: Verdict
) -> list[Key]:
    """What wrong counts tell of rows that are too many or missing; the groups that are left."""
    left: list[Key] = []
    more = fewer = 0
    known = expected.all_days
    for key in wrong:
        text, due = found[key], int(expected.groups[key].text or 0)
        count = int(text) if text is not None and text.removeprefix("-").isdigit() else due
        if count < due:
            fewer += due - count
        elif count > max(due, len(known.get(key, ()))):
            more += count - due
        else:
            left.append(key)
    if more:
        verdict.note(f"counts of {_some(more, 'row')} more than are in the right", leaks=more)
    if fewer:
        verdict.note(f"counts without {_some(fewer, 'row')}", losses=fewer)
    return left


def _some(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _canonical(answer: Table, forms: Mapping[str, Form]) -> list[Row]:
    """The answer's rows as texts, in the table's order of columns."""
    if not answer:
        return []
    names = list(answer[0])
    if names != list(forms):
        return [(f"<columns {', '.join(names)}>",)] * len(answer)
    columns = zip(*(row.values() for row in answer), strict=True)
    texts = [from_python(column, forms[name]) for name, column in zip(names, columns, strict=True)]
    return list(zip(*texts, strict=True))
