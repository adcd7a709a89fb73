"""What ``current`` says: which snapshot is live, or that the data source is switched off.

A switched-off data source's pointer is no version, so every reader that compares it with the one it
knows finds another, in the trip that it takes anyway. It names the snapshot that would be live, and
until when, for whoever switches it on again:

- ``<version>``: live, until the key expires
- ``disabled:<version>:<Unix ms>``: switched off; this snapshot lies behind the switch
- ``disabled``: switched off, and cold

The scripts read it by the same rules.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from warmcube.entry.keys import Version

__all__ = ["Pointer", "parse_pointer"]

_DISABLED: Final = re.compile(rb"disabled(?::([^:]*):(0|[1-9][0-9]{0,14}))?\Z")


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a pointer says.

    Attributes:
        version: of the snapshot that is live, or lies behind the switch; None if none does.
        is_disabled: whether the data source is switched off.
        serve_until_ms: until when the one behind the switch may be served, Unix milliseconds; that
            of a live one is the key's expiry.
    """

    version: Version | None
    is_disabled: bool = False
    serve_until_ms: int | None = None


def parse_pointer(current: bytes | None) -> Pointer:
    """What a pointer says; None is a data source that is cold.

    Raises:
        Damage: nothing that a script writes.
    """
    if current is None:
        return Pointer(None)
    found = _DISABLED.match(current)
    if found is None:
        return Pointer(Version.parse(current))
    if found[1] is None:
        return Pointer(None, is_disabled=True)
    return Pointer(Version.parse(found[1]), is_disabled=True, serve_until_ms=int(found[2]))
