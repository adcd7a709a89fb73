"""What tests of the explore page share: links to it, what it shows, and SQL's answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlencode

import httpx
import psycopg
from playwright.sync_api import Page
from tests.support.site import Site, in_thread

from warmcube import AnalyticsCache
from warmcube.demo.files import DATASOURCE
from warmcube.demo.load import TABLE

__all__ = ["MARKUP", "ODD", "Shown", "asked", "link", "odd_rows", "sql"]

ODD: Final = 'O\'Neil "said" C:\\new\n$HOME `x` %s ünïcode 🙂 # {a}'
"""A measure whose name is hard to quote."""

MARKUP: Final = """<img src=x onerror="window.owned=1"><a href="javascript:window.owned=2">x</a>"""
"""A name that is markup."""

_COLUMNS: Final = (
    "measure, measure_type, practice_uid, practice_name, region, provider_uid, provider_name, "
    "specialty, frequency, date_index, measure_value, cases, loaded_at"
)


def link(query: Any, **look: str) -> str:
    """The address of a query on the page."""
    return f"/explore?{urlencode({'q': json.dumps(query), **look})}"


def asked(**fields: Any) -> dict[str, Any]:
    """A query about charges by month; a field of None is left out."""
    query = {"datasource": DATASOURCE, "measure": "Charges", "frequency": "Monthly", **fields}
    return {name: value for name, value in query.items() if value is not None}


def sql(site: Site, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of the demo's table; ``{table}`` is its name."""
    with psycopg.connect(site.database) as connection:
        found = connection.execute(statement.replace("{table}", TABLE).encode(), values or None)
        return found.fetchall()


class Shown:
    """What the page shows."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def state(self, *expected: str) -> str:
        """Wait for one of some states of the answer."""
        names = json.dumps(expected)
        self._page.wait_for_function(
            f"""() => {{
              const answer = document.getElementById('answer');
              return !answer.hasAttribute('aria-busy') && {names}.includes(answer.dataset.state);
            }}"""
        )
        found = self._page.locator("#answer").get_attribute("data-state")
        assert found is not None
        return found

    def rows(self) -> list[tuple[str, ...]]:
        """The rows of the table, figures exact."""
        self.state("ready")
        found = self._page.evaluate(
            """() => [...document.querySelectorAll('.rows tbody tr')].map((row) =>
                 [...row.cells].map((cell) => cell.dataset.exact ?? cell.textContent))"""
        )
        return [tuple(row) for row in found]

    def drawn(self) -> list[dict[str, Any]]:
        """The traces of the picture: name, type, x and y."""
        self._page.wait_for_function("() => document.querySelector('#picture .js-plotly-plot')")
        found: list[dict[str, Any]] = self._page.evaluate(
            """() => document.querySelector('#picture .js-plotly-plot').data.map(
                 ({name, type, x, y}) => ({name, type, x: [...(x ?? [])], y: [...(y ?? [])]}))"""
        )
        return found

    def code(self, form: str) -> str:
        """What is to be taken along, as it was copied."""
        self.state("ready", "empty")
        self._page.get_by_role("tab", name=form).click()
        self._page.get_by_role("button", name="Copy", exact=True).click()
        self._page.get_by_text("Copied.").last.wait_for()
        copied: str = self._page.evaluate("navigator.clipboard.readText()")
        assert copied == self._page.locator("#code").text_content()
        return copied


@contextmanager
def odd_rows(site: Site) -> Iterator[None]:
    """Rows with odd names in the table and in the cache, for as long as the context lasts.

    There are a measure that is hard to quote, one that is markup, and rows without a measure; some
    have a region that is markup, others none.
    """
    regions = [MARKUP, ODD, None]
    rows = [
        (measure, region, number)
        for number, (measure, region) in enumerate(
            ((measure, region) for measure in (ODD, MARKUP, None) for region in regions), 1
        )
    ]
    with psycopg.connect(site.database, autocommit=True) as connection:
        for column in ("measure", "region"):
            connection.execute(f"ALTER TABLE {TABLE} ALTER {column} DROP NOT NULL")
        for measure, region, number in rows:
            connection.execute(
                f"INSERT INTO {TABLE} ({_COLUMNS}) VALUES (%s, 'currency', 101, %s, %s, NULL,"
                " NULL, %s, 'Monthly', %s, %s, 1, '2026-01-01')",
                (measure, MARKUP, region, MARKUP, f"2025-0{number}-01", number * 10),
            )
        _warm(site, expected=True)
        try:
            yield
        finally:
            connection.execute(
                f"DELETE FROM {TABLE} WHERE measure IS NULL OR measure IN (%s, %s)",
                (ODD, MARKUP),
            )
            for column in ("measure", "region"):
                connection.execute(f"ALTER TABLE {TABLE} ALTER {column} SET NOT NULL")
            _warm(site, expected=False)


def _warm(site: Site, *, expected: bool) -> None:
    """Warm, and wait until the service answers from the new snapshot."""

    async def warm() -> None:
        async with AnalyticsCache.from_config(site.folder / "warmcube.toml") as cache:
            await cache.warm(DATASOURCE)

    in_thread(warm)
    headers = {"Cookie": site.session("root")}
    for _ in range(200):
        path = f"{site.url}/api/datasources/{DATASOURCE}/measures"
        found = httpx.get(path, headers=headers).json()["measures"]
        if any(each["measure"] == ODD for each in found) == expected:
            return
    raise AssertionError("the service never saw the new snapshot")
