"""Every route and every role: who gets what, whatever they prove themselves with."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import argon2
import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from tests.support.caches import make_cache
from tests.support.dashboards import SAMPLE
from tests.support.embeds import EMBED_SECRET
from tests.support.identity_provider import CLIENT, identity_provider
from tests.support.identity_provider import SECRET as CLIENT_SECRET
from tests.support.leaks import LeakScan
from tests.support.security_table import (
    HEADERS,
    LIMITS,
    ORIGIN,
    PASSWORD,
    ROLES,
    TABLE,
    Asked,
    Limit,
)
from tests.support.services import as_user, open_client, path_of, query_of
from tests.support.tokens import SECRET, bad_credentials, secret_file, section, signed

from warmcube.authn.credentials import CredentialsFile
from warmcube.dashboard.render import GivenDashboards
from warmcube.service.app import create_app
from warmcube.web.policy import content_security_policy

from .conftest import ACCESS, PRACTICES

pytestmark = pytest.mark.no_cover  # repeats for long what other tests cover

IDLE: Final = '[[users]]\nid = "idle"\nroles = []\n'
GOOD: Final = {user: signed(sub=user) for user in ROLES.values()}
FROM_PAGE: Final = {"Origin": ORIGIN}
_POLICY: Final = "Content-Security-Policy"


@pytest.fixture
async def opened(
    tmp_path: Path, redis_url: str, facts: str
) -> AsyncIterator[tuple[httpx.AsyncClient, FastAPI]]:
    """A warm service with all ways to prove oneself, and a client that looks for leaks."""
    hasher = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    CredentialsFile(tmp_path / "credentials.toml").put("root", hasher.hash(PASSWORD.encode()))
    (tmp_path / "client-secret").write_text(CLIENT_SECRET)
    (tmp_path / "client-secret").chmod(0o600)
    (tmp_path / "embed.key").write_bytes(EMBED_SECRET)
    (tmp_path / "embed.key").chmod(0o600)
    with identity_provider() as provider:
        more = (
            f'[service]\npublic_url = "{ORIGIN}"\n[auth]\nshares_users = true\n[auth.local]\n'
            f'[auth.oidc]\nissuer = "{provider.issuer}"\nclient_id = "{CLIENT}"\n'
            'client_secret_file = "client-secret"\n[auth.embed]\nkey_file = "embed.key"\n'
            + section('["HS256"]', secret_file(tmp_path))
        )
        access = ACCESS + IDLE
        settings = make_cache(tmp_path, redis_url, facts, access=access, more=more).settings
        app = create_app(settings, dashboards=GivenDashboards(SAMPLE))
        visible = {GOOD[user]: practices for user, practices in PRACTICES.items()}
        scan = LeakScan(visible, secrets=[SECRET.decode(), EMBED_SECRET.decode(), CLIENT_SECRET])
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=transport, base_url=ORIGIN, event_hooks={"response": [scan]}
            ) as client,
        ):
            await app.state.service.cache.warm(1)
            yield client, app


async def ask(client: httpx.AsyncClient, asked: Asked, headers: dict[str, str]) -> httpx.Response:
    """What is answered, by a browser that keeps no cookie of it."""
    answered = await client.request(
        asked.method,
        path_of(asked.path),
        json=asked.body,
        params=asked.parameters,
        headers={**(FROM_PAGE if "session" in asked.path else {}), **headers},
    )
    client.cookies.clear()
    policy = content_security_policy()
    for name, value in {**HEADERS, **({_POLICY: policy} if _is_shown(answered) else {})}.items():
        assert answered.headers.get_list(name) == [value], (asked.method, asked.path, name)
    assert answered.headers["x-request-id"]
    is_kept = "etag" in answered.headers
    assert answered.headers.get_list("cache-control") == [
        "private, no-cache" if is_kept else "no-store"
    ], (asked.method, asked.path)
    assert not is_kept or (asked.method, asked.path) == ("GET", "/api/query")
    assert _is_shown(answered) == (asked.is_page and answered.status_code != 303)
    if answered.status_code >= 400 and not asked.is_page:
        assert answered.json()["status"] == answered.status_code
    return answered


def _is_shown(answered: httpx.Response) -> bool:
    """Whether it is a page."""
    return str(answered.headers.get("content-type", "")).startswith("text/html")


def bearing(authorization: str | None) -> dict[str, str]:
    """The headers of a request with or without a token."""
    return {} if authorization is None else {"Authorization": authorization}


def routes_of(app: FastAPI) -> set[tuple[str, str]]:
    """Methods and paths of all that an application has, in its document or not.

    What has no methods, like a mounted application or a web socket, is named by its kind.
    """
    found: set[tuple[str, str]] = set()
    for each in iter_route_contexts(app.routes):
        kind = type(each.original_route).__name__
        found |= {(method, str(each.path)) for method in each.methods or {kind}}
    return found


async def test_no_route_is_forgotten(opened: tuple[httpx.AsyncClient, FastAPI]) -> None:
    """A new route, method or kind of route turns this red until the table says whose it is."""
    _, app = opened
    assert routes_of(app) == {(asked.method, asked.path) for asked in TABLE}


async def test_what_is_no_plain_route_is_noticed(
    opened: tuple[httpx.AsyncClient, FastAPI],
) -> None:
    """A web socket and a mounted application are found too, and so is a method of an open path."""
    _, app = opened
    before = routes_of(app)
    app.add_api_websocket_route("/api/live", lambda _socket: None)
    app.mount("/pages", FastAPI())
    app.add_api_route("/healthz", lambda: None, methods=["POST"])
    assert routes_of(app) - before == {
        ("APIWebSocketRoute", "/api/live"),
        ("Mount", "/pages"),
        ("POST", "/healthz"),
    }


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_gets_what_the_table_says(
    opened: tuple[httpx.AsyncClient, FastAPI], role: str
) -> None:
    """With a good token; a role may what the directory says, route by route."""
    client, app = opened
    place = list(ROLES).index(role)
    for asked in TABLE:
        answered = await ask(client, asked, bearing(GOOD[ROLES[role]]))
        assert answered.status_code == asked.statuses[place], (asked[:2], asked.note, answered.text)
    await app.state.service.close()  # the warm that was started


@pytest.mark.parametrize("kind", bad_credentials("root"))
async def test_bad_credentials_are_refused_whoevers_they_are(
    opened: tuple[httpx.AsyncClient, FastAPI], kind: str
) -> None:
    """Before anything of the request is looked at, and with the same words for all users."""
    client, _ = opened
    told: set[str] = set()
    for user in ROLES.values():
        given = bad_credentials(user)[kind]
        for asked in TABLE:
            if asked.refusal is None:
                continue
            answered = await ask(client, asked, bearing(given))
            missing = 303 if asked.is_page else 401
            expected = missing if given is None else asked.refusal
            assert answered.status_code == expected, (asked[:2], user, answered.text)
            if expected == 401 and not asked.is_page:
                told.add(answered.json()["detail"])
    assert len(told) <= 2, told  # without a token, sessions have words of their own


@pytest.mark.parametrize("kind", bad_credentials("root"))
async def test_open_routes_look_at_no_token(
    opened: tuple[httpx.AsyncClient, FastAPI], kind: str
) -> None:
    """So that they tell nobody whether one counts."""
    client, _ = opened
    for asked in TABLE:
        if asked.refusal is None:
            answered = await ask(client, asked, bearing(bad_credentials("root")[kind]))
            assert answered.status_code == asked.statuses[0], (asked[:2], answered.text)


async def sign_in(client: httpx.AsyncClient) -> dict[str, str]:
    """The headers of root's page."""
    answered = await client.post(
        "/api/session", json={"user": "root", "password": PASSWORD}, headers=FROM_PAGE
    )
    assert answered.status_code == 200
    cookie = answered.headers["set-cookie"].partition(";")[0]
    client.cookies.clear()
    return {**FROM_PAGE, "Cookie": cookie, "X-CSRF-Token": answered.json()["csrf_token"]}


def changed(page: dict[str, str], **headers: str | None) -> dict[str, str]:
    """The same headers with others, or without some."""
    wanted = {**page, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return {name: value for name, value in wanted.items() if value is not None}


async def test_a_cookie_alone_changes_nothing(
    opened: tuple[httpx.AsyncClient, FastAPI],
) -> None:
    """What another site has a browser send is refused by every route that does anything."""
    client, _ = opened
    page = await sign_in(client)
    forged: dict[str, dict[str, str]] = {
        "no token": changed(page, X_CSRF_Token=None),
        "wrong token": changed(page, X_CSRF_Token="x" * 43),
        "no origin": changed(page, Origin=None),
        "other origin": changed(page, Origin="https://evil.example"),
        "null origin": changed(page, Origin="null"),
        "other site": changed(page, Sec_Fetch_Site="cross-site"),
    }
    for kind, headers in forged.items():
        for asked in TABLE:
            if asked.method in ("GET", "HEAD") or asked.refusal is None:
                continue
            # `ask` would add the origin that is missing here
            answered = await client.request(
                asked.method, asked.path, json=asked.body, headers=headers
            )
            assert answered.status_code == 403, (kind, asked[:2], answered.text)
    still = await client.get("/api/session", headers=page)
    assert still.status_code == 200


async def test_no_other_site_takes_a_file_in_somebodys_name(
    opened: tuple[httpx.AsyncClient, FastAPI],
) -> None:
    """A link there would be an export of the user's in the audit; their own doing still works."""
    client, _ = opened
    page = await sign_in(client)
    client.event_hooks = {}  # it knows users by their tokens
    file = next(each for each in TABLE if each.method == "GET" and each.note == "csv, parquet")
    rows = next(each for each in TABLE if each.method == "GET" and each.path == file.path)
    sites = {"cross-site": 403, "same-site": 403, "same-origin": 200, "none": 200}
    for site, status in sites.items():
        headers = {"Cookie": page["Cookie"], "Sec-Fetch-Site": site}
        answered = await ask(client, file, headers)
        assert answered.status_code == status, (site, answered.text)
        assert (await ask(client, rows, headers)).status_code == 200
    assert (await ask(client, file, {"Cookie": page["Cookie"]})).status_code == 200
    token = {**bearing(GOOD["root"]), "Sec-Fetch-Site": "cross-site"}
    assert (await ask(client, file, token)).status_code == 200


async def test_no_cookie_makes_up_for_a_bad_token(
    opened: tuple[httpx.AsyncClient, FastAPI],
) -> None:
    """Whoever sends a token is whom it names, or nobody."""
    client, _ = opened
    page = await sign_in(client)
    for kind, given in bad_credentials("root").items():
        if given is None:
            continue
        for asked in TABLE:
            if asked.refusal is not None:
                answered = await ask(client, asked, {**page, "Authorization": given})
                assert answered.status_code == asked.refusal, (kind, asked[:2], answered.text)


async def test_a_tag_opens_nothing(opened: tuple[httpx.AsyncClient, FastAPI]) -> None:
    """Who may not ask gets no 304 for a tag, nor does one whose rows are others get one."""
    client, _ = opened
    asked = next(each for each in TABLE if each[:2] == ("GET", "/api/query"))
    tags: dict[str, str] = {}
    for user in PRACTICES:
        answered = await ask(client, asked, bearing(GOOD[user]))
        tags[user] = answered.headers["etag"]
    same_rows = {"north", "exporter"}
    for owner, tag in tags.items():
        for user in PRACTICES:
            headers = {**bearing(GOOD[user]), "If-None-Match": tag}
            is_same = owner == user or {owner, user} <= same_rows
            answered = await ask(client, asked, headers)
            assert answered.status_code == (304 if is_same else 200), (owner, user)
    for given in (tags["root"], "*", ", ".join(tags.values())):
        for user in ("idle", "nobody"):
            headers = {**bearing(GOOD[user]), "If-None-Match": given}
            assert (await ask(client, asked, headers)).status_code == 403
        for bad in bad_credentials("root").values():
            headers = {**bearing(bad), "If-None-Match": given}
            assert (await ask(client, asked, headers)).status_code == 401


async def test_what_is_not_there_is_told_like_what_is_not_theirs(
    opened: tuple[httpx.AsyncClient, FastAPI],
) -> None:
    """No error says whether a practice, or an organization, of others exists."""
    client, _ = opened
    pairs: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
        ({"practices": [110]}, {"practices": [990]}),
        ({"organization": "south"}, {"organization": "sooth"}),
    )
    for user in ("north", "provider", "watcher"):
        for theirs, nothing in pairs:
            told = [
                await client.post("/api/query", json=query_of(**each), headers=bearing(GOOD[user]))
                for each in (theirs, nothing)
            ]
            first, second = ((each.status_code, each.text) for each in told)
            for (_, value), (_, other) in zip(theirs.items(), nothing.items(), strict=True):
                plain = value[0] if isinstance(value, list) else value
                blank = other[0] if isinstance(other, list) else other
                assert first[0] == second[0] == 403, (user, theirs, first, second)
                assert first[1] == second[1].replace(str(blank), str(plain)), (user, theirs)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda each: each.setting)
async def test_each_limit_is_an_error_that_names_it(
    tmp_path: Path, redis_url: str, facts: str, limit: Limit
) -> None:
    """Never a part of an answer."""
    more = f"[limits]\n{limit.setting} = {limit.small}"
    settings = make_cache(tmp_path, redis_url, facts, access=ACCESS, more=more).settings
    async with open_client(settings, LeakScan(PRACTICES)) as (client, app):
        await app.state.service.cache.warm(1)
        answered = await client.post(limit.path, json=limit.body, headers=as_user("north"))
    assert answered.status_code == limit.status, answered.text
    problem = answered.json()
    assert problem["status"] == limit.status
    assert re.search(rf"(\[limits\] |limits\.){limit.setting}\b", problem["detail"])
