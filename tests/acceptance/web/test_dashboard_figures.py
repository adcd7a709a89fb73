"""Every figure on the demo's dashboards is SQL's, whoever looks, and every chart has its marks."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Page
from tests.support.board_sql import Figures, figures_by_sql
from tests.support.browser import Visits, flaws
from tests.support.site import ROWS, Site

from warmcube.demo.generate import practice_count

PRACTICES = practice_count(ROWS)
SEEN = {
    "root": ("executive", "practice", "provider"),
    "north": ("executive", "practice", "provider"),
    "provider": ("provider",),
    "nobody": ("executive", "practice", "provider"),
}
"""Which dashboards each user has; lost has none at all."""
CELLS = """
card => [...card.querySelectorAll('.chart-table tbody tr')].flatMap(row =>
  [...row.querySelectorAll('td[data-series]')].map(cell => [
    row.dataset.part ?? '', row.dataset.key, row.hasAttribute('data-other'),
    cell.dataset.series, cell.dataset.exact ?? null]))
"""
MARKS = ".scatterlayer .trace path, .barlayer .point path, .pielayer .slice path"


def opened(page: Page, path: str) -> Page:
    """A dashboard's page, when all of it is there."""
    page.goto(path)
    page.locator("main[data-shown]").wait_for()
    return page


def described(page: Page, board: str) -> dict[str, Any]:
    """What the service says of a dashboard."""
    answer: dict[str, Any] = page.request.get(f"/api/dashboards/{board}").json()
    return answer


def days(page: Page) -> dict[str, tuple[str, str]]:
    """The days that each chart is about."""
    rendered = json.loads(page.locator("#first-figures").text_content() or "")
    return {
        chart["id"]: (chart["dates"]["start"], chart["dates"]["end"])
        for chart in rendered["charts"]
    }


def compare(told: list[list[Any]], series: dict[str, Any], sql: Figures) -> int:
    """Hold the cells of a measure to SQL's; how many of them hold a number."""
    cells = [cell for cell in told if cell[3].partition("/")[0] == series["id"]]
    shown = defaultdict(set)
    for _, key, is_other, name, _ in cells:
        if not is_other:
            shown["label"].add(key)
        if not name.endswith("/~other"):
            shown["split"].add(name.partition("/")[2])
    for part, key, is_other, name, exact in cells:
        split = name.partition("/")[2]
        wanted = [
            value
            for (multiple, label, of), value in sql.items()
            if multiple == part
            and (label not in shown["label"] if is_other else label == key)
            and (of not in shown["split"] if split == "~other" else of == split)
        ]
        found = [value for value in wanted if value is not None]
        expected = sum(found, Decimal(0)) if found else None
        given = None if exact is None else Decimal(exact)
        if given is not None and expected is None:
            assert given == 0, (part, key, name)  # `missing = "zero"`
            continue
        assert (given is None) == (expected is None), (part, key, name)
        if given is not None and expected is not None:
            assert round(given, 10) == round(expected, 10), (part, key, name)
    return sum(cell[4] is not None for cell in cells)


@pytest.mark.parametrize(
    ("user", "board"), [(user, board) for user, boards in SEEN.items() for board in boards]
)
def test_the_tables_hold_what_sql_says(page_as: Visits, site: Site, user: str, board: str) -> None:
    """Each measure of each chart, cell by cell; so do the pictures, which are made of the same."""
    page = opened(page_as(user), f"/dashboards/{board}")
    definition = described(page, board)
    of_charts = days(page)
    compared = 0
    for chart in definition["charts"]:
        told = page.locator(f"[data-chart='{chart['id']}']").evaluate(CELLS)
        for series in chart["series"]:
            if series["is_hidden"]:
                continue
            of_chart = of_charts[chart["id"]]
            sql = figures_by_sql(site.database, user, PRACTICES, chart, series, of_chart)
            compared += compare(told, series, sql)
    assert (compared == 0) == (user == "nobody")


@pytest.mark.parametrize(("user", "board"), [("root", "executive"), ("north", "practice")])
def test_a_filter_in_the_address_holds_in_sql(
    page_as: Visits, site: Site, user: str, board: str
) -> None:
    """Days, practices and a further column together."""
    address = "?start=2025-03-01&end=2025-08-31&practices=101,106,109&where.region=Coast"
    page = opened(page_as(user), f"/dashboards/{board}{address}")
    of_charts = days(page)
    where = "practice_uid IN (101, 106, 109) AND region = 'Coast'"
    for chart in described(page, board)["charts"]:
        told = page.locator(f"[data-chart='{chart['id']}']").evaluate(CELLS)
        for series in chart["series"]:
            if not series["is_hidden"]:
                of_chart = of_charts[chart["id"]]
                compare(
                    told,
                    series,
                    figures_by_sql(site.database, user, PRACTICES, chart, series, of_chart, where),
                )


@pytest.mark.parametrize(
    ("width", "theme"),
    [
        (390, "dark"),
        (1440, "light"),
        pytest.param(390, "light", marks=pytest.mark.long),
        pytest.param(1440, "dark", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize(
    ("user", "board"), [("root", "executive"), ("north", "practice"), ("provider", "provider")]
)
def test_every_chart_has_its_marks(
    page_as: Visits, user: str, board: str, width: int, theme: str
) -> None:
    """No empty box, nothing sticks out, nothing that keeps anybody out."""
    page = opened(
        page_as(user, theme=theme, width=width),  # type: ignore[arg-type]
        f"/dashboards/{board}",
    )
    for card in page.locator(".chart-card").all():
        name = card.get_attribute("data-chart")
        kind = card.get_attribute("data-type")
        assert card.get_attribute("data-state") == "ready", name
        if kind in ("number", "progress"):
            assert (card.locator(".figure").text_content() or "\N{EN DASH}") != "\N{EN DASH}", name
        elif kind == "table":
            assert card.locator(".chart-view tbody tr").count() > 0, name
        else:
            drawn = card.locator(MARKS).evaluate_all(
                "all => all.filter(each => (each.getAttribute('d') ?? '').length > 3).length"
            )
            assert drawn > 0, name
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert flaws(page) == []


@pytest.mark.parametrize(("user", "board"), [("nobody", "executive"), ("lost", "provider")])
def test_nothing_is_said_so(page_as: Visits, user: str, board: str) -> None:
    """Whoever has no rows gets sentences instead of empty boxes, each chart for itself."""
    page = opened(page_as(user), f"/dashboards/{board}")
    said = page.locator(".chart-empty").all_text_contents()
    assert said == ["No figures for this selection"] * page.locator(".chart-card").count()
    assert page.locator("#notices").inner_text() == "There is nothing here that you may see."
    assert flaws(page) == []
