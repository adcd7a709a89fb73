"""The keys that tokens are checked with: from a file, or from an issuer's key set."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from warmcube.authn.fetching import Fetcher
from warmcube.authn.known import Known
from warmcube.authn.private_file import open_private, read_private
from warmcube.authn.provider import keys_of
from warmcube.errors import ConfigError, IdentityUnavailable

__all__ = ["FetchedKeys", "FileKeys", "Key", "KeySource", "OneKey", "read_key"]

Key: TypeAlias = RSAKey | ECKey | OctKey

_SMALLEST_SECRET: Final = 32
_SMALLEST_RSA: Final = 2048
_LARGEST_FILE: Final = 1_000_000
_LOOK_AGAIN: Final = 1.0


class KeySource(Protocol):
    """Where the keys of one issuer come from."""

    @property
    def generation(self) -> int:
        """Changes whenever the keys do, so that what they proved is proven again."""
        ...

    async def refresh(self) -> None:
        """Look for newer keys, where that is due.

        Raises:
            IdentityUnavailable: there are none, nor older ones that may still be used.
        """
        ...

    async def candidates(self, algorithm: str, kid: str | None) -> Sequence[Key]:
        """The keys that may have signed a token: those that it names, of the algorithm's type.

        Raises:
            IdentityUnavailable: no keys can be had.
        """
        ...


class OneKey:
    """The one key of a file, read once."""

    generation = 0

    def __init__(self, key: Key) -> None:
        self._key = key

    async def refresh(self) -> None:
        """Nothing changes."""

    async def candidates(self, algorithm: str, kid: str | None) -> Sequence[Key]:  # noqa: ARG002 - there is one key, whatever it is called
        return [self._key] if _fits(self._key, algorithm) else []


class FileKeys:
    """A file of public keys, read again when it changes.

    Args:
        path: a JSON Web Key Set (RFC 7517).
        monotonic: seconds that only grow.
    """

    def __init__(self, path: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._monotonic = monotonic
        self._looked = monotonic()
        self._stamp = self._stamp_now()
        self._keys = self._read()
        self.generation = 0

    async def refresh(self) -> None:
        now = self._monotonic()
        if now - self._looked < _LOOK_AGAIN:
            return
        self._looked = now
        stamp = await asyncio.to_thread(self._stamp_now)
        if stamp == self._stamp:
            return
        self._stamp, self.generation = stamp, self.generation + 1
        try:
            self._keys = await asyncio.to_thread(self._read)
        except ConfigError as error:
            # Keys that were taken away must not go on counting because the file can't be read.
            self._keys = KeySet([])
            raise IdentityUnavailable(str(error)) from error

    async def candidates(self, algorithm: str, kid: str | None) -> Sequence[Key]:
        await self.refresh()
        return _chosen(self._keys, algorithm, kid)

    def _stamp_now(self) -> tuple[int, ...]:
        try:
            found = os.stat(self._path)  # noqa: PTH116 - the whole stamp at once
        except OSError:
            return ()
        return (found.st_mtime_ns, found.st_size, found.st_ino)

    def _read(self) -> KeySet:
        where = f"[[auth.keys]] jwks_file {self._path}"
        try:
            with self._path.open("rb") as file:
                document = json.loads(file.read(_LARGEST_FILE))
        except OSError as error:
            raise ConfigError(f"{where} can't be read: {error.strerror or error}") from None
        except (ValueError, RecursionError):
            raise ConfigError(f"{where} isn't JSON; expected a JSON Web Key Set") from None
        try:
            return keys_of(document if isinstance(document, dict) else {})
        except IdentityUnavailable:
            raise ConfigError(
                f"{where} holds no key for signatures; expected RSA keys of at least "
                f"{_SMALLEST_RSA} bits, or P-256 keys"
            ) from None


class FetchedKeys:
    """The key set of an issuer by URL, fetched when it is first needed.

    A key that isn't known yet has the set fetched again, at most once in 30 seconds however many
    tokens name it.

    Args:
        url: https, or loopback.
        fetcher: asks.
        monotonic: seconds that only grow.
    """

    def __init__(
        self, url: str, fetcher: Fetcher, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._fetcher = fetcher
        self._known: Known[KeySet] = Known(monotonic)
        self._last: KeySet | None = None
        self.generation = 0

    async def refresh(self) -> None:
        if self._known.is_due:
            await self._get(lambda _keys: False)

    async def candidates(self, algorithm: str, kid: str | None) -> Sequence[Key]:
        keys = await self._get(lambda keys: not _chosen(keys, algorithm, kid))
        return _chosen(keys, algorithm, kid)

    async def _get(self, lacks: Callable[[KeySet], bool]) -> KeySet:
        keys = await self._known.get(self._ask, lacks)
        if keys is not self._last:
            self._last, self.generation = keys, self.generation + 1
        return keys

    async def _ask(self) -> KeySet:
        status, document = await self._fetcher.json(self._url)
        if status != 200:
            raise IdentityUnavailable(f"the key set at {self._url} is answered with {status}")
        return keys_of(document)


def _chosen(keys: KeySet, algorithm: str, kid: str | None) -> list[Key]:
    """The keys that a token may have been signed with; without a name only an only one."""
    fitting: list[Key] = [
        key for key in keys.keys if isinstance(key, RSAKey | ECKey) and _fits(key, algorithm)
    ]
    if kid is not None:
        return [key for key in fitting if key.kid == kid]
    return fitting if len(fitting) == 1 else []


def _fits(key: Key, algorithm: str) -> bool:
    """Whether a key is of an algorithm's type, and not kept for another (RFC 7517 § 4.4)."""
    if isinstance(key, OctKey):
        return algorithm == "HS256"
    if isinstance(key, RSAKey):
        return algorithm == "RS256" and key.get("alg", "RS256") == "RS256"
    return algorithm == "ES256" and key.curve_name == "P-256"


def read_key(path: Path, algorithms: Sequence[str]) -> Key:
    """The key in a file: a secret for HS256, else a public key as PEM.

    Raises:
        ConfigError: it can't be read, isn't of the algorithm's type, or is too weak.
    """
    where = f"[[auth.keys]] key_file {path}"
    if "HS256" in algorithms:
        return OctKey.import_key(_secret(path, where))
    try:
        pem = path.read_bytes()
        key = load_pem_public_key(pem)
    except OSError as error:
        raise ConfigError(f"{where} can't be read: {error.strerror or error}") from None
    except ValueError:
        raise ConfigError(f"{where} is no public key; expected one as PEM") from None
    if isinstance(key, RSAPublicKey) and "RS256" in algorithms:
        if key.key_size < _SMALLEST_RSA:
            raise ConfigError(f"{where} has {key.key_size} bits; expected at least {_SMALLEST_RSA}")
        return RSAKey.import_key(pem)
    is_p256 = isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
    if is_p256 and "ES256" in algorithms:
        return ECKey.import_key(pem)
    raise ConfigError(
        f"{where} is no key for {' or '.join(algorithms)}; RS256 needs RSA, ES256 needs P-256"
    )


def _secret(path: Path, where: str) -> bytes:
    try:
        with open_private(path, "[[auth.keys]] key_file") as file:
            secret = read_private(file, path).strip()
    except FileNotFoundError:
        raise ConfigError(f"{where} isn't there; make one of 32 random bytes") from None
    if len(secret) < _SMALLEST_SECRET:
        raise ConfigError(
            f"{where} holds {len(secret)} bytes; HS256 needs at least {_SMALLEST_SECRET}"
        )
    if b"-----BEGIN" in secret:
        raise ConfigError(f"{where} is a PEM file, which is no secret; HS256 needs random bytes")
    return secret
