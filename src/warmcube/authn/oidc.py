"""Signing in at an identity provider: OpenID Connect, authorization code with PKCE.

Between its two halves a login is a record in the store, which counts once and for ten minutes, and
only for the browser that began it: that one holds a secret whose digest the record has.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote_plus

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from warmcube.authn.attempts import Attempts, Pace
from warmcube.authn.fetching import Fetcher
from warmcube.authn.id_token import Expected, claims_of, kid_of, user_of
from warmcube.authn.provider import Endpoints, Provider
from warmcube.errors import IdentityUnavailable, InvalidQuery, Unauthenticated
from warmcube.store.api import Store

__all__ = ["LOGIN_SECONDS", "Client", "OidcLogin", "Returned", "Started", "local_path"]

LOGIN_SECONDS: Final = 600
"""How long a login at the provider may take."""

_PACE: Final = Pace(per_address=100, memory=LOGIN_SECONDS)
_PATH: Final = re.compile(r"/(?![/\\])[!#-\[\]-~]{0,499}", re.ASCII)
_CODE: Final = re.compile(r"[a-z_]{1,50}", re.ASCII)
_LONGEST: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What this service is to the provider, and whom it takes its users for.

    Attributes:
        id: its id there.
        secret: its secret; None for a public client.
        redirect_uri: where the provider sends browsers back to.
        scopes: what is asked for.
        claim: which claim names the user.
        prefix: what is put before it.
    """

    id: str
    secret: str | None
    redirect_uri: str
    scopes: tuple[str, ...] = ("openid",)
    claim: str = "sub"
    prefix: str = ""

    def __repr__(self) -> str:
        return f"Client({self.id!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The first half of a login: where to send the browser, and what it must keep."""

    url: str
    browser: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A login that is done: who it was, and where they wanted to go."""

    user: str
    path: str


def local_path(text: str | None) -> str:
    """A path of this service to go to after a login; "/" where none is asked for.

    Raises:
        InvalidQuery: it may lead elsewhere.
    """
    if text is None:
        return "/"
    if not _PATH.fullmatch(text):
        raise InvalidQuery(
            "next must be a path of this service, like /dashboards, so that nobody is led elsewhere"
        )
    return text


class OidcLogin:
    """Sends browsers to the identity provider, and takes who it says they are.

    Args:
        client: what this service is to it.
        provider: the provider.
        fetcher: exchanges codes there.
        store: where logins under way are kept.
        prefix: what their keys begin with.
        pace: how many logins one address may begin and not end.
        clock: Unix seconds.
    """

    def __init__(
        self,
        client: Client,
        provider: Provider,
        fetcher: Fetcher,
        store: Store,
        prefix: bytes,
        *,
        pace: Pace = _PACE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._provider = provider
        self._fetcher = fetcher
        self._store = store
        self._prefix = prefix + b"oidc:"
        self._attempts = Attempts(store, self._prefix, pace)
        self._clock = clock

    async def start(self, path: str, address: str) -> Started:
        """Begin a login.

        Args:
            path: where to go when it is done, from `local_path`.
            address: of the client.

        Raises:
            TooManyAttempts: too many logins were begun from this address, and not ended.
            IdentityUnavailable: the provider.
            StoreError: the store.
        """
        await self._attempts.begin(address)
        endpoints = await self._provider.endpoints()
        state, nonce, browser = (secrets.token_urlsafe(32) for _ in range(3))
        verifier = secrets.token_urlsafe(48)
        record = {"nonce": nonce, "verifier": verifier, "browser": _digest(browser), "path": path}
        await self._store.run(
            [(b"SET", self._key(state), json.dumps(record).encode(), b"EX", LOGIN_SECONDS)]
        )
        url = prepare_grant_uri(
            endpoints.authorization,
            client_id=self._client.id,
            response_type="code",
            redirect_uri=self._client.redirect_uri,
            scope=" ".join(self._client.scopes),
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return Started(url=str(url), browser=browser)

    async def finish(
        self, answer: Mapping[str, str], browser: str | None, address: str
    ) -> Returned:
        """End a login with what the provider sent the browser back with.

        Args:
            answer: the parameters ``state``, ``code``, ``error`` and ``iss``, each at most once.
            browser: what the browser kept.
            address: of the client.

        Raises:
            Unauthenticated: it isn't the end of a login that this browser began, or the provider
                refused it, or its token can't be believed.
            IdentityUnavailable: the provider.
            StoreError: the store.
        """
        record = await self._taken(answer.get("state", ""), browser)
        endpoints = await self._provider.endpoints()
        self._check_issuer(answer.get("iss"), endpoints)
        if "error" in answer:
            raise _refused(answer["error"])
        code = answer.get("code", "")
        if not code or len(code) > _LONGEST:
            raise _broken("has no code")
        tokens = await self._exchanged(endpoints, code, record["verifier"])
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str):
            raise _broken("led to no ID token")
        expected = Expected(
            issuer=self._provider.issuer,
            client_id=self._client.id,
            nonce=record["nonce"],
            access_token=access_token if isinstance(access_token, str) else None,
            now=int(self._clock()),
        )
        keys = await self._provider.keys(kid_of(id_token))
        claims = claims_of(id_token, keys, expected)
        user = user_of(claims, self._client.claim, self._client.prefix)
        await self._attempts.settle(self._attempts.counted(address), is_success=True)
        return Returned(user=user, path=record["path"])

    async def _taken(self, state: str, browser: str | None) -> dict[str, str]:
        """The record of a login, which is gone from here on, whatever comes of it."""
        if not state or browser is None:
            raise _broken("isn't the end of a login that this browser began")
        kept = await self._store.script("take", [self._key(state)], [])
        if kept is None:
            raise _broken("belongs to no login, or to one that is over")
        record: dict[str, str] = json.loads(kept)
        if not hmac.compare_digest(record["browser"], _digest(browser)):
            raise _broken("isn't the end of a login that this browser began")
        return record

    def _check_issuer(self, issuer: str | None, endpoints: Endpoints) -> None:
        """RFC 9207: the answer must not be that of another provider."""
        if issuer is None and not endpoints.names_itself:
            return
        if issuer != self._provider.issuer:
            raise _broken("comes from another identity provider")

    async def _exchanged(self, endpoints: Endpoints, code: str, verifier: str) -> dict[str, Any]:
        client = self._client
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": client.redirect_uri,
            "code_verifier": verifier,
        }
        headers: dict[str, str] = {}
        if client.secret is not None and endpoints.client_auth == "client_secret_basic":
            pair = f"{quote_plus(client.id)}:{quote_plus(client.secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form["client_id"] = client.id
            if client.secret is not None:
                form["client_secret"] = client.secret
        status, found = await self._fetcher.json(endpoints.token, form=form, headers=headers)
        if status >= 500:
            raise IdentityUnavailable(
                f"the identity provider exchanges no code now (status {status})"
            )
        if status != 200:
            raise _refused(found.get("error"))
        return found

    def _key(self, state: str) -> bytes:
        return self._prefix + _digest(state).encode()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _refused(error: object) -> Unauthenticated:
    """Only the provider's code is shown: its other words may be anybody's."""
    code = error if isinstance(error, str) and _CODE.fullmatch(error) else "unknown_error"
    return Unauthenticated(
        f"the identity provider refuses the login: {code}; sign in again", code="oidc"
    )


def _broken(why: str) -> Unauthenticated:
    return Unauthenticated(f"what the browser came back with {why}; sign in again", code="oidc")
