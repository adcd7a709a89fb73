"""Odd names on the explore page: shown as they are, and quoted in what is taken along."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from tests.support.browser import Visits
from tests.support.explore import MARKUP, ODD, Shown, asked, link, odd_rows, sql
from tests.support.site import Site

from warmcube.authn.issue import issue_token
from warmcube.config.load import load
from warmcube.dashboard.parse import parse

NULL = {"null": True}
HEADER = 'id = "taken"\ntitle = "Taken along"\ndatasource = 1\n\n'
SUMMED = "SELECT region, sum(measure_value) FROM {table} WHERE frequency = 'Monthly' AND "


@pytest.fixture(scope="module", autouse=True)
def odd(site: Site) -> Iterator[None]:
    """Rows of odd names, only for this module."""
    with odd_rows(site):
        yield


def by_region(measure: Any, **more: Any) -> dict[str, Any]:
    """A query about a measure by region."""
    return asked(measure=measure, aggregate="sum", group_by=["region"], **more)


def allowed(page_as: Visits, user: str, path: str) -> Page:
    """A page that may use the clipboard."""
    return page_as(user, path, permissions=["clipboard-read", "clipboard-write"])


def is_text(page: Page) -> bool:
    """Whether nothing of a name became an element or ran."""
    elements = page.locator("main img, main a[href^='javascript'], #toasts img").count()
    return bool(elements == 0 and page.evaluate("window.owned") is None)


def test_names_are_text(page_as: Visits, site: Site) -> None:
    """In the form, its lists, the picture, its hover, the rows, the story, and the code."""
    access = site.folder / "access.toml"
    before = access.read_text(encoding="utf-8")
    named = re.compile(r'(\[\[organizations\]\]\nid = "north"\nname = ).*')
    marked_up = named.sub(lambda found: f"{found[1]}'''{MARKUP}'''", before)
    assert marked_up != before
    access.write_text(marked_up, encoding="utf-8")
    try:
        groups = ["region", "practice_name", "specialty"]
        page = page_as("north", link({**by_region(MARKUP), "group_by": groups}))
        shown = Shown(page)
        assert sorted(row[0] for row in shown.rows()) == sorted(["NULL", MARKUP, ODD])
        assert page.locator("#picture-title").text_content() == (
            f"{MARKUP}, Monthly: sum by region, practice_name and specialty"
        )
        shown.drawn()
        page.locator("#picture .chart-canvas").focus()
        page.keyboard.press("ArrowRight")
        assert is_text(page)
        for kind in ("line", "stacked_bar", "horizontal_bar", "table"):
            page.get_by_label("Show as").select_option(kind)
            assert is_text(page)
        page.locator("#measure").get_by_role("button", name="Measure").click()
        expect(page.locator(".picker [role=option]", has_text=MARKUP)).to_be_visible()
        page.keyboard.press("Escape")
        page.locator("#practices").get_by_role("button", name="Practices").click()
        expect(page.locator(".picker:popover-open [role=option]").first).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator(".story")).to_contain_text("“<img src=x")
        for form in ("curl", "Dashboard chart"):
            page.get_by_role("tab", name=form).click()
            expect(page.locator("#code")).to_contain_text("<img src=x")
        assert is_text(page)
        for _ in range(100):  # until the directory has been read again
            names = page.locator("#organization option").all_text_contents()
            if MARKUP in names:
                break
            page.wait_for_timeout(100)
            page.goto(link(by_region(MARKUP), show="pie"))
        assert MARKUP in names
        Shown(page).state("ready")
        assert is_text(page)
    finally:
        access.write_text(before, encoding="utf-8")


MEASURES = [ODD, MARKUP, NULL]


def expected(site: Site, measure: Any, condition: str = "true") -> dict[Any, Decimal]:
    """SQL's sums by region."""
    if measure == NULL:
        return dict(sql(site, f"{SUMMED} measure IS NULL AND {condition} GROUP BY 1"))
    return dict(sql(site, f"{SUMMED} measure = %s AND {condition} GROUP BY 1", measure))


RUN = """
import sys
def shown(frame):
    print([(region, str(total)) for region, total in frame.rows()])
exec(compile(sys.stdin.read(), "taken", "exec"), {"__name__": "__main__", "print": shown})
"""


@pytest.mark.parametrize("measure", MEASURES, ids=["odd", "markup", "null"])
def test_python_works(page_as: Visits, site: Site, measure: Any) -> None:
    """The script asks the engine the same, as whoever copied it."""
    where = [
        {"column": "region", "op": "in", "value": [ODD, NULL]},
        {"column": "specialty", "op": "neq", "value": ODD},
        {"column": "practice_uid", "op": "not_null"},
    ]
    query = by_region(measure, where=where, practices=[101, 102], start="2025-01-01")
    query |= {"order_by": [{"column": "sum", "descending": True}], "limit": 5}
    code = Shown(allowed(page_as, "north", link(query))).code("Python")
    ran = subprocess.run(
        [sys.executable, "-c", RUN],
        input=code,
        cwd=site.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    totals = expected(site, measure, "region IS DISTINCT FROM $$" + MARKUP + "$$")
    found = sorted(totals.items(), key=lambda each: -each[1])
    assert ran.stdout.strip() == str([(region, str(total)) for region, total in found])


@pytest.mark.parametrize("measure", MEASURES, ids=["odd", "markup", "null"])
def test_curl_works(page_as: Visits, site: Site, measure: Any) -> None:
    """A shell sends the same question with a token of one's own."""
    where = [{"column": "region", "op": "in", "value": [ODD, MARKUP, NULL]}]
    code = Shown(allowed(page_as, "north", link(by_region(measure, where=where)))).code("curl")
    settings = load(site.folder / "warmcube.toml", {})
    token = issue_token(settings, "north", int(time.time()), 60)
    ran = subprocess.run(
        ["/bin/sh", "-c", code],
        env={"PATH": os.environ["PATH"], "TOKEN": token},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    rows = json.loads(ran.stdout)["rows"]
    found = {row["region"]: Decimal(row["sum"]) for row in rows}
    assert found == expected(site, measure)


@pytest.mark.parametrize("measure", [ODD, MARKUP], ids=["odd", "markup"])
def test_a_chart_works(page_as: Visits, site: Site, measure: str) -> None:
    """In a dashboard's file it is right, and shows the same figures."""
    where = [{"column": "region", "op": "in", "value": [ODD, MARKUP]}]
    query = by_region(measure, where=where, practices=[101], start="2025-01-01", end="2025-12-31")
    query |= {"order_by": ["-sum"], "limit": 2}
    page = allowed(page_as, "north", link(query, show="horizontal_bar"))
    code = Shown(page).code("Dashboard chart")
    parsed = parse(tomllib.loads(HEADER + code))
    assert parsed.troubles == ()
    assert "#" not in code.split("[[charts]]")[0]
    path = site.folder / "dashboards" / "taken.toml"
    path.write_text(HEADER + code, encoding="utf-8")
    try:
        headers = {"Cookie": site.session("north"), "Origin": site.url}
        for _ in range(300):
            if httpx.get(f"{site.url}/api/dashboards/taken", headers=headers).status_code == 200:
                break
            time.sleep(0.05)
        token = issue_token(load(site.folder / "warmcube.toml", {}), "north", int(time.time()), 60)
        answered = httpx.post(
            f"{site.url}/api/admin/analytics/dashboard/taken/render",
            json={},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert answered.status_code == 200, answered.text
        (chart,) = answered.json()["charts"]
        assert chart["error"] is None
        assert chart["type"] == "horizontal_bar"
        (facet,) = chart["facets"]
        (series,) = facet["series"]
        assert series["name"] == measure
        keys = [label["key"] for label in facet["labels"]]
        found = expected(site, measure, "region IS NOT NULL")
        assert dict(zip(keys, map(Decimal, series["values"]), strict=True)) == found
        kind = "of_hundred" if "%" in measure else "number"
        assert series["format"] == {"kind": kind, "currency": None, "decimals": None}
    finally:
        path.unlink()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"organization": "north"}, "narrowed to the organization north"),
        ({"limit": 3}, "is left out: a chart can only show the largest"),
        ({"order_by": ["-date_index"]}, "Dates are always in their order"),
        (
            {"group_by": ["region"], "order_by": ["region", "sum"]},
            "Ordering by sum too is left out",
        ),
        (
            {"group_by": ["region", "specialty", "practice_uid", "date_index"]},
            "The grouping by date_index is left out",
        ),
        (
            {"where": [{"column": "region", "op": "in", "value": [ODD, NULL]}]},
            "t hold NULL",
        ),
        ({"where": [{"column": "region", "op": "neq", "value": "x" * 1001}]}, "at most 1000 char"),
        (
            {"where": [{"column": "region", "op": "neq", "value": str(n)} for n in range(21)]},
            "The condition on region is left out: a chart has at most 20.",
        ),
        ({}, "Its dates are those of the dashboard"),
    ],
)
def test_what_a_chart_cannot_say(page_as: Visits, more: dict[str, Any], says: str) -> None:
    """It stands above the chart, which is right otherwise."""
    query = asked(aggregate="sum", group_by=["date_index"]) | more
    page = allowed(page_as, "north", link(query))
    code = Shown(page).code("Dashboard chart")
    notes = [line for line in code.splitlines() if line.startswith("# ")]
    assert [line for line in notes if says in line], code
    assert parse(tomllib.loads(HEADER + code)).troubles == ()


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (by_region(NULL), "be about rows without a measure.\n"),
        (asked(limit=1), "shows aggregates; choose one, and what to group by.\n"),
        (by_region(ODD, practices=[]), "be about no practices at all.\n"),
    ],
)
def test_no_chart_at_all(page_as: Visits, query: dict[str, Any], says: str) -> None:
    """Where a chart would show something else, there is only a sentence."""
    code = Shown(allowed(page_as, "north", link(query))).code("Dashboard chart")
    assert code.startswith("# A chart ")
    assert code.endswith(says)
    assert tomllib.loads(code) == {}
