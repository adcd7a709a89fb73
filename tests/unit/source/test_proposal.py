"""Which columns are proposed for which roles."""

from __future__ import annotations

import pytest

from warmcube.model.schema import ColumnType, Kind, Roles
from warmcube.source.proposal import ColumnFacts, Proposal, propose_roles

_TYPES = {
    "t": Kind.TEXT, "i": Kind.INTEGER, "b": Kind.BIGINT, "u": Kind.UUID, "d": Kind.DATE,
    "z": Kind.TIMESTAMPTZ, "n": Kind.NUMERIC, "f": Kind.DOUBLE, "o": Kind.BOOLEAN,
}  # fmt: skip


def _propose(columns: str, rows: int = 0, **values: set[str] | int) -> Proposal:
    """A proposal for columns written as ``name:t``; `values` are those seen, or how many."""
    facts = []
    for word in columns.split():
        name, _, letter = word.partition(":")
        seen = values.get(name)
        distinct = len(seen) if isinstance(seen, set) else seen
        few = frozenset(seen) if isinstance(seen, set) else frozenset[str]()
        facts.append(ColumnFacts(name, ColumnType(_TYPES[letter]), distinct, few))
    return propose_roles("s.t", facts, rows)


def _columns(proposal: Proposal) -> list[str | None]:
    return [proposal.roles[role].column for role in (
        "measure", "practice", "provider", "frequency", "date", "value")]  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            """id:b measure:t measure_type:t practice_uid:i practice_name:t provider_uid:i
            frequency:t date_index:d measure_value:n updated_at:z""",
            ["measure", "practice_uid", "provider_uid", "frequency", "date_index", "measure_value"],
        ),
        (
            "metricName:t tenantId:u userId:u granularity:t ts:z value:f",
            ["metricName", "tenantId", "userId", "granularity", "ts", "value"],
        ),
        (
            "KPI:t customer_no:t employee_no:t period:t day:d amount:n",
            ["KPI", "customer_no", "employee_no", "period", "day", "amount"],
        ),
        (
            "organization_id:i doctor_id:i month:d total:n created_at:z",
            [None, "organization_id", "doctor_id", None, "month", "total"],
        ),
        ("indicator:t value:n", ["indicator", None, None, None, None, "value"]),
        ("metric_count:i metric:t", ["metric", None, None, None, None, "metric_count"]),
        ("a:t b:t c:o", [None] * 6),
        ("user_count:i user_id:i", [None, None, "user_id", None, None, None]),
    ],
)
def test_names_and_types_tell_the_roles(columns: str, expected: list[str | None]) -> None:
    """Words of the trade in any spelling; what only speaks *about* a measure isn't one."""
    assert _columns(_propose(columns)) == expected


def test_values_tell_a_frequency_whatever_its_name() -> None:
    """A text column of nothing but Monthly and Weekly is one."""
    proposal = _propose("metric:t kind:t value:n", 10, kind={"Monthly", "weekly"})
    assert proposal.roles["frequency"].column == "kind"
    assert _propose("metric:t kind:t value:n", 10, kind={"Monthly", "x"}).roles[
        "frequency"
    ].column is None  # fmt: skip


def test_too_many_values_tell_against_a_measure_and_a_frequency() -> None:
    """Measures are some hundreds, frequencies a handful."""
    proposal = _propose("metric:t period:t value:n", 10_000, metric=5000, period=100)
    assert proposal.roles["measure"].column is None
    assert proposal.roles["measure"].alternatives == ("metric",)
    assert proposal.roles["frequency"].column is None


def test_the_only_date_and_the_only_number_are_taken_and_called_unsure() -> None:
    """Whatever their names, with the reason."""
    roles = _propose("metric:t tenant_id:i moment:z size:n").roles
    assert roles["date"].column == "moment"
    assert roles["date"].unsure == "moment was chosen for its type alone"
    assert roles["value"].column == "size"
    assert roles["value"].unsure == "size was chosen for its type alone"


def test_housekeeping_dates_are_not_the_date() -> None:
    """Neither alone nor beside the date."""
    assert _propose("metric:t updated_at:z value:n").roles["date"].column is None


def test_dates_of_which_no_name_tells_are_all_named() -> None:
    """None is taken, and nothing denies that there are any."""
    date = _propose("metric:t moment:z wann:d updated_at:z value:n").roles["date"]
    assert (date.column, date.alternatives) == (None, ("moment", "wann"))
    assert "clearly" in str(date.unsure)
    value = _propose("metric:t moment:z umsatz:n kosten:n tenant_id:i").roles["value"]
    assert (value.column, value.alternatives) == (None, ("kosten", "umsatz"))


def test_what_is_close_is_unsure_and_named() -> None:
    """Two columns that fit equally well: one is proposed, the other told."""
    roles = _propose("metric:t clinic_id:i tenant_id:i value:n").roles
    assert roles["practice"].column == "clinic_id"
    assert roles["practice"].unsure == "tenant_id fits nearly as well as clinic_id"
    assert roles["practice"].alternatives == ("tenant_id",)


def test_what_is_clear_is_not_called_unsure() -> None:
    """A table like the defaults, with rows looked at."""
    proposal = _propose(
        "measure:t practice_uid:i provider_uid:i frequency:t date_index:d measure_value:n",
        100, frequency={"Monthly"}, measure={"a"},
    )  # fmt: skip
    assert proposal.as_roles == Roles()
    assert {role.unsure for role in proposal.roles.values()} == {None}


def test_without_rows_a_frequency_is_unsure() -> None:
    """Its values are what would tell it."""
    assert _propose("frequency:t").roles["frequency"].unsure == (
        "there are no rows to see its values"
    )


def test_lacking_roles_say_what_that_means() -> None:
    """As a sentence about this role."""
    roles = _propose("a:o").roles
    assert "who may read everything" in str(roles["practice"].unsure)
    assert len({role.unsure for role in roles.values()}) == 6


def test_no_column_plays_two_roles() -> None:
    """``period`` could be a frequency or a date."""
    chosen = [c for c in _columns(_propose("period:t user_measure:t value:n")) if c]
    assert len(chosen) == len(set(chosen))
