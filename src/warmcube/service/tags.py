"""Entity tags: the same tag, the same answer, for the same rights.

A tag is a keyed hash over the snapshot, the question, the rows that the asker may have (not who
asks), the form and the encoding. So a right that changed changes the tag, and a tag tells nothing
about any of this. The key is in the store, so that all processes make the same tags; when it is
lost, answers are sent once more.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from warmcube.entry.keys import SERVICE_KEYS
from warmcube.errors import StoreError
from warmcube.model.scope import All, Scope
from warmcube.query.result import Result
from warmcube.service.forms import Form
from warmcube.store.api import Store

__all__ = ["TagMaker", "matches"]

_BYTES: Final = 18
_NOT_CANONICAL: Final = ("organization", "practices", "providers")
"""Fields of a query that say nothing beyond the scope."""


class TagMaker:
    """Makes tags with a key that all processes share.

    Args:
        store: keeps the key.
        namespace: of the store's keys.
    """

    def __init__(self, store: Store, namespace: str) -> None:
        self._store = store
        self._name = namespace.encode() + SERVICE_KEYS + b"tags"
        self._key: bytes | None = None

    async def tag(self, result: Result, form: Form, encoding: str) -> str | None:
        """The tag of an answer; None where it has none, since nothing says when it changes.

        Args:
            result: the answer.
            form: how it is wanted.
            encoding: the content coding that it is sent with.
        """
        judged = result.judged
        if result.meta.origin == "database" or judged is None or form.explain:
            return None
        key = await self._shared_key()
        if key is None:
            return None
        basis = [
            result.meta.snapshot,
            result.meta.stale,
            result.meta.notes,
            _question(judged.asked.query),
            _scope(judged.narrowed.scope),
            dataclasses.astuple(form),
            encoding,
        ]
        text = json.dumps(basis, default=repr, separators=(",", ":"), sort_keys=True)
        digest = hmac.digest(key, text.encode(), hashlib.sha256)[:_BYTES]
        return f'W/"{base64.urlsafe_b64encode(digest).decode()}"'

    async def _shared_key(self) -> bytes | None:
        if self._key is None:
            try:
                _, key = await self._store.run(
                    [
                        (b"SET", self._name, secrets.token_bytes(32), b"NX"),
                        (b"GET", self._name),
                    ]
                )
            except StoreError:
                return None
            self._key = key
        return self._key


def _question(query: Any) -> Mapping[str, Any]:
    return {
        each.name: _plain(getattr(query, each.name))
        for each in dataclasses.fields(query)
        if each.name not in _NOT_CANONICAL
    }


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, *dataclasses.astuple(value)]
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _scope(scope: Scope) -> list[Any]:
    def ids(some: Any) -> Any:
        return "*" if isinstance(some, All) else sorted(some)

    return sorted(([ids(box.practices), ids(box.providers)] for box in scope.boxes), key=json.dumps)


def matches(header: str | None, tag: str) -> bool:
    """Whether ``If-None-Match`` names a tag (weak comparison, RFC 9110 § 8.8.3.2)."""
    if header is None:
        return False
    if header.strip() == "*":
        return True
    opaque = tag.removeprefix("W/")
    return any(each.strip().removeprefix("W/") == opaque for each in header.split(","))
