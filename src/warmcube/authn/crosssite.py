"""That what a browser sends in somebody's name comes from the service's own pages.

A cookie goes along with requests that another site's page had the browser send. So whatever changes
something, or signs in, must name its own origin; and where a cookie says who asks, must also carry
a token that only a page of this origin can have read.
"""

from __future__ import annotations

import base64
import hmac
from typing import Final
from urllib.parse import urlsplit

from warmcube.authn.headers import Headers, values_of
from warmcube.errors import AccessDenied

__all__ = ["CrossSiteGuard", "csrf_token"]

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADER: Final = b"x-csrf-token"
_SITE: Final = b"sec-fetch-site"
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_PURPOSE: Final = b"warmcube csrf 1"


def csrf_token(session: str) -> str:
    """What a page must send back; follows from the session's token, and doesn't give it away."""
    digest = hmac.digest(session.encode(), _PURPOSE, "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class CrossSiteGuard:
    """Refuses what pages of other origins have a browser send.

    Args:
        public_url: the origin of the service's own pages; None for any on loopback.
    """

    def __init__(self, public_url: str | None) -> None:
        self._own = None if public_url is None else public_url.encode()

    def check(self, method: str, headers: Headers, session: str) -> None:
        """That a request with the cookie of a session may do what its method does.

        Raises:
            AccessDenied: it may come from another site.
        """
        if method in SAFE_METHODS:
            return
        self.check_origin(headers)
        given = values_of(headers, _HEADER)
        if len(given) != 1 or not hmac.compare_digest(given[0], csrf_token(session).encode()):
            raise _refusal(
                "the header X-CSRF-Token is missing or wrong; send the csrf_token of "
                "GET /api/session"
            )

    def check_origin(self, headers: Headers) -> None:
        """That a request comes from a page of the service, or says that it does.

        Raises:
            AccessDenied: it doesn't.
        """
        origins, sites = values_of(headers, b"origin"), values_of(headers, _SITE)
        is_own = len(origins) <= 1 and len(sites) <= 1 and bool(origins or sites)
        if origins:
            is_own = is_own and self._is_own(origins[0], headers)
        if sites:
            is_own = is_own and sites[0] == b"same-origin"
        if not is_own:
            raise _refusal(
                "the request doesn't come from a page of this service; send its own Origin, which "
                "is [service] public_url"
            )

    def check_navigation(self, headers: Headers) -> None:
        """That no page of another site had the browser come here.

        For what is read, but leaves a trace in somebody's name. An address that was typed, or a
        bookmark, is the user's own doing; a browser that says nothing can't be judged.

        Raises:
            AccessDenied: one did.
        """
        if any(site not in (b"same-origin", b"none") for site in values_of(headers, _SITE)):
            raise _refusal(
                "a page of another site asked for this file; open it from a page of this service, "
                "or type its address"
            )

    def _is_own(self, origin: bytes, headers: Headers) -> bool:
        if self._own is not None:
            return origin == self._own
        hosts = values_of(headers, b"host")
        if len(hosts) != 1 or origin != b"http://" + hosts[0]:
            return False
        # Another name may lead here too: then its pages would have our origin.
        return urlsplit(origin.decode("latin-1")).hostname in _LOOPBACK


def _refusal(message: str) -> AccessDenied:
    return AccessDenied(message, reason="cross-site request")
