"""What one does on a dashboard's page: filter, share, look closer, take along."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from adbc_driver_postgresql import dbapi
from playwright.sync_api import Page, Route, expect
from tests.support.browser import Visits, flaws
from tests.support.site import Site, in_thread

from warmcube import AnalyticsCache

PAYMENTS = (
    "SELECT {what} FROM ih.agg_app_measures WHERE measure = 'Payments' AND frequency = 'Monthly' "
    "AND provider_uid IS NOT NULL AND date_index BETWEEN '2025-01-01' AND '2025-12-31'"
)


def opened(page: Page, path: str) -> Page:
    """A dashboard's page, when all of it is there."""
    page.goto(path)
    page.locator("main[data-shown]").wait_for()
    return page


def changed(page: Page, act: Callable[[], Any]) -> None:
    """Do something that has other figures shown, and wait for all of them."""
    before = int(page.locator("main").get_attribute("data-shown") or 0)
    act()
    page.locator(f"main[data-shown='{before + 1}']").wait_for()


def asked(site: Site, sql: str) -> Any:
    """What SQL says, exactly."""
    with dbapi.connect(site.database) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def figure(page: Page, chart: str) -> Decimal:
    """The figure of a tile."""
    exact = page.locator(f"[data-chart='{chart}'] .figure").get_attribute("data-exact")
    return Decimal(exact or "")


def payments(site: Site, where: str = "TRUE") -> Decimal:
    """By SQL, of all practices."""
    sql = PAYMENTS.format(what="sum(measure_value)::text")
    return Decimal(asked(site, f"{sql} AND {where}")[0][0])


def choose(page: Page, filter: str, *values: str) -> None:
    """Choose values of a filter, as somebody with a mouse does."""
    page.locator(".filter-bar button.filter", has_text=filter).click()
    box = page.locator(".picker:popover-open")
    for value in values:
        box.get_by_role("combobox").fill(value)
        changed(page, box.get_by_role("option", name=value).first.click)
    page.keyboard.press("Escape")
    expect(box).to_have_count(0)


def test_the_list_shows_what_one_may_see(
    page_as: Visits, keep_picture: Callable[[Page, str], None]
) -> None:
    """Cards that lead to the dashboards; none that are for others."""
    page = page_as("north", "/dashboards", width=1440)
    assert page.locator(".dashboard-list h2").all_text_contents() == [
        "Executive overview",
        "Practice performance",
        "My work",
    ]
    keep_picture(page, "dashboards")
    page.get_by_role("link", name="Executive overview").click()
    page.wait_for_url("**/dashboards/executive")
    mine = page_as("provider", "/dashboards")
    assert mine.locator(".dashboard-list h2").all_text_contents() == ["My work"]
    page_as.forgive("status of 404")
    other = page_as("provider")
    response = other.goto("/dashboards/executive")
    assert response is not None
    assert response.status == 404


def test_a_filter_narrows_the_figures_and_is_in_the_address(
    page_as: Visits, site: Site, keep_picture: Callable[[Page, str], None]
) -> None:
    """Values are found by name; back and forward show what was there; reset shows all again."""
    page = opened(page_as("root", width=1440), "/dashboards/executive")
    everything = payments(site)
    assert figure(page, "payments") == everything
    choose(page, "Practices", "Alder Family Medicine")
    assert page.url == f"{site.url}/dashboards/executive?practices=101"
    assert figure(page, "payments") == payments(site, "practice_uid = 101")
    choose(page, "Region", "Coast")
    both = f"{site.url}/dashboards/executive?practices=101&where.region=Coast"
    assert page.url == both
    assert figure(page, "payments") == payments(site, "practice_uid = 101 AND region = 'Coast'")
    keep_picture(page, "dashboard-filtered")
    changed(page, page.go_back)
    assert figure(page, "payments") == payments(site, "practice_uid = 101")
    expect(page.locator("button.filter", has_text="Region")).to_contain_text("All")
    changed(page, page.go_forward)
    assert page.url == both
    opened(page, both)
    expect(page.locator("button.filter", has_text="Practices")).to_contain_text("Alder")
    changed(page, page.get_by_role("button", name="Reset").click)
    assert page.url == f"{site.url}/dashboards/executive"
    assert figure(page, "payments") == everything


def test_dates_by_preset_and_by_hand(page_as: Visits, site: Site) -> None:
    """A range is refused with a sentence if it is none; the address has what was chosen."""
    page = opened(page_as("root"), "/dashboards/executive")
    button = page.locator("button.dates")
    button.click()
    page.get_by_label("First day").fill("2025-06-30")
    page.get_by_label("Last day").fill("2025-01-01")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("alert")).to_have_text("The first day comes after the last one.")
    page.get_by_label("First day").fill("2025-02-01")
    page.get_by_label("Last day").fill("2025-04-30")
    changed(page, page.get_by_role("button", name="Apply").click)
    assert page.url.endswith("?start=2025-02-01&end=2025-04-30")
    days = "date_index BETWEEN '2025-02-01' AND '2025-04-30'"
    assert figure(page, "payments") == payments(site, days)
    button.click()
    changed(page, page.get_by_role("button", name="All dates").click)
    assert page.url.endswith("?preset=all")
    expect(button).to_contain_text("All dates")


def test_a_link_shows_others_no_more_than_is_theirs(page_as: Visits, site: Site) -> None:
    """What they may not see is named as the link named it, and the rest is shown."""
    page = opened(page_as("north"), "/dashboards/practice?practices=101,103,no-such")
    # 101 is north's; 103 isn't. What can't be an id at all spoils the whole link.
    expect(page.locator(".page-notices")).to_contain_text("no-such")
    opened(page, "/dashboards/practice?practices=101,103&organization=south")
    notices = page.locator(".page-notices .notice").all_text_contents()
    assert [re.sub(r":.*", "", each) for each in notices] == [
        *("Practice 103", "Organization south"),
        "Nothing that you may see is in this selection",
    ]
    opened(page, "/dashboards/practice?practices=101,103")
    exact = page.locator("[data-chart='visits'] .figure").get_attribute("data-exact")
    visits = (
        "SELECT sum(measure_value)::text FROM ih.agg_app_measures WHERE measure = 'Visits' AND "
        "frequency = 'Monthly' AND provider_uid IS NOT NULL AND practice_uid = 101 AND "
        "date_index BETWEEN '2025-01-01' AND '2025-12-31'"
    )
    assert Decimal(exact or "") == Decimal(asked(site, visits)[0][0])
    assert "Cedar" not in page.content()


@pytest.mark.parametrize(
    ("address", "word"),
    [
        ("?preset=last_blue_moon", "last_blue_moon"),
        ("?where.nothing=1", "nothing"),
        ("?start=2025-13-01", "2025-13-01"),
        ("?start=2025-02-01&end=2025-01-01", "2025-02-01"),
        ("?where.region=%3Cb%3Ex%3C/b%3E&preset=%3Cimg%20src=x%3E", "<img src=x>"),
    ],
)
def test_a_link_that_is_wrong(page_as: Visits, site: Site, address: str, word: str) -> None:
    """A sentence says what is wrong with it, and the page shows what it shows without."""
    page = opened(page_as("root"), f"/dashboards/executive{address}")
    expect(page.locator(".page-notices .notice")).to_contain_text(word)
    assert figure(page, "payments") == payments(site)


def test_rows_behind_a_mark(page_as: Visits, site: Site) -> None:
    """A click on a bar's cell, by keyboard, shows the rows that it is the sum of."""
    page = opened(page_as("root"), "/dashboards/executive")
    card = page.locator("[data-chart='payments-by-month']")
    card.get_by_role("button", name="Show as table").focus()
    page.keyboard.press("Enter")
    card.locator("tr[data-key='2025-03-01'] button.figure").first.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Rows behind")
    where = "date_index = '2025-03-01'"
    ((count,),) = asked(site, f"{PAYMENTS.format(what='count(*)')} AND {where}")
    expect(dialog.get_by_role("status")).to_contain_text(f"of {count} rows")
    total, seen = Decimal(0), 0
    while True:
        rows = dialog.locator("tbody tr")
        heads = dialog.locator("thead th").all_text_contents()
        at = heads.index("measure_value")
        for row in rows.all():
            total += Decimal(row.locator("td").nth(at).text_content() or "")
        seen += rows.count()
        if seen == count:
            break
        dialog.get_by_role("button", name="Next").click()
        expect(dialog.get_by_role("status")).to_contain_text(f"{seen + 1}\N{EN DASH}")
    assert total == payments(site, where)
    assert flaws(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_a_click_on_a_mark_leads_to_another_dashboard(page_as: Visits, site: Site) -> None:
    """Narrowed to what was clicked on, and by what the page was narrowed by."""
    page = opened(page_as("root"), "/dashboards/executive?where.region=Coast")
    bars = page.locator("[data-chart='top-practices'] .barlayer .point path")
    first = page.locator("[data-chart='top-practices'] tbody tr").first.get_attribute("data-key")
    bars.first.scroll_into_view_if_needed()
    box = bars.first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 3, box["y"] + box["height"] / 2)
    page.mouse.move(box["x"] + 5, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + 5, box["y"] + box["height"] / 2)
    page.wait_for_url(f"**/dashboards/practice?practices={first}&where.region=Coast")


def test_a_name_in_a_table_leads_there_too(page_as: Visits) -> None:
    """As the bar of the same practice would."""
    page = opened(page_as("root"), "/dashboards/executive")
    row = page.locator("[data-chart='practices'] tbody tr").first
    practice = row.get_attribute("data-key")
    row.locator("th button").click()
    page.wait_for_url(f"**/dashboards/practice?practices={practice}")


def test_a_table_takes_the_place_of_its_picture(page_as: Visits) -> None:
    """And no more room: what stands beside it and below stays where it is."""
    page = opened(page_as("root"), "/dashboards/executive")
    card = page.locator("[data-chart='payments-by-month']")
    before = card.bounding_box()
    card.get_by_role("button", name="Show as table").click()
    expect(card.locator("tbody tr").first).to_be_visible()
    assert card.bounding_box() == before


def chosen_from_menu(page: Page, chart: str, item: str) -> None:
    """Choose something from a chart's menu."""
    page.locator(f"[data-chart='{chart}'] .menu-host > button").click()
    page.get_by_role("menuitem", name=item).click()


def test_files_hold_what_sql_says(page_as: Visits, site: Site) -> None:
    """CSV and Parquet of a chart under the page's filters; PNG and SVG are pictures."""
    page = opened(page_as("root"), "/dashboards/executive?practices=101,102")
    sql = PAYMENTS.format(what="date_index::text, sum(measure_value)::text")
    sql += " AND practice_uid IN (101, 102) GROUP BY 1 ORDER BY 1"
    expected = {day: Decimal(value) for day, value in asked(site, sql)}
    found: dict[str, bytes] = {}
    for item, name in (
        ("Data, CSV", "Payments-by-month.csv"),
        ("Data, Parquet", "Payments-by-month.parquet"),
        ("Picture, PNG", "Payments-by-month.png"),
        ("Picture, SVG", "Payments-by-month.svg"),
    ):
        with page.expect_download() as downloading:
            chosen_from_menu(page, "payments-by-month", item)
        assert downloading.value.suggested_filename == name
        found[name.rpartition(".")[2]] = Path(downloading.value.path()).read_bytes()
    rows = list(csv.DictReader(io.StringIO(found["csv"].decode())))
    day, measure = next(iter(rows[0])), next(name for name in rows[0] if "Payments" in name)
    assert {row[day]: Decimal(row[measure]) for row in rows} == expected
    table = pl.read_parquet(found["parquet"])
    assert {str(k): v for k, v in table.select(day, measure).iter_rows()} == expected
    assert found["png"].startswith(b"\x89PNG\r\n")
    assert len(found["png"]) > 20_000
    assert b"Payments by month" in found["svg"]
    assert b"<script" not in found["svg"]


def test_who_may_not_export_is_offered_no_files(page_as: Visits) -> None:
    """Pictures of what they see anyway, but no data."""
    page = opened(page_as("provider"), "/dashboards/provider")
    page.locator("[data-chart='growth'] .menu-host > button").click()
    assert page.locator(".menu:popover-open [role=menuitem]").all_text_contents() == [
        "Show the rows",
        "Picture, PNG",
        "Picture, SVG",
    ]


def test_a_chart_is_read_by_keyboard(page_as: Visits) -> None:
    """Arrows read figures out, Enter shows the rows, plus zooms in and Escape out again."""
    page = opened(page_as("root"), "/dashboards/executive")
    card = page.locator("[data-chart='payments-by-month']")
    canvas = card.locator(".chart-canvas")
    canvas.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    cell = card.locator("tr[data-key='2025-02-01'] td").first
    expect(card.locator("[aria-live]")).to_contain_text("February 2025: Payments")
    expect(card.locator("[aria-live]")).to_contain_text(cell.text_content() or "no text")
    expect(card.locator(".chart-tip")).to_be_visible()
    page.keyboard.press("+")
    expect(card.get_by_role("button", name="Reset zoom")).to_be_visible()
    page.keyboard.press("Escape")
    expect(card.get_by_role("button", name="Reset zoom")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Rows behind")).to_be_visible()


def test_filters_by_keyboard_alone(page_as: Visits, site: Site) -> None:
    """Open, search, choose and close without a mouse; the focus comes back."""
    page = opened(page_as("root"), "/dashboards/executive")
    button = page.locator("button.filter", has_text="Practices")
    button.focus()
    page.keyboard.press("Enter")
    box = page.get_by_role("combobox", name="Search practices")
    expect(box).to_be_focused()
    expect(page.locator(".picker:popover-open [role=option]").first).to_be_visible()
    page.keyboard.type("102")
    changed(page, lambda: page.keyboard.press("Enter"))
    assert flaws(page) == []
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    assert figure(page, "payments") == payments(site, "practice_uid = 102")


def test_a_legend_hides_and_isolates(page_as: Visits) -> None:
    """A click hides a series, a double click shows it alone; the button says which."""
    page = opened(page_as("root"), "/dashboards/executive")
    card = page.locator("[data-chart='payments-by-month']")
    lines = card.locator(".js-line")
    expect(lines).to_have_count(4)
    entry = card.locator(".chart-legend button").first
    entry.click()
    expect(entry).to_have_attribute("aria-pressed", "false")
    expect(lines).to_have_count(3)
    page.wait_for_timeout(600)  # two clicks that aren't one double click
    entry.click()
    expect(lines).to_have_count(4)
    card.locator(".chart-legend button").nth(2).dblclick()
    expect(lines).to_have_count(1)


def test_the_other_theme_redraws_the_charts(page_as: Visits) -> None:
    """Axes, grids and slices have the theme's colours at once."""
    page = opened(page_as("root"), "/dashboards/executive")
    slice_ = page.locator("[data-chart='payments-by-region'] .pielayer .slice path").first
    before = slice_.evaluate("each => getComputedStyle(each).fill")
    page.get_by_role("button", name="Switch to the dark theme").click()
    after = slice_.evaluate("each => getComputedStyle(each).fill")
    assert after != before


def test_a_failure_leaves_what_was_there(page_as: Visits, site: Site) -> None:
    """With a sentence, and a button that tries again."""
    page_as.forgive("status of 503")
    page = opened(page_as("root"), "/dashboards/executive")
    everything = figure(page, "payments")
    body = '{"type": "about:blank", "title": "Overloaded", "status": 503, "detail": "too much"}'
    page.route("**/render", lambda route: route.fulfill(status=503, body=body))
    page.locator("button.filter", has_text="Region").click()
    page.get_by_role("option", name="Bay").click()
    page.keyboard.press("Escape")
    notice = page.locator(".page-notices .notice")
    expect(notice).to_contain_text("Too much.")
    assert figure(page, "payments") == everything
    page.unroute("**/render")
    changed(page, notice.get_by_role("button", name="Try again").click)
    assert figure(page, "payments") == payments(site, "region = 'Bay'")
    expect(notice).to_have_count(0)


def test_a_later_filter_wins(page_as: Visits, site: Site) -> None:
    """Figures that come too late for the filters of now are never shown."""
    page = opened(page_as("root"), "/dashboards/executive")
    held: list[Route] = []
    page.route("**/render", lambda route: held.append(route), times=1)  # noqa: PLW0108 - it looks at the signature
    page.locator("button.filter", has_text="Region").click()
    page.get_by_role("option", name="Bay").click()
    while not held:
        page.wait_for_timeout(20)
    changed(page, page.get_by_role("option", name="City").click)
    assert figure(page, "payments") == payments(site, "region IN ('Bay', 'City')")


@pytest.fixture
def refreshed(site: Site) -> Iterator[Callable[[str], None]]:
    """Changes the table and warms it anew; in the end all is as it was."""

    def warm() -> None:
        async def run() -> None:
            async with AnalyticsCache.from_config(site.folder / "warmcube.toml") as cache:
                await cache.warm(1)

        in_thread(run)

    def change(sql: str) -> None:
        with (
            dbapi.connect(site.database, autocommit=True) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)
        warm()

    change("CREATE TABLE kept AS SELECT * FROM ih.agg_app_measures WHERE practice_uid = 101")
    yield change
    change("DELETE FROM ih.agg_app_measures WHERE practice_uid = 101")
    change("INSERT INTO ih.agg_app_measures SELECT * FROM kept")
    change("DROP TABLE kept")


def test_a_new_snapshot_is_shown_by_itself(
    page_as: Visits, site: Site, refreshed: Callable[[str], None]
) -> None:
    """An open page asks now and then, and shows what is new; a hidden one asks nothing."""
    page = page_as("root")
    page.clock.install()
    opened(page, "/dashboards/executive")
    before = figure(page, "payments")
    refreshed(
        "UPDATE ih.agg_app_measures SET measure_value = measure_value + 1 WHERE practice_uid = 101"
    )
    changed(page, lambda: page.clock.run_for(20_000))
    after = figure(page, "payments")
    assert after == payments(site)
    assert after != before


def test_it_prints_with_its_dates_and_without_tools(
    page_as: Visits, keep_picture: Callable[[Page, str], None]
) -> None:
    """What can't be clicked on paper isn't there, and what was chosen is said."""
    page = opened(page_as("root"), "/dashboards/executive?practices=101")
    page.emulate_media(media="print")
    expect(page.locator(".filter-bar")).to_be_hidden()
    expect(page.locator(".chart-tools").first).to_be_hidden()
    printed = page.locator(".printed")
    expect(printed).to_contain_text("Practices: Alder Family Medicine")
    expect(printed).to_contain_text("2025")
    assert page.pdf().startswith(b"%PDF")


def test_pictures_for_the_docs(page_as: Visits, keep_picture: Callable[[Page, str], None]) -> None:
    """A sample dashboard, as somebody sees it who opens it for the first time."""
    for theme in ("light", "dark"):
        page = opened(
            page_as("root", width=1440, height=810, theme=theme),
            "/dashboards/executive",
        )
        assert (page.locator(".page-foot").text_content() or "").startswith("From cache, as of ")
        keep_picture(page, f"dashboard-{theme}")
