"""`SignIn`: what signing in and out is made of, put together from a configuration."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from warmcube.authn.attempts import Attempts
from warmcube.authn.by_session import SessionAuthenticator
from warmcube.authn.cookies import Cookie, login_cookie, session_cookie
from warmcube.authn.credentials import CredentialsFile
from warmcube.authn.crosssite import CrossSiteGuard
from warmcube.authn.fetching import Fetcher
from warmcube.authn.local_users import LocalUsers
from warmcube.authn.oidc import Client, OidcLogin
from warmcube.authn.passwords import Hasher
from warmcube.authn.private_file import read_secret
from warmcube.authn.provider import Provider
from warmcube.authn.sessions import Sessions
from warmcube.config import Settings
from warmcube.entry.keys import SERVICE_KEYS
from warmcube.errors import ConfigError
from warmcube.store.api import Store

__all__ = ["CALLBACK", "SignIn", "open_sessions", "open_sign_in"]

CALLBACK: Final = "/api/session/oidc/callback"
"""Where the identity provider sends browsers back to, behind ``[service] public_url``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """How people sign in and out.

    Attributes:
        sessions: who is signed in.
        cookie: holds a session's token.
        login_cookie: binds a login at the identity provider to a browser.
        guard: refuses other sites' requests.
        authenticator: who sends a request, by its session.
        local: checks passwords; None where none are kept.
        oidc: asks the identity provider; None where there is none.
        stack: closes what was opened.
    """

    sessions: Sessions
    cookie: Cookie
    login_cookie: Cookie
    guard: CrossSiteGuard
    authenticator: SessionAuthenticator
    local: LocalUsers | None
    oidc: OidcLogin | None
    stack: AsyncExitStack

    async def close(self) -> None:
        """Close connections, and let threads end."""
        await self.stack.aclose()


def open_sessions(settings: Settings, store: Store) -> Sessions:
    """The sessions that a configuration's processes share."""
    section = settings.auth.sessions
    return Sessions(store, _prefix(settings), idle=section.idle, life=section.life)


def open_sign_in(settings: Settings, store: Store) -> SignIn | None:
    """What a configuration says of signing in; None where nobody can.

    Raises:
        ConfigError: the credentials or the client's secret can't be used.
    """
    section = settings.auth
    if section.local is None and section.oidc is None:
        return None
    public_url = settings.service.public_url
    is_secure = public_url is not None and public_url.startswith("https://")
    sessions, cookie = open_sessions(settings, store), session_cookie(is_secure=is_secure)
    guard, stack = CrossSiteGuard(public_url), AsyncExitStack()
    return SignIn(
        sessions=sessions,
        cookie=cookie,
        login_cookie=login_cookie(is_secure=is_secure),
        guard=guard,
        authenticator=SessionAuthenticator(sessions, cookie, guard),
        local=_local(settings, store, stack),
        oidc=_oidc(settings, store, stack),
        stack=stack,
    )


def _prefix(settings: Settings) -> bytes:
    return settings.store.namespace.encode() + SERVICE_KEYS


def _local(settings: Settings, store: Store, stack: AsyncExitStack) -> LocalUsers | None:
    path = settings.credentials_path
    if path is None:
        return None
    credentials = CredentialsFile(path)
    credentials.read()  # so that a service that can't sign anybody in doesn't start
    hasher = Hasher()
    stack.callback(hasher.close)
    return LocalUsers(credentials, hasher, Attempts(store, _prefix(settings)))


def _oidc(settings: Settings, store: Store, stack: AsyncExitStack) -> OidcLogin | None:
    section, public_url = settings.auth.oidc, settings.service.public_url
    if section is None:
        return None
    if public_url is None:
        raise ConfigError("[auth.oidc] needs [service] public_url")
    secret = None
    if section.client_secret_file is not None:
        secret = read_secret(
            settings.base / section.client_secret_file, "[auth.oidc] client_secret_file"
        )
    client = Client(
        id=section.client_id,
        secret=secret,
        redirect_uri=public_url + CALLBACK,
        scopes=section.scopes,
        claim=section.claim,
        prefix=section.prefix,
    )
    fetcher = Fetcher()
    stack.push_async_callback(fetcher.close)
    provider = Provider(section.issuer, fetcher)
    return OidcLogin(client, provider, fetcher, store, _prefix(settings))
