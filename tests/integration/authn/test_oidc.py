"""Signing in at an identity provider, and what attackers do to that."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import redis
from joserfc.jwk import RSAKey
from tests.integration.authn.conftest import Open, sign_in
from tests.support.identity_provider import CLIENT, SECRET, IdentityProvider, identity_provider

PUBLIC = "https://analytics.example.com"
CALLBACK = "/api/session/oidc/callback"


@pytest.fixture
def provider() -> Iterator[IdentityProvider]:
    """A provider that signs everybody in as north."""
    with identity_provider() as running:
        yield running


@pytest.fixture
def configured(tmp_path: Path, provider: IdentityProvider) -> str:
    """The configuration of a service that uses it."""
    secret = tmp_path / "client-secret"
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    return (
        f'[service]\npublic_url = "{PUBLIC}"\n[auth.oidc]\nissuer = "{provider.issuer}"\n'
        f'client_id = "{CLIENT}"\nclient_secret_file = "client-secret"\n'
    )


@pytest.fixture
async def browser(open_browser: Open, configured: str) -> httpx.AsyncClient:
    """A browser on that service."""
    return await open_browser(configured, PUBLIC)


async def begin(browser: httpx.AsyncClient, path: str | None = None) -> str:
    """Where the service sends a browser that wants to sign in."""
    answer = await browser.get("/api/session/oidc", params=None if path is None else {"next": path})
    assert answer.status_code == 303
    return answer.headers["location"]


async def end(browser: httpx.AsyncClient, parameters: dict[str, str]) -> httpx.Response:
    """What the service answers to a browser that comes back from the provider."""
    return await browser.get(CALLBACK, params=parameters)


async def user_of(browser: httpx.AsyncClient) -> str | None:
    """Who is signed in."""
    answer = await browser.get("/api/session")
    return answer.json().get("user") if answer.status_code == 200 else None


async def test_there_and_back(browser: httpx.AsyncClient, provider: IdentityProvider) -> None:
    """A browser goes to the provider and comes back signed in, with no token in a URL."""
    url = await begin(browser, "/dashboards/7?tab=2")
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{provider.issuer}/authorize"
    asked = {name: value for name, (value,) in parse_qs(parts.query).items()}
    random = [asked.pop(name) for name in ("state", "nonce", "code_challenge")]
    assert asked == {
        "client_id": CLIENT,
        "code_challenge_method": "S256",
        "redirect_uri": PUBLIC + CALLBACK,
        "response_type": "code",
        "scope": "openid",
        "tenant": "1",
    }
    assert len(set(random)) == 3
    assert all(len(each) == 43 for each in random)

    back = await end(browser, {**provider.sign_in(url, "north"), "session_state": "x"})
    assert (back.status_code, back.headers["location"]) == (303, "/dashboards/7?tab=2")
    assert back.headers["cache-control"] == "no-store"
    names = sorted(each.partition("=")[0] for each in back.headers.get_list("set-cookie"))
    assert names == ["__Host-warmcube", "__Host-warmcube-login"]
    assert [*browser.cookies] == ["__Host-warmcube"]  # the login's own cookie is gone
    me = (await browser.get("/api/session")).json()
    assert (me["user"], me["method"]) == ("north", "session")
    assert (await browser.get("/api/datasources")).status_code == 200


async def test_what_the_provider_is_asked(
    browser: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """What it says of itself and its keys are asked for once, each code is exchanged once."""
    for _ in range(2):
        await end(browser, provider.sign_in(await begin(browser), "north"))
    assert provider.asked == ["/.well-known/openid-configuration", "/token", "/keys", "/token"]


async def test_without_an_own_redirect_one_lands_at_the_start(
    browser: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """Nobody asked for a place."""
    back = await end(browser, provider.sign_in(await begin(browser), "north"))
    assert back.headers["location"] == "/"


ELSEWHERE = (
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "evil.example",
    "javascript:alert(1)",
    "/a\r\nSet-Cookie: x=y",
    "/\t/evil.example",
    "/" + "a" * 600,
)


@pytest.mark.parametrize("path", ELSEWHERE)
async def test_nobody_is_led_elsewhere(browser: httpx.AsyncClient, path: str) -> None:
    """Only a path of this service can be where a login ends."""
    answer = await browser.get("/api/session/oidc", params={"next": path})
    assert answer.status_code == 422
    assert "location" not in answer.headers


async def test_a_login_counts_once(browser: httpx.AsyncClient, provider: IdentityProvider) -> None:
    """The same answer of the provider, sent again, signs nobody in."""
    parameters = provider.sign_in(await begin(browser), "north")
    cookie = {"Cookie": f"__Host-warmcube-login={browser.cookies['__Host-warmcube-login']}"}
    assert (await end(browser, parameters)).status_code == 303
    browser.cookies.clear()
    again = await browser.get(CALLBACK, params=parameters, headers=cookie)
    assert again.status_code == 401
    assert await user_of(browser) is None


async def test_a_failed_login_is_over_too(
    browser: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """A state that was used in vain can't be tried with another code."""
    good = provider.sign_in(await begin(browser), "north")
    assert (await end(browser, {**good, "code": "guessed"})).status_code == 401
    assert (await end(browser, good)).status_code == 401


async def test_another_browser_cannot_end_a_login(
    browser: httpx.AsyncClient, open_browser: Open, configured: str, provider: IdentityProvider
) -> None:
    """An attacker's own answer, slipped to a victim, doesn't sign the victim in as the attacker.

    Neither without a login of the victim's own, nor with one.
    """
    victim = await open_browser(configured, PUBLIC)
    attackers = provider.sign_in(await begin(browser), "provider")
    assert (await end(victim, attackers)).status_code == 401
    attackers = provider.sign_in(await begin(browser), "provider")
    await begin(victim)
    assert (await end(victim, attackers)).status_code == 401
    assert await user_of(victim) is None


async def test_a_code_of_another_login(
    browser: httpx.AsyncClient, open_browser: Open, configured: str, provider: IdentityProvider
) -> None:
    """A stolen code, injected into one's own login, is worth nothing: PKCE and nonce bind it."""
    victim = await open_browser(configured, PUBLIC)
    stolen = provider.sign_in(await begin(victim), "root")
    own = provider.sign_in(await begin(browser), "provider")
    answer = await end(browser, {**own, "code": stolen["code"]})
    assert answer.status_code == 401
    assert "invalid_grant" in answer.json()["detail"]
    assert "<b>" not in answer.text
    # And where the provider doesn't check PKCE, the nonce tells.
    stolen = provider.sign_in(await begin(victim), "root")
    own = provider.sign_in(await begin(browser), "provider")
    provider.codes[stolen["code"]].challenge = provider.codes[own["code"]].challenge
    answer = await end(browser, {**own, "code": stolen["code"]})
    assert answer.status_code == 401
    assert "ID token is refused" in answer.json()["detail"]


ANSWERS: dict[str, Callable[[dict[str, str]], dict[str, str]]] = {
    "wrong state": lambda good: {**good, "state": "x" * 43},
    "no state": lambda good: {k: v for k, v in good.items() if k != "state"},
    "empty state": lambda good: {**good, "state": ""},
    "no code": lambda good: {k: v for k, v in good.items() if k != "code"},
    "long code": lambda good: {**good, "code": "x" * 5000},
    "another issuer": lambda good: {**good, "iss": "https://evil.example"},
    "no issuer, although the provider tells it": lambda good: {
        k: v for k, v in good.items() if k != "iss"
    },
    "error": lambda good: {**good, "error": "access_denied"},
}


@pytest.mark.parametrize("change", ANSWERS.values(), ids=ANSWERS.keys())
async def test_answers_that_are_not_the_providers(
    browser: httpx.AsyncClient,
    provider: IdentityProvider,
    change: Callable[[dict[str, str]], dict[str, str]],
) -> None:
    """Whatever isn't the whole answer to the login that this browser began is refused."""
    good = provider.sign_in(await begin(browser), "north")
    answer = await end(browser, change(good))
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert await user_of(browser) is None
    assert good["code"] in provider.codes  # it was never exchanged


async def test_a_parameter_twice(browser: httpx.AsyncClient, provider: IdentityProvider) -> None:
    """Two states or two codes are refused, not chosen from."""
    good = provider.sign_in(await begin(browser), "north")
    answer = await browser.get(CALLBACK, params=[*good.items(), ("code", "another")])
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("error", "shown"),
    [("access_denied", "access_denied"), ("<script>alert(1)</script>", "unknown_error")],
)
async def test_a_refusal_is_shown_by_its_code(
    browser: httpx.AsyncClient, provider: IdentityProvider, error: str, shown: str
) -> None:
    """Nothing else that the provider's answer says reaches a page: anybody may have written it."""
    good = provider.sign_in(await begin(browser), "north")
    del good["code"]
    answer = await end(browser, {**good, "error": error, "error_description": "call 0800-EVIL"})
    assert answer.status_code == 401
    assert answer.json()["detail"] == (
        f"the identity provider refuses the login: {shown}; sign in again"
    )


def put(**claims: Any) -> Callable[[dict[str, Any]], None]:
    """Changes claims."""
    return lambda found: found.update(claims)


def drop(name: str) -> Callable[[dict[str, Any]], None]:
    """Takes a claim away."""

    def change(found: dict[str, Any]) -> None:
        del found[name]

    return change


CLAIMS = {
    "another audience": put(aud="another client"),
    "another audience, by this service": put(aud="another client", azp=CLIENT),
    "several others, by this service": put(aud=["another", "and another"], azp=CLIENT),
    "no audience": drop("aud"),
    "too much": put(more="x" * 40_000),
    "several audiences without azp": put(aud=[CLIENT, "another client"]),
    "azp of another": put(aud=[CLIENT, "another client"], azp="another client"),
    "azp of another, alone": put(azp="another client"),
    "audiences that hide it": put(aud=[[CLIENT]]),
    "another issuer": put(iss="https://evil.example"),
    "no issuer": drop("iss"),
    "wrong nonce": put(nonce="x" * 43),
    "no nonce": drop("nonce"),
    "expired": put(exp=int(time.time()) - 3600),
    "no expiry": drop("exp"),
    "an expiry that is no number": put(exp="tomorrow"),
    "not yet": put(nbf=int(time.time()) + 3600),
    "from the future": put(iat=int(time.time()) + 3600),
    "issued long ago": put(iat=int(time.time()) - 3600),
    "no time of issue": drop("iat"),
    "at_hash of another token": put(at_hash="x" * 22),
    "no subject": drop("sub"),
    "an empty subject": put(sub=""),
    "a number as subject": put(sub=7),
    "a subject with a control character": put(sub="north\x00"),
    "a subject with white space around": put(sub=" north"),
}


@pytest.mark.parametrize("change", CLAIMS.values(), ids=CLAIMS.keys())
async def test_id_tokens_that_cannot_be_believed(
    browser: httpx.AsyncClient,
    provider: IdentityProvider,
    change: Callable[[dict[str, Any]], None],
) -> None:
    """An ID token that isn't by this provider for this service and this login signs nobody in."""
    provider.claims = change
    answer = await end(browser, provider.sign_in(await begin(browser), "north"))
    assert answer.status_code == 401
    assert await user_of(browser) is None


async def test_several_audiences_with_azp(
    browser: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """A token for several that was issued to this service is fine."""
    provider.claims = put(aud=["another client", CLIENT], azp=CLIENT)
    await end(browser, provider.sign_in(await begin(browser), "north"))
    assert await user_of(browser) == "north"


def forged(header: bytes, secret: bytes | None) -> Callable[[dict[str, Any]], None]:
    """Puts the claims of an ID token under another header, signed with a secret or not at all."""

    def change(answer: dict[str, Any]) -> None:
        claims = answer["id_token"].split(".")[1]
        signed = f"{base64.urlsafe_b64encode(header).rstrip(b'=').decode()}.{claims}"
        digest = b"" if secret is None else hmac.digest(secret, signed.encode(), "sha256")
        signature = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        answer["id_token"] = f"{signed}.{signature}"

    return change


async def test_signatures(browser: httpx.AsyncClient, provider: IdentityProvider) -> None:
    """A token signed by another key, by nobody, or by a public key as a secret is refused."""

    async def status() -> int:
        answer = await end(browser, provider.sign_in(await begin(browser), "north"))
        assert await user_of(browser) is None
        return answer.status_code

    own = provider.key
    provider.published = [own]
    provider.key = RSAKey.generate_key(2048, {"kid": "one"})
    assert await status() == 401
    provider.key = own
    for header in (
        {"jku": f"{provider.issuer}/keys"},
        {"jwk": own.as_dict(private=False)},
        {"x5u": f"{provider.issuer}/keys"},
        {"x5c": ["MII"]},
        {"kid": "unknown"},
    ):
        provider.header = header
        assert await status() == 401, header

    provider.header = {}
    for head, secret in (
        (b'{"alg":"HS256","kid":"one"}', own.as_pem(private=False)),
        (b'{"alg":"HS256","kid":"one"}', SECRET.encode()),
        (b'{"alg":"none","kid":"one"}', None),
        (b'{"alg":"None"}', None),
    ):
        provider.token_answer = forged(head, secret)
        assert await status() == 401, head
    provider.token_answer = lambda answer: answer.pop("id_token")
    assert await status() == 401
    provider.token_answer = put(id_token="x" * 40_000)
    assert await status() == 401


async def test_keys_change(
    browser: httpx.AsyncClient, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new key is asked for, but not for each token that names an unknown one."""
    await end(browser, provider.sign_in(await begin(browser), "north"))
    provider.key = RSAKey.generate_key(2048, {"kid": "two"})
    refused = [
        (await end(browser, provider.sign_in(await begin(browser), "root"))).status_code
        for _ in range(3)
    ]
    assert refused == [401] * 3
    assert provider.asked.count("/keys") == 1
    monkeypatch.setattr("warmcube.authn.known._REFETCH", -1.0)
    back = await end(browser, provider.sign_in(await begin(browser), "root"))
    assert back.status_code == 303
    assert await user_of(browser) == "root"
    assert provider.asked.count("/keys") == 2


DISCOVERY: dict[str, dict[str, Any]] = {
    "another issuer": {"issuer": "https://evil.example"},
    "its issuer with a slash": {"issuer": "/"},
    "a token endpoint in the clear": {"token_endpoint": "http://evil.example/token"},
    "no keys": {"jwks_uri": None},
    "keys in a file": {"jwks_uri": "file:///etc/passwd"},
    "a password in a URL": {"authorization_endpoint": "https://user:pass@evil.example/"},
}


@pytest.mark.parametrize("change", DISCOVERY.values(), ids=DISCOVERY.keys())
async def test_discovery_that_cannot_be_trusted(
    browser: httpx.AsyncClient, provider: IdentityProvider, change: dict[str, Any]
) -> None:
    """A provider that says it is another, or names what anybody may change, isn't used."""
    provider.discovery = change
    answer = await browser.get("/api/session/oidc")
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:warmcube:problem:identity-unavailable"
    assert provider.issuer not in answer.text


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_a_provider_that_fails(
    browser: httpx.AsyncClient, provider: IdentityProvider, status: int
) -> None:
    """It is left alone for a while, and nobody follows where it redirects to."""
    provider.failing = status
    answers = [await browser.get("/api/session/oidc") for _ in range(3)]
    assert [each.status_code for each in answers] == [503] * 3
    assert provider.asked == ["/.well-known/openid-configuration"]


async def test_what_is_known_bridges_a_failure(
    browser: httpx.AsyncClient, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that can't tell of itself any more is used as it was known."""
    url = await begin(browser)
    monkeypatch.setattr("warmcube.authn.known._MAX_AGE", -1.0)
    provider.failing = 500
    assert urlsplit(await begin(browser)).path == urlsplit(url).path


async def test_an_exchange_that_fails(
    browser: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """The provider's own trouble is said to be its trouble, and signs nobody in."""
    good = provider.sign_in(await begin(browser), "north")
    provider.failing = 503
    assert (await end(browser, good)).status_code == 503
    assert await user_of(browser) is None


@pytest.mark.parametrize("answer", [b"[]", b"<html>", b'{"a":' * 9, b" " * 1_100_000 + b"{}"])
async def test_an_answer_that_is_no_answer(
    browser: httpx.AsyncClient, provider: IdentityProvider, answer: bytes
) -> None:
    """What isn't an object of bounded size is no word of the provider."""
    provider.answer = lambda *_: (200, answer)  # type: ignore[method-assign]
    assert (await browser.get("/api/session/oidc")).status_code == 503


async def test_whom_an_email_address_names(
    open_browser: Open, configured: str, provider: IdentityProvider
) -> None:
    """An address names a user only where the provider has verified it, behind the prefix."""
    more = configured + 'claim = "email"\nprefix = "no"\nscopes = ["openid", "email"]\n'
    browser = await open_browser(more, PUBLIC)
    for claims, status in (
        ({"email": "rth"}, 401),
        ({"email": "rth", "email_verified": False}, 401),
        ({"email": "rth", "email_verified": "true"}, 401),
        ({"email_verified": True}, 401),
        ({"email": ["rth"], "email_verified": True}, 401),
        ({"email": "rth", "email_verified": True}, 303),
    ):
        provider.claims = put(**claims)
        answer = await end(browser, provider.sign_in(await begin(browser), "somebody"))
        assert answer.status_code == status, claims
    assert await user_of(browser) == "north"


async def test_a_public_client(
    open_browser: Open, configured: str, provider: IdentityProvider
) -> None:
    """Without a secret the client names itself in the form; this provider wants the secret."""
    more = configured.replace('client_secret_file = "client-secret"\n', "")
    browser = await open_browser(more, PUBLIC)
    answer = await end(browser, provider.sign_in(await begin(browser), "north"))
    assert answer.status_code == 401
    assert "invalid_client" in answer.json()["detail"]


async def test_logins_that_are_never_ended(
    browser: httpx.AsyncClient, provider: IdentityProvider
) -> None:
    """One address can't fill the store with them; those that end don't count."""
    await end(browser, provider.sign_in(await begin(browser), "north"))
    statuses = [(await browser.get("/api/session/oidc")).status_code for _ in range(101)]
    assert statuses == [303] * 100 + [429]


async def test_what_the_store_keeps_of_a_login(browser: httpx.AsyncClient, redis_url: str) -> None:
    """A record for ten minutes, without the state and the browser's secret themselves."""
    url = await begin(browser, "/here")
    (state,) = parse_qs(urlsplit(url).query)["state"]
    secret = browser.cookies["__Host-warmcube-login"]
    with closing(redis.Redis.from_url(redis_url)) as client:
        (key,) = client.scan_iter("*oidc:*", _type="string")
        record = client.get(key)
        assert 0 < client.ttl(key) <= 600
    assert isinstance(record, bytes)
    assert json.loads(record)["path"] == "/here"
    assert state not in repr((key, record))
    assert secret not in repr((key, record))


async def test_no_password_where_none_are_kept(browser: httpx.AsyncClient) -> None:
    """Only the identity provider signs people in here."""
    answer = await sign_in(browser)
    assert answer.status_code == 404
    assert "/api/session/oidc" in answer.json()["detail"]
