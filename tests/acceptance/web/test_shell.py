"""What is the same on every page: the header, the themes, errors, names that are markup."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.support.browser import Visits, flaws
from tests.support.site import Site

PAGES = ("/dashboards", "/explore", "/admin")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("path", PAGES)
def test_every_page_fits_and_is_for_everybody(
    page_as: Visits, path: str, width: int, theme: str
) -> None:
    """Its place in the navigation is marked; axe finds nothing serious; nothing sticks out."""
    page = page_as("root", path, theme=theme, width=width)  # type: ignore[arg-type]
    current = page.locator("nav[aria-label=Main] [aria-current=page]")
    expect(current).to_have_attribute("href", path)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert flaws(page) == []


def background(page: Page) -> str:
    """Of the page, as it is drawn."""
    found: str = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    return found


def test_a_chosen_theme_is_kept(page_as: Visits) -> None:
    """It is in the first byte of the next page, so that nothing flashes; back is the system's."""
    page = page_as("north", "/explore")
    light = background(page)
    page.get_by_role("button", name="Switch to the dark theme").click()
    dark = background(page)
    assert dark != light
    response = page.goto("/dashboards")
    assert response is not None
    assert 'data-theme="dark"' in response.text()
    assert background(page) == dark
    page.get_by_role("button", name="Switch to the light theme").click()
    assert background(page) == light
    response = page.reload()
    assert response is not None
    assert "data-theme" not in response.text()
    page.emulate_media(color_scheme="dark")
    assert background(page) == dark
    expect(page.get_by_role("button", name="Switch to the light theme")).to_be_visible()


def test_a_theme_that_is_markup(page_as: Visits, site: Site) -> None:
    """A cookie says light or dark, or nothing."""
    page = page_as("north")
    page.context.add_cookies([{"name": "warmcube-theme", "value": '"><b>x</b>', "url": site.url}])
    response = page.goto("/explore")
    assert response is not None
    assert "data-theme" not in response.text()


@pytest.mark.parametrize(
    ("user", "path", "status", "title"),
    [
        ("north", "/admin", 403, "This page is for others"),
        ("north", "/nothing/here", 404, "There is no such page"),
        (None, "/nothing/here", 404, "There is no such page"),
    ],
)
def test_errors_are_pages(
    page_as: Visits, user: str | None, path: str, status: int, title: str
) -> None:
    """In the same shell, with a way on, and without anything for developers."""
    page_as.forgive(rf"status of {status}")
    page = page_as(user)
    response = page.goto(path)
    assert response is not None
    assert response.status == status
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    assert "Traceback" not in response.text()
    assert flaws(page) == []
    page.locator("main a.button").click()
    page.wait_for_url("**/sign-in" if user is None else "**/dashboards")


MARKUP = """<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>"""


@pytest.fixture
def marked_up(site: Site) -> Iterator[None]:
    """A user whose name is markup."""
    path = site.folder / "access.toml"
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace('"Nora North"', f"'''{MARKUP}'''"), encoding="utf-8")
    yield
    path.write_text(before, encoding="utf-8")


def test_a_name_that_is_markup_is_shown_as_text(
    page_as: Visits, site: Site, marked_up: None
) -> None:
    """Letter by letter; nothing of it is an element, or runs."""
    page = page_as("north", "/explore")
    shown = page.locator(".user-button .name")
    for _ in range(100):  # until the directory has been read again
        if "img" in (shown.text_content() or ""):
            break
        page.wait_for_timeout(100)
        page.reload()
    assert shown.text_content() == MARKUP
    page.locator(".user-button").click()
    assert page.locator(".user-menu strong").text_content() == MARKUP
    assert page.locator("header img:not([alt=''])").count() == 0
    expect(page).to_have_title(re.compile("Explore"))


def test_nothing_inline_would_run(page_as: Visits) -> None:
    """The policy is in force: a script or a style that somebody smuggled in does nothing."""
    page_as.forgive(r"Content Security Policy")
    page = page_as(None, "/sign-in")
    page.evaluate(
        """() => {
          const place = document.querySelector('main');
          place.innerHTML =
            '<img src="data:," onerror="window.owned = 1"><b style="color: red">b</b>';
          const script = document.createElement('script');
          script.textContent = 'window.owned = 2';
          place.append(script);
        }"""
    )
    page.wait_for_timeout(100)
    assert page.evaluate("window.owned") is None
    assert page.evaluate("getComputedStyle(document.querySelector('main b')).color") != (
        "rgb(255, 0, 0)"
    )


def test_it_prints_without_the_shell(
    page_as: Visits, keep_picture: Callable[[Page, str], None]
) -> None:
    """Light, whatever the theme, and without what can't be clicked on paper."""
    page = page_as("root", "/explore", theme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator(".site-header")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
