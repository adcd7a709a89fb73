"""Signing in with a password that is kept here."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from warmcube.authn.attempts import Attempts
from warmcube.authn.credentials import CredentialsFile
from warmcube.authn.passwords import Hasher, is_possible
from warmcube.errors import ConfigError, Overloaded, Unauthenticated

__all__ = ["LocalUsers"]

_LOG: Final = logging.getLogger("warmcube")


class LocalUsers:
    """Checks passwords; who has none here can't be told from whose is another.

    Args:
        credentials: what is kept of the passwords.
        hasher: checks them.
        attempts: bounds how often.
    """

    def __init__(self, credentials: CredentialsFile, hasher: Hasher, attempts: Attempts) -> None:
        self._credentials = credentials
        self._hasher = hasher
        self._attempts = attempts

    async def check(self, user: str, password: str, address: str) -> None:
        """That a password is the user's.

        Args:
            user: the id in the directory.
            password: as typed.
            address: of the client.

        Raises:
            Unauthenticated: it isn't, or there is no such user: same words, same work.
            TooManyAttempts: too many failures, of this user or from this address.
            Overloaded: too many passwords are being checked.
            ConfigError: the credentials can't be read.
            StoreError: the store, without which nothing bounds the attempts.
        """
        attempt = await self._attempts.begin(address, user)
        try:
            kept = await asyncio.to_thread(self._credentials.find, user)
            if not is_possible(password):
                kept, password = None, ""
            is_right = await self._hasher.verify(kept, password)
        except (ConfigError, Overloaded):
            await self._attempts.settle(attempt, is_success=False)
            raise
        if kept is None or not is_right:
            raise Unauthenticated("the user or the password is wrong", code="password")
        await self._attempts.settle(attempt, is_success=True)
        if self._hasher.is_outdated(kept):
            await self._renew(user, kept, password)

    async def has(self, user: str) -> bool:
        """Whether a user has a password here; for the audit only.

        Raises:
            ConfigError: the credentials can't be read.
        """
        return await asyncio.to_thread(self._credentials.find, user) is not None

    async def _renew(self, user: str, kept: str, password: str) -> None:
        """Hash anew with today's parameters; where the file can't be written, the old one stays."""
        renewed = await self._hasher.renew(password)
        try:
            await asyncio.to_thread(self._credentials.renew, user, kept, renewed)
        except ConfigError as error:
            _LOG.warning("a password keeps its outdated hash: %s", error)

    def close(self) -> None:
        """Let what runs in threads end."""
        self._hasher.close()
