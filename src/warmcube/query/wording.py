"""How messages show what somebody gave."""

from __future__ import annotations

import reprlib
from typing import Any

__all__ = ["shown"]


def shown(value: Any) -> str:
    """A value as Python writes it, so that ``'5'`` is told from ``5``; shortened."""
    try:
        return reprlib.repr(value)
    except ValueError:  # Python prints no integers of thousands of digits
        return "a very large integer"
