"""How charts are drawn: every type, and what data may do to them. The figures are made up."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from adbc_driver_postgresql import dbapi
from playwright.sync_api import Locator, Page, Route, expect
from tests.support.browser import Visits, flaws
from tests.support.rendered_charts import chart_json, facet_json, series_json
from tests.support.site import Site, in_thread

from warmcube import AnalyticsCache

NOTHING = "\N{EN DASH}"
MONTHS = [f"2025-{month:02}-01" for month in range(1, 13)]
DATES = {"column": "date_index", "column_type": "date"}
MARKUP = (
    '<a href="javascript:alert(1)">link</a><b>bold</b><br>new<sub>low</sub>'
    "<img src=x onerror=\"document.title='owned'\">&lt;i&gt; &amp; %{x} $x^2$ 'quoted\" </script>"
)


@pytest.fixture
def page(page_as: Visits) -> Page:
    """A dashboard's page."""
    opened = page_as("root", "/dashboards/executive", width=1280)
    opened.locator("main[data-shown]").wait_for()
    return opened


def drawn(page: Page, chart: dict[str, Any], **told: Any) -> Locator:
    """The card of a chart that the service is made to answer with."""

    def answer(route: Route) -> None:
        rendered = route.fetch().json()
        rendered["charts"] = [chart]
        rendered["meta"].update(told)
        route.fulfill(json=rendered)

    before = int(page.locator("main").get_attribute("data-shown") or 0)
    page.route("**/render", answer, times=1)
    page.locator("button.filter", has_text="Region").click()
    page.get_by_role("option", name="Bay").click()
    page.keyboard.press("Escape")
    page.locator(f"main[data-shown='{before + 1}']").wait_for()
    card: Locator = page.locator(f"[data-chart='{chart['id']}']")
    card.scroll_into_view_if_needed()
    return card


def paths(card: Locator, kind: str) -> int:
    """How many marks of a kind have a shape."""
    selector = {"bar": ".barlayer .point path", "line": ".js-line", "slice": ".slice path.surface"}
    found: int = card.locator(selector[kind]).evaluate_all(
        "all => all.filter(each => (each.getAttribute('d') ?? '').length > 3).length"
    )
    return found


def points(card: Locator) -> int:
    """How many markers can be seen."""
    found: int = card.locator(".points path.point").evaluate_all(
        "all => all.filter(each => each.getBBox().width > 3).length"
    )
    return found


@pytest.mark.parametrize(
    ("type", "kind", "count"),
    [
        ("line", "line", 2),
        ("area", "line", 2),
        ("bar", "bar", 24),
        ("stacked_bar", "bar", 24),
        ("horizontal_bar", "bar", 24),
        ("pie", "slice", 12),
        ("doughnut", "slice", 12),
    ],
)
def test_every_type_draws_its_marks(page: Page, type: str, kind: str, count: int) -> None:
    """As many as there are figures."""
    values = [str(100 + month) for month in range(12)]
    series = [series_json(values), series_json(values[::-1], "Payments", id="payments")]
    card = drawn(page, chart_json(type, facet_json(MONTHS, *series), **DATES))
    assert paths(card, kind) == count
    assert card.locator(".chart-table tbody tr").count() == 12


def test_two_axes(page: Page) -> None:
    """Bars by the left one, a line by the right one, each with its own numbers."""
    money = {"kind": "currency", "currency": "USD", "decimals": 0}
    share = {"kind": "percent", "currency": None, "decimals": None}
    card = drawn(
        page,
        chart_json(
            "dual_axis",
            facet_json(
                MONTHS[:3],
                series_json(["1000", "2000", "3000"], format=money),
                series_json(["0.1", "0.2", "0.15"], "Rate", id="rate", axis="right", format=share),
            ),
            **DATES,
        ),
    )
    assert (paths(card, "bar"), paths(card, "line")) == (3, 1)
    assert "$3K" in card.locator(".yaxislayer-above").all_text_contents()[0]
    assert "20%" in "".join(card.locator(".overaxes-above").all_text_contents())


def test_missing_figures_are_gaps(page: Page) -> None:
    """A line stops and goes on; a figure between two gaps is a point; the table has a dash."""
    values = ["1", "2", None, "4", None, "6", "7", None, None, None, None, "12"]
    card = drawn(page, chart_json("line", facet_json(MONTHS, series_json(values)), **DATES))
    shapes = card.locator(".js-line").evaluate_all("all => all.map(each => each.getAttribute('d'))")
    assert [each.count("L") for each in shapes if "L" in each] == [1, 1]
    assert points(card) == 2
    cells = card.locator(".chart-table tbody td").all_text_contents()
    assert cells == [NOTHING if value is None else value for value in values]


@pytest.mark.parametrize("type", ["line", "area", "bar", "pie"])
def test_one_figure_can_be_seen(page: Page, type: str) -> None:
    """A single point, bar or slice."""
    card = drawn(page, chart_json(type, facet_json(MONTHS[:1], series_json(["5"])), **DATES))
    seen = {"line": points, "area": points}.get(type)
    assert (seen(card) if seen else paths(card, "bar" if type == "bar" else "slice")) == 1


@pytest.mark.parametrize(
    "facets", [(), (facet_json([]),), (facet_json(MONTHS, series_json([None] * 12)),)]
)
@pytest.mark.parametrize("type", ["line", "bar", "pie", "table", "number"])
def test_nothing_to_show(page: Page, type: str, facets: tuple[Any, ...]) -> None:
    """A sentence, no empty box."""
    card = drawn(page, chart_json(type, *facets, **DATES))
    expect(card.locator(".chart-empty")).to_have_text("No figures for this selection")


def test_a_chart_that_failed_says_why_alone(page: Page) -> None:
    """The other charts are there; what is told is text."""
    error = {"type": "about:blank", "title": "Wrong", "status": 422, "detail": f"no {MARKUP}"}
    card = drawn(page, chart_json("line", error=error))
    expect(card.locator(".chart-problem p")).to_have_text(f"No {MARKUP}.")
    assert card.get_attribute("data-state") == "error"
    assert page.locator("[data-chart='payments'] .figure").count() == 1


@pytest.mark.parametrize("type", ["bar", "stacked_bar", "horizontal_bar", "line", "area"])
def test_negative_figures(page: Page, type: str) -> None:
    """They are on the other side of zero, which is marked."""
    values = ["-3", "2", "0", "-1"]
    card = drawn(page, chart_json(type, facet_json(["a", "b", "c", "d"], series_json(values))))
    assert card.locator(".zerolinelayer path").count() == 1
    assert card.locator(".chart-table tbody td").all_text_contents() == values


def test_compared_figures_stand_beside(page: Page) -> None:
    """A series of its own, dashed, named, with its own days where it is told of."""
    before = series_json(
        ["1", "2", "3"],
        "Charges, a year before",
        id="charges.comparison",
        kind="comparison",
        of="charges",
        keys=["2024-01-01", "2024-02-01", "2024-03-01"],
    )
    chart = chart_json(
        "line", facet_json(MONTHS[:3], series_json(["2", "3", "4"]), before), **DATES
    )
    card = drawn(page, chart)
    lines = card.locator(".js-line").evaluate_all(
        "all => all.map(each => getComputedStyle(each).strokeDasharray)"
    )
    assert sorted(each == "none" for each in lines) == [False, True]
    card.locator(".chart-canvas").focus()
    page.keyboard.press("ArrowRight")
    expect(card.locator(".chart-tip")).to_contain_text("Charges, a year before (January 2024)")


def test_numbers_are_exact_in_text(page: Page) -> None:
    """No digit is lost on the way through a page, whatever a picture can show."""
    exact = "12345678901234567890.12"
    money = {"kind": "currency", "currency": "EUR", "decimals": 2}
    chart = chart_json("bar", facet_json(["a"], series_json([exact], format=money)))
    card = drawn(page, chart)
    cell = card.locator(".chart-table tbody td")
    expect(cell).to_have_text("€12,345,678,901,234,567,890.12")
    assert cell.get_attribute("data-exact") == exact


def test_shares_of_a_hundred(page: Page) -> None:
    """Each bar is as high as the others; the table and the hover have the figures themselves."""
    one, two = series_json(["1", "30"]), series_json(["3", "10"], "Payments", id="payments")
    card = drawn(page, chart_json("stacked_bar", facet_json(["a", "b"], one, two), is_percent=True))
    tops = card.locator(".barlayer .point path").evaluate_all(
        "all => all.map(each => Math.round(each.getBBox().height * 100))"
    )
    assert abs((tops[0] + tops[2]) - (tops[1] + tops[3])) < 100
    assert card.locator(".chart-table tbody td").all_text_contents() == ["1", "3", "30", "10"]
    card.locator(".chart-canvas").focus()
    page.keyboard.press("ArrowRight")
    expect(card.locator(".chart-tip")).to_contain_text("1 (25%)")


def test_small_multiples_share_their_scale(page: Page) -> None:
    """One picture for each value, with its name, and the same range of numbers for all."""
    facets = [
        facet_json(["a", "b"], series_json([str(number), str(number * 2)]), key=name, title=name)
        for number, name in enumerate(("north", "south", "<b>east</b>", "west", "none"), 1)
    ]
    card = drawn(page, chart_json("bar", *facets))
    assert paths(card, "bar") == 10
    titles = card.locator(".annotation-text").all_text_contents()
    assert titles == ["north", "south", "<b>east</b>", "west", "none"]
    heights = card.locator(".barlayer .point path").evaluate_all(
        "all => all.map(each => each.getBBox().height)"
    )
    assert heights[8] == pytest.approx(heights[0] * 5, rel=0.05)


def test_five_hundred_series(page: Page) -> None:
    """All are drawn and in the table; the legend names some, and the page goes on answering."""
    series = [
        series_json(
            [str(number + month) for month in range(12)], f"S {number}", id=f"charges/{number}"
        )
        for number in range(500)
    ]
    card = drawn(page, chart_json("line", facet_json(MONTHS, *series), **DATES))
    assert paths(card, "line") == 500
    assert card.locator(".chart-legend button").count() == 16
    expect(card.locator(".chart-legend .rest")).to_contain_text("and 484 more")
    assert card.locator(".chart-table tbody td").count() == 6000
    card.locator(".chart-canvas").focus()
    page.keyboard.press("End")
    expect(card.locator(".chart-tip")).to_contain_text("and 491 more")


def test_many_labels_and_the_same_names(page: Page) -> None:
    """Positions are told apart by where they are, never by what they are called."""
    labels = ["same", "same", None, *(f"Label number {number}" for number in range(60))]
    values = [str(number) for number in range(1, 64)]
    card = drawn(page, chart_json("horizontal_bar", facet_json(labels, series_json(values))))
    assert paths(card, "bar") == 63


def test_a_stale_and_a_cold_answer(page: Page) -> None:
    """Old data say so, and so does an answer of the database."""
    chart = chart_json("number", facet_json([None], series_json(["1"])), column=None)
    drawn(page, chart, stale=True, as_of="2026-01-01T10:03:00+00:00")
    expect(page.locator(".freshness")).to_contain_text("older than usual")
    drawn(page, chart, stale=False, origin="database", as_of=None)
    expect(page.locator(".freshness")).to_contain_text("straight from the database")
    assert (page.locator(".page-foot").text_content() or "").startswith("From the database, ")


@pytest.mark.parametrize(
    "type",
    [
        "line",
        "bar",
        "stacked_bar",
        "horizontal_bar",
        "pie",
        "doughnut",
        "number",
        "progress",
        "table",
    ],
)
def test_markup_in_every_name_is_text(page: Page, type: str) -> None:
    """Series, label, part, title and note; on the screen, in the hover and in pictures."""
    facet = facet_json(
        [MARKUP, "b"],
        series_json(["1", "2"], MARKUP),
        series_json(["2", "1"], f"{MARKUP} two", id="payments"),
        title=MARKUP,
        key=MARKUP,
    )
    chart = chart_json(
        type,
        facet,
        title=MARKUP,
        notes=[MARKUP],
        progress={"target": "4", "share": "0.25"},
    )
    card = drawn(page, chart)
    assert page.locator("main a[href^=javascript], main b, main sub, main img, main i").count() == 0
    assert page.title() != "owned"
    if type not in ("number", "progress", "table"):
        texts = card.locator(".main-svg text").all_text_contents()
        assert any("<a href=" in text for text in texts)
        assert card.locator(".main-svg a, .main-svg tspan[style*=bold]").count() == 0
        card.locator(".chart-canvas").focus()
        page.keyboard.press("ArrowRight")
        expect(card.locator(".chart-tip")).to_contain_text("<b>bold</b>")
        with page.expect_download() as downloading:
            card.locator(".menu-host > button").click()
            page.get_by_role("menuitem", name="Picture, SVG").click()
        picture = downloading.value.path().read_text(encoding="utf-8")
        assert "<a " not in picture
        assert "&#60;a href=" in picture


BOARD = """
id = "marked"
title = '''{markup}'''
description = '''{markup}'''
datasource = 1
dates = {{ start = 2025-01-01, end = 2025-12-31 }}
[names]
practice = "practice_name"
provider = "provider_name"
[[charts]]
id = "top"
title = '''{markup}'''
description = '''{markup}'''
type = "horizontal_bar"
frequency = "Monthly"
group_by = "practice"
series = [{{ name = '''{markup}''', measure = '''{markup}''' }}]
[[charts]]
id = "providers"
title = "Providers"
type = "pie"
frequency = "Monthly"
group_by = "provider"
measure = '''{markup}'''
"""


@pytest.fixture
def marked(site: Site) -> Iterator[None]:
    """A dashboard, a measure, a practice, a provider and an organization whose names are markup."""
    access, board = site.folder / "access.toml", site.folder / "dashboards" / "marked.toml"
    before = access.read_text(encoding="utf-8")

    def run(*statements: tuple[str, tuple[Any, ...]]) -> None:
        with (
            dbapi.connect(site.database, autocommit=True) as connection,
            connection.cursor() as cursor,
        ):
            for statement, values in statements:
                cursor.execute(statement, values)

        async def warm() -> None:
            async with AnalyticsCache.from_config(site.folder / "warmcube.toml") as cache:
                await cache.warm(1)

        in_thread(warm)

    run(
        (
            (
                "INSERT INTO ih.agg_app_measures (measure, measure_type, practice_uid, "
                "practice_name, region, provider_uid, provider_name, specialty, frequency, "
                "date_index, measure_value, cases, loaded_at) SELECT $1, measure_type, "
                "practice_uid, $1, $1, provider_uid, $1, specialty, frequency, date_index, "
                "measure_value, cases, loaded_at FROM ih.agg_app_measures "
                "WHERE measure = 'Charges' AND frequency = 'Monthly' AND practice_uid = 101"
            ),
            (MARKUP,),
        )
    )
    board.write_text(BOARD.format(markup=MARKUP), encoding="utf-8")
    access.write_text(before.replace('"Meridian North"', json.dumps(MARKUP)), encoding="utf-8")
    time.sleep(2.5)  # each process looks for news once a second; a page of before is an error
    yield
    access.write_text(before, encoding="utf-8")
    board.unlink()
    run(("DELETE FROM ih.agg_app_measures WHERE measure = $1", (MARKUP,)))


def test_markup_from_the_database_to_the_page(page_as: Visits, marked: None) -> None:
    """In the page's first byte, in the charts, in the filters: letter by letter."""
    page = page_as("root", "/dashboards/marked")
    page.locator("main[data-shown]").wait_for()
    assert page.locator("h1").text_content() == MARKUP
    assert page.locator("[data-chart=top] h2").text_content() == MARKUP
    heads = page.locator("[data-chart=top] .chart-table thead th").all_text_contents()
    assert heads[1] == MARKUP
    assert page.locator("[data-chart=top] tbody th").first.text_content() == MARKUP
    assert page.locator("[data-chart=providers] tbody th").first.text_content() == MARKUP
    page.locator("button.filter", has_text="Practices").click()
    option = page.locator(".picker:popover-open [role=option] .text").first
    assert option.text_content() == MARKUP
    page.keyboard.press("Escape")
    organizations = page.locator(".picker:popover-open [role=option] .text")
    for _ in range(50):  # until the directory has been read again
        page.locator("button.filter", has_text="Organization").click()
        organizations.first.wait_for()
        if MARKUP in organizations.all_text_contents():
            break
        page.wait_for_timeout(100)
        page.reload()
    assert MARKUP in organizations.all_text_contents()
    page.keyboard.press("Escape")
    assert page.locator("main a, main b, main sub, main img, main i").count() == 0
    assert page.title().startswith("<a href=")
    page.goto("/dashboards")
    expect(page.locator("h1")).to_have_text("Dashboards")
    assert MARKUP in page.locator(".dashboard-list h2").all_text_contents()
    assert page.locator("main b, main img").count() == 0
    assert flaws(page) == []


def clicked(page: Page, card: Locator) -> dict[str, Any]:
    """Click on the second bar of the first trace; which rows are asked for."""
    answer: dict[str, Any] = {"schema": [], "columns": {}, "meta": {}}
    page.route("**/rows", lambda route: route.fulfill(json=answer))
    box = card.locator(".barlayer .trace").first.locator(".point path").nth(1).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    with page.expect_request("**/rows") as asked:
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    sent = asked.value.post_data_json
    assert sent is not None
    return {name: sent[name] for name in ("label", "split", "series", "period") if name in sent}


@pytest.mark.parametrize(
    ("labels", "told", "keys", "wanted"),
    [
        (["Bay", "Coast"], {}, None, "Coast"),
        (["2025-01-01", "2025-02-01"], DATES, ["2024-01-01", "2024-02-01"], "2024-02-01"),
    ],
)
def test_rows_behind_the_compared_period(
    page: Page, labels: list[str], told: dict[str, Any], keys: list[str] | None, wanted: str
) -> None:
    """They are those of the mark's own label; only dates are others in the compared period."""
    more = {"kind": "comparison", "of": "charges", "keys": keys}
    compared = series_json(["3", "4"], "A year before", id="charges.comparison", **more)
    chart = chart_json("bar", facet_json(labels, series_json(["1", "2"]), compared), **told)
    card = drawn(page, chart)
    assert clicked(page, card) == {
        "label": {"key": wanted},
        "series": "charges",
        "period": "compared",
    }


def test_rows_behind_a_calculation_in_the_compared_period(page: Page) -> None:
    """A calculation has none of its own: they are the chart's, of its label, split and period."""
    rate = series_json(["1", "2"], "Rate: Bay", kind="calculation", id="rate/Bay", split="Bay")
    more = {"kind": "comparison", "of": "rate/Bay", "keys": ["2024-01-01", "2024-02-01"]}
    compared = series_json(
        ["3", "4"], "A year before", id="rate/Bay.comparison", split="Bay", **more
    )
    labels = ["2025-01-01", "2025-02-01"]
    card = drawn(page, chart_json("bar", facet_json(labels, rate, compared), **DATES))
    assert clicked(page, card) == {
        "label": {"key": "2024-02-01"},
        "split": {"key": "Bay"},
        "period": "compared",
    }
