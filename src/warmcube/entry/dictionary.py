"""The distinct texts of a column, as chunks of bytes.

A chunk is a run of values, each as its length in bytes (uint32, little-endian) and its UTF-8.
Positions count on from chunk to chunk. A chunk is sealed under its own key; the manifest has the
number of values and a digest over all chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from xxhash import xxh3_64_hexdigest

from warmcube.errors import Damage

__all__ = [
    "MAX_BYTES",
    "MAX_VALUES",
    "pack_chunks",
    "packed_digest",
    "unpack_chunks",
]

MAX_VALUES: Final = 65_536
MAX_BYTES: Final = 4 << 20
"""A column beyond either has no dictionary: its texts stay in the entries."""

CHUNK_BYTES: Final = 256 << 10


def pack_chunks(values: Sequence[str]) -> list[bytes]:
    """The values as chunks of about ``CHUNK_BYTES``."""
    chunks: list[bytes] = []
    parts: list[bytes] = []
    size = 0
    for value in values:
        raw = value.encode()
        parts += (len(raw).to_bytes(4, "little"), raw)
        size += 4 + len(raw)
        if size >= CHUNK_BYTES:
            chunks.append(b"".join(parts))
            parts, size = [], 0
    if parts:
        chunks.append(b"".join(parts))
    return chunks


def packed_digest(chunks: Sequence[bytes | memoryview]) -> str:
    """What the manifest holds of all chunks."""
    return xxh3_64_hexdigest(b"".join(chunks))


def unpack_chunks(chunks: Sequence[bytes | memoryview], length: int, digest: str) -> list[str]:
    """The values that were packed.

    Raises:
        Damage: if they aren't those that the manifest speaks of.
    """
    if packed_digest(chunks) != digest:
        raise Damage("a dictionary isn't the one that the manifest names")
    values = [value for chunk in chunks for value in _values_of(bytes(chunk))]
    if len(values) != length:
        raise Damage(f"a dictionary has {len(values)} values where the manifest says {length}")
    return values


def _values_of(chunk: bytes) -> Iterator[str]:
    at = 0
    while at < len(chunk):
        end = at + 4 + int.from_bytes(chunk[at : at + 4], "little")
        yield chunk[at + 4 : end].decode()
        at = end
