"""Keys from files: a shared secret, a public key as PEM, or a key set."""

from __future__ import annotations

import json
import logging
import os
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key
from joserfc.jwk import ECKey, OctKey, RSAKey

from warmcube.authn.keys import Key, Keys, usable
from warmcube.authn.private_file import open_private, read_private
from warmcube.errors import ConfigError, IdentityUnavailable

__all__ = ["FileKeys", "read_key", "read_key_set", "read_shared_secret"]

_LOG: Final = logging.getLogger("warmcube")
_SMALLEST_SECRET: Final = 32
_SMALLEST_RSA: Final = 2048
_LARGEST_FILE: Final = 1_000_000
_LOOK_AGAIN: Final = 1.0
_PUBLIC: Final = (b"-----BEGIN", b"ssh-", b"ecdsa-", b"{")
"""How text begins that is a key others know: PEM, OpenSSH, JSON."""


class FileKeys:
    """Keys of a file, read again when it changes.

    Where it can't be read any more, no key counts: one that was taken away must not go on counting
    because of that.

    Args:
        path: of the file.
        read: what is in it; raises `ConfigError`.
        monotonic: seconds that only grow.

    Raises:
        ConfigError: it can't be used.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[], Keys],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._read = read
        self._monotonic = monotonic
        self._looked = monotonic()
        self._stamp = _stamp(path)
        self._keys: Keys | None = read()
        self._failure = ""

    def current(self) -> Keys | None:
        now = self._monotonic()
        if now - self._looked >= _LOOK_AGAIN:
            self._looked = now
            self._look()
        return self._keys

    async def renewed(self) -> Keys:
        keys = self.current()
        if keys is None:
            raise IdentityUnavailable(self._failure)
        return keys

    def _look(self) -> None:
        """Read the file if it isn't the one that was read: a local, small one, once a second."""
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp  # from before reading, so that a change meanwhile is seen next time
        known, self._keys = self._keys, None
        try:
            keys = self._read()
        except ConfigError as error:
            self._failure = str(error)
            _LOG.warning("no token of its issuer counts: %s", error)
            return
        self._keys = known if known is not None and known.is_same(keys) else keys


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev)


def read_key_set(path: Path) -> Keys:
    """The keys of a JSON Web Key Set (RFC 7517).

    Raises:
        ConfigError: it can't be read, or has none that can be used.
    """
    where = f"[[auth.keys]] jwks_file {path}"
    try:
        document = json.loads(_public_file(path, where))
    except (ValueError, RecursionError):
        raise ConfigError(f"{where} isn't JSON; expected a JSON Web Key Set") from None
    try:
        return Keys(usable(document if isinstance(document, dict) else {}))
    except IdentityUnavailable:
        raise ConfigError(
            f"{where} holds no key for signatures; expected RSA keys of at least "
            f"{_SMALLEST_RSA} bits, or P-256 keys"
        ) from None


def read_key(path: Path, algorithms: Sequence[str]) -> Keys:
    """The key of a file: a secret for HS256, else a public key as PEM.

    Raises:
        ConfigError: it can't be read, isn't of the algorithm's type, or is too weak.
    """
    what = "[[auth.keys]] key_file"
    if "HS256" in algorithms:
        return Keys((OctKey.import_key(read_shared_secret(path, what)),), is_named=False)
    return Keys((_public_key(path, f"{what} {path}", algorithms),), is_named=False)


def _public_key(path: Path, where: str, algorithms: Sequence[str]) -> Key:
    pem = _public_file(path, where)
    try:
        key = load_pem_public_key(pem)
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


def _public_file(path: Path, where: str) -> bytes:
    """A file that all may read, but only few may write: whoever writes it can be anybody."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(_LARGEST_FILE + 1) if stat.S_ISREG(status.st_mode) else b""
    except OSError as error:
        raise ConfigError(f"{where} can't be read: {error.strerror or error}") from None
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{where} isn't a regular file; name one that is")
    if status.st_mode & stat.S_IWOTH:
        raise ConfigError(f"{where} may be written by anybody; run chmod o-w {path}")
    if len(content) > _LARGEST_FILE:
        raise ConfigError(f"{where} is larger than {_LARGEST_FILE:,} bytes; is it the right file?")
    return content


def read_shared_secret(path: Path, what: str) -> bytes:
    """The secret of a file for HS256.

    Args:
        path: of the file.
        what: how messages name the setting.

    Raises:
        ConfigError: it can't be read, others may read it, or it is too short or no secret.
    """
    where = f"{what} {path}"
    try:
        with open_private(path, what) as file:
            # One line end isn't part of it; other white space may be, where it is random bytes.
            secret = read_private(file, path).removesuffix(b"\n").removesuffix(b"\r")
    except FileNotFoundError:
        raise ConfigError(
            f"{where} isn't there; make one, as with: (umask 077; openssl rand -base64 48 > FILE)"
        ) from None
    if _is_public(secret):
        raise ConfigError(
            f"{where} is a key that others know, which is no secret; HS256 needs random bytes"
        )
    if len(secret) < _SMALLEST_SECRET:
        raise ConfigError(
            f"{where} holds {len(secret)} bytes; HS256 needs at least {_SMALLEST_SECRET}"
        )
    return secret


def _is_public(secret: bytes) -> bool:
    """Whether a secret is the form of a key that has a public half."""
    if secret.lstrip().startswith(_PUBLIC):
        return True
    try:
        load_der_public_key(secret)
    except ValueError:
        return False
    return True
