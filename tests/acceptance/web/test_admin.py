"""`/admin` in a browser: operators see what there is, and steer it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Locator, Page, expect
from tests.support.browser import Visits, flaws
from tests.support.site import Site

OUT_OF_REACH = "can\N{RIGHT SINGLE QUOTATION MARK}t be reached"
FACT = '[data-fact="{}"]'
MARKUP = """<img src=x onerror="document.title='owned'"><b>x</b>"""
CACHE = "/api/admin/analytics/cache"


def card(page: Page) -> Locator:
    """The card of the only data source, once it is filled."""
    found = page.locator(".source")
    expect(found.locator(".dial")).to_be_visible()
    return found


def ask(site: Site, query: str) -> list[tuple[Any, ...]]:
    """What SQL says of the demo's table."""
    with psycopg.connect(site.database) as connection:
        return connection.execute(query).fetchall()


def call(page: Page, path: str, body: object) -> int:
    """The status of a request that this page's user sends beside the page."""
    token = page.locator("meta[name=csrf-token]").get_attribute("content")
    sent = page.request.post(
        path,
        data=json.dumps(body),
        headers={
            "Content-Type": "application/json",
            "X-CSRF-Token": token or "",
            "Origin": page.url.partition("/admin")[0],
        },
    )
    return sent.status


@pytest.fixture
def warm_again(site: Site, page_as: Visits) -> Iterator[None]:
    """Leaves the data source warm, as other tests want it."""
    yield
    page = page_as("root", "/admin")
    if card(page).get_by_role("button", name="Refresh").count() == 0:
        warm(page)


def warm(page: Page) -> None:
    """Warm on the page, and wait until it is done."""
    card(page).locator("[data-act=warm]").click()
    page.get_by_role("dialog").locator("#ask-yes").click()
    expect(page.locator("#toasts")).to_contain_text("is warm", timeout=60_000)
    expect(card(page).locator(".badge").first).to_have_text("fresh")


def test_a_card_says_what_the_table_holds(page_as: Visits, site: Site) -> None:
    """Its figures are SQL's; those that nobody has measured are dashes."""
    page = page_as("root", "/admin")
    ((rows, measures, practices, entries),) = ask(
        site,
        "SELECT count(*), count(DISTINCT measure), count(DISTINCT practice_uid), "
        "count(DISTINCT (measure, frequency, practice_uid, provider_uid)) "
        "FROM ih.agg_app_measures",
    )
    expected = {"Rows": rows, "Measures": measures, "Practices": practices, "Entries": entries}
    for name, value in expected.items():
        found = card(page).locator(FACT.format(name))
        assert (found.text_content() or "").startswith(f"{value:,}"), name
    expect(card(page).get_by_role("img", name="Health")).to_be_visible()
    expect(page.locator("#jobs tbody tr").first).to_contain_text("done")


def test_a_warm_moves_its_bar(page_as: Visits, warm_again: None) -> None:
    """Through values between 0 and 100 that never fall; then it is gone, and the job is listed."""
    page = page_as("root", "/admin")
    card(page)
    page.evaluate(
        """() => {
          window.seen = [];
          new MutationObserver((changes) => changes.forEach(({ target }) => {
            const value = target.getAttribute?.("aria-valuenow");
            if (value !== null && value !== undefined) window.seen.push(Number(value));
          })).observe(document.body, { subtree: true, attributes: true,
            attributeFilter: ["aria-valuenow"] });
        }"""
    )
    before = page.locator("#jobs tbody tr").count()
    between: set[float] = set()
    for more in range(1, 9):  # a table so small may be warm before the service has told much
        page.evaluate("window.seen = []")
        card(page).locator("[data-act=warm]").click()
        page.get_by_role("dialog").locator("#ask-yes").click()
        done = page.locator("#jobs tbody tr").filter(has_text="done")
        expect(done).to_have_count(min(before + more, 50), timeout=60_000)
        expect(page.locator("[role=progressbar]")).to_have_count(0)
        seen = page.evaluate("window.seen")
        assert seen == sorted(seen)
        between |= {value for value in seen if 0 < value < 100}
        if len(between) >= 2:
            break
    assert len(between) >= 2
    expect(page.locator("#jobs tbody tr").first).to_contain_text("root")


def test_without_events_the_bar_is_polled(page_as: Visits, warm_again: None) -> None:
    """Where a proxy lets no stream through, the end is told all the same."""
    page_as.forgive("warming/events")
    page_as.forgive("EventSource")
    page = page_as("root")
    page.route("**/warming/events*", lambda route: route.fulfill(status=503, body=""))
    page.goto("/admin")
    warm(page)


def test_invalidating_asks_first(
    page_as: Visits, warm_again: None, keep_picture: Callable[[Page, str], None]
) -> None:
    """Cancel and Escape leave all as it is; yes takes the snapshot away, and the card says cold."""
    page = page_as("root", "/admin")
    button = card(page).get_by_role("button", name="Invalidate")
    dialog = page.get_by_role("dialog", name="Invalidate Practice analytics?")
    for way in ("Cancel", "Escape"):
        button.click()
        expect(dialog).to_contain_text("the database answers everything")
        expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        if way == "Cancel":
            dialog.get_by_role("button", name=way).click()
        else:
            page.keyboard.press(way)
        expect(dialog).to_be_hidden()
        expect(button).to_be_focused()
        expect(card(page).locator(".badge").first).to_have_text("fresh")
    button.click()
    assert flaws(page) == []
    dialog.get_by_role("button", name="Invalidate").click()
    expect(page.locator("#toasts")).to_contain_text("is invalidated")
    expect(card(page).locator(".badge").first).to_have_text("cold")
    expect(card(page)).to_contain_text("Until it is warm, the database answers")
    for name in ("Rows", "Entries", "Memory", "Hit rate"):
        assert (card(page).locator(FACT.format(name)).text_content() or "").startswith(
            "\N{EN DASH}"
        )
    expect(button).to_be_disabled()
    keep_picture(page, "admin-cold")
    page.locator("#tab-entries").click()
    expect(page.locator("#partition-hint")).to_contain_text("No snapshot is live")


def test_a_second_warm_meanwhile_is_a_sentence(page_as: Visits, warm_again: None) -> None:
    """Who is warming already, and since when; nothing is started twice."""
    page_as.forgive("status of 409")
    page = page_as("root", "/admin")
    card(page).locator("[data-act=warm]").click()
    assert call(page, f"{CACHE}/warm", {"datasource": 1}) == 202
    page.get_by_role("dialog").locator("#ask-yes").click()
    expect(page.locator("#toasts .bad")).to_contain_text("root")
    expect(page.locator("#toasts .bad")).to_contain_text(".")
    expect(page.locator("#toasts")).to_contain_text("is warm", timeout=60_000)


def test_who_may_only_read_sees_no_buttons(page_as: Visits, site: Site) -> None:
    """Neither those of the cache, nor rows, nor the users."""
    path = site.folder / "access.toml"
    before = path.read_text(encoding="utf-8")
    reading = before.replace(
        'provider    = ["analytics:read:own"]',
        ('provider    = ["analytics:read:own", "cache:read:all"]'),
    )
    assert reading != before
    path.write_text(reading, encoding="utf-8")
    try:
        page_as.forgive("status of 403")
        page = page_as("provider", "/dashboards")
        for _ in range(100):  # until the directory has been read again
            page.goto("/admin")
            if page.locator("#tab-cache").count():
                break
            page.wait_for_timeout(100)
        card(page)
        assert page.locator("[data-act]").count() == 0
        assert page.locator("#tab-users").count() == page.locator("#entry-rows").count() == 0
        assert flaws(page) == []
    finally:
        path.write_text(before, encoding="utf-8")


def test_an_entry_is_inspected(
    page_as: Visits, site: Site, keep_picture: Callable[[Page, str], None]
) -> None:
    """From the list or by name: its proofs, its key, and as many rows as SQL has."""
    page = page_as("root", "/admin#entries")
    page.get_by_label("Measure and frequency").select_option(label="Charges · Monthly")
    page.locator('[data-practice="101"][data-provider="10105"]').click()
    found = page.locator("#inspected")
    expect(found.locator(".badge")).to_have_text("proven")
    expect(found.locator(".proofs li")).to_have_count(4)
    expect(found.locator(".key")).to_contain_text(":p:101:prov:10105")
    assert found.locator("table").count() == 0
    ((rows,),) = ask(
        site,
        "SELECT count(*) FROM ih.agg_app_measures WHERE measure = 'Charges' "
        "AND frequency = 'Monthly' AND practice_uid = 101 AND provider_uid = 10105",
    )
    expect(found.locator(FACT.format("Rows"))).to_have_text(f"{rows}")
    page.get_by_label("with its rows").check()
    page.get_by_role("button", name="Inspect").click()
    expect(found.locator("tbody tr")).to_have_count(rows)
    assert flaws(page) == []
    keep_picture(page, "admin-entry")
    page.get_by_label("Provider").fill("99999")
    page.get_by_role("button", name="Inspect").click()
    expect(found).to_contain_text("no entry of this practice and provider")
    page_as.forgive("status of 422")
    page.get_by_label("Provider").fill("x")
    page.get_by_role("button", name="Inspect").click()
    expect(found.get_by_role("alert")).to_contain_text("can't be read")


def tree_of(site: Site, user: str, *options: str) -> list[str]:
    """The lines that ``explain-access`` prints, without what only draws the tree."""
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("warmcube")),
            *("--config", str(site.folder / "warmcube.toml"), "explain-access", user, *options),
        ],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "1000", "PATH": "/usr/bin:/bin", "HOME": str(site.folder)},
    )
    return [line.lstrip("│├└─ \xa0").rstrip() for line in done.stdout.splitlines() if line.strip()]


@pytest.mark.parametrize("user", ["root", "north", "provider", "nobody", "lost"])
def test_what_a_user_sees_is_what_the_command_says(page_as: Visits, site: Site, user: str) -> None:
    """Line by line, but for when it was decided."""
    page = page_as("root", "/admin#users")
    page.locator(f'[data-user="{user}"]').click()
    tree = page.locator("#access-tree .line")
    expect(tree.first).to_contain_text(user)
    told, printed = tree.all_text_contents(), tree_of(site, user)
    assert told[:-1] == printed[:-1]
    assert told[-1].startswith("decided ")
    assert told[-1].partition(" from ")[2] == printed[-1].partition(" from ")[2]


def test_users_are_searched_and_narrowed(
    page_as: Visits, site: Site, keep_picture: Callable[[Page, str], None]
) -> None:
    """By name, by organization; an explanation within an organization is the command's too."""
    page = page_as("root", "/admin#users")
    users = page.locator("#user-list .pick")
    expect(users).to_have_count(5)
    page.get_by_label("Search by name or id").fill("nor")
    expect(users).to_have_count(1)
    users.click()
    page.get_by_label("Only within an organization").select_option("north-coast")
    tree = page.locator("#access-tree .line")
    expect(tree.first).to_contain_text("within north-coast")
    printed = tree_of(site, "north", "--organization", "north-coast")
    assert tree.all_text_contents()[:-1] == printed[:-1]
    keep_picture(page, "admin-users")
    page.get_by_label("Search by name or id").fill("")
    page.get_by_role("button", name="Meridian North").click()
    expect(users).to_have_count(2)
    page.get_by_role("button", name="show all").click()
    expect(users).to_have_count(5)
    expect(page.locator("#findings")).to_contain_text("sees nothing")
    assert flaws(page) == []


def test_names_that_are_markup_are_text(page_as: Visits, site: Site) -> None:
    """Of users and organizations; nothing of them is an element, or runs."""
    path = site.folder / "access.toml"
    before = path.read_text(encoding="utf-8")
    changed = before.replace('"Nora North"', f"'''{MARKUP}'''")
    changed = changed.replace('"Meridian North"', f"'''{MARKUP}'''")
    path.write_text(changed, encoding="utf-8")
    try:
        page = page_as("root")
        for _ in range(100):  # until the directory has been read again
            page.goto("/admin#users")
            page.reload()
            expect(page.locator("#user-list .pick").first).to_be_visible()
            if page.locator("#user-list").get_by_text("onerror").count():
                break
            page.wait_for_timeout(100)
        page.locator('[data-user="north"]').click()
        expect(page.locator("#access h2")).to_have_text(MARKUP)
        expect(page.locator("#organizations").get_by_role("button", name=MARKUP)).to_be_visible()
        assert page.locator("main img, main b").count() == 0
        assert "owned" not in page.title()
    finally:
        path.write_text(before, encoding="utf-8")


def test_everything_is_reached_by_keyboard(page_as: Visits) -> None:
    """Tabs by arrows; a dialog keeps the focus, and gives it back."""
    page = page_as("root", "/admin")
    card(page)
    page.locator("#tab-cache").focus()
    for key, name in (
        ("ArrowRight", "Entries"),
        ("ArrowRight", "Users"),
        ("ArrowRight", "Cache"),
        ("End", "Users"),
        ("Home", "Cache"),
    ):
        page.keyboard.press(key)
        expect(page.get_by_role("tab", name=name)).to_be_focused()
        expect(page.get_by_role("tabpanel", name=name)).to_be_visible()
    refresh = card(page).locator("[data-act=warm]")
    for _ in range(10):
        page.keyboard.press("Tab")
        if refresh.evaluate("node => node === document.activeElement"):
            break
    expect(refresh).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(refresh).to_be_focused()


@pytest.mark.parametrize(
    ("width", "theme"),
    [
        (390, "dark"),
        (1280, "light"),
        pytest.param(390, "light", marks=pytest.mark.long),
        pytest.param(1280, "dark", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("tab", ["cache", "entries", "users"])
def test_every_tab_fits_and_is_for_everybody(
    page_as: Visits, tab: str, width: int, theme: Any, keep_picture: Callable[[Page, str], None]
) -> None:
    """Nothing sticks out, axe finds nothing serious, in both themes and widths."""
    page = page_as("root", f"/admin#{tab}", width=width, theme=theme)
    if tab == "cache":
        card(page)
        expect(page.locator("#plots .over-time-plot, #plots .empty").first).to_be_visible()
    elif tab == "entries":
        page.locator("#entry-list .pick").first.click()
        expect(page.locator("#inspected .badge")).to_have_text("proven")
    else:
        page.locator('[data-user="north"]').click()
        expect(page.locator("#access-tree")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert flaws(page) == []
    if tab == "cache":
        keep_picture(page, f"admin-{theme}-{width}")


def test_a_service_out_of_reach_is_a_sentence(page_as: Visits) -> None:
    """On the page, with what was last known left as it is."""
    page_as.forgive("Failed to load|ERR_FAILED")
    page = page_as("root", "/admin")
    card(page)
    page.route("**/api/admin/**", lambda route: route.abort())
    page.clock.install()
    page.clock.fast_forward(11_000)
    card(page).locator("[data-act=warm]").click()
    page.get_by_role("dialog").locator("#ask-yes").click()
    expect(page.locator("#toasts .bad")).to_contain_text(OUT_OF_REACH)
    expect(page.locator("#cache-trouble")).to_contain_text(OUT_OF_REACH)
    expect(card(page)).to_contain_text("fresh")
