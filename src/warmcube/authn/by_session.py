"""Who somebody is by the session of their browser."""

from __future__ import annotations

from warmcube.authn.cookies import Cookie
from warmcube.authn.crosssite import CrossSiteGuard
from warmcube.authn.headers import Headers
from warmcube.authn.identity import Identity
from warmcube.authn.sessions import Session, Sessions
from warmcube.errors import Unauthenticated

__all__ = ["SessionAuthenticator"]


class SessionAuthenticator:
    """Finds out who sends a request with a cookie.

    Args:
        sessions: who is signed in.
        cookie: which holds a session's token.
        guard: refuses other sites' requests.
    """

    def __init__(self, sessions: Sessions, cookie: Cookie, guard: CrossSiteGuard) -> None:
        self._sessions = sessions
        self._cookie = cookie
        self._guard = guard

    async def authenticate(self, method: str, headers: Headers) -> Identity:
        """Who sends a request.

        Raises:
            Unauthenticated: it has no cookie, or that of no session in force.
            AccessDenied: another site's page may have sent it.
            StoreError: the store.
        """
        _, session = await self.session(method, headers)
        return Identity(
            user=session.user, actor=session.user, method="session", valid_until=session.ends
        )

    async def session(self, method: str, headers: Headers) -> tuple[str, Session]:
        """The session of a request, and its token.

        Raises:
            Unauthenticated: it has no cookie, or that of no session in force.
            AccessDenied: another site's page may have sent it.
            StoreError: the store.
        """
        token = self._cookie.read(headers)
        if token is None:
            raise Unauthenticated("nobody is signed in; sign in, or send a bearer token")
        self._guard.check(method, headers, token)  # before it counts as used
        session = await self._sessions.find(token)
        if session is None:
            raise Unauthenticated("the session is over; sign in again", code="session")
        return token, session
