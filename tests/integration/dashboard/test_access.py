"""Who sees what of a dashboard: their own rows, their own names, and nothing of others'."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.support.audit import read_lines
from tests.support.boards import ALL_TIME, NOW, USERS, YEAR, Board, keys_of, only, series_named
from tests.support.caches import ACCESS, BY_ENTRIES, NOTHING_KEPT, make_cache
from tests.support.dashboards import chart_of, dashboard_of, series_of
from tests.support.recording import RecordingStore

from warmcube import NULL, AccessDenied, Filter
from warmcube.dashboard.definition import Calculation, Comparison, Dashboard, Drill
from warmcube.dashboard.document import rendered_json
from warmcube.dashboard.drill import Mark
from warmcube.dashboard.render import GivenDashboards, Renderer
from warmcube.dashboard.rendered import UniversalFilters
from warmcube.errors import (
    InvalidFilter,
    InvalidQuery,
    LimitExceeded,
    MissingRole,
    SourceError,
    UnknownColumn,
    UnknownDashboard,
)

NINE = dashboard_of(
    chart_of("by-date"),
    chart_of("compared", comparison=Comparison(kind="previous_period")),
    chart_of("by-practice", type="bar", group_by="practice"),
    chart_of("by-provider", type="pie", group_by="provider"),
    chart_of("split", split_by="region"),
    chart_of("total", type="number", group_by=None),
    chart_of("average", type="number", group_by=None, series=(series_of(aggregate="avg"),)),
    chart_of("payments", series=(series_of(measure="Payments"),)),
    chart_of("both", series=(series_of(), series_of("p", measure="Payments"))),
)


def renderer_of(board: Board, *dashboards: Dashboard) -> Renderer:
    """A renderer of some dashboards."""
    return Renderer(board.cache, GivenDashboards(*dashboards), clock=lambda: NOW)


def entries_fetched(store: RecordingStore) -> Counter[bytes]:
    """How often each entry was asked for."""
    return Counter(
        word
        for command in store.commands
        if command[0] == b"MGET"
        for word in command[1:]
        if isinstance(word, bytes)
    )


@pytest.mark.parametrize("user", USERS)
async def test_line_4_nine_charts_fetch_the_rows_in_scope_once(
    tmp_path: Path, redis_url: str, facts: str, user: str
) -> None:
    """Each measure is fetched once for all charts, and no entry of others'."""
    async with make_cache(tmp_path, redis_url, facts, environment=BY_ENTRIES) as cache:
        await cache.warm(1)
        board = Board(cache, facts)
        await board.dashboard("root", NINE, YEAR)  # the snapshot is known from here on
        store = RecordingStore(cache._parts.store)
        cache._parts.snapshots._store = store
        cache._parts.answerer._reader._store = store
        rendered = await board.dashboard(user, NINE, YEAR)
        fetched = entries_fetched(store)
    ((rows, entries),) = board.select(
        "count(*), count(DISTINCT (measure, practice_uid, provider_uid))",
        user,
        "measure IN ('Charges', 'Payments')",
    )
    assert rendered.meta.rows_fetched == rows
    assert set(fetched.values()) <= {1}
    assert len(fetched) == entries
    assert (rendered.meta.charts, rendered.meta.queries) == (9, 8)
    by_chart = {chart.id: chart.meta.rows_fetched for chart in rendered.charts}
    ((charges,),) = board.select("count(*)", user)
    assert by_chart["by-date"] == by_chart["compared"] == charges
    assert by_chart["both"] == rows


async def test_line_5_no_chart_gets_what_another_was_narrowed_to(board: Board) -> None:
    """Charts of other practices, and pages of other practices at once, share nothing but rows."""
    charts = [
        chart_of(f"p{practice}", where=(Filter("practice", "eq", practice),))
        for practice in (101, 102, 103)
    ]
    for _ in range(2):  # the second time from what is kept
        for user in ("root", "north", "provider"):
            found = await board.charts(user, *charts)
            for practice, chart in zip((101, 102, 103), found, strict=True):
                (series,) = only(chart).series
                where = f"measure = 'Charges' AND practice_uid = {practice}"
                assert [(series.total,)] == board.select("sum(measure_value)", user, where)
        for practice in (101, 102):
            filters = UniversalFilters(preset="all", practices=(practice,))
            (series,) = only(await board.chart("north", chart_of(), filters)).series
            where = f"measure = 'Charges' AND practice_uid = {practice}"
            assert [(series.total,)] == board.select("sum(measure_value)", "north", where)


async def test_line_6_no_value_of_a_dimension_is_shown_to_whom_it_isnt(board: Board) -> None:
    """Labels, series, pictures and names are those of one's own rows, whoever asked before."""
    charts = (
        chart_of("labels", type="bar", group_by="practice"),
        chart_of("series", split_by="practice"),
        chart_of("multiples", multiples="practice", type="bar", group_by="region"),
    )
    names = {"practice": "practice_name"}
    for user in ("root", "provider", "nobody", "north", "root", "north"):
        labels, series, multiples = await board.charts(user, *charts, names=names)
        own = [key for (key,) in board.select("practice_uid", user, rest="GROUP BY 1 ORDER BY 1")]
        assert keys_of(only(labels)) == own
        assert [each.split for each in only(series).series] == own
        assert [facet.key for facet in multiples.facets] == own
        texts = {label.text for label in only(labels).labels}
        known = {str(name) for (name,) in board.select("practice_name", user)}
        assert {text for text in texts if text.startswith(("Practice", "Old"))} <= known


async def test_line_16_conditions_mean_what_they_say(board: Board) -> None:
    """``between`` lets pass what lies between, texts of numbers and dates compare, NULL passes no
    comparison.
    """
    conditions: list[tuple[Filter, str]] = [
        (Filter("measure_value", "between", [-5, 30]), "measure_value BETWEEN -5 AND 30"),
        (Filter("measure_value", "gte", "12.50"), "measure_value >= 12.50"),
        (Filter("date", "gt", "2024-03-01"), "date_index > '2024-03-01'"),
        (
            Filter("date", "between", ("2023-11-01", "2024-02-01")),
            "date_index BETWEEN '2023-11-01' AND '2024-02-01'",
        ),
        (Filter("region", "neq", "Bay"), "region <> 'Bay'"),
        (Filter("region", "not_in", ("Bay", "")), "region NOT IN ('Bay', '')"),
        (Filter("provider", "lt", "3"), "provider_uid < 3"),
    ]
    charts = [chart_of(f"c{place}", where=(each,)) for place, (each, _) in enumerate(conditions)]
    for user in USERS:
        found = await board.charts(user, *charts)
        for chart, (_, where) in zip(found, conditions, strict=True):
            facet = only(chart)
            assert list(zip(keys_of(facet), facet.series[0].values, strict=True)) == board.select(
                "date_index, sum(measure_value)",
                user,
                f"measure = 'Charges' AND {where}",
                "GROUP BY 1 ORDER BY 1",
            )


async def test_what_a_link_names_of_others_is_dropped(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """It is told in the link's words, audited, and the rest is shown; the same for what doesn't
    exist.
    """
    audit = tmp_path / "audit.jsonl"
    more = f'[audit]\npath = "{audit}"\n'
    async with make_cache(tmp_path, redis_url, facts, more=more) as cache:
        await cache.warm(1)
        board = Board(cache, facts)
        for other in (110, "110", 999, "999"):
            filters = UniversalFilters(preset="all", practices=(101, other, other))
            rendered = await board.dashboard("north", NINE, filters)
            (dropped,) = rendered.dropped
            assert (dropped.filter, dropped.value) == ("practices", other)
            assert dropped.why == (
                f"practice {other!r} is outside what you may read, so it is left out"
            )
            assert rendered.filters.practices == (101,)
            where = "measure = 'Charges' AND practice_uid = 101"
            (series,) = only(rendered.charts[0]).series
            assert [(series.total,)] == board.select("sum(measure_value)", "north", where)
    lines = read_lines(audit.read_bytes())
    first, more_of_it = [line for line in lines if line["event"] == "blocked_filter"]
    assert (first["subject"], first["action"]) == ("north", "query")
    assert first["practices"] == [110, 110]
    assert first["reason"] == more_of_it["reason"] == "practice outside the scope"
    assert more_of_it["repeated"] == 2  # beside itself


@pytest.mark.parametrize(
    ("user", "given"),
    [
        ("north", {"practices": (110,)}),
        ("north", {"practices": (999, 110)}),
        ("north", {"organization": "south"}),
        ("north", {"organization": "no such one"}),
        ("north", {"organization": "south", "practices": (101,)}),
        ("provider", {"providers": (4,)}),
        ("nobody", {"practices": (101,)}),
    ],
)
async def test_a_filter_of_which_nothing_is_left_lets_nothing_pass(
    board: Board, user: str, given: dict[str, Any]
) -> None:
    """Never everything, not even everything of one's own."""
    rendered = await board.dashboard(user, NINE, UniversalFilters(preset="last_year", **given))
    assert rendered.dropped
    assert rendered.meta.rows_fetched == 0
    for chart in rendered.charts:
        assert chart.error is None
        for series in only(chart).series:
            assert set(series.values) <= {None}
            assert series.total is None


async def test_what_is_dropped_cant_be_told_from_what_isnt_there(board: Board) -> None:
    """The whole answer is the same but for the name, whether a practice exists or not."""
    documents = []
    for other in (110, 999):
        filters = UniversalFilters(preset="all", practices=(101, other))
        rendered = await board.dashboard("north", NINE, filters)
        document = json.loads(rendered_json(rendered, lambda error: {"detail": str(error)}))
        for meta in (document["meta"], *(chart["meta"] for chart in document["charts"])):
            del meta["ms"], meta["origin"]  # the second may be answered from what is kept
        documents.append(json.dumps(document).replace(str(other), "X"))
    assert documents[0] == documents[1]


async def test_super_admins_may_name_what_isnt_there(board: Board) -> None:
    """All practices are theirs, so nothing is dropped, and an organization filters for them too."""
    filters = UniversalFilters(preset="all", practices=(101, 999), organization="north")
    rendered = await board.dashboard("root", NINE, filters)
    assert rendered.dropped == ()
    (series,) = only(rendered.charts[0]).series
    where = "measure = 'Charges' AND practice_uid = 101"
    assert [(series.total,)] == board.select("sum(measure_value)", "root", where)


@pytest.mark.parametrize(
    ("filters", "error", "part"),
    [
        (UniversalFilters(where={"regoin": ("Bay",)}), UnknownColumn, 'mean "region"'),
        (UniversalFilters(where={"provider": ("x",)}), InvalidFilter, "provider_uid"),
        (UniversalFilters(practices=("0101",)), InvalidFilter, "0101"),
        (UniversalFilters(providers=("x",)), InvalidFilter, "provider"),
        (UniversalFilters(preset="last_fortnight"), InvalidQuery, "last_14_days"),
        (UniversalFilters(time_zone="Mars/Olympus"), InvalidQuery, "Mars/Olympus"),
    ],
)
async def test_a_wrong_filter_is_the_whole_pages_error(
    board: Board, filters: UniversalFilters, error: type[Exception], part: str
) -> None:
    """It says what is wrong, and what was expected."""
    with pytest.raises(error, match=part):
        await board.dashboard("north", NINE, filters)


async def test_a_broken_chart_leaves_the_others_intact(board: Board) -> None:
    """Each says what is wrong with it."""
    broken = dashboard_of(
        chart_of("column", group_by="regoin"),
        chart_of("twice", split_by="date"),
        chart_of("condition", where=(Filter("provider", "eq", "x"),)),
        chart_of("of_condition", where=(Filter("regoin", "eq", "x"),)),
        chart_of("frequency", frequency=None),
        chart_of("days", dates="last_fortnight"),
        chart_of("period", comparison=Comparison(kind="previous_period")),
        chart_of("right"),
    )
    rendered = await board.dashboard("north", broken)
    found = {chart.id: (type(chart.error), str(chart.error)) for chart in rendered.charts}
    for name, error, part in (
        ("column", UnknownColumn, 'did you mean "region"?'),
        ("twice", InvalidQuery, "twice"),
        ("condition", InvalidFilter, "provider_uid"),
        ("of_condition", UnknownColumn, "regoin"),
        ("frequency", InvalidQuery, "frequency is missing"),
        ("days", InvalidQuery, "last_14_days"),
        ("period", InvalidQuery, "first and a last day"),
    ):
        assert found[name][0] is error
        assert part in found[name][1]
    right = rendered.charts[-1]
    assert right.error is None
    assert [(only(right).series[0].total,)] == board.select("sum(measure_value)", "north")


async def test_an_unknown_measure_is_empty_whoever_has_it(board: Board) -> None:
    """A measure of others' rows alone can't be told from one that isn't there."""
    for measure in ("Only in practice 110", "Nowhere"):
        (series,) = only(
            await board.chart("north", chart_of(series=(series_of(measure=measure),)))
        ).series
        assert (series.values, series.total) == ((), None)


async def test_a_chart_that_divides_by_a_missing_measure_says_so(board: Board) -> None:
    """In a sentence, with the rest of the page intact; nothing is said to whom sees no rows."""
    ratio = Calculation(id="rate", name="Rate", function="ratio", of="charges", to="lost")
    broken = chart_of(
        "rate",
        series=(series_of("charges"), series_of("lost", measure="Chargse", is_hidden=True)),
        calculations=(ratio,),
    )
    renderer = renderer_of(board, dashboard_of(broken, chart_of("by-date")))
    for user, has_rows in (("root", True), ("north", True), ("nobody", False)):
        grant = await board.cache.authorize(user)
        dashboard = (await renderer.dashboards(grant))[0]
        first, second = (await renderer.render(dashboard, ALL_TIME, grant)).charts
        notes = ("for these filters there are no rows of Chargse, Monthly that you may see",)
        assert first.notes == (notes if has_rows else ())
        assert (first.error, second.error, second.notes) == (None, None, ())
        assert len(first.facets) == 1
        by_id = {each.id: each for each in first.facets[0].series}
        assert any(by_id["charges"].values) is has_rows
        assert not any(by_id["rate"].values)


async def test_dashboards_exist_for_their_roles_alone(board: Board) -> None:
    """For others it isn't there, in the words of one that isn't; nor where nothing may be read."""
    renderer = renderer_of(
        board,
        dashboard_of(id="all"),
        dashboard_of(id="analysts", roles=("org_analyst", "auditor")),
        dashboard_of(id="admins", roles=("super_admin",)),
        dashboard_of(id="elsewhere", datasource=7),
    )
    seen = {}
    for user in ("root", "north", "provider"):
        grant = await board.cache.authorize(user)
        seen[user] = [each.id for each in await renderer.dashboards(grant)]
        for name in ("all", "analysts", "admins", "elsewhere", "nowhere"):
            if name in seen[user]:
                assert (await renderer.dashboard(name, grant)).id == name
            else:
                with pytest.raises(UnknownDashboard, match=f"there is no dashboard '{name}'"):
                    await renderer.dashboard(name, grant)
    assert seen == {
        "root": ["admins", "all"],
        "north": ["all", "analysts"],
        "provider": ["all"],
    }


@pytest.mark.parametrize("user", ["root", "north"])
@pytest.mark.parametrize(
    "filters",
    [
        UniversalFilters(practices=tuple(range(10_001))),
        UniversalFilters(providers=tuple(range(10_001))),
        UniversalFilters(where={"region": tuple(map(str, range(10_001)))}),
    ],
)
async def test_a_list_of_a_filter_is_bounded(
    board: Board, user: str, filters: UniversalFilters
) -> None:
    """Whatever of it is dropped: each value would come back with a sentence of its own."""
    with pytest.raises(LimitExceeded, match=r"lists 10,001 values, more than \[limits\] list"):
        await board.dashboard(user, dashboard_of(chart_of()), filters)


async def test_no_chart_leads_to_a_dashboard_that_doesnt_exist_for_its_viewer(
    board: Board,
) -> None:
    """Neither its definition nor its figures name it: a click leads to the rows instead."""
    leading = dashboard_of(
        chart_of("to-admins", drill=Drill(dashboard="admins")),
        chart_of("to-all", drill=Drill(dashboard="all")),
        id="all",
    )
    renderer = renderer_of(board, leading, dashboard_of(id="admins", roles=("super_admin",)))
    for user, targets in (("root", ["admins", "all"]), ("north", [None, "all"])):
        grant = await board.cache.authorize(user)
        described = await renderer.describe(leading, grant)
        rendered = await renderer.render(leading, ALL_TIME, grant)
        assert [each["drill"]["dashboard"] for each in described["charts"]] == targets
        assert [each.drill.dashboard for each in rendered.charts] == targets


async def test_a_column_that_names_several_is_shown_only_where_all_are(board: Board) -> None:
    """That practices' names stand for regions too doesn't give them away."""
    described = dashboard_of(
        chart_of(where=(Filter("practice_name", "eq", "Practice F"),)),
        names={"region": "practice_name", "practice": "practice_name"},
    )
    renderer = renderer_of(board, described)
    shown = {}
    for user in ("root", "north"):
        document = await renderer.describe(described, await board.cache.authorize(user))
        shown[user] = [each["value"] for each in document["charts"][0]["where"]]
    assert shown == {"root": ["Practice F"], "north": [None]}


async def test_a_definition_names_nobody_elses_practices(board: Board) -> None:
    """Of what conditions compare with, only what the viewer may name is shown."""
    board_with_conditions = dashboard_of(
        chart_of(
            where=(
                Filter("practice", "in", (101, 110)),
                Filter("practice_uid", "eq", 110),
                Filter("practice", "in", (NULL, "x", 102)),
                Filter("practice", "gt", 105),
                Filter("practice_name", "like", "Practice F"),
                Filter("provider", "in", (3, 4)),
                Filter("region", "in", ("Bay",)),
                Filter("note", "is_null"),
            )
        ),
        names={"practice": "practice_name"},
        roles=("super_admin", "org_analyst", "provider"),
        filters=("region", "no such column"),
    )
    renderer = renderer_of(board, board_with_conditions)
    shown = {}
    for user in ("root", "north", "provider"):
        described = await renderer.describe(
            board_with_conditions, await board.cache.authorize(user)
        )
        (chart,) = described["charts"]
        shown[user] = [each["value"] for each in chart["where"]]
        assert "roles" not in described
        offers = described["offers"]
        assert offers["practices"] == {
            "column": "practice_uid",
            "names": "practice_name",
            "type": "integer",
        }
        assert offers["columns"] == [{"column": "region", "names": None, "type": "text"}]
        assert offers["partitions"] == [{"measure": "Charges", "frequency": "Monthly"}]
        organizations = [each["id"] for each in offers["organizations"]]
        everything = ["empty", "north", "north-east", "south"]
        assert organizations == (everything if user == "root" else ["north", "north-east"])
    rest: list[Any] = [["Bay"], None]
    assert shown == {
        "root": [[101, 110], 110, [{"null": True}, "x", 102], 105, "Practice F", [3, 4], *rest],
        "north": [[101], None, [{"null": True}, 102], None, None, [], *rest],
        "provider": [[101], None, [{"null": True}, 102], None, None, [3], *rest],
    }


@pytest.mark.parametrize("user", USERS)
async def test_the_rows_behind_a_mark(board: Board, user: str) -> None:
    """Those that its figure was computed from, and the query that gives them."""
    dashboard = dashboard_of(
        chart_of(
            split_by="region",
            multiples="practice",
            series=(series_of("hidden", measure="Payments", is_hidden=True), series_of()),
            comparison=Comparison(kind="previous_period"),
        )
    )
    renderer = renderer_of(board, dashboard)
    grant = await board.cache.authorize(user)
    for mark, where in (
        (Mark(places={}), "date_index BETWEEN '2024-01-01' AND '2024-12-31'"),
        (
            Mark(places={"label": ("2024-02-01",), "split": ("Bay", None), "multiple": (101,)}),
            "date_index = '2024-02-01' AND coalesce(region, 'Bay') = 'Bay' AND practice_uid = 101",
        ),
        (
            Mark(places={"split": (None,)}, period="compared"),
            "date_index BETWEEN '2023-01-01' AND '2023-12-31' AND region IS NULL",
        ),
    ):
        rows = await renderer.rows(dashboard, "chart", mark, YEAR, grant)
        assert sum(1 for _ in rows.result.rows()) == len(rows.result)
        key = "practice_uid", "provider_uid", "date_index", "measure_value"
        assert Counter(tuple(row[name] for name in key) for row in rows.result.rows()) == Counter(
            board.select(", ".join(key), user, f"measure = 'Charges' AND {where}")
        )
        assert rows.query is not None
        again = await board.cache.query(rows.query, grant)
        assert again.rows() == rows.result.rows()
    few = Mark(places={}, series="hidden", order_by=("-measure_value", "practice_uid"), limit=2)
    rows = await renderer.rows(dashboard, "chart", few, YEAR, grant)
    assert [(row["measure_value"],) for row in rows.result.rows()] == board.select(
        "measure_value",
        user,
        "measure = 'Payments' AND date_index BETWEEN '2024-01-01' AND '2024-12-31'",
        "ORDER BY 1 DESC NULLS FIRST LIMIT 2",
    )


async def test_a_query_that_names_others_practices_isnt_shown(board: Board) -> None:
    """The rows behind a chart come, and what its definition compares with stays there."""
    among = chart_of("among", where=(Filter("practice", "in", (101, 110)),))
    named = chart_of(
        "named", series=(series_of(where=(Filter("practice_name", "eq", "Practice O"),)),)
    )
    plain = chart_of("plain", where=(Filter("practice", "in", [101]), Filter("region", "eq", "x")))
    dashboard = dashboard_of(among, named, plain, names={"practice": "practice_name"})
    renderer = renderer_of(board, dashboard)
    for user in ("root", "north"):
        grant = await board.cache.authorize(user)
        found = [
            await renderer.rows(dashboard, chart.id, Mark(places={}), ALL_TIME, grant)
            for chart in dashboard.charts
        ]
        hidden = user == "north"
        assert [each.query is None for each in found] == [hidden, hidden, False]
        expected = board.select(
            "count(*)", user, "measure = 'Charges' AND practice_uid IN (101, 110)"
        )
        assert [(len(found[0].result),)] == expected


@pytest.mark.parametrize(
    ("chart", "mark", "part"),
    [
        ("nowhere", Mark(places={}), "no chart 'nowhere'; its charts are total, empty, wrong"),
        ("total", Mark(places={"label": (1,)}), "has no label"),
        ("total", Mark(places={}, series="x"), "no series 'x'; its series are charges"),
        ("total", Mark(places={}, period="compared"), "compared with no other period"),
        ("empty", Mark(places={}), "shows no measure"),
        ("wrong", Mark(places={}), "no column 'x'"),
        ("total", Mark(places={}, order_by=("x",)), "no column 'x'"),
    ],
)
async def test_marks_that_arent_there(board: Board, chart: str, mark: Mark, part: str) -> None:
    """Each says what there is instead."""
    dashboard = dashboard_of(
        chart_of("total", group_by=None, type="number"),
        chart_of("empty", series=()),
        chart_of("wrong", group_by="x"),
    )
    renderer = renderer_of(board, dashboard)
    grant = await board.cache.authorize("north")
    with pytest.raises(InvalidQuery, match=part):
        await renderer.rows(dashboard, chart, mark, ALL_TIME, grant)


async def test_only_some_charts_may_be_wanted(board: Board) -> None:
    """Each once, in the order in which they are asked for; one that isn't there is an error."""
    rendered = await board.dashboard("north", NINE, YEAR, ["total", "by-date", "total"])
    assert [chart.id for chart in rendered.charts] == ["total", "by-date"]
    assert (rendered.meta.charts, rendered.meta.queries) == (2, 2)
    with pytest.raises(InvalidQuery, match="no chart 'x'"):
        await board.dashboard("north", NINE, YEAR, ["x"])
    empty = await board.dashboard("north", dashboard_of(), YEAR)
    assert (empty.charts, empty.meta.rows_fetched, empty.meta.origin) == ((), 0, None)


async def test_without_the_cache_the_database_answers_alike(
    tmp_path: Path, redis_url: str, facts: str, board: Board
) -> None:
    """All charts from one transaction, with the same figures."""
    folder = tmp_path / "off"
    folder.mkdir()
    off = {"CACHE_ENABLED": "false"}
    async with make_cache(folder, redis_url, facts, environment=off) as cache:
        from_database = Board(cache, facts)
        for user in USERS:
            cold = await from_database.dashboard(user, NINE, YEAR)
            warm = await board.dashboard(user, NINE, YEAR)
            assert cold.meta.origin == "database"
            assert [chart.facets for chart in cold.charts] == [
                chart.facets for chart in warm.charts
            ]


async def test_where_nothing_can_answer_the_page_has_the_error(
    tmp_path: Path, redis_url: str, facts: str, board: Board
) -> None:
    """Not each chart for itself, whether the columns are known or not."""
    folder = tmp_path / "gone"
    folder.mkdir()
    gone = facts + "&dbname=gone"
    async with make_cache(folder, redis_url, gone, environment=NOTHING_KEPT) as cache:
        without_database = Board(cache, facts)
        assert (await without_database.dashboard("north", NINE, YEAR)).meta.origin == "store"
        await board.cache.invalidate(1)
        for _ in range(2):
            with pytest.raises(SourceError):
                await without_database.dashboard("north", NINE, YEAR)


async def test_a_right_that_is_gone_is_gone(tmp_path: Path, board: Board) -> None:
    """A grant from before renders nothing more."""
    grant = await board.cache.authorize("north")
    renderer = renderer_of(board, NINE)
    left_out = '[[users]]\nid = "north"\nroles = ["org_analyst"]\norganizations = ["north"]\n'
    (tmp_path / "access.toml").write_text(ACCESS.replace(left_out, ""))
    await board.cache.authorize("root")
    with pytest.raises(AccessDenied):
        await renderer.render(NINE, YEAR, grant)


async def test_more_questions_than_one_read_may_have(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond ``[limits] batch`` a dashboard is read at once all the same; not beyond all bounds."""
    many = dashboard_of(
        chart_of(
            series=tuple(
                series_of(f"s{place}", where=(Filter("measure_value", "gt", place),))
                for place in range(150)
            )
        )
    )
    rendered = await board.dashboard("north", many)
    assert rendered.meta.queries == 150
    monkeypatch.setattr("warmcube.dashboard.plan.MOST_QUERIES", 149)
    with pytest.raises(LimitExceeded, match="150 different questions"):
        await board.dashboard("north", many)


async def test_others_go_on_while_a_large_dashboard_is_planned(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of questions aren't judged in one go."""
    many = dashboard_of(
        chart_of(
            series=tuple(
                series_of(f"s{place}", where=(Filter("measure_value", "gt", place),))
                for place in range(350)
            )
        )
    )
    answerer, turns, seen = board.cache._parts.answerer, count(), []
    judge = answerer._judge

    def noted(request: Any, schema: Any) -> Any:
        seen.append(now[0])
        return judge(request, schema)

    async def others() -> None:
        while True:
            now[0] = next(turns)
            await asyncio.sleep(0)

    now = [next(turns)]
    monkeypatch.setattr(answerer, "_judge", noted)
    task = asyncio.create_task(others())
    try:
        rendered = await board.dashboard("north", many)
    finally:
        task.cancel()
    assert rendered.meta.queries == 350
    assert max(Counter(seen).values()) == 100


async def test_rights_that_go_while_a_page_is_read_end_it(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No chart is shown as if nothing had happened, and none with an error of its own."""

    async def denied(queries: Any, _grant: Any, **_: Any) -> list[Any]:
        return [AccessDenied("gone", reason="practice outside the scope")] * len(queries)

    monkeypatch.setattr(board.cache, "query_many", denied)
    with pytest.raises(AccessDenied, match="gone"):
        await board.dashboard("north", NINE)


async def test_large_dashboards_are_made_beside_the_event_loop(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same figures."""
    few = await board.dashboard("root", NINE, YEAR)
    monkeypatch.setattr("warmcube.dashboard.render._LARGE", 0)
    many = await board.dashboard("root", NINE, YEAR)
    assert [chart.facets for chart in few.charts] == [chart.facets for chart in many.charts]


async def test_a_table_without_practices_offers_none(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Nor organizations; and a filter of them says why not."""
    columns = "practice = false\nprovider = false\n"
    dashboard = dashboard_of(
        chart_of(where=(Filter("practice_uid", "eq", 110),)), filters=("practice", "region")
    )
    async with make_cache(tmp_path, redis_url, facts, columns=columns) as cache:
        await cache.warm(1)
        board = Board(cache, facts)
        described = await renderer_of(board, dashboard).describe(
            dashboard, await cache.authorize("root")
        )
        offers = described["offers"]
        assert (offers["practices"], offers["providers"], offers["organizations"]) == (
            None,
            None,
            [],
        )
        assert [each["column"] for each in offers["columns"]] == ["region"]
        assert described["charts"][0]["where"][0]["value"] == 110
        for given in ({"organization": "north"}, {"practices": (101,)}):
            filters = UniversalFilters(preset="all", **given)
            with pytest.raises(MissingRole, match="no practice column"):
                await board.dashboard("root", dashboard, filters)


async def test_a_table_that_lacks_roles(tmp_path: Path, redis_url: str, facts: str) -> None:
    """Without dates, practices or values, charts of what there is work, and filters say why not."""
    columns = "date = false\nprovider = false\nvalue = false\n"
    async with make_cache(tmp_path, redis_url, facts, columns=columns) as cache:
        await cache.warm(1)
        board = Board(cache, facts)
        counted = chart_of(type="bar", group_by="region", series=(series_of(aggregate="count"),))
        default = UniversalFilters()
        facet = only(await board.chart("root", counted, default))
        expected = board.select("region, count(*)", "root", rest="GROUP BY 1 ORDER BY 1")
        assert list(zip(keys_of(facet), facet.series[0].values, strict=True)) == expected
        with pytest.raises(MissingRole, match="only be counted"):
            await board.chart("root", chart_of(group_by="region"), default)
        for filters, part in (
            (UniversalFilters(start=NOW.date()), "no date column"),
            (UniversalFilters(providers=(3,)), "no provider column"),
        ):
            with pytest.raises(MissingRole, match=part):
                await board.chart("root", counted, filters)


async def test_only_numbers_are_drawn(tmp_path: Path, redis_url: str, facts: str) -> None:
    """Of texts there is a count, and nothing else that a chart could show."""
    async with make_cache(tmp_path, redis_url, facts, columns='value = "note"\n') as cache:
        await cache.warm(1)
        board = Board(cache, facts)
        for aggregate in ("min", "sum"):
            with pytest.raises(InvalidQuery, match="number"):
                await board.chart("root", chart_of(series=(series_of(aggregate=aggregate),)))
        facet = only(await board.chart("root", chart_of(series=(series_of(aggregate="count"),))))
        assert [(series_named(facet, "charges").total,)] == board.select("count(note)", "root")
