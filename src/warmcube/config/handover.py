"""Handing a whole configuration to a process of one's own, secrets included.

Through a pipe: not on a command line, in a variable of the environment or in a file, where others
could read it.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import Secret, SecretStr, TypeAdapter

from warmcube.config.settings import Settings

__all__ = ["pack_settings", "unpack_settings"]


def pack_settings(settings: Settings) -> bytes:
    """All settings as JSON, whether they came from a file, the environment or code."""
    plain = TypeAdapter(Settings).dump_python(settings)
    return json.dumps(plain, default=_revealed).encode()


def unpack_settings(packed: bytes) -> Settings:
    """What `pack_settings` packed."""
    return TypeAdapter(Settings).validate_json(packed)


def _revealed(value: Any) -> Any:
    if isinstance(value, (Secret, SecretStr)):
        return value.get_secret_value()
    return sorted(value) if isinstance(value, (set, frozenset)) else str(value)
