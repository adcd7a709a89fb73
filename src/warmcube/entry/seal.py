"""Seals: what proves that bytes from the store are whole and lie under their own key.

``checksum`` is xxh3-64 over (key, bytes): it finds damage, swaps and cuts. ``mac`` is keyed
BLAKE2b-128 over the same: it also holds against somebody who can write to the store but doesn't
know the key. In both the key's name is part of what is sealed, so that a value copied under
another key, of another practice, version or deployment, is no longer valid.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol, TypeAlias

from xxhash import xxh3_64_digest, xxh3_64_intdigest

from warmcube.errors import Damage

__all__ = ["Checksum", "Mac", "Seal", "seal", "unseal"]

Bytes: TypeAlias = bytes | bytearray | memoryview


class Seal(Protocol):
    """A way to bind bytes to the key that they lie under."""

    @property
    def size(self) -> int:
        """Bytes of a seal."""
        ...

    @property
    def name(self) -> str:
        """As in the configuration."""
        ...

    def __call__(self, key: bytes, body: Bytes) -> bytes:
        """The `size` bytes that stand before `body` under `key`."""
        ...

    def prepare(self, keys: Sequence[bytes]) -> Sequence[Any]:
        """What can be computed of seals from the keys alone, for `of_each`."""
        ...

    def of_each(self, prepared: Iterable[Any], bodies: Iterable[Bytes]) -> bytes:
        """The seals of many values, one behind the other.

        Raises:
            ValueError: there aren't as many of the one as of the other.
        """
        ...


class Checksum:
    """xxh3-64 of the body, seeded with xxh3-64 of the key."""

    size: Final = 8
    name: Final = "checksum"

    def __call__(self, key: bytes, body: Bytes) -> bytes:
        return xxh3_64_digest(body, xxh3_64_intdigest(key))

    def prepare(self, keys: Sequence[bytes]) -> Sequence[int]:
        return [xxh3_64_intdigest(key) for key in keys]

    def of_each(self, prepared: Iterable[int], bodies: Iterable[Bytes]) -> bytes:
        return b"".join(
            [xxh3_64_digest(body, seed) for seed, body in zip(prepared, bodies, strict=True)]
        )


class Mac:
    """BLAKE2b-128 keyed with a secret (RFC 7693), over the key's length, the key, and the body."""

    size: Final = 16
    name: Final = "mac"

    def __init__(self, secret: bytes) -> None:
        # BLAKE2b takes at most 64 bytes of key; a longer or shorter secret is digested to 64.
        self._key = hashlib.blake2b(secret, person=b"warmcube-mac").digest()

    def __call__(self, key: bytes, body: Bytes) -> bytes:
        mac = hashlib.blake2b(len(key).to_bytes(4, "little"), key=self._key, digest_size=16)
        mac.update(key)
        mac.update(body)
        return mac.digest()

    def prepare(self, keys: Sequence[bytes]) -> Sequence[bytes]:
        return keys

    def of_each(self, prepared: Iterable[bytes], bodies: Iterable[Bytes]) -> bytes:
        return b"".join([self(key, body) for key, body in zip(prepared, bodies, strict=True)])

    def __repr__(self) -> str:
        return "Mac(…)"


def seal(using: Seal, key: bytes, body: Bytes) -> bytes:
    """`body` with its seal before it, ready to be stored under `key`."""
    return using(key, body) + body


def unseal(using: Seal, key: bytes, value: bytes | None, what: str) -> memoryview:
    """The body of a stored value.

    Raises:
        Damage: if the value is missing, cut, altered, or belongs under another key; `what` names
            it in the message.
    """
    if value is None:
        raise Damage(f"{what} is missing")
    body = memoryview(value)[using.size :]
    if using(key, body) != value[: using.size]:
        raise Damage(f"{what} fails its {using.name}")
    return body
