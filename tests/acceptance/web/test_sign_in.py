"""Signing in and out, as each of the demo's users would."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from tests.support.browser import Visits, flaws
from tests.support.site import Site

from warmcube.demo.files import USERS

NAMES = {
    "root": "Rut Root",
    "north": "Nora North",
    "provider": "Pavel Provider",
    "nobody": "Nikos Nobody",
    "lost": "Lou Lost",
}
REFUSED = r"status of 401"


def fill_in(page: Page, user: str, password: str) -> None:
    """Type into the form, and send it."""
    page.get_by_label("User").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("user", USERS)
def test_each_user_signs_in_and_out(page_as: Visits, site: Site, user: str) -> None:
    """They see their own name and the pages that are theirs; out, and nothing opens any more."""
    page = page_as(None, "/")
    expect(page).to_have_title("Sign in · warmcube")
    fill_in(page, user, site.passwords[user])
    page.wait_for_url("**/dashboards")
    links = page.get_by_role("navigation", name="Main").get_by_role("link").all_text_contents()
    assert links == ["Dashboards", "Explore", *(["Admin"] if user == "root" else [])]
    page.get_by_role("button", name=f"{NAMES[user]}: account").click()
    expect(page.get_by_text(f"signed in as {user}")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.goto("/explore")
    expect(page).to_have_url(f"{site.url}/sign-in?next=%2Fexplore")


@pytest.mark.parametrize(("user", "password"), [("root", "wrong"), ("who", "x"), ("<b>", "<i>")])
def test_a_wrong_password(page_as: Visits, user: str, password: str) -> None:
    """The same words whoever it is, read out, and the password is ready to be typed again."""
    page_as.forgive(REFUSED)
    page = page_as(None, "/sign-in")
    fill_in(page, user, password)
    expect(page.get_by_role("alert")).to_have_text("The user or the password is wrong.")
    expect(page.get_by_label("Password")).to_be_focused()
    expect(page.get_by_label("User")).to_have_value(user)
    assert flaws(page) == []


def test_too_many_attempts(page_as: Visits) -> None:
    """It says how long to wait."""
    page_as.forgive(REFUSED)
    page_as.forgive(r"status of 429")
    page = page_as(None, "/sign-in")
    for _ in range(5):
        fill_in(page, "somebody", "wrong")
        expect(page.get_by_role("alert")).to_have_text("The user or the password is wrong.")
        expect(page.get_by_role("button", name="Sign in")).not_to_have_attribute(
            "aria-busy", "true"
        )
    fill_in(page, "somebody", "wrong")
    expect(page.get_by_role("alert")).to_have_text(
        "There were too many attempts to sign in. Wait a minute, and try again."
    )


def test_a_service_that_is_out_of_reach(page_as: Visits) -> None:
    """It is told as that, not as a wrong password."""
    page_as.forgive(r"ERR_FAILED")
    page = page_as(None, "/sign-in")
    page.route("**/api/session", lambda route: route.abort())
    fill_in(page, "root", "whatever")
    expect(page.get_by_role("alert")).to_have_text(
        "The service can’t be reached; look at the connection, and try again."  # noqa: RUF001
    )


def test_with_the_keyboard_alone(page_as: Visits, site: Site) -> None:
    """From the first key to a dashboard page and out again; the focus is always to be seen."""
    page = page_as(None, "/sign-in")
    expect(page.get_by_label("User")).to_be_focused()
    page.keyboard.type("north")
    page.keyboard.press("Tab")
    page.keyboard.type(site.passwords["north"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboards")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.get_by_role("button", name="Nora North: account").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    out = page.get_by_role("button", name="Sign out")
    expect(out).to_be_focused()
    assert out.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-in")


def test_the_form_is_one_that_password_managers_know(page_as: Visits) -> None:
    """They find the fields by these marks."""
    page = page_as(None, "/sign-in")
    marks = {
        label: page.get_by_label(label).get_attribute("autocomplete")
        for label in ("User", "Password")
    }
    assert marks == {"User": "username", "Password": "current-password"}
    assert page.locator("form").get_attribute("method") == "post"  # never into an address


def test_back_to_what_was_asked_for(page_as: Visits, site: Site) -> None:
    """With all of its filters."""
    path = "/dashboards/x?preset=last_90_days&practices=101&where.region=Bay%20Area"
    page_as.forgive(r"status of 404")  # it needn't be there
    page = page_as(None, path)
    fill_in(page, "north", site.passwords["north"])
    page.wait_for_url(f"**{path}")


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "x"],
)
def test_nobody_is_led_elsewhere(page_as: Visits, site: Site, elsewhere: str) -> None:
    """What isn't a path of the service isn't gone to."""
    page = page_as(None)
    page.goto(f"{site.url}/sign-in?next={elsewhere}")
    fill_in(page, "north", site.passwords["north"])
    page.wait_for_url(f"{site.url}/dashboards")


def test_who_is_signed_in_needs_no_form(page_as: Visits, site: Site) -> None:
    """The sign-in page sends them on."""
    page = page_as("north", "/sign-in?next=/explore")
    expect(page).to_have_url(f"{site.url}/explore")


def test_a_session_that_is_over(page_as: Visits, site: Site) -> None:
    """The next page is the form, and what asks the API goes there too, and comes back."""
    page = page_as("nobody", "/dashboards?x=1")
    site.end_sessions("nobody")
    page_as.forgive(REFUSED)
    page.evaluate(
        "import(document.querySelector('script[type=module]').src.replace("
        "'shell.js', 'api.js')).then(api => { api.json('/api/datasources'); })"
    )
    page.wait_for_url("**/sign-in?next=*")
    fill_in(page, "nobody", site.passwords["nobody"])
    page.wait_for_url("**/dashboards?x=1")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_sign_in_page_is_for_everybody(
    page_as: Visits, keep_picture: Callable[[Page, str], None], theme: str, width: int
) -> None:
    """No serious flaw by axe, and nothing to scroll to the side."""
    page = page_as(None, "/sign-in", theme=theme, width=width)  # type: ignore[arg-type]
    assert flaws(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    keep_picture(page, f"sign-in-{theme}-{width}")
