"""The demo's site in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from playwright.sync_api import Browser, Page
from tests.support.browser import MISSING, Visits, chromium, chromium_path, shown
from tests.support.site import ROWS, Site, site_running

from warmcube.demo.generate import DEFAULT_ROWS


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser, skip what needs one."""
    if chromium_path() is None:
        for item in items:
            if item.path.is_relative_to(__file__.rpartition("/")[0]):
                item.add_marker(pytest.mark.skip(reason=MISSING))


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The demo's pages; tests leave it as they found it.

    Over 60,000 rows, which are soon there; pictures show what the demo shows.
    """
    is_kept = request.config.getoption("--keep-pictures")
    with site_running(DEFAULT_ROWS if is_kept else ROWS) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser, closed before tests of others go on, which may need an event loop."""
    with chromium() as launched:
        yield launched


@pytest.fixture
def page_as(browser: Browser, site: Site) -> Iterator[Visits]:
    """Opens pages as a user; in the end none may have complained."""
    visits = Visits(browser, site)
    try:
        yield visits
    finally:
        visits.close()
    assert visits.complaints() == []


@pytest.fixture
def keep_picture(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Keeps a picture for the docs, with ``--keep-pictures``."""
    return partial(shown, is_kept=request.config.getoption("--keep-pictures"))
