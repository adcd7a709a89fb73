"""What each sample user must see, as plain SQL: written apart from the product's code.

The SQL walks the tree of organizations itself, so that an error of the product's access rules
can't hide in its own check.
"""

# ruff: noqa: S608 - the SQL is put together from this file's own texts alone

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from warmcube.demo.practices import ORGANIZATIONS, practices_of
from warmcube.model.request import Filter, Query

__all__ = ["CASES", "Case", "expected_sql"]

_VISIBLE: Final = {
    "root": "TRUE",
    "north": "practice_uid IN (SELECT practice FROM reach WHERE top = 'north')",
    "provider": "practice_uid IN (SELECT practice FROM reach WHERE top = 'north-coast') "
    "AND provider_uid = 10105",
    "nobody": "practice_uid IN (SELECT practice FROM reach WHERE top = 'fresh')",
    "lost": "FALSE",
}

_REACH: Final = """\
WITH RECURSIVE organization (id, parent, active) AS (VALUES {organizations}),
member (organization, practice) AS (VALUES {members}),
below (top, id) AS (
    SELECT id, id FROM organization WHERE active
    UNION
    SELECT below.top, child.id
    FROM below JOIN organization child ON child.parent = below.id
    WHERE child.active
),
reach (top, practice) AS (
    SELECT below.top, member.practice FROM below JOIN member ON member.organization = below.id
)
"""

_ROWS: Final = (
    "SELECT measure, measure_type, practice_uid, practice_name, region, provider_uid, "
    "provider_name, specialty, frequency, date_index, measure_value::text AS measure_value, "
    "cases, loaded_at FROM ih.agg_app_measures WHERE visible AND "
)
_CHARGES: Final = "measure = 'Charges' AND frequency = 'Monthly'"
_VISITS: Final = "measure = 'Visits' AND frequency = 'Weekly'"
_HARD: Final = "measure = 'A/R > 90 days: {net} 100%' AND frequency = 'Quarterly'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question to the cache, and the same to the database.

    Attributes:
        name: what messages call it.
        query: for the cache.
        sql: for the database; ``visible`` stands for what the user may see; a numeric is asked
            for as text.
        is_ordered: whether the rows must come in this order.
        denied: the users who may not ask this.
    """

    name: str
    query: Query
    sql: str
    is_ordered: bool = False
    denied: frozenset[str] = frozenset()


def _charges(**more: object) -> Query:
    return Query(datasource=1, measure="Charges", frequency="Monthly", **more)  # type: ignore[arg-type]


def _visits(**more: object) -> Query:
    return Query(datasource=1, measure="Visits", frequency="Weekly", **more)  # type: ignore[arg-type]


def _hard(**more: object) -> Query:
    return Query(
        datasource=1,
        measure="A/R > 90 days: {net} 100%",
        frequency="Quarterly",
        **more,  # type: ignore[arg-type]
    )


CASES: Final = (
    Case(name="all rows", query=_charges(), sql=f"{_ROWS}{_CHARGES}"),
    Case(
        name="a name full of special characters, in a range of days",
        query=_hard(start="2024-01-01", end="2025-07-01"),
        sql=f"{_ROWS}{_HARD} AND date_index BETWEEN '2024-01-01' AND '2025-07-01'",
    ),
    Case(
        name="no practice",
        query=_charges(practices=[]),
        sql=f"{_ROWS}FALSE",
    ),
    Case(
        name="one practice",
        query=_visits(practices=[101]),
        sql=f"{_ROWS}{_VISITS} AND practice_uid = 101",
        denied=frozenset({"nobody"}),
    ),
    Case(
        name="a practice of another organization",
        query=_visits(practices=[101, 103]),
        sql=f"{_ROWS}{_VISITS} AND practice_uid IN (101, 103)",
        denied=frozenset({"north", "provider", "nobody", "lost"}),
    ),
    Case(
        name="one provider",
        query=_visits(providers=[10105]),
        sql=f"{_ROWS}{_VISITS} AND provider_uid = 10105",
        denied=frozenset({"lost"}),
    ),
    Case(
        name="an organization with those below it",
        query=_visits(organization="north"),
        sql=f"{_ROWS}{_VISITS} AND practice_uid IN "
        "(SELECT practice FROM reach WHERE top = 'north')",
        denied=frozenset({"provider", "nobody"}),
    ),
    Case(
        name="an organization of the lowest level",
        query=_charges(organization="north-coast", aggregate="sum", group_by=["date_index"]),
        sql="SELECT date_index, sum(measure_value)::text AS sum FROM ih.agg_app_measures WHERE "
        f"visible AND {_CHARGES} AND practice_uid IN (SELECT practice FROM reach WHERE "
        "top = 'north-coast') GROUP BY date_index",
        denied=frozenset({"nobody"}),
    ),
    Case(
        name="an inactive organization",
        query=_charges(organization="north-closed"),
        sql=f"{_ROWS}FALSE",
        denied=frozenset({"root", "north", "provider", "nobody", "lost"}),
    ),
    Case(
        name="conditions on texts and numbers",
        query=_visits(
            where=[
                Filter("practice_name", "like", "cLiNic"),
                Filter("cases", "between", [5, 12]),
                Filter("region", "not_in", ["Bay", "Lake"]),
                Filter("measure_value", "gt", "100.5"),
            ]
        ),
        sql=f"{_ROWS}{_VISITS} AND practice_name ILIKE '%clinic%' AND cases BETWEEN 5 AND 12 "
        "AND region NOT IN ('Bay', 'Lake') AND measure_value > 100.5",
    ),
    Case(
        name="rows of whole practices",
        query=_charges(
            where=[Filter("provider_uid", "is_null"), Filter("specialty", "neq", "Cardiology")]
        ),
        sql=f"{_ROWS}{_CHARGES} AND provider_uid IS NULL AND specialty <> 'Cardiology'",
    ),
    Case(
        name="sum by day",
        query=_charges(aggregate="sum", group_by=["date_index"]),
        sql="SELECT date_index, sum(measure_value)::text AS sum FROM ih.agg_app_measures "
        f"WHERE visible AND {_CHARGES} GROUP BY date_index",
    ),
    Case(
        name="average by region and specialty",
        query=_hard(aggregate="avg", group_by=["region", "specialty"]),
        sql="SELECT region, specialty, avg(measure_value)::text AS avg FROM ih.agg_app_measures "
        f"WHERE visible AND {_HARD} GROUP BY region, specialty",
    ),
    Case(
        name="count by practice",
        query=_charges(aggregate="count", group_by=["practice_uid"]),
        sql="SELECT practice_uid, count(measure_value) AS count FROM ih.agg_app_measures "
        f"WHERE visible AND {_CHARGES} GROUP BY practice_uid",
    ),
    Case(
        name="least by provider",
        query=_visits(aggregate="min", group_by=["provider_uid"]),
        sql="SELECT provider_uid, min(measure_value)::text AS min FROM ih.agg_app_measures "
        f"WHERE visible AND {_VISITS} GROUP BY provider_uid",
    ),
    Case(
        name="greatest of all",
        query=_visits(aggregate="max"),
        sql="SELECT max(measure_value)::text AS max FROM ih.agg_app_measures "
        f"WHERE visible AND {_VISITS}",
    ),
    Case(
        name="the top twenty, in order",
        query=_charges(
            order_by=["-measure_value", "practice_uid", "provider_uid", "date_index"], limit=20
        ),
        sql=f"{_ROWS}{_CHARGES} ORDER BY ih.agg_app_measures.measure_value DESC, practice_uid, "
        "provider_uid, date_index LIMIT 20",
        is_ordered=True,
    ),
)
"""Asked as every sample user; the first one is what the demo's table shows."""


def expected_sql(case: Case, user: str, practices: int) -> str:
    """The whole statement that answers a case for a user.

    Args:
        case: what is asked.
        user: one of the sample users.
        practices: how many practices the data are about.
    """
    organizations = ", ".join(
        f"('{each.id}', {_literal(each.parent)}, {each.active})" for each in ORGANIZATIONS
    )
    members = ", ".join(
        f"('{each.organization}', {each.uid})"
        for each in practices_of(practices)
        if each.organization is not None
    )
    reach = _REACH.format(organizations=organizations, members=members)
    return reach + case.sql.replace("visible", f"({_VISIBLE[user]})")


def _literal(text: str | None) -> str:
    return "NULL::text" if text is None else f"'{text}'"
