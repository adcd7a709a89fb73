"""An embedded dashboard in a real browser, in a frame of a page of another origin."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Frame, Page, Request
from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from tests.support.caches import TABLE, execute
from tests.support.embeds import BOARDS, YEAR, settings_of, sums
from tests.support.services import as_user, identify_by_name
from tests.support.serving import serving

from warmcube import AnalyticsCache
from warmcube.config import Settings
from warmcube.dashboard.render import GivenDashboards
from warmcube.service.app import create_app

WAIT = 20_000


@pytest.fixture(scope="module")
def facts(postgres_module_db: str) -> str:
    """A database with the table."""
    execute(postgres_module_db, TABLE)
    return postgres_module_db


class Portal:
    """Somebody else's site, which frames what it is told to, and notes what it is told."""

    def __init__(self) -> None:
        self.frame = ""
        self.referrers: list[str | None] = []
        self.app = Starlette(routes=[Route("/{path:path}", self._page)])

    async def _page(self, request: Asked) -> Response:
        self.referrers.append(request.headers.get("referer"))
        return HTMLResponse(
            "<!doctype html><title>Portal</title><h1>Portal</h1>"
            f'<iframe src="{self.frame}" width="1000" height="900"></iframe>'
        )


def warm(settings: Settings) -> None:
    """Have the cache hold the data, in a thread without the browser's event loop."""

    async def warmed() -> None:
        async with AnalyticsCache(settings) as cache:
            await cache.warm(1)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(warmed())).result()


def mint(url: str, **body: Any) -> dict[str, Any]:
    """An embed of ana's."""
    answered = httpx.post(f"{url}/api/dashboards/sample/embed", json=body, headers=as_user("ana"))
    assert answered.status_code == 201, answered.text
    made: dict[str, Any] = answered.json()
    return made


class Seen:
    """What happened in a page, its frames included."""

    def __init__(self, page: Page) -> None:
        self.errors: list[str] = []
        self.requests: list[Request] = []
        page.on("console", lambda said: self._said(said.type, said.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request))  # noqa: PLW0108 - it is marked

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.errors.append(text)


def embedded(page: Page) -> Frame:
    """The frame with the dashboard."""
    (frame,) = [each for each in page.frames if "/embed/" in each.url]
    return frame


def figures(frame: Frame, chart: str) -> dict[str, str]:
    """The exact figures of a chart, by the text of their labels."""
    card = frame.locator(f'[data-chart="{chart}"]')
    card.locator("summary").click()
    rows = card.locator("tbody tr")
    rows.first.wait_for(timeout=WAIT)
    return {
        each.locator("th").inner_text(): each.locator("td").get_attribute("data-exact") or ""
        for each in rows.all()
    }


def test_another_site_shows_it(
    tmp_path: Path, redis_url: str, facts: str, browser: Browser
) -> None:
    """Its frame has SQL's numbers and draws them; the token goes to no log and no other site."""
    portal = Portal()
    audit, log = tmp_path / "audit.jsonl", tmp_path / "access.log"
    with serving(portal.app) as site, log.open("wb") as lines:
        more = f'[service]\nframe_ancestors = ["{site}"]\n[audit]\npath = "{audit}"\n'
        settings = settings_of(tmp_path, redis_url, facts, more=more)
        warm(settings)
        boards = GivenDashboards(*BOARDS)
        app = create_app(settings, identify_by_name, dashboards=boards, access_log=lines.fileno())
        with serving(app) as url:
            made = mint(url, filters={**YEAR, "practices": [101, 103]})
            portal.frame = f"{url}{made['url']}"
            page = browser.new_page()
            seen = Seen(page)
            page.goto(f"{site}/start")
            frame = embedded(page)
            frame.locator("[data-chart=by-date] .js-plotly-plot .trace").first.wait_for(
                timeout=WAIT
            )
            frame.locator("[data-chart=total] .figure").wait_for(timeout=WAIT)
            expected = sums(
                facts,
                "practice_uid IN (101, 103) AND date_index BETWEEN '2024-01-01' AND '2024-12-31'",
            )
            assert figures(frame, "by-practice") == expected
            assert seen.errors == []
            assert {each.url.split("/")[2] for each in seen.requests} == {
                site.removeprefix("http://"),
                url.removeprefix("http://"),
            }
            token = made["token"]
            for each in seen.requests:
                assert token not in each.url.split("#")[0]
                assert "referer" not in each.headers or token not in each.headers["referer"]
            for narrowed in ("practices=103&practices=110", "practices=103,110"):
                portal.frame = f"{url}/embed/sample?{narrowed}#token={token}"
                page.goto(f"{site}/narrowed")
                assert figures(embedded(page), "by-practice") == {"103": expected["103"]}
            portal.frame = f"{url}/embed/sample?practices=#token={token}"
            page.goto(f"{site}/narrowed-to-none")
            empty = embedded(page).locator("[data-chart=by-practice] .chart-empty")
            empty.wait_for(timeout=WAIT)
            revoked = httpx.delete(f"{url}/api/embeds/{made['id']}", headers=as_user("ana"))
            assert revoked.status_code == 204
            page.goto(f"{site}/again")
            over = embedded(page).locator("#state")
            over.filter(has_text="is over").wait_for(timeout=WAIT)
            assert embedded(page).locator("[data-chart]").count() == 0
            page.close()
        signature = token.rpartition(".")[2]
        assert signature not in audit.read_text()
        assert signature not in log.read_text()
        assert [json.loads(line) for line in log.read_text().splitlines()]
        assert not any(signature in (each or "") for each in portal.referrers)


@pytest.mark.parametrize("ancestors", ["", 'frame_ancestors = ["https://other.example.com"]'])
def test_a_site_that_isnt_named_shows_nothing(
    tmp_path: Path, redis_url: str, facts: str, browser: Browser, ancestors: str
) -> None:
    """The browser refuses the frame, and its page asks for no figures."""
    portal = Portal()
    settings = settings_of(tmp_path, redis_url, facts, more=f"[service]\n{ancestors}\n")
    warm(settings)
    app = create_app(settings, identify_by_name, dashboards=GivenDashboards(*BOARDS))
    with serving(portal.app) as site, serving(app) as url:
        portal.frame = f"{url}{mint(url, filters=YEAR)['url']}"
        page = browser.new_page()
        seen = Seen(page)
        with page.expect_console_message(lambda said: "frame-ancestors" in said.text, timeout=WAIT):
            page.goto(site)
        assert not [each.url for each in seen.requests if "/api/" in each.url]
        page.close()
        alone = browser.new_page()
        alone.goto(portal.frame)
        alone.locator("[data-chart=by-date]").wait_for(timeout=WAIT)
        alone.close()
