"""Sessions: an allow-list in the store of who is signed in.

A session counts while the store has it, and no longer: a store that was lost or emptied ends all of
them. What the browser holds is a random secret; the store has its digest only. All times are the
store's, so that processes whose clocks differ agree.

A token is ``<whose>.<secret>``. The first part tells under which key to look, so that all sessions
of a user lie under one key: a look is one trip, and all of them end at once.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, cast

from warmcube.store.api import Store

__all__ = ["Session", "Sessions", "SignedInBy"]

SignedInBy: TypeAlias = Literal["password", "oidc"]

MOST_SESSIONS: Final = 50
"""Of one user; the one that was idle for longest makes room for another."""

_TOKEN: Final = re.compile(r"([A-Za-z0-9_-]{22})\.[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session in force.

    Attributes:
        user: who is signed in.
        by: how they did.
        ends: when it will be over however much it is used, Unix seconds of the store's clock.
    """

    user: str
    by: SignedInBy
    ends: float


class Sessions:
    """The sessions of all users.

    Args:
        store: where they are kept.
        prefix: what their keys begin with.
        idle: seconds after which an unused session is over.
        life: seconds after which every session is over.
    """

    def __init__(self, store: Store, prefix: bytes, *, idle: int, life: int) -> None:
        self._store = store
        self._prefix = prefix + b"session:"
        self.idle: Final = idle
        self.life: Final = life
        # Writing on every request would be a write for every read; a thirtieth too early is fine.
        self._exactness = min(60_000, idle * 1000 // 30)

    async def begin(self, user: str, by: SignedInBy) -> str:
        """Sign somebody in, who has proven who they are.

        Returns:
            the token, which nobody has seen before.

        Raises:
            StoreError: the store.
        """
        whose = _whose(user)
        token = f"{whose}.{secrets.token_urlsafe(32)}"
        await self._store.script(
            "session_begin",
            [self._key(whose)],
            [
                user.encode(),
                _digest(token),
                by.encode(),
                self.idle * 1000,
                self.life * 1000,
                MOST_SESSIONS,
            ],
        )
        return token

    async def find(self, token: str) -> Session | None:
        """The session that a token stands for, which counts as used now; None if it has none.

        Raises:
            StoreError: the store.
        """
        parsed = _TOKEN.fullmatch(token)
        if parsed is None:
            return None
        found = await self._store.script(
            "session_find",
            [self._key(parsed[1])],
            [_digest(token), self.idle * 1000, self.life * 1000, self._exactness],
        )
        if found is None:
            return None
        user, begun, by = found
        return Session(
            user=user.decode(),
            by=cast("SignedInBy", by.decode()),
            ends=begun / 1000 + self.life,
        )

    async def end(self, token: str) -> None:
        """Sign out: the token counts no longer, for any process.

        Raises:
            StoreError: the store.
        """
        parsed = _TOKEN.fullmatch(token)
        if parsed is not None:
            await self._store.run([(b"HDEL", self._key(parsed[1]), _digest(token))])

    async def end_all(self, user: str, *, but: str | None = None) -> int:
        """End all sessions of a user.

        Args:
            user: whose.
            but: the token of one that stays.

        Returns:
            how many ended.

        Raises:
            StoreError: the store.
        """
        kept = b"" if but is None else _digest(but)
        return int(await self._store.script("session_end_all", [self._key(_whose(user))], [kept]))

    def _key(self, whose: str) -> bytes:
        return self._prefix + whose.encode()


def _whose(user: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(user.encode()).digest()[:16])[:22].decode()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).hexdigest().encode()
