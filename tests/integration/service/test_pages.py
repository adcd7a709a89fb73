"""The pages without a browser: who gets which, where one is sent, and errors as pages."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path

import argon2
import httpx
import pytest
from fastapi import FastAPI
from tests.support.caches import make_cache
from tests.support.tokens import bad_credentials, secret_file, section, signed

from warmcube.authn.credentials import CredentialsFile
from warmcube.authn.crosssite import csrf_token
from warmcube.embedded import EmbeddedRedis
from warmcube.service.app import create_app
from warmcube.web.policy import content_security_policy

from .conftest import ACCESS

ORIGIN = "http://localhost"
PASSWORD = "correct horse battery"
NAMED = ACCESS.replace('id = "root"\n', 'id = "root"\nname = "Rut <b>Root</b>"\n')
IDLE = '[[users]]\nid = "idle"\nroles = []\n'
PAGE = {"Accept": "text/html,application/xhtml+xml;q=0.9"}


@asynccontextmanager
async def site_on(
    folder: Path, redis_url: str, facts: str
) -> AsyncIterator[tuple[httpx.AsyncClient, FastAPI]]:
    """A client that keeps no cookies, of a service where people sign in with passwords."""
    hasher = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    for user in ("root", "north", "idle"):
        CredentialsFile(folder / "credentials.toml").put(user, hasher.hash(PASSWORD.encode()))
    more = "[auth.local]\n" + section('["HS256"]', secret_file(folder))
    settings = make_cache(folder, redis_url, facts, access=NAMED + IDLE, more=more).settings
    app = create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=PAGE) as client,
    ):
        yield client, app


@pytest.fixture
async def site(
    tmp_path: Path, redis_url: str, facts: str
) -> AsyncIterator[tuple[httpx.AsyncClient, FastAPI]]:
    """Such a client, and its service."""
    async with site_on(tmp_path, redis_url, facts) as opened:
        yield opened


async def session(client: httpx.AsyncClient, user: str) -> dict[str, str]:
    """The cookie of somebody who has signed in."""
    answered = await client.post(
        "/api/session", json={"user": user, "password": PASSWORD}, headers={"Origin": ORIGIN}
    )
    assert answered.status_code == 200
    client.cookies.clear()
    return {"Cookie": answered.headers["set-cookie"].partition(";")[0]}


def heading(page: httpx.Response) -> str:
    """What a page is about."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", page.text, re.DOTALL)
    assert found is not None
    return unescape(found[1].strip())


async def test_who_is_not_signed_in_is_sent_there_and_back(
    site: tuple[httpx.AsyncClient, FastAPI],
) -> None:
    """With the whole address; what can't be a path of ours is left out."""
    client, _ = site
    ways = {
        "/explore": "/sign-in?next=%2Fexplore",
        "/dashboards/a%20b?x=1&y=%C3": "/sign-in?next=%2Fdashboards%2Fa%2520b%3Fx%3D1%26y%3D%25C3",
        f"/explore?x={'y' * 3000}": "/sign-in",
    }
    for path, target in ways.items():
        answered = await client.get(path)
        assert (answered.status_code, answered.headers["location"]) == (303, target)
        assert answered.headers["cache-control"] == "no-store"
    assert (await client.get("/")).headers["location"] == "/dashboards"


async def test_a_page_for_whoever_is_signed_in(site: tuple[httpx.AsyncClient, FastAPI]) -> None:
    """It has their name as text and their token, is of one policy, and nobody keeps it."""
    client, _ = site
    cookie = await session(client, "root")
    page = await client.get("/explore", headers={**cookie, "Accept-Encoding": "gzip"})
    assert page.status_code == 200
    assert page.headers["content-security-policy"] == content_security_policy()
    assert page.headers["cache-control"] == "no-store"
    assert "content-encoding" not in page.headers  # it holds a secret beside an address
    token = csrf_token(cookie["Cookie"].partition("=")[2])
    assert f'<meta name="csrf-token" content="{token}">' in page.text
    assert "Rut &lt;b&gt;Root&lt;/b&gt;" in page.text
    assert "<b>Root" not in page.text


async def test_the_admin_page_is_for_operators(site: tuple[httpx.AsyncClient, FastAPI]) -> None:
    """Others don't see it in their navigation, and get a page that says so."""
    client, _ = site
    for user, status in (("root", 200), ("north", 403)):
        cookie = await session(client, user)
        start = await client.get("/explore", headers=cookie)
        assert ('href="/admin"' in start.text) == (status == 200)
        assert (await client.get("/admin", headers=cookie)).status_code == status
    refused = await client.get("/admin", headers=cookie)
    assert heading(refused) == "This page is for others"
    assert "This needs the permission cache:read:all" in refused.text


async def test_who_may_see_nothing_can_still_sign_out(
    site: tuple[httpx.AsyncClient, FastAPI],
) -> None:
    """A user without rights sees who they are, and a way out, and no navigation."""
    client, _ = site
    page = await client.get("/dashboards", headers=await session(client, "idle"))
    assert page.status_code == 403
    assert heading(page) == "Nothing is open to you yet"
    assert "signed in as idle" in page.text
    assert "data-sign-out" in page.text
    assert "<nav" not in page.text


async def test_the_sign_in_page(site: tuple[httpx.AsyncClient, FastAPI]) -> None:
    """Remembers a path of ours, and no other; whoever is signed in goes on."""
    client, _ = site
    kept = {
        "/explore?a=1": "/explore?a=1",
        "https://evil.example": "/",
        "//evil.example": "/",
        "/\\evil.example": "/",
        '/"><script>': "/",
        "/sign-in?next=/sign-in": "/",
    }
    for wanted, expected in kept.items():
        page = await client.get("/sign-in", params={"next": wanted})
        assert page.status_code == 200
        found = re.search(r'data-next="([^"]*)"', page.text)
        assert found is not None
        assert unescape(found[1]) == expected
    assert "Sign in with your organization" not in page.text
    answered = await client.get("/sign-in?next=/explore", headers=await session(client, "north"))
    assert (answered.status_code, answered.headers["location"]) == (303, "/explore")


async def test_a_token_that_does_not_count(site: tuple[httpx.AsyncClient, FastAPI]) -> None:
    """Who sends one isn't sent to a form."""
    client, _ = site
    for given in bad_credentials("root").values():
        if given is not None:
            page = await client.get("/explore", headers={"Authorization": given})
            assert (page.status_code, heading(page)) == (401, "Who are you?")
    good = await client.get("/explore", headers={"Authorization": signed(sub="root")})
    assert good.status_code == 200
    assert '<meta name="csrf-token" content="">' in good.text


async def test_what_is_not_there(site: tuple[httpx.AsyncClient, FastAPI]) -> None:
    """A page for people, with the navigation of whoever is signed in; a problem for programs."""
    client, _ = site
    page = await client.get("/nothing")
    assert (page.status_code, heading(page)) == (404, "There is no such page")
    known = await client.get("/nothing", headers=await session(client, "north"))
    assert (known.status_code, 'href="/explore"' in known.text) == (404, True)
    for path, accept in (("/nothing", "*/*"), ("/api/nothing", PAGE["Accept"])):
        problem = await client.get(path, headers={"Accept": accept})
        assert problem.headers["content-type"] == "application/problem+json"
    posted = await client.post("/nothing")
    assert posted.headers["content-type"] == "application/problem+json"


async def test_a_theme_of_ones_own(site: tuple[httpx.AsyncClient, FastAPI]) -> None:
    """It is in the page itself, if it is one."""
    client, _ = site
    for value, expected in (("dark", 'data-theme="dark"'), ("light", 'data-theme="light"')):
        page = await client.get("/sign-in", headers={"Cookie": f"warmcube-theme={value}"})
        assert expected in page.text
    page = await client.get("/sign-in", headers={"Cookie": "warmcube-theme=pink"})
    assert "data-theme" not in page.text


async def test_what_pages_load(site: tuple[httpx.AsyncClient, FastAPI]) -> None:
    """All that the sign-in page names is there, for ever, in the coding that was asked for."""
    client, _ = site
    page = (await client.get("/sign-in")).text
    paths = sorted(set(re.findall(r'(?:href|src|data-warm)="(/static/[^"]+)"', page)))
    assert {path.rpartition("/")[2] for path in paths} == {
        "base.css",
        "entrance.css",
        "icon.svg",
        "plotly.min.js",
        "shell.js",
        "sign-in.js",
    }
    for path in paths:
        plain = await client.get(path, headers={"Accept-Encoding": "identity"})
        assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert plain.headers["vary"] == "Accept-Encoding"
        assert plain.headers["x-content-type-options"] == "nosniff"
        async with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as zipped:
            data = b"".join([each async for each in zipped.aiter_raw()])
            if "content-encoding" in zipped.headers:
                data = gzip.decompress(data)
            assert data == plain.content
    outside = re.sub(r"/static/[^/]+", "/static/other", paths[0])
    for path in (outside, "/static/../pages.py", "/static/x/%2e%2e%2fassets.py", "/static"):
        assert (await client.get(path)).status_code == 404


async def test_a_store_out_of_reach_is_a_page_too(
    tmp_path: Path, redis_factory: Callable[..., EmbeddedRedis], facts: str
) -> None:
    """In fixed words, without an address."""
    redis = redis_factory()
    async with site_on(tmp_path, redis.url, facts) as (client, _):
        cookie = await session(client, "root")
        await asyncio.to_thread(redis.stop)
        page = await client.get("/explore", headers=cookie)
    assert (page.status_code, heading(page)) == (503, "Out of reach just now")
    assert "redis.sock" not in page.text
    assert page.headers["retry-after"] == "1"


async def test_a_defect_is_a_page_too(
    site: tuple[httpx.AsyncClient, FastAPI],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What it was stands in the log, and nowhere else."""
    client, app = site

    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the house")

    monkeypatch.setattr(app.state.service.cache, "authorize", fail)
    page = await client.get("/explore", headers=await session(client, "root"))
    assert (page.status_code, heading(page)) == (500, "Something broke")
    assert "secret" not in page.text
    assert "a secret of the house" in caplog.text


@pytest.fixture
async def provided(tmp_path: Path, redis_url: str, facts: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service where people sign in at an identity provider only."""
    more = (
        f'[service]\npublic_url = "{ORIGIN}"\n[auth.oidc]\n'
        'issuer = "http://127.0.0.1:9"\nclient_id = "warmcube"\n'
    )
    app = create_app(make_cache(tmp_path, redis_url, facts, access=ACCESS, more=more).settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=PAGE) as client,
    ):
        yield client


async def test_the_way_to_the_identity_provider(provided: httpx.AsyncClient) -> None:
    """A link with the place to come back to, and no form for passwords that nobody has."""
    page = await provided.get("/sign-in", params={"next": "/explore?a=1&b=2"})
    assert 'href="/api/session/oidc?next=%2Fexplore%3Fa%3D1%26b%3D2"' in unescape(page.text)
    assert "<form" not in page.text


async def test_what_goes_wrong_at_the_provider_is_a_page(provided: httpx.AsyncClient) -> None:
    """People come through there themselves; a program gets its problem as ever."""
    ways = {
        "/api/session/oidc": (503, "Out of reach just now"),
        "/api/session/oidc/callback?error=access_denied&state=x": (401, "Who are you?"),
        "/api/session/oidc?next=//evil": (422, "That didn't work"),
    }
    for path, expected in ways.items():
        page = await provided.get(path)
        assert (page.status_code, heading(page)) == expected
        assert page.headers["content-security-policy"] == content_security_policy()
        assert 'href="/sign-in"' in page.text
        problem = await provided.get(path, headers={"Accept": "application/json"})
        assert problem.status_code == expected[0]
        assert problem.headers["content-type"] == "application/problem+json"


async def test_where_nobody_signs_in(tmp_path: Path, redis_url: str, facts: str) -> None:
    """There are no pages, nor what they load."""
    more = section('["HS256"]', secret_file(tmp_path))
    app = create_app(make_cache(tmp_path, redis_url, facts, access=ACCESS, more=more).settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=PAGE) as client:
        for path in ("/", "/sign-in", "/dashboards", "/explore", "/admin", "/static/x/base.css"):
            assert (await client.get(path)).status_code == 404
