"""Passwords: which may be chosen, and how they are kept and checked, with argon2id."""

from __future__ import annotations

import asyncio
import secrets
import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from warmcube.errors import Overloaded

__all__ = ["LONGEST", "SHORTEST", "Hasher", "flaw_of", "is_hash", "is_possible"]

SHORTEST: Final = 12
LONGEST: Final = 1024
"""Bytes of a password. No rule says what must be in it: length is what counts."""


def flaw_of(password: str) -> str | None:
    """Why a password can't be chosen; None if it can."""
    try:
        size = len(_prepared(password))
    except UnicodeEncodeError:
        return "it isn't Unicode text"
    if size < SHORTEST:
        return f"it has {size} bytes; expected at least {SHORTEST}"
    if size > LONGEST:
        return f"it has {size:,} bytes; expected at most {LONGEST:,}"
    return None


def is_possible(password: str) -> bool:
    """Whether it may be anybody's password, and isn't only meant to take time."""
    try:
        return len(password) <= LONGEST and len(_prepared(password)) <= LONGEST
    except UnicodeEncodeError:
        return False


def is_hash(text: object) -> bool:
    """Whether this is what `Hasher.hash` returns."""
    try:
        found = argon2.extract_parameters(text) if isinstance(text, str) else None
    except InvalidHashError:
        return False
    return found is not None and found.type is argon2.Type.ID


def _prepared(password: str) -> bytes:
    # One and the same letter may come composed or decomposed, depending on the keyboard.
    return unicodedata.normalize("NFC", password).encode()


class Hasher:
    """Makes and checks hashes in threads of its own, few at a time: each takes memory and time.

    Args:
        kdf: argon2id with its parameters; argon2-cffi's defaults are those of RFC 9106.
        at_once: how many run at the same time.
        waiting: how many may wait for that.
    """

    def __init__(
        self,
        kdf: argon2.PasswordHasher | None = None,
        *,
        at_once: int = 2,
        waiting: int = 30,
    ) -> None:
        self._kdf = kdf or argon2.PasswordHasher()
        self._threads = ThreadPoolExecutor(at_once, "warmcube-password")
        self._most = at_once + waiting
        self._running = 0
        self._lock = threading.Lock()
        self._nobodys = self._kdf.hash(secrets.token_bytes(32))

    async def verify(self, kept: str | None, password: str) -> bool:
        """Whether a password is the one that a hash is of.

        For None the answer is no, and takes the same work.

        Raises:
            Overloaded: too many wait already.
        """
        with self._lock:
            if self._running >= self._most:
                raise Overloaded("too many people sign in at once; try again", retry_after=2.0)
            self._running += 1
        done = self._threads.submit(self._is_right, kept or self._nobodys, password)
        done.add_done_callback(self._count_down)  # not when its waiter gives up: it goes on
        return await asyncio.wrap_future(done) and kept is not None

    def hash(self, password: str) -> str:
        """What is kept of a password; takes a while."""
        return self._kdf.hash(_prepared(password))

    async def renew(self, password: str) -> str:
        """The same, in a thread."""
        return await asyncio.wrap_future(self._threads.submit(self.hash, password))

    def is_outdated(self, kept: str) -> bool:
        """Whether a hash was made with other parameters than today's."""
        return self._kdf.check_needs_rehash(kept)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _count_down(self, _done: object) -> None:
        with self._lock:
            self._running -= 1

    def _is_right(self, kept: str, password: str) -> bool:
        try:
            return self._kdf.verify(kept, _prepared(password))
        except (VerificationError, InvalidHashError):
            return False
