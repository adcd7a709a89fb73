"""The explore page: what it shows, to whom, and what it says where it can't."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Page, expect
from tests.support.browser import Visits, flaws
from tests.support.explore import Shown, asked, link, sql
from tests.support.site import Site

NORTH = "practice_uid IN (101, 102, 106, 109, 113, 114, 118, 121)"
SCOPES = {
    "root": "true",
    "north": NORTH,
    "provider": "practice_uid IN (101, 109, 113, 121) AND provider_uid = 10105",
}
CHARGES = "measure = 'Charges' AND frequency = 'Monthly'"
BY_DATE = asked(aggregate="sum", group_by=["date_index"])
REFUSED = r"status of 40[03]"


@pytest.mark.parametrize("user", SCOPES)
def test_rows_and_chart_are_sqls(page_as: Visits, site: Site, user: str) -> None:
    """Each sample user gets their own figures at once, exact in the table and drawn."""
    page = page_as(user, "/explore")
    shown = Shown(page)
    found = sql(
        site,
        f"SELECT date_index, sum(measure_value) FROM {{table}} WHERE {CHARGES} AND {SCOPES[user]}"
        " GROUP BY 1 ORDER BY 1",
    )
    assert shown.rows() == [(str(day), str(total)) for day, total in found]
    (trace,) = shown.drawn()
    assert [each[:10] for each in trace["x"]] == [str(day) for day, _ in found]
    assert trace["y"] == [float(total) for _, total in found]
    expect(page.locator("#picture-title")).to_have_text("Charges, Monthly: sum by date_index")
    expect(page.locator("#meta")).to_contain_text("from cache, as of")


@pytest.mark.parametrize("user", ["nobody", "lost"])
def test_nothing_to_ask(page_as: Visits, user: str) -> None:
    """Who has no rows reads why that may be; who gave them a link sees no rows there either."""
    page = page_as(user, "/explore")
    expect(page.get_by_role("heading", name="There is nothing for you to ask yet")).to_be_visible()
    role = "org_analyst" if user == "nobody" else "provider"
    expect(page.locator(".rights")).to_contain_text(f"As {role} you have")
    expect(page.get_by_role("button", name="Run")).to_be_disabled()
    assert flaws(page) == []
    page.goto(link(BY_DATE))
    Shown(page).state("empty")
    expect(page.locator(".rows")).to_have_text("No rows: nothing that you may see is like this.")
    expect(page.locator("#picture")).to_contain_text("No figures")


def test_groupings(page_as: Visits, site: Site) -> None:
    """The first is labels, the second series, the third small charts; of more there are rows."""
    page = page_as("root", "/explore")
    shown = Shown(page)
    shown.state("ready")
    columns = ["date_index", "region", "specialty", "practice_uid"]
    for place, column in enumerate(columns[1:], 2):
        page.locator(f"#group-by-{place}").focus()
        page.locator(f"#group-by-{place}").select_option(column)
        expect(page.locator(f"#group-by-{place}")).to_be_focused()
        page.get_by_role("button", name="Run").click()
        page.wait_for_url(f"**{column}**")
        named = ", ".join(columns[:place])
        found = sql(
            site,
            f"SELECT {named}, sum(measure_value) FROM {{table}} WHERE {CHARGES} GROUP BY {named}",
        )
        page.wait_for_function(
            "total => document.querySelector('.rows-note').textContent.includes(total)",
            arg=f"{len(found):,} rows",
        )
        while page.locator(".rows-more").is_visible():
            page.locator(".rows-more").click()
        assert sorted(shown.rows()) == sorted(tuple(map(str, row)) for row in found)
        if place == 2:
            drawn = {
                (trace["x"][n][:10], trace["name"], Decimal(str(y)))
                for trace in shown.drawn()
                for n, y in enumerate(trace["y"])
                if y is not None
            }
            assert {(day, name) for day, name, _ in drawn} == {(str(a), b) for a, b, _ in found}
            assert sum(value for *_, value in drawn) == sum(total for *_, total in found)
        elif place == 3:
            facets = {row[2] for row in found}
            titles = page.locator("#picture .annotation").all_text_contents()
            assert facets <= set(titles)
        else:
            expect(page.locator("#picture")).to_contain_text("More than three groupings")


def test_the_form_narrows(page_as: Visits, site: Site) -> None:
    """Measure and ids searched for, dates, conditions, order and limit are all in the question."""
    page = page_as("root", "/explore")
    shown = Shown(page)
    shown.state("ready")
    page.locator("#measure").get_by_role("button", name="Measure").click()
    page.get_by_role("combobox", name="Search measure").fill("paym")
    page.keyboard.press("Enter")
    expect(page.locator("#measure .chosen")).to_have_text("Payments")
    page.locator("#practices").get_by_role("button", name="Practices").click()
    page.locator(".picker:popover-open [role=option]").first.wait_for()
    for wanted in ("101", "103", "106"):
        page.get_by_role("combobox", name="Search practices").fill(wanted)
        page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator("#practices .chosen")).to_have_text("3 chosen")
    page.get_by_label("From", exact=True).fill("2025-03-01")
    page.get_by_label("To", exact=True).fill("2025-11-30")
    page.locator("#group-by-1").select_option("practice_uid")
    page.get_by_text("Conditions, order, limit").click()
    page.get_by_role("button", name="Add a condition").click()
    page.locator(".condition .column").select_option("region")
    page.locator(".condition .op").select_option("in")
    page.get_by_role("button", name="Run").click()
    assert page.locator(".condition .value").evaluate("field => field.validationMessage") != ""
    assert "q=" not in page.url  # what isn't finished isn't left out
    page.locator(".condition .value").fill('Coast, Bay, "no, such"')
    page.locator("#order-by-1").select_option(label="sum, descending")
    page.get_by_label("At most so many rows").fill("2")
    page.get_by_role("button", name="Run").click()
    page.wait_for_url("**limit**")
    found = sql(
        site,
        "SELECT practice_uid, sum(measure_value) FROM {table} WHERE measure = 'Payments'"
        " AND frequency = 'Monthly' AND practice_uid IN (101, 103, 106)"
        " AND date_index BETWEEN '2025-03-01' AND '2025-11-30' AND region IN ('Coast', 'Bay')"
        " GROUP BY 1 ORDER BY 2 DESC LIMIT 2",
    )
    assert len(found) == 2
    page.wait_for_function("() => document.querySelector('.rows-note').textContent === '2 rows'")
    assert shown.rows() == [tuple(map(str, row)) for row in found]
    address = page.url
    again = page_as("root", address)
    assert Shown(again).rows() == [tuple(map(str, row)) for row in found]
    expect(again.locator("#notice")).to_be_hidden()
    expect(again.locator(".condition .value")).to_have_value('Coast, Bay, "no, such"')
    again.get_by_role("button", name="Run").click()
    assert again.url == address  # the form holds all of it


def test_many_rows(page_as: Visits, site: Site, tmp_path: Path) -> None:
    """The table begins with 500 and grows; files have all, and are SQL's."""
    query = asked(order_by=["practice_uid", "provider_uid", "date_index"])
    page = page_as("north", link(query))
    shown = Shown(page)
    columns = "practice_uid, provider_uid, date_index, measure_value"
    found = sql(
        site,
        f"SELECT {columns} FROM {{table}} WHERE {CHARGES} AND {NORTH}"
        " ORDER BY practice_uid, provider_uid NULLS LAST, date_index",
    )
    assert len(found) > 500
    assert len(shown.rows()) == 500
    expect(page.locator(".rows-note")).to_have_text(f"the first 500 of {len(found)} rows")
    page.get_by_role("button", name=re.compile(r"Show \d+ more")).click()
    assert len(shown.rows()) == len(found)
    assert shown.rows()[-1][2] == str(found[-1][0])
    files = {}
    for name in ("CSV", "Parquet"):
        with page.expect_download() as downloading:
            page.get_by_role("button", name=name).click()
        assert downloading.value.suggested_filename == f"Charges-Monthly.{name.lower()}"
        files[name] = tmp_path / name
        downloading.value.save_as(files[name])
    kept = pl.read_parquet(files["Parquet"]).select(columns.split(", ")).rows()
    assert kept == found
    text = pl.read_csv(files["CSV"], infer_schema=False).select(columns.split(", ")).rows()
    assert text == [tuple(None if each is None else str(each) for each in row) for row in found]


def test_files_are_for_who_may_export(page_as: Visits) -> None:
    """To others none are offered."""
    page = page_as("provider", "/explore")
    assert len(Shown(page).rows()) > 0
    expect(page.get_by_role("button", name="CSV")).to_have_count(0)
    expect(page.get_by_role("button", name="Parquet")).to_have_count(0)


@pytest.mark.parametrize(
    ("narrowed", "sentence"),
    [
        ({"practices": [103]}, "Practice '103' is outside what you may read of data source 1"),
        ({"organization": "south"}, "Organization 'south' is outside"),
        ({"providers": [1]}, "Provider '1' is"),
    ],
)
def test_a_link_to_somebody_of_fewer_rights(
    page_as: Visits, site: Site, narrowed: dict[str, object], sentence: str
) -> None:
    """It is denied in a sentence that says no more than the link, and the form is ready."""
    page_as.forgive(REFUSED)
    page = page_as("provider", link({**BY_DATE, **narrowed}))
    Shown(page).state("error")
    expect(page.get_by_role("alert")).to_contain_text(sentence)
    assert page.locator(".when-answer").filter(visible=True).count() == 0
    assert "Sunrise" not in page.content()
    names = {
        name
        for (name,) in sql(
            site,
            "SELECT DISTINCT practice_name FROM {table} WHERE NOT "
            f"({NORTH}) AND practice_name IS NOT NULL",
        )
    }
    assert not [name for name in names if name in page.content()]
    page.get_by_role("button", name="Clear").click()
    assert len(Shown(page).rows()) > 0


WRONG = [
    ({"datasource": 7}, "data source 7"),
    ({"measure": "Charges"}, "The query has no datasource; give its id."),
    ({**BY_DATE, "colour": "red"}, "The query has an unknown field 'colour'"),
    ({**BY_DATE, "group_by": "region"}, "Group_by is 'region'; expected a list"),
    ({**BY_DATE, "group_by": ["regoin"]}, "regoin"),
    ({**BY_DATE, "where": [5]}, "Where[0] is 5; expected an object of fields."),
    ({**BY_DATE, "where": [{"column": "date_index", "op": "gt", "value": "x"}]}, "'x'"),
    ({**BY_DATE, "start": "2025-02-30"}, "2025-02-30"),
    ({**BY_DATE, "aggregate": "median"}, "median"),
    ({**BY_DATE, "limit": "5"}, "Limit is '5'; expected a whole number."),
    ({**BY_DATE, "order_by": [None, {"column": 3}]}, "order_by"),
]


def test_a_link_that_is_wrong(page_as: Visits) -> None:
    """What is wrong with it is said, with the value, and the page can be used."""
    page_as.forgive(r"status of 4\d\d")
    page = page_as("north")
    for query, sentence in WRONG:
        page.goto(link(query))
        Shown(page).state("error")
        said = re.compile(re.escape(sentence), re.IGNORECASE)
        expect(page.get_by_role("alert")).to_contain_text(said)
    page.get_by_role("button", name="Clear").click()
    assert len(Shown(page).rows()) > 0
    expect(page.get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{bad", "t JSON; it may have been cut off"),
        ("[1]", "no object of fields"),
        ("null", "no object"),
        ("", "JSON"),
    ],
)
def test_an_address_that_is_no_query(page_as: Visits, text: str, sentence: str) -> None:
    """It is said, and a new query is there instead."""
    page = page_as("north", f"/explore?q={text}&show=spiral&format=euro")
    assert len(Shown(page).rows()) > 0
    expect(page.locator("#notice")).to_contain_text(sentence)
    assert flaws(page) == []


def test_a_link_that_the_form_cannot_show(page_as: Visits, site: Site) -> None:
    """It is answered whole, and the page says that the form shows less of it."""
    shape = {"datasource": 1, "measure": "Charges", "frequency": "Monthly", "aggregate": "sum"}
    where = [{"column": "region", "op": "neq", "value": "two\nlines"}]
    page = page_as("north", link({**shape, "where": where}))
    ((total,),) = sql(site, f"SELECT sum(measure_value) FROM {{table}} WHERE {CHARGES} AND {NORTH}")
    assert Shown(page).rows() == [(str(total),)]
    expect(page.locator("#notice")).to_have_text(
        "The link asks for more than the form can show; the answer is to all of it."
    )


def test_back_and_forward(page_as: Visits) -> None:
    """Each question and each way to show it is a step; a link has them both."""
    page = page_as("north", "/explore")
    shown = Shown(page)
    shown.state("ready")
    page.get_by_label("Show as").select_option("bar")
    page.wait_for_url("**show=bar")
    assert {trace["type"] for trace in shown.drawn()} == {"bar"}
    page.get_by_label("Figures as").select_option("currency:EUR")
    page.wait_for_url("**format=currency%3AEUR")
    expect(page.locator(".rows tbody td.number").first).to_contain_text("€")
    page.locator("#group-by-2").select_option("region")
    page.get_by_role("button", name="Run").click()
    page.wait_for_url("**region**")
    page.wait_for_function(
        "() => document.querySelector('.rows thead').textContent.includes('region')"
    )
    page.go_back()
    page.wait_for_function(
        "() => !document.querySelector('.rows thead').textContent.includes('region')"
    )
    expect(page.locator("#group-by-2")).to_have_value("")
    expect(page.get_by_label("Show as")).to_have_value("bar")
    page.go_back()
    expect(page.locator(".rows tbody td.number").first).to_contain_text("$")
    page.go_forward()
    page.go_forward()
    page.wait_for_function(
        "() => document.querySelector('.rows thead').textContent.includes('region')"
    )
    expect(page.locator("#group-by-2")).to_have_value("region")
    assert len(shown.drawn()) > 1


def test_how_it_came_about(page_as: Visits, site: Site) -> None:
    """From role to practices, to entries, rows and times; the index is for operators alone."""
    page = page_as("north", link({**BY_DATE, "practices": [101, 102]}))
    Shown(page).state("ready")
    links = page.locator(".chain li").all_inner_texts()
    assert [each.replace("\n", " ") for each in links] == [
        "role org_analyst",
        "permission analytics:read:organization",
        "organizations north, north-coast, north-valley",
        "practices 101, 102, 106, 109, 113, 114, 118, 121",
        "providers all",
    ]
    ((entries, rows),) = sql(
        site,
        "SELECT count(DISTINCT (practice_uid, provider_uid)), count(*) FROM {table} WHERE "
        f"{CHARGES} AND practice_uid IN (101, 102)",
    )
    story = page.locator(".story")
    expect(story).to_contain_text(
        "Your rights, narrowed by the query: 2 practices and all providers of “Charges”, “Monthly”."
    )
    expect(story).to_contain_text(f"{entries} entries in the scope")
    expect(story).to_contain_text(f"{rows} rows made")
    expect(story).not_to_contain_text("index set")
    expect(story).to_contain_text("In all, on the server")
    page = page_as("root", link(BY_DATE))
    Shown(page).state("ready")
    lookup = {
        "from the store": "1 index set (that of the whole partition) named 132 entries",
        "resident": "The service has them in its memory, by practice and provider: 132 entries",
    }
    told = page.locator(".story").inner_text()
    assert lookup["resident" if "memory of the service" in told else "from the store"] in told


@pytest.mark.parametrize(
    ("width", "theme"),
    [
        (390, "dark"),
        (768, "light"),
        pytest.param(1920, "dark", marks=pytest.mark.long),
        pytest.param(390, "light", marks=pytest.mark.long),
        pytest.param(768, "dark", marks=pytest.mark.long),
        pytest.param(1920, "light", marks=pytest.mark.long),
    ],
)
def test_it_is_for_everybody(
    page_as: Visits, keep_picture: Callable[[Page, str], None], theme: str, width: int
) -> None:
    """Axe finds nothing serious, nothing sticks out, and Run is in sight from the first moment."""
    query = {**BY_DATE, "group_by": ["date_index", "region"]}
    page = page_as("north", link(query), theme=theme, width=width, height=900)  # type: ignore[arg-type]
    Shown(page).drawn()
    expect(page.get_by_role("button", name="Run")).to_be_in_viewport()
    page.get_by_text("Conditions, order, limit").click()
    page.get_by_role("button", name="Add a condition").click()
    expect(page.get_by_role("button", name="Run")).to_be_in_viewport()
    assert flaws(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.locator(".condition").get_by_role("button", name="Remove this condition").click()
    page.evaluate("scrollTo(0, 0)")
    keep_picture(page, f"explore-{theme}-{width}")


def test_with_the_keyboard_alone(page_as: Visits) -> None:
    """A measure is searched for, asked about, and its code looked through."""
    page = page_as("north", "/explore", width=390, height=700)
    shown = Shown(page)
    shown.state("ready")
    page.locator("#measure button").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Search measure")).to_be_focused()
    page.keyboard.type("refu")
    page.keyboard.press("Enter")
    expect(page.locator("#measure button").first).to_be_focused()
    page.get_by_role("button", name="Run").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**Refunds**")
    expect(page.locator("#picture-title")).to_have_text("Refunds, Monthly: sum by date_index")
    expect(page.locator("#picture-title")).to_be_in_viewport()
    page.locator("#picture .chart-canvas").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#picture [aria-live]")).to_contain_text("Refunds")
    page.get_by_role("tab", name="Python").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="curl")).to_be_focused()
    expect(page.locator("#code")).to_contain_text("curl --silent")


def test_it_prints_answer_and_story(page_as: Visits) -> None:
    """Without the form, the files and the code."""
    page = page_as("north", "/explore")
    Shown(page).drawn()
    page.emulate_media(media="print")
    for name in ("#ask", ".rows-files", "#code-card", ".look"):
        expect(page.locator(name)).to_be_hidden()
    for name in ("#picture", ".rows", ".story"):
        expect(page.locator(name)).to_be_visible()


def test_a_service_that_is_gone(page_as: Visits) -> None:
    """It is said where the answer would be; the next try answers."""
    page_as.forgive(r"ERR_FAILED")
    page = page_as("north", "/explore")
    shown = Shown(page)
    before = shown.rows()
    page.route("**/api/query", lambda route: route.abort())
    page.get_by_role("button", name="Run").click()
    shown.state("error")
    expect(page.get_by_role("alert")).to_contain_text("look at the connection, and try again")
    page.unroute("**/api/query")
    page.get_by_role("button", name="Run").click()
    assert shown.rows() == before
    assert before[0][0] < str(date(2026, 1, 1))
