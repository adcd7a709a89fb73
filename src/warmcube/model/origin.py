"""The tiers that an answer can come from."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["Origin"]

Origin: TypeAlias = Literal["store", "resident", "database"]
