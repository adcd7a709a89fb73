"""Giving memory back after a warm."""

from __future__ import annotations

import ctypes
import sys

import pyarrow as pa

__all__ = ["give_back"]


def give_back() -> None:
    """Return to the system what allocators keep of a warm's buffers.

    They were made in several threads, each with an arena of its own, so that what is free of one
    isn't used for the next: a service that warms by itself would grow from warm to warm.
    """
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc; musl has none
        if trim is not None:
            trim(0)
