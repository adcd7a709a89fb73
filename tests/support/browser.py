"""A real browser on the pages: Debian's Chromium, driven by Playwright, and watched.

Whatever a page complains of in the console, throws, or asks of another host, fails the test.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    expect,
    sync_playwright,
)
from tests.support.site import Site

__all__ = ["MISSING", "Visits", "chromium", "chromium_path", "flaws", "shown"]

MISSING: Final = (
    "there is no Chromium, so no page was tried in a browser: install the package chromium "
    "(script/browser does, where it can), or name one in $CHROMIUM"
)
_ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
_PATIENCE: Final = 30_000
"""Milliseconds to wait for what a page shall show, on however busy a machine."""
_GRAVE: Final = ("serious", "critical")
_IMAGES: Final = Path(__file__).parents[2] / "docs/images"

expect.set_options(timeout=_PATIENCE)


def chromium_path() -> str | None:
    """The browser to test in; None if there is none."""
    named = os.environ.get("CHROMIUM")
    return shutil.which(named) if named else shutil.which("chromium")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser with a fresh profile.

    Only for as long as tests use it: while Playwright runs, no event loop can in this thread.
    """
    with sync_playwright() as playwright:
        yield from _launched(playwright)


def _launched(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(
        executable_path=chromium_path(), args=list(_ARGUMENTS), timeout=60_000
    )
    try:
        yield browser
    finally:
        browser.close()


class Visits:
    """Opens pages as a user of the site, and notes what they complain of.

    Args:
        browser: which shows them.
        site: whose they are.
    """

    def __init__(self, browser: Browser, site: Site) -> None:
        self._browser = browser
        self._site = site
        self._contexts: list[BrowserContext] = []
        self._forgiven: list[str] = []
        self._complaints: list[str] = []

    def __call__(
        self,
        user: str | None,
        path: str | None = None,
        *,
        width: int = 1280,
        height: int = 800,
        theme: Literal["light", "dark"] = "light",
        **options: Any,
    ) -> Page:
        """A page in a browser of its own, which has nothing of others.

        Args:
            user: who is signed in; None for nobody.
            path: what to open at once.
            width: of the window.
            height: likewise.
            theme: what the system prefers.
            options: of Playwright's contexts.
        """
        context = self._browser.new_context(
            base_url=self._site.url,
            viewport={"width": width, "height": height},
            color_scheme=theme,
            reduced_motion="reduce",
            **options,
        )
        self._contexts.append(context)
        context.set_default_timeout(_PATIENCE)
        context.on("console", self._note_console)
        context.on("weberror", lambda error: self._complain(f"uncaught: {error.error}"))
        context.on("request", lambda request: self._note_request(request.url))
        if user is not None:
            name, _, value = self._site.session(user).partition("=")
            context.add_cookies([{"name": name, "value": value, "url": self._site.url}])
        page = context.new_page()
        if path is not None:
            page.goto(path)
        return page

    def forgive(self, pattern: str) -> None:
        """Complaints that match are what the test provokes, as a failed request is."""
        self._forgiven.append(pattern)

    def complaints(self) -> list[str]:
        """What nobody forgave."""
        return [
            each
            for each in self._complaints
            if not any(re.search(pattern, each) for pattern in self._forgiven)
        ]

    def close(self) -> None:
        """Close all pages."""
        for context in self._contexts:
            context.close()

    def _complain(self, text: str) -> None:
        self._complaints.append(text)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            place = message.location.get("url", "")
            self._complain(f"{message.type}: {message.text} ({place})")

    def _note_request(self, url: str) -> None:
        if not url.startswith((f"{self._site.url}/", "data:", "blob:", "about:")):
            self._complain(f"a request to another host: {url}")


def flaws(page: Page) -> list[str]:
    """What axe finds on a page that is serious or critical, and where."""
    page.evaluate(Path(AXE_FILE_PATH).read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run({resultTypes: ['violations']})")
    return [
        f"{each['id']} ({each['impact']}): {each['help']}: "
        + "; ".join(f"{node['target']} {node['failureSummary']}" for node in each["nodes"])
        for each in found["violations"]
        if each["impact"] in _GRAVE
    ]


def shown(page: Page, name: str, *, is_kept: bool) -> None:
    """A picture for the docs, where pictures are to be kept."""
    if is_kept:
        _IMAGES.mkdir(exist_ok=True)
        page.screenshot(path=_IMAGES / f"{name}.png", animations="disabled")
