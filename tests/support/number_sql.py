"""What a chart has to show, as one statement of SQL made of its definition.

Written from ``docs/reference/dashboards.md`` and ``dashboard-calculations.md`` alone, without the
product's code: a definition comes in as its file says it, and figures come out as Postgres has
them. The statement goes as the reference does: the rows of both periods; which labels, series and
pictures there are, in which order; the figures of each; and what is calculated of these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.support.number_dates import ROLES, Definition, Periods
from tests.support.number_tables import literal
from tests.support.sql import reading

__all__ = ["Expected", "Line", "Place", "Question", "expected_chart"]

_REST: Final = 1_000_000
"""Where "other" stands."""

_SIGNS: Final = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


@dataclass(frozen=True, slots=True)
class Place:
    """A label, a split value or a small multiple."""

    key: str | None
    name: str | None
    is_other: bool
    compared: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A series of one picture and one split value.

    Attributes:
        id: of the definition, ``.comparison`` behind it for the compared period.
        values: label by label, in SQL's text.
        total: of all its rows.
    """

    id: str
    values: tuple[str | None, ...]
    total: str | None


@dataclass(frozen=True, slots=True)
class Expected:
    """A chart's figures.

    Attributes:
        multiples: in order; one without a key where there are none.
        splits: likewise.
        labels: likewise.
        lines: by the places of multiple and split.
        hidden: how many labels or splits ``top`` leaves out of sight.
    """

    multiples: tuple[Place, ...]
    splits: tuple[Place, ...]
    labels: tuple[Place, ...]
    lines: Mapping[tuple[int, int], tuple[Line, ...]]
    hidden: int


@dataclass(frozen=True, slots=True)
class Question(Periods):
    """A chart, and who sees it, narrowed by what."""

    def condition(self, condition: Definition) -> str:
        """SQL of one condition of a ``where``."""
        column = ROLES.get(condition["column"], condition["column"])
        op, value = condition["op"], condition.get("value")
        if op == "in":
            return f"{column} IN ({', '.join(map(literal, value or ()))})"
        if op in ("is_null", "not_null"):
            return f"{column} IS {'NOT ' * (op == 'not_null')}NULL"
        return f"{column} {_SIGNS[op]} {literal(value)}"

    @property
    def page(self) -> str:
        """What the viewer may see, and the page is narrowed by."""
        filters, practices = self.filters, self.world.practices
        parts = [self.world.scopes[self.user]]
        parts += map(self.condition, self.dashboard.get("where", ()))
        parts += map(self.condition, self.chart.get("where", ()))
        if "organization" in filters:
            of = {"north": practices[:4], "north-east": practices[3:4]}[filters["organization"]]
            parts.append(_among("practice_uid", of))
        for name, column in (("practices", "practice_uid"), ("providers", "provider_uid")):
            if name in filters:
                parts.append(_among(column, filters[name]))
        parts += [_among(*each) for each in filters.get("where", {}).items()]
        return " AND ".join(f"({part})" for part in parts)

    def of_series(self, series: Definition) -> str:
        """Which rows a series is of."""
        parts = [
            f"measure = {literal(series['measure'])}",
            f"frequency = {literal(self.frequency)}",
            *map(self.condition, series.get("where", ())),
        ]
        return f"(({' AND '.join(parts)}) IS TRUE)"

    @property
    def rows(self) -> str:
        """CTEs: all rows of both periods, with the values of the axes and whose they are."""
        series = self.chart["series"]
        names = self.dashboard.get("names", {})
        axes = []
        for axis, name in self.axes.items():
            axes.append(f"{self.column(name)} AS {axis}")
            shown = next(
                (
                    of
                    for column, of in names.items()
                    if name is not None and ROLES.get(column, column) == ROLES.get(name, name)
                ),
                None,
            )
            axes.append(f"{self.column(shown)} AS {axis}_name")
        whose = [f"{self.of_series(each)} AS is_{n}" for n, each in enumerate(series)]
        picked = f"SELECT {', '.join([*axes, *whose])}, measure_value AS v"
        periods = [
            f"{picked}, FALSE AS old FROM ih.facts WHERE {self.page} AND {self.days(*self.period)}"
        ]
        if self.before is not None:
            first, last = self.before
            days = self.days("X", "Y").replace("'X'", first).replace("'Y'", last)
            periods.append(f"{picked}, TRUE AS old FROM ih.facts WHERE {self.page} AND {days}")
        anybody = " OR ".join(f"is_{n}" for n in range(len(series)))
        both = " UNION ALL ".join(periods)
        return f"both_periods AS ({both}), hit AS (SELECT * FROM both_periods WHERE {anybody})"

    @property
    def axes(self) -> dict[str, str | None]:
        return {
            "m": self.chart.get("multiples"),
            "s": self.chart.get("split_by"),
            "l": self.chart.get("group_by"),
        }

    @property
    def chosen(self) -> str:
        """The axis that is sorted, and of which the top is shown."""
        return "s" if self.is_dated or "group_by" not in self.chart else "l"

    def keys(self, axis: str) -> str:
        """CTE: the values of an axis with their names, and where they stand."""
        if self.axes[axis] is None:
            # Without such a column there is one, even without rows.
            return f"{axis}_keys AS (SELECT NULL::text AS k, NULL::text AS name, 1 AS n, 1 AS rank)"
        order = "k ASC NULLS LAST"
        if axis == self.chosen:
            order = {
                "label": "k ASC NULLS LAST",
                "-label": "k DESC NULLS FIRST",
                "value": "r ASC NULLS LAST, k ASC NULLS LAST",
                "-value": "r DESC NULLS LAST, k ASC NULLS LAST",
            }[self.chart.get("sort", "label")]
        number, lead = next(
            (n, each) for n, each in enumerate(self.chart["series"]) if not each.get("hidden")
        )
        top = self.chart.get("top") if axis == self.chosen else None
        return (
            f"{axis}_ranked AS (SELECT *, row_number() OVER (ORDER BY r DESC NULLS LAST, "
            f"k ASC NULLS LAST) AS rank FROM (SELECT {axis} AS k, min({axis}_name) AS name, "
            f"{self.figure(number, lead, 'NOT old')} AS r FROM hit GROUP BY {axis}) AS ranked), "
            f"{axis}_keys AS (SELECT k, name, row_number() OVER (ORDER BY {order}) AS n, rank "
            f"FROM {axis}_ranked WHERE rank <= {top or _REST})"
        )

    def has_rest(self, axis: str) -> bool:
        return axis == self.chosen and bool(self.chart.get("other"))

    def figure(self, number: int, series: Definition, which: str) -> str:
        """An aggregate over the rows of a series; NULL where it has none at all."""
        is_it = f"FILTER (WHERE is_{number} AND {which})"
        figure = f"{series.get('aggregate', 'sum')}(v) {is_it}"
        return f"CASE WHEN count(*) {is_it} > 0 THEN {figure}::text::numeric END"

    def whole(self, number: int, series: Definition, which: str) -> str:
        """The same over all labels; of no rows the count is zero."""
        found = self.figure(number, series, which)
        return f"coalesce({found}, 0)" if series.get("aggregate") == "count" else found

    @property
    def measured(self) -> list[tuple[str, int, Definition, str, str]]:
        """Each measure, and each of the compared period: column, number, series, rows, side."""
        found = []
        for number, each in enumerate(self.chart["series"]):
            found.append((each["id"], number, each, "NOT old", "has_now"))
            if self.before is not None:
                found.append((f"{each['id']}.comparison", number, each, "old", "has_old"))
        return found

    @property
    def ordered(self) -> list[tuple[str, Definition]]:
        """The calculations, each after those that it is of; and each in the compared period."""
        known = {each[0] for each in self.measured}
        left, found = list(self.chart.get("calculations", ())), []
        while left:
            each = next(each for each in left if {each["of"], each.get("to", each["of"])} <= known)
            left.remove(each)
            found.append((each["id"], each))
            known.add(each["id"])
            before = {name: f"{each[name]}.comparison" for name in ("of", "to") if name in each}
            if set(before.values()) <= known:
                found.append((f"{each['id']}.comparison", {**each, **before}))
                known.add(f"{each['id']}.comparison")
        return found

    @property
    def values(self) -> str:
        """Each picture's, split's and label's figures."""
        layers = [
            f'{self.figure(number, each, which)} AS "{name}", '
            f'count(*) FILTER (WHERE is_{number} AND {which}) > 0 AS "{name} is there"'
            for name, number, each, which, _ in self.measured
        ]
        is_zero = self.is_dated and self.chart.get("missing") == "zero"
        has_labels = "group_by" in self.chart
        # Without labels there is one figure, and of no rows the count is zero, as in SQL.
        absent = [
            "0" if is_zero or (not has_labels and each.get("aggregate") == "count") else "NULL"
            for _, _, each, _, _ in self.measured
        ]
        shown = [
            f'CASE WHEN "{name} is there" THEN "{name}" WHEN {side} THEN {zero}::numeric END '
            f'AS "{name}"'
            for (name, _, _, _, side), zero in zip(self.measured, absent, strict=True)
        ]
        ctes = [
            f"cells AS (SELECT mn, sn, ln, {', '.join(layers)} FROM placed GROUP BY mn, sn, ln)",
            (
                "spine AS (SELECT m.n AS mn, s.n AS sn, l.n AS ln, has_now, has_old "
                "FROM m_keys AS m, s_places AS s, l_places AS l)"
            ),
            (
                f"step_0 AS (SELECT mn, sn, ln, {', '.join(shown)} FROM spine "
                "LEFT JOIN cells USING (mn, sn, ln))"
            ),
        ]
        for number, (name, each) in enumerate(self.ordered):
            ctes.append(
                f'step_{number + 1} AS (SELECT *, {_over_labels(each)} AS "{name}" '
                f"FROM step_{number} WINDOW part AS (PARTITION BY mn, sn), "
                "line AS (PARTITION BY mn, sn ORDER BY ln))"
            )
        return ", ".join(ctes)

    @property
    def totals(self) -> str:
        """Each picture's and split's totals, over all of its rows."""
        layers = [
            f'{self.whole(number, each, which)} AS "{name}"'
            for name, number, each, which, _ in self.measured
        ]
        ctes = [
            (
                f"total_0 AS (SELECT m.n AS mn, s.n AS sn, {', '.join(layers)} FROM m_keys AS m "
                "CROSS JOIN s_places AS s LEFT JOIN placed AS p ON p.mn = m.n AND p.sn = s.n "
                "GROUP BY m.n, s.n)"
            )
        ]
        for number, (name, each) in enumerate(self.ordered):
            ctes.append(
                f'total_{number + 1} AS (SELECT *, {_of_totals(each)} AS "{name}" '
                f"FROM total_{number})"
            )
        return ", ".join(ctes)

    @property
    def tables(self) -> str:
        """All CTEs."""
        placed = (
            "placed AS (SELECT hit.*, m.n AS mn, "
            f"coalesce(s.n, {_REST if self.has_rest('s') else 'NULL'}) AS sn, "
            f"coalesce(p.n, {_REST if self.has_rest('l') else 'NULL'}) AS ln FROM hit "
            "JOIN m_keys AS m ON m IS NOT DISTINCT FROM m.k ".replace("m IS", "hit.m IS")
            + "LEFT JOIN s_keys AS s ON hit.s IS NOT DISTINCT FROM s.k "
            "LEFT JOIN positions AS p ON CASE WHEN hit.old "
            "THEN has_old AND hit.l IS NOT DISTINCT FROM p.old "
            "ELSE has_now AND hit.l IS NOT DISTINCT FROM p.now END)"
        )
        rest = {
            axis: f" UNION ALL SELECT {_REST}{more} WHERE (SELECT count(DISTINCT rank) FROM "
            f"{axis}_ranked) > (SELECT count(*) FROM {axis}_keys)"
            if self.has_rest(axis)
            else ""
            for axis, more in (("s", ""), ("l", ", TRUE, TRUE"))
        }
        keys = [self.keys(axis) for axis in ("m", "s")]
        if not self.is_dated:
            keys.append(self.keys("l"))
        return ", ".join(
            [
                self.rows,
                *keys,
                self.labels,
                placed,
                f"s_places AS (SELECT n FROM s_keys{rest['s']})",
                f"l_places AS (SELECT n, has_now, has_old FROM positions{rest['l']})",
            ]
        )


def _among(column: str, values: Sequence[Any]) -> str:
    listed = ", ".join(literal(each) for each in values if each is not None)
    parts = [f"{column} IN ({listed})"] * bool(listed) + [f"{column} IS NULL"] * (None in values)
    return " OR ".join(parts) or "FALSE"


def _pair(of: str, to: str) -> dict[str, str]:
    return {
        "ratio": f"{of} / NULLIF({to}, 0)",
        "difference": f"{of} - {to}",
        "growth": f"({of} - {to}) / NULLIF({to}, 0)",
    }


def _over_labels(calculation: Definition) -> str:
    a, function = f'"{calculation["of"]}"', calculation["function"]
    if "to" in calculation:
        return _pair(a, f'"{calculation["to"]}"')[function]
    before = f"lag({a}) OVER line"
    return {
        "growth": _pair(a, before)["growth"],
        "share": f"{a} / NULLIF(sum({a}) OVER part, 0)",
        "moving_average": f"avg({a}) OVER (line ROWS BETWEEN "
        f"{calculation.get('window', 1) - 1} PRECEDING AND CURRENT ROW)",
        "running_total": f"sum({a}) OVER (line ROWS UNBOUNDED PRECEDING)",
        "variance_from_average": f"{a} - avg({a}) OVER part",
    }[function]


def _of_totals(calculation: Definition) -> str:
    if "to" not in calculation:
        return "NULL::numeric"
    return _pair(f'"{calculation["of"]}"', f'"{calculation["to"]}"')[calculation["function"]]


def expected_chart(url: str, question: Question) -> Expected:
    """Ask Postgres."""
    chart = question.chart
    names = [
        name
        for each in (*chart["series"], *chart.get("calculations", ()))
        if not each.get("hidden")
        for name in (each["id"], f"{each['id']}.comparison")
        if name in {known[0] for known in (*question.measured, *question.ordered)}
    ]
    figures = ", ".join(f'"{name}"::text' for name in names)
    last, chosen = len(question.ordered), question.chosen
    rest = "m_keys WHERE FALSE"
    if question.axes[chosen] is not None:
        rest = f"(SELECT k FROM {chosen}_ranked EXCEPT SELECT k FROM {chosen}_keys) AS rest"
    statement = (
        f"WITH {question.tables}, {question.values}, {question.totals} "
        "SELECT 'value' AS what, mn::text, sn::text, ln::text, "
        f"ARRAY[{figures}] AS found FROM step_{last} "
        f"UNION ALL SELECT 'total', mn::text, sn::text, NULL, ARRAY[{figures}] FROM total_{last} "
        "UNION ALL SELECT 'm', n::text, NULL, NULL, ARRAY[k::text, name] FROM m_keys "
        "UNION ALL SELECT 's', n::text, NULL, NULL, ARRAY[k::text, name] FROM s_keys "
        "UNION ALL SELECT 'l', n::text, NULL, NULL, ARRAY[k::text, name, old::text] FROM positions "
        f"UNION ALL SELECT 'rest', count(*)::text, NULL, NULL, NULL FROM {rest}"
    )
    with reading(url) as cursor:
        cursor.execute(f"SET TIME ZONE '{question.world.zone}'")
        cursor.execute(statement)
        rows = [tuple(column) for column in cursor.fetchall()]
        cursor.execute("RESET TIME ZONE")
    return _read(question, names, rows)


def _read(question: Question, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Expected:
    def of(what: str) -> list[tuple[int, list[Any]]]:
        return sorted((int(row[1]), list(row[4])) for row in rows if row[0] == what)

    ((_, hidden, *_),) = [row for row in rows if row[0] == "rest"]
    rest = int(hidden)

    def places(axis: str) -> tuple[dict[int, Place], ...]:
        found = {n: Place(cells[0], cells[1], False, (*cells, None)[2]) for n, cells in of(axis)}
        if rest and question.has_rest(axis):
            found[_REST] = Place(None, None, True)
        return (found,)

    (multiples,), (splits,), (labels,) = places("m"), places("s"), places("l")
    values = {tuple(map(int, row[1:4])): list(row[4]) for row in rows if row[0] == "value"}
    totals = {tuple(map(int, row[1:3])): list(row[4]) for row in rows if row[0] == "total"}
    lines = {
        (mn, sn): tuple(
            Line(
                name,
                tuple(values[m, s, n][place] for n in sorted(labels)),
                totals[m, s][place],
            )
            for place, name in enumerate(names)
        )
        for mn, m in enumerate(sorted(multiples))
        for sn, s in enumerate(sorted(splits))
    }
    return Expected(
        multiples=tuple(multiples[n] for n in sorted(multiples)),
        splits=tuple(splits[n] for n in sorted(splits)),
        labels=tuple(labels[n] for n in sorted(labels)),
        lines=lines,
        hidden=0 if question.has_rest(question.chosen) else rest,
    )
