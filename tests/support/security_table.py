"""What a reviewer of the service is told, as data: the page and the service are held to it."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from tests.support.services import query_of

__all__ = ["HEADERS", "LIMITS", "ORIGIN", "PASSWORD", "ROLES", "TABLE", "Asked", "Limit"]

ROLES: Final = {
    "super admin": "root",
    "figures only": "watcher",
    "exporter": "exporter",
    "analyst": "north",
    "provider": "provider",
    "no rights": "idle",
    "unknown user": "nobody",
}
"""Users of the tests' directory, by what they are to the page."""
ORIGIN: Final = "https://analytics.example.com"
PASSWORD: Final = "correct horse battery"
"""Of root."""


class Asked(NamedTuple):
    """A request to a route, and what it is answered.

    Attributes:
        method: of HTTP.
        path: the template.
        statuses: with good tokens, in the order of `ROLES`.
        body: as JSON.
        parameters: of the URL.
        note: what about this request differs from others to the route.
        refusal: of a token that doesn't count; None where nobody is asked for one. Without any
            token it is 401.
        is_page: whether it is for people: its errors are pages, and who isn't known is sent to
            the sign-in page (303).
    """

    method: str
    path: str
    statuses: tuple[int, ...]
    body: Any = None
    parameters: dict[str, str] | None = None
    note: str = ""
    refusal: int | None = 401
    is_page: bool = False


_CACHE: Final = "/api/admin/analytics/cache"
_DIRECTORY: Final = "/api/admin/directory"
_PARTITION: Final = {"datasource": 1, "measure": "Charges", "frequency": "Monthly"}
_ENTRY: Final = {**_PARTITION, "practice": 101, "provider": 3}
_DASHBOARD: Final = "/api/admin/analytics/dashboard/{dashboard}"
_Q: Final = {"q": json.dumps(query_of())}
_FILE: Final = query_of(format="csv")
_VALUES: Final = {"q": json.dumps({"measure": "Charges", "frequency": "Monthly"})}
_SIGN_IN: Final = {"user": "root", "password": PASSWORD}
_USERS: Final = (200, 200, 200, 200, 200, 403, 403)
_EXPORTERS: Final = (200, 403, 200, 403, 403, 403, 403)
_EMBEDDERS: Final = (403, 403, 201, 403, 403, 403, 403)
_READERS: Final = (200, 200, 403, 403, 403, 403, 403)
_MANAGERS: Final = (200, 403, 403, 403, 403, 403, 403)


def _all(status: int) -> tuple[int, ...]:
    return (status,) * len(ROLES)


def _open(method: str, path: str, status: int = 200, body: Any = None, note: str = "") -> Asked:
    return Asked(method, path, _all(status), body, note=note, refusal=None)


def _page(path: str, statuses: tuple[int, ...]) -> Asked:
    return Asked("GET", path, statuses, is_page=True)


TABLE: Final = (
    Asked("POST", "/api/query", _USERS, query_of()),
    Asked("POST", "/api/query", _EXPORTERS, _FILE, note="csv, parquet"),
    Asked("POST", "/api/query", _MANAGERS, query_of(practices=[110]), note="another's practice"),
    Asked("GET", "/api/query", _USERS, parameters=_Q),
    Asked(
        "GET", "/api/query", _EXPORTERS, parameters={"q": json.dumps(_FILE)}, note="csv, parquet"
    ),
    Asked("POST", "/api/query/batch", _USERS, {"queries": [query_of()]}),
    Asked("POST", "/api/export", _EXPORTERS, query_of()),
    Asked("GET", "/api/datasources", _USERS),
    Asked("GET", "/api/datasources/{id}/measures", _USERS),
    Asked("GET", "/api/datasources/{id}/values/{column}", _USERS, parameters=_VALUES),
    Asked("GET", "/api/organizations", _USERS),
    Asked("GET", "/api/dashboards", _USERS),
    Asked("GET", "/api/dashboards/{dashboard}", _USERS),
    Asked("GET", "/api/dashboards/{dashboard}/snapshot", _USERS),
    Asked("POST", f"{_DASHBOARD}/render", _USERS, {}),
    Asked("POST", f"{_DASHBOARD}/charts/{{chart}}/rows", _USERS, {}),
    Asked("POST", f"{_DASHBOARD}/charts/{{chart}}/data", _EXPORTERS, {}),
    Asked("POST", "/api/dashboards/{dashboard}/embed", _EMBEDDERS, {}),
    Asked("GET", "/api/embeds", _USERS),
    Asked("GET", "/api/embeds", _MANAGERS, parameters={"everyone": "true"}, note="everyone's"),
    Asked("DELETE", "/api/embeds/{embed}", (404,) * 5 + (403, 403), note="not theirs"),
    Asked("GET", f"{_CACHE}/stats", _READERS),
    Asked("GET", f"{_CACHE}/health", _READERS),
    Asked("GET", f"{_CACHE}/warming/status", _READERS),
    Asked("GET", f"{_CACHE}/warming/events", (204, 204, 403, 403, 403, 403, 403)),
    Asked("GET", f"{_CACHE}/history", _READERS),
    Asked("GET", f"{_CACHE}/partitions", _READERS),
    Asked("POST", f"{_CACHE}/entries", _READERS, _PARTITION),
    Asked("POST", f"{_CACHE}/entry", _READERS, _ENTRY),
    Asked("POST", f"{_CACHE}/entry", _MANAGERS, {**_ENTRY, "rows": True}, note="its rows"),
    Asked("GET", f"{_DIRECTORY}/organizations", _MANAGERS),
    Asked("GET", f"{_DIRECTORY}/users", _MANAGERS),
    Asked("GET", f"{_DIRECTORY}/users/{{user}}/access", _MANAGERS),
    Asked("GET", f"{_DIRECTORY}/defects", _MANAGERS),
    Asked("POST", f"{_CACHE}/warm", (202, 403, 403, 403, 403, 403, 403), {"datasource": 1}),
    Asked("POST", f"{_CACHE}/verify", (202, 403, 403, 403, 403, 403, 403), {"datasource": 1}),
    Asked("GET", f"{_CACHE}/verify/status", _READERS),
    Asked("POST", f"{_CACHE}/invalidate", _MANAGERS, {"datasource": 1}),
    Asked("POST", f"{_CACHE}/rollback", (409, *_MANAGERS[1:]), {"datasource": 1}),
    Asked("POST", f"{_CACHE}/unpin", _MANAGERS, {"datasource": 1}),
    Asked("POST", f"{_CACHE}/disable", _MANAGERS, {"datasource": 1}),
    Asked("POST", f"{_CACHE}/enable", _MANAGERS, {"datasource": 1}),
    Asked("GET", "/api/session", _all(200)),
    Asked("DELETE", "/api/session", _all(422), refusal=422),
    _open("POST", "/api/session", body=_SIGN_IN, note="right password"),
    _open("POST", "/api/session", 422, body={"user": "root"}, note="no password"),
    _open("GET", "/api/session/oidc", 303),
    _open("GET", "/api/session/oidc/callback", 401, note="of no login"),
    _open("GET", "/api/openapi.json"),
    _open("HEAD", "/api/openapi.json"),
    _open("GET", "/healthz"),
    _open("GET", "/readyz"),
    _open("GET", "/metrics", 404, note="no token of its own"),
    _open("GET", "/", 303),
    _page("/dashboards", _USERS),
    _page("/dashboards/{dashboard}", _USERS),
    _page("/explore", _USERS),
    _page("/admin", _READERS),
    Asked("GET", "/sign-in", _all(200), refusal=None, is_page=True),
    Asked("GET", "/embed/{dashboard}", _all(200), refusal=None, is_page=True),
    _open("POST", "/api/embed/{dashboard}/render", 401, {}, note="no token of its own"),
    _open("GET", "/static/{version}/{name}", 404, note="no such file"),
)

HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
}
"""Of every answer of the application; the last where the service is reached by https."""


class Limit(NamedTuple):
    """A bound of a request.

    Attributes:
        bound: of what, as the page says it.
        setting: its key; the value that the test gives it follows in `small`.
        small: which the request exceeds.
        status: of the answer.
        path: which is posted to.
        body: that exceeds it.
    """

    bound: str
    setting: str
    small: int
    status: int
    path: str
    body: Any


def _where(count: int) -> list[dict[str, str]]:
    return [{"column": "note", "op": "not_null"}] * count


LIMITS: Final = (
    Limit("bytes of a body", "body", 200, 413, "/api/query", query_of(measure="x" * 200)),
    Limit("nesting of JSON", "depth", 3, 422, "/api/query", query_of(practices=[[[101]]])),
    Limit(
        *("queries of a batch", "batch", 1, 422, "/api/query/batch"), {"queries": [query_of()] * 2}
    ),
    Limit("ids of one filter", "list", 2, 422, "/api/query", query_of(practices=[101, 102, 103])),
    Limit("conditions of a query", "conditions", 1, 422, "/api/query", query_of(where=_where(2))),
    Limit(
        *("groups of an answer", "groups", 2, 422, "/api/query"),
        query_of(group_by=["practice_uid"], aggregate="sum"),
    ),
    Limit("rows of an answer", "rows", 5, 422, "/api/query", query_of()),
    Limit("bytes of an answer", "answer", 100, 422, "/api/query", query_of()),
)
"""Those of ``[limits]`` that one request can exceed."""
