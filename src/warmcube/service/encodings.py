"""Content codings: which one a client takes, and bodies in it."""

from __future__ import annotations

import asyncio
import gzip
from typing import Final

import zstandard

__all__ = ["chosen", "compressed"]

_SMALL: Final = 1_000
"""Bytes up to which compression costs more than it saves."""
_LARGE: Final = 64_000
"""Bytes from which on it leaves the event loop."""
_OURS: Final = ("zstd", "gzip")
"""In the order of preference."""


def chosen(accept: str | None) -> str:
    """The coding to use, ``identity`` for none (RFC 9110 § 12.5.3).

    Args:
        accept: the header ``Accept-Encoding``.
    """
    if not accept:
        return "identity"
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, _, parameter = part.partition(";")
        weights[name.strip()] = _weight(parameter)
    anything = weights.get("*", 0.0)
    best = max(_OURS, key=lambda name: weights.get(name, anything))
    return best if weights.get(best, anything) > 0 else "identity"


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0


async def compressed(data: bytes, coding: str) -> tuple[bytes, str]:
    """A body in a coding, and the coding it really has: a small one stays as it is."""
    if coding == "identity" or len(data) < _SMALL:
        return data, "identity"
    work = _zstd if coding == "zstd" else _gzip
    if len(data) < _LARGE:
        return work(data), coding
    return await asyncio.to_thread(work, data), coding


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=3).compress(data)


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=5, mtime=0)
