"""The token of an embed: where it counts, for how long, and what isn't one."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import argon2
import httpx
import jwt
import pytest
from fastapi import FastAPI
from tests.integration.service.test_security_table import routes_of
from tests.support.audit import read_lines
from tests.support.embeds import BOARDS, YEAR, settings_of
from tests.support.services import identify_by_name
from tests.support.tokens import RSA, SECRET, bad_credentials, secret_file, section, signed

from warmcube.authn.credentials import CredentialsFile
from warmcube.config import Settings
from warmcube.dashboard.render import GivenDashboards
from warmcube.service.app import create_app

PASSWORD = "correct horse battery"
ORIGIN = "http://127.0.0.1:8080"
ANA = {"Authorization": signed(sub="ana")}
EMBED_ROUTES = {
    ("GET", "/embed/{dashboard}"),
    ("POST", "/api/embed/{dashboard}/render"),
}


def configured(folder: Path, store: str, facts: str, more: str, namespace: str) -> Settings:
    """Its configuration, with a password and a token's secret."""
    folder.mkdir(exist_ok=True)
    hasher = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    credentials = CredentialsFile(folder / "credentials.toml")
    credentials.put("ana", hasher.hash(PASSWORD.encode()))
    keys = section('["HS256"]', secret_file(folder))
    more = f"[auth.local]\n{keys}{more}"
    return settings_of(folder, store, facts, more=more, namespace=namespace)


@asynccontextmanager
async def service(
    folder: Path, store: str, facts: str, more: str = "", namespace: str = "", **options: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, FastAPI]]:
    """A service with all ways to prove oneself, in which dashboards may be embedded."""
    settings = configured(folder, store, facts, more, namespace)
    app = create_app(settings, dashboards=GivenDashboards(*BOARDS), **options)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client,
    ):
        yield client, app


@pytest.fixture
async def opened(
    tmp_path: Path, redis_url: str, facts: str
) -> AsyncIterator[tuple[httpx.AsyncClient, FastAPI]]:
    """Such a service, warm."""
    async with service(tmp_path / "one", redis_url, facts) as (client, app):
        await app.state.service.cache.warm(1)
        yield client, app


@pytest.fixture
def client(opened: tuple[httpx.AsyncClient, FastAPI]) -> httpx.AsyncClient:
    """A client of it."""
    return opened[0]


async def mint(client: httpx.AsyncClient, seconds: int = 600, **filters: Any) -> dict[str, Any]:
    """An embed of ana's."""
    answered = await client.post(
        "/api/dashboards/sample/embed",
        json={"seconds": seconds, "filters": {**YEAR, **filters}},
        headers=ANA,
    )
    assert answered.status_code == 201, answered.text
    made: dict[str, Any] = answered.json()
    return made


async def status(
    client: httpx.AsyncClient, token: str, dashboard: str = "sample", **more: Any
) -> int:
    """What a look with a token is answered; refusals say one thing, whatever is wrong."""
    headers = {"Authorization": f"Bearer {token}", **more}
    answered = await client.post(f"/api/embed/{dashboard}/render", json={}, headers=headers)
    if answered.status_code == 401:
        assert answered.json()["detail"].startswith("this embedded dashboard is over, or its token")
        assert token not in answered.text
        assert "ana" not in answered.text.replace("analytics", "")
    return answered.status_code


async def test_it_counts_nowhere_else(opened: tuple[httpx.AsyncClient, FastAPI]) -> None:
    """No other route of the application takes it, however it is sent."""
    client, app = opened
    made = await mint(client)
    token = made["token"]
    open_to_all = {
        *EMBED_ROUTES,
        ("GET", "/"),
        ("GET", "/sign-in"),
        ("POST", "/api/session"),
        ("GET", "/api/session/oidc"),
        ("GET", "/api/session/oidc/callback"),
        ("GET", "/api/openapi.json"),
        ("HEAD", "/api/openapi.json"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
        ("GET", "/static/{version}/{name}"),
    }
    routes = routes_of(app)
    assert routes >= open_to_all
    refused = 0
    for method, template in sorted(routes - open_to_all):
        path = template.replace("{id}", "1").replace("{dashboard}", "sample")
        path = path.replace("{column}", "note").replace("{embed}", made["id"])
        body = {"filters": YEAR} if method in ("POST", "PUT") else None
        for headers in (
            {"Authorization": f"Bearer {token}"},
            {"Authorization": f"bearer {token}", "Cookie": f"warmcube-session={token}"},
            {"Authorization": f"Basic {base64.b64encode(token.encode()).decode()}"},
        ):
            answered = await client.request(method, path, json=body, headers=headers)
            expected = 422 if (method, template) == ("DELETE", "/api/session") else 401
            assert answered.status_code == expected, (method, path, answered.text)
            assert token not in answered.text
            refused += 1
        for headers in ({"Cookie": f"warmcube-session={token}"}, {"X-CSRF-Token": token}):
            answered = await client.request(method, f"{path}", json=body, headers=headers)
            assert answered.status_code in (303, 401, 403), (method, path)
        answered = await client.request(method, f"{path}?token={token}", json=body)
        assert answered.status_code in (303, 401, 403, 422), (method, path)
        if answered.status_code == 303:
            assert answered.headers["location"].startswith("/sign-in")
    assert refused > 50
    assert await status(client, token) == 200


async def test_it_counts_for_its_dashboard_alone(client: httpx.AsyncClient) -> None:
    """Others are refused, and so is one that isn't there, in the same words."""
    token = (await mint(client))["token"]
    for other in ("other", "analysts", "nothing", "SAMPLE", "sample%00"):
        assert await status(client, token, other) == 401
    assert await status(client, token) == 200


async def test_nothing_but_its_token_counts(client: httpx.AsyncClient) -> None:
    """No user's token, no session's cookie, no token of another kind that its key has signed."""
    made = await mint(client)
    token: str = made["token"]
    head, body, signature = token.split(".")
    said = json.loads(base64.urlsafe_b64decode(body + "=="))
    longer = {**said, "exp": said["exp"] + 1}
    forged = {
        "an API token": ANA["Authorization"].removeprefix("Bearer "),
        "signed with the API's key": jwt.encode(
            said, SECRET, headers={"typ": "warmcube-embed+jwt"}
        ),
        "signed with another": jwt.encode(said, RSA, "RS256", {"typ": "warmcube-embed+jwt"}),
        "altered": f"{head}.{_part(longer)}.{signature}",
        "of another dashboard": f"{head}.{_part({**said, 'dashboard': 'other'})}.{signature}",
        "not signed": f"{_part({'alg': 'none', 'typ': 'warmcube-embed+jwt'})}.{body}.",
        "cut": token[:-1],
        "twice": f"{token}.{signature}",
    }
    for kind, other in forged.items():
        assert await status(client, other) == 401, kind
    for kind, given in bad_credentials("ana").items():
        headers = {} if given is None else {"Authorization": given}
        answered = await client.post("/api/embed/sample/render", json={}, headers=headers)
        assert answered.status_code == 401, kind
    signed_in = await client.post(
        "/api/session", json={"user": "ana", "password": PASSWORD}, headers={"Origin": ORIGIN}
    )
    assert signed_in.status_code == 200
    page = {"Origin": ORIGIN, "X-CSRF-Token": signed_in.json()["csrf_token"]}
    assert (await client.get("/api/dashboards")).status_code == 200  # the cookie is there
    answered = await client.post("/api/embed/sample/render", json={}, headers=page)
    assert answered.status_code == 401
    twice = [("Authorization", f"Bearer {token}")] * 2
    answered = await client.post("/api/embed/sample/render", json={}, headers=twice)
    assert answered.status_code == 401
    assert await status(client, token) == 200


def _part(value: Any) -> str:
    data = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def test_it_ends_with_its_time(client: httpx.AsyncClient) -> None:
    """And can't be replayed then."""
    made = await mint(client, seconds=1)
    async with asyncio.timeout(10):
        while await status(client, made["token"]) == 200:  # noqa: ASYNC110 - time has no event
            await asyncio.sleep(0.02)
    assert await status(client, made["token"]) == 401
    listed = await client.get("/api/embeds", headers=ANA)
    assert listed.json() == {"embeds": []}


async def test_it_is_revoked_by_those_who_may(client: httpx.AsyncClient) -> None:
    """Whoever minted it, and whoever manages the cache or the directory; nobody else."""
    for user in ("ana", "root", "keeper"):
        made = await mint(client)
        path = f"/api/embeds/{made['id']}"
        told = set()
        for other, embed in (("bob", made["id"]), ("reader", made["id"]), ("bob", "A" * 22)):
            answered = await client.delete(
                f"/api/embeds/{embed}", headers={"Authorization": signed(sub=other)}
            )
            assert answered.status_code == 404
            told.add(answered.text)
        assert len(told) == 1
        everyone = "/api/embeds?everyone=true"
        answered = await client.get(everyone, headers={"Authorization": signed(sub="bob")})
        assert answered.status_code == 403
        headers = {"Authorization": signed(sub=user)}
        if user != "ana":
            listed = await client.get(everyone, headers=headers)
            assert [each["id"] for each in listed.json()["embeds"]] == [made["id"]]
            assert (await client.get("/api/embeds", headers=headers)).json() == {"embeds": []}
        assert await status(client, made["token"]) == 200
        assert (await client.delete(path, headers=headers)).status_code == 204
        assert await status(client, made["token"]) == 401
        assert (await client.delete(path, headers=headers)).status_code == 404


async def test_processes_share_it_and_deployments_dont(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Made and revoked in one process, it counts and ends in another of the same deployment."""
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(
                service(tmp_path / namespace, redis_url, facts, namespace=namespace)
            )
            for namespace in ("a:", "a:", "c:")
        ]
        (one, app), (two, _), (other, _) = opened
        await app.state.service.cache.warm(1)
        made = await mint(one)
        assert await status(two, made["token"]) == 200
        assert await status(other, made["token"]) == 401
        answered = await other.delete(f"/api/embeds/{made['id']}", headers=ANA)
        assert answered.status_code == 404
        assert (await two.delete(f"/api/embeds/{made['id']}", headers=ANA)).status_code == 204
        assert await status(one, made["token"]) == 401


async def test_it_is_written_nowhere(tmp_path: Path, redis_url: str, facts: str) -> None:
    """Neither in the access log nor in the audit, metrics or store; its id is what they have."""
    audit, log = tmp_path / "audit.jsonl", tmp_path / "access.log"
    more = f'[audit]\npath = "{audit}"\n'
    with log.open("wb") as file:
        opened = service(tmp_path / "a", redis_url, facts, more, access_log=file.fileno())
        async with opened as (client, app):
            await app.state.service.cache.warm(1)
            made = await mint(client)
            token: str = made["token"]
            assert await status(client, token) == 200
            assert await status(client, token, "other") == 401
            assert await status(client, token[:-2]) == 401
            await client.get(f"/embed/sample?token={token}")
            await client.get(f"/embed/{token}")
            await client.get(f"/{token}")
            assert (await client.delete(f"/api/embeds/{made['id']}", headers=ANA)).is_success
            assert await status(client, token) == 401
            metrics = (await client.get("/metrics")).text
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    looks = [line for line in lines if line["route"] == "/api/embed/{dashboard}/render"]
    assert [(line["status"], line["user"], line["auth"], line["problem"]) for line in looks] == [
        (200, "ana", "embed", None),
        (401, None, "embed", "Unauthenticated (embed-dashboard)"),
        (401, None, "embed", "Unauthenticated (embed-form)"),
        (401, None, "embed", "Unauthenticated (embed-revoked)"),
    ]
    audited = read_lines(audit.read_bytes())
    told = [line for line in audited if line["event"].startswith("embed_")]
    assert [(line["event"], line["actor"], line["embed"], line["dashboard"]) for line in told] == [
        ("embed_minted", "ana", made["id"], "sample"),
        ("embed_revoked", "ana", made["id"], "sample"),
    ]
    given = [line for line in audited if line.get("action") == "embed"]
    shown = [line for line in given if line["event"] == "granted"]
    assert {(line["actor"], line["subject"]) for line in shown} == {(f"embed {made['id']}", "ana")}
    denied = [line for line in given if line["event"] == "denied"]
    assert {(line["reason"], line["actor"], line["subject"]) for line in denied} == {
        ("token of an embed", "service", None)
    }
    assert sum(1 + line["repeated"] for line in denied) == 3
    for text in (log.read_text(), audit.read_text(), metrics):
        for part in token.split(".")[1:]:
            assert part not in text


async def test_its_routes_answer_no_other_origin(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """Only the page of its own may ask; what may be framed, and by whom, is configured."""
    site = "https://portal.example.com"
    framed = f'[service]\ncors_origins = ["{site}"]\nframe_ancestors = ["{site}"]\n'
    async with service(tmp_path / "a", redis_url, facts, framed) as (client, app):
        await app.state.service.cache.warm(1)
        token = (await mint(client))["token"]
        asks = {"Origin": site, "Access-Control-Request-Method": "POST"}
        for path in ("/api/embed/sample/render", "/embed/sample"):
            for method, headers in (("OPTIONS", asks), ("POST", {"Origin": site})):
                answered = await client.request(method, path, headers=headers)
                assert not [each for each in answered.headers if each.startswith("access-control")]
        other = await client.options("/api/query", headers=asks)
        assert other.headers["access-control-allow-origin"] == site
        page = await client.get("/embed/sample")
        assert page.headers["content-security-policy"].endswith(f"frame-ancestors {site}")
        assert "x-frame-options" not in page.headers
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert "set-cookie" not in page.headers
        assert token not in page.text
        assert page.text == (await client.get("/embed/nothing")).text
        for path in ("/sign-in", "/api/embed/sample/render", "/healthz"):
            policy = (await client.get(path)).headers
            assert policy["content-security-policy"].endswith("frame-ancestors 'none'")
            assert policy["x-frame-options"] == "DENY"


async def test_no_page_frames_it_unless_that_is_configured(client: httpx.AsyncClient) -> None:
    """By default it is shown by itself alone."""
    page = await client.get("/embed/sample")
    assert page.status_code == 200
    assert page.headers["content-security-policy"].endswith("frame-ancestors 'none'")
    assert page.headers["x-frame-options"] == "DENY"


async def test_where_nobody_signs_in_there_is_still_its_page(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """And what that loads; no other page."""
    more = section('["HS256"]', secret_file(tmp_path))
    settings = settings_of(tmp_path, redis_url, facts, more=more)
    app = create_app(settings, dashboards=GivenDashboards(*BOARDS))
    pages = {path for method, path in routes_of(app) if not path.startswith("/api/")}
    probes = {"/healthz", "/readyz", "/metrics"}
    assert pages - probes == {"/embed/{dashboard}", "/static/{version}/{name}"}
    assert "/api/embeds" in {path for _, path in routes_of(app)}


async def test_without_the_section_nothing_of_it_is_there(
    tmp_path: Path, redis_url: str, facts: str
) -> None:
    """No route, and no page."""
    settings = settings_of(tmp_path, redis_url, facts)
    auth = settings.auth.model_copy(update={"embed": None})
    app = create_app(replace(settings, auth=auth), identify_by_name)
    assert not [path for _, path in routes_of(app) if "embed" in path or "static" in path]
