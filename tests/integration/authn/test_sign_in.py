"""Signing in with a password, and what a session then allows, over HTTP."""

from __future__ import annotations

import json
import logging
import stat
from contextlib import AsyncExitStack, closing
from pathlib import Path

import argon2
import httpx
import pytest
import redis
from tests.integration.authn.conftest import ORIGIN, PASSWORD, Open, sign_in
from tests.support.audit import read_line

from warmcube.authn.credentials import CredentialsFile
from warmcube.errors import ConfigError

UNKNOWN = {"datasource": 99, "measure": "Charges", "frequency": "Monthly"}
"""A query that is found wanting only after it is clear who asks."""


def page(browser: httpx.AsyncClient, csrf: str) -> dict[str, str]:
    """The headers that a page of the service sends."""
    return {"Origin": str(browser.base_url).rstrip("/"), "X-CSRF-Token": csrf}


async def test_in_and_out(browser: httpx.AsyncClient) -> None:
    """Who signs in is known until they sign out; the cookie is out of the reach of scripts."""
    assert (await browser.get("/api/session")).status_code == 401
    answer = await sign_in(browser)
    assert answer.status_code == 200
    csrf = answer.json()["csrf_token"]
    assert answer.json() == {"user": "north", "method": "session", "csrf_token": csrf}
    name, _, attributes = answer.headers["set-cookie"].partition("=")
    assert name == "warmcube"
    assert attributes.partition("; ")[2] == "Max-Age=43200; Path=/; HttpOnly; SameSite=Lax"
    assert answer.headers["cache-control"] == "no-store"
    assert (await browser.get("/api/session")).json() == answer.json()
    assert [each["id"] for each in (await browser.get("/api/datasources")).json()["datasources"]]

    kept = browser.cookies["warmcube"]
    out = await browser.delete("/api/session", headers=page(browser, csrf))
    assert out.status_code == 204
    assert dict(browser.cookies) == {}
    stolen = await browser.get("/api/session", headers={"Cookie": f"warmcube={kept}"})
    assert stolen.status_code == 401
    assert "the session is over" in stolen.json()["detail"]


async def test_by_https_the_cookie_is_the_hosts_alone(open_browser: Open) -> None:
    """No other host can set it, and it never travels in the clear."""
    origin = "https://analytics.example.com"
    browser = await open_browser(f'[auth.local]\n[service]\npublic_url = "{origin}"', origin)
    answer = await sign_in(browser)
    name, _, attributes = answer.headers["set-cookie"].partition("=")
    assert name == "__Host-warmcube"
    assert attributes.partition("; ")[2] == "Max-Age=43200; Path=/; HttpOnly; SameSite=Lax; Secure"
    assert (await browser.get("/api/session")).json()["user"] == "north"


async def test_what_the_store_keeps(browser: httpx.AsyncClient, redis_url: str) -> None:
    """The store has neither the token, nor the password, nor the name as it was typed."""
    answer = await sign_in(browser)
    await sign_in(browser, "my secret typed as a name", "wrong password")
    token = browser.cookies["warmcube"]
    with closing(redis.Redis.from_url(redis_url)) as client:
        kept = {
            key: repr((key, client.hgetall(key)))
            for key in client.scan_iter()
            if client.type(key) == b"hash"
        }
    # a session, and the attempts from an address and under a name
    assert len([key for key in kept if b":meta:service:" in key]) == 3
    for secret in (token.partition(".")[2], answer.json()["csrf_token"], PASSWORD, "typed as"):
        assert secret not in "".join(kept.values())


async def test_who_is_unknown_is_told_the_same(
    browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown user and a wrong password differ neither in words nor in the hashes computed."""
    computed: list[str] = []
    verify = argon2.PasswordHasher.verify

    def counted(self: argon2.PasswordHasher, hash: str, password: bytes) -> bool:
        computed.append(hash)
        return verify(self, hash, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    answers = [
        await sign_in(browser, user, password)
        for user, password in (
            ("north", "wrong password"),
            ("nobody at all", "wrong password"),
            ("provider", PASSWORD),  # is in the directory, and has no password here
            ("north", "x" * 2000),
            ("north", "\udc80" * 20),
        )
    ]
    assert len(computed) == 5
    assert {(each.status_code, each.text) for each in answers} == {
        (401, answers[0].text),
    }
    assert answers[0].json()["detail"] == "the user or the password is wrong"
    assert all("set-cookie" not in each.headers for each in answers)


async def test_little_is_read_of_somebody_unknown(browser: httpx.AsyncClient) -> None:
    """A body that is none of a sign-in's isn't worth the time that it would take to read."""
    body = json.dumps({"user": "north", "password": PASSWORD, "more": [{}] * 5000})
    headers = {"Origin": ORIGIN, "Content-Type": "application/json"}
    answer = await browser.post("/api/session", content=body, headers=headers)
    assert answer.status_code == 413
    assert "a sign-in's bound = 16,384 bytes" in answer.json()["detail"]


async def test_attempts_are_counted_for_all_processes(open_browser: Open) -> None:
    """After five failures of a user nobody signs in as them for a while, whatever the process."""
    first, second = await open_browser(), await open_browser(address="198.51.100.7")
    signed_in = await open_browser(address="203.0.113.9")
    assert (await sign_in(signed_in)).status_code == 200
    statuses = [
        (await sign_in(each, password="wrong password")).status_code
        for each in (first, second, first, second, first)
    ]
    assert statuses == [401] * 5
    late = await sign_in(second)
    assert late.status_code == 429
    assert 0 < int(late.headers["retry-after"]) <= 60
    assert late.json()["type"] == "urn:warmcube:problem:too-many-requests"
    nobody = [await sign_in(first, "nobody", "wrong password") for _ in range(6)]
    assert [each.status_code for each in nobody] == [401] * 5 + [429]
    assert nobody[-1].json()["detail"] == late.json()["detail"]
    # Who is signed in isn't troubled by what others try.
    assert (await signed_in.get("/api/session")).status_code == 200
    assert (await sign_in(second, "root")).status_code == 200


async def test_success_forgets_failures(browser: httpx.AsyncClient) -> None:
    """Mistyping now and then never adds up."""
    for _ in range(3):
        for _ in range(4):
            assert (await sign_in(browser, password="wrong password")).status_code == 401
        assert (await sign_in(browser)).status_code == 200


CROSS_SITE = {
    "no origin": {},
    "another origin": {"Origin": "https://evil.example"},
    "an opaque origin": {"Origin": "null"},
    "another port": {"Origin": "http://127.0.0.1:8081"},
    "another scheme": {"Origin": "https://127.0.0.1:8080"},
    "a site beside": {"Origin": ORIGIN, "Sec-Fetch-Site": "same-site"},
    "cross-site": {"Sec-Fetch-Site": "cross-site"},
}


@pytest.mark.parametrize("headers", CROSS_SITE.values(), ids=CROSS_SITE.keys())
async def test_other_sites_can_do_nothing(
    browser: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    """What another site's page has a browser send is refused, even with the right token."""
    csrf = (await sign_in(browser)).json()["csrf_token"]
    for method, path in (("POST", "/api/query"), ("DELETE", "/api/session")):
        answer = await browser.request(
            method, path, json=UNKNOWN, headers={**headers, "X-CSRF-Token": csrf}
        )
        assert answer.status_code == 403, (method, path)
    login = await browser.post(
        "/api/session", json={"user": "root", "password": PASSWORD}, headers=headers
    )
    assert login.status_code == 403
    assert (await browser.get("/api/session")).json()["user"] == "north"


async def test_a_request_needs_the_sessions_own_token(
    browser: httpx.AsyncClient, open_browser: Open
) -> None:
    """None, another session's, or two of them don't do; GET needs none."""
    csrf = (await sign_in(browser)).json()["csrf_token"]
    others = (await sign_in(await open_browser())).json()["csrf_token"]
    assert csrf != others
    statuses = {}
    for name, tokens in {
        "none": [],
        "another's": [others],
        "empty": [""],
        "two": [csrf, csrf],
        "its own": [csrf],
    }.items():
        answer = await browser.post(
            "/api/query",
            json=UNKNOWN,
            headers=[("Origin", ORIGIN), *(("X-CSRF-Token", each) for each in tokens)],
        )
        statuses[name] = answer.status_code
    assert statuses == {"none": 403, "another's": 403, "empty": 403, "two": 403, "its own": 404}
    told = await browser.post(
        "/api/query", json=UNKNOWN, headers={"Sec-Fetch-Site": "same-origin", "X-CSRF-Token": csrf}
    )
    assert told.status_code == 404


async def test_a_name_that_leads_here_is_not_this_service(open_browser: Open) -> None:
    """Without a public URL only loopback is an origin: DNS may point any name here."""
    browser = await open_browser(origin="http://evil.example:8080")
    assert (await sign_in(browser)).status_code == 403


async def test_a_token_counts_alone(browser: httpx.AsyncClient) -> None:
    """Beside a bearer token a cookie is nothing: neither for reading nor where it is wrong."""
    await sign_in(browser)
    with_token = await browser.get("/api/session", headers={"Authorization": "Test root"})
    assert with_token.json() == {"user": "root", "method": "token", "csrf_token": None}
    wrong = await browser.get("/api/session", headers={"Authorization": ""})
    assert wrong.status_code == 401
    by_token = await browser.post("/api/query", json=UNKNOWN, headers={"Authorization": "Test x"})
    assert by_token.status_code == 403  # x isn't in the directory; no word of CSRF
    assert "X-CSRF-Token" not in by_token.text
    out = await browser.delete("/api/session", headers={"Authorization": "Test root"})
    assert out.status_code == 422
    assert (await browser.get("/api/session")).json()["user"] == "north"


async def test_a_login_has_a_new_session(browser: httpx.AsyncClient) -> None:
    """What a browser was given before it signed in is worth nothing afterwards."""
    await sign_in(browser)
    before = browser.cookies["warmcube"]
    await sign_in(browser, "root")
    assert browser.cookies["warmcube"] != before
    assert (await browser.get("/api/session")).json()["user"] == "root"
    browser.cookies.clear()
    fixed = await browser.get("/api/session", headers={"Cookie": f"warmcube={before}"})
    assert fixed.status_code == 401


async def test_several_cookies_are_nobodys(browser: httpx.AsyncClient) -> None:
    """Another host of the domain may have set one; which is which can't be told."""
    await sign_in(browser)
    token = browser.cookies["warmcube"]
    browser.cookies.clear()
    answer = await browser.get(
        "/api/session", headers={"Cookie": f"warmcube={token}; warmcube={token}"}
    )
    assert answer.status_code == 401
    # They don't keep anybody from signing in.
    again = await browser.post(
        "/api/session",
        json={"user": "north", "password": PASSWORD},
        headers={"Origin": ORIGIN, "Cookie": f"warmcube={token}; warmcube=x"},
    )
    assert again.status_code == 200


async def test_everywhere(open_browser: Open) -> None:
    """All sessions of a user end at once, for every process; those of others don't."""
    mine, also_mine, others = [await open_browser() for _ in range(3)]
    csrf = (await sign_in(mine)).json()["csrf_token"]
    await sign_in(also_mine)
    await sign_in(others, "root")
    out = await mine.delete("/api/session", params={"everywhere": "true"}, headers=page(mine, csrf))
    assert out.status_code == 204
    statuses = [(await each.get("/api/session")).status_code for each in (mine, also_mine, others)]
    assert statuses == [401, 401, 200]


async def test_a_lost_store_ends_sessions(browser: httpx.AsyncClient, redis_url: str) -> None:
    """Whoever was signed in isn't any more, when the store was emptied."""
    await sign_in(browser)
    with closing(redis.Redis.from_url(redis_url)) as client:
        client.flushall()
    assert (await browser.get("/api/session")).status_code == 401
    assert (await sign_in(browser)).status_code == 200


BODIES = {
    "no object": '"Hunter2Hunter2"',
    "another field": '{"user": "north", "password": "Hunter2Hunter2", "more": 1}',
    "a missing field": '{"password": "Hunter2Hunter2"}',
    "another type": '{"user": "north", "password": ["Hunter2Hunter2"]}',
    "an empty user": '{"user": "", "password": "Hunter2Hunter2"}',
    "twice": '{"user": "north", "password": "Hunter2Hunter2", "password": "Hunter2Hunter2"}',
    "broken": '{"user": "north", "password": "Hunter2Hunter2',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_no_answer_repeats_a_password(browser: httpx.AsyncClient, body: str) -> None:
    """What is wrong with a request is said without what it held."""
    answer = await browser.post(
        "/api/session",
        content=body,
        headers={"Origin": ORIGIN, "Content-Type": "application/json"},
    )
    assert answer.status_code in (400, 422)
    assert "Hunter2" not in answer.text
    assert set(json.loads(answer.text)) == {"type", "title", "status", "detail"}


async def test_an_outdated_hash_is_renewed(
    browser: httpx.AsyncClient, credentials: CredentialsFile
) -> None:
    """Who signs in has a hash with today's parameters afterwards, and the same password."""
    before = credentials.read()["north"]
    assert "m=8,t=1,p=1" in before
    await sign_in(browser)
    after = CredentialsFile(credentials.path).read()
    assert "m=65536,t=3,p=4" in after["north"]
    assert "m=8,t=1,p=1" in after["root"]
    assert stat.S_IMODE(credentials.path.stat().st_mode) == 0o600
    assert (await sign_in(browser)).status_code == 200
    assert CredentialsFile(credentials.path).read() == after


async def test_a_new_password_counts_at_once(
    browser: httpx.AsyncClient, credentials: CredentialsFile
) -> None:
    """A running service notices what `warmcube password` does to the file."""
    assert (await sign_in(browser, "provider")).status_code == 401
    credentials.put("provider", credentials.read()["root"])
    assert (await sign_in(browser, "provider")).status_code == 200
    credentials.remove("provider")
    assert (await sign_in(browser, "provider")).status_code == 401


async def test_credentials_that_others_can_read(
    open_browser: Open, credentials: CredentialsFile, caplog: pytest.LogCaptureFixture
) -> None:
    """A service doesn't start on them; one that runs signs nobody in, and counts no failure."""
    browser = await open_browser()
    credentials.path.chmod(0o640)
    with caplog.at_level(logging.WARNING, "warmcube"):
        answers = [await sign_in(browser) for _ in range(6)]
    assert [each.status_code for each in answers] == [500] * 6
    assert "credentials.toml" not in answers[0].text
    assert "chmod 600" in caplog.text
    with pytest.raises(ConfigError, match="chmod 600"):
        await open_browser()
    credentials.path.chmod(0o600)
    assert (await sign_in(browser)).status_code == 200


async def test_ways_that_are_not_configured(browser: httpx.AsyncClient) -> None:
    """Without an identity provider its routes say what to use instead."""
    for path in ("/api/session/oidc", "/api/session/oidc/callback"):
        answer = await browser.get(path)
        assert answer.status_code == 404
        assert "POST /api/session" in answer.json()["detail"]


async def test_what_is_audited(
    browser: httpx.AsyncClient, tmp_path: Path, stack: AsyncExitStack
) -> None:
    """Who signs in and out, and who fails to; of names that nobody has not a word."""
    await sign_in(browser, "my secret typed as a name", "wrong password")
    for _ in range(5):
        await sign_in(browser, password="wrong password")
    await sign_in(browser)
    csrf = (await sign_in(browser, "root")).json()["csrf_token"]
    await browser.delete("/api/session", headers=page(browser, csrf))
    await stack.aclose()
    text = (tmp_path / ".warmcube/audit.jsonl").read_text(encoding="utf-8")
    lines = [read_line(line.encode()) for line in text.splitlines(keepends=True)]
    told = [
        (line["event"], line.get("reason"), line["actor"], line["subject"], line.get("repeated"))
        for line in lines
        if line["event"] not in ("directory_changed", "granted")
    ]
    assert sorted(told, key=str) == [
        ("denied", "too many attempts", "service", "north", 0),
        ("denied", "wrong user or password", "service", "north", 0),
        ("denied", "wrong user or password", "service", "north", 3),
        ("denied", "wrong user or password", "service", None, 0),
        ("signed_in", None, "service", "root", None),
        ("signed_out", None, "root", "root", None),
    ]
    for secret in ("typed as", "wrong password", PASSWORD, csrf):
        assert secret not in text.replace("wrong user or password", "")
