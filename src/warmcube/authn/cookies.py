"""The cookies of a browser that signs in or is signed in."""

from __future__ import annotations

from typing import Final

from warmcube.authn.headers import Headers, cookies_named
from warmcube.errors import Unauthenticated

__all__ = ["Cookie", "login_cookie", "session_cookie"]


class Cookie:
    """A cookie that no script of a page can read, and that other sites' requests don't carry.

    Its name begins with ``__Host-``, so that no other host can have set it and no path part it,
    except where the service is reached by plain http on loopback: browsers refuse it there.

    Args:
        name: without the prefix.
        is_secure: whether the service is reached by https.
    """

    def __init__(self, name: str, *, is_secure: bool) -> None:
        self.name: Final = f"__Host-{name}" if is_secure else name
        self._attributes: Final = "; Path=/; HttpOnly; SameSite=Lax" + (
            "; Secure" if is_secure else ""
        )

    def read(self, headers: Headers) -> str | None:
        """What a request's cookie holds; None if it has none.

        Raises:
            Unauthenticated: it has several, and nobody can tell whose they are.
        """
        values = cookies_named(headers, self.name)
        if len(values) > 1:
            raise Unauthenticated(
                f"the request has several cookies {self.name}; delete them and sign in again",
                code="several_cookies",
            )
        return values[0] if values else None

    def put(self, value: str, seconds: int) -> str:
        """The header that has a browser keep a value for so long."""
        return f"{self.name}={value}; Max-Age={seconds}{self._attributes}"

    def clear(self) -> str:
        """The header that has a browser forget it."""
        return f"{self.name}=; Max-Age=0{self._attributes}"


def session_cookie(*, is_secure: bool) -> Cookie:
    """Holds the token of a session."""
    return Cookie("warmcube", is_secure=is_secure)


def login_cookie(*, is_secure: bool) -> Cookie:
    """Holds what binds a login at the identity provider to the browser that began it."""
    return Cookie("warmcube-login", is_secure=is_secure)
