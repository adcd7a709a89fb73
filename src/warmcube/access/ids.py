"""Ids of practices and providers, in the one canonical text form of their column's type.

Inside warmcube an id is always its canonical text: ``"114"``, a lower-case hyphenated uuid, the
text itself. An id that can be read in two ways is refused instead of guessed, since a wrong guess
is either somebody else's rows or an empty answer that looks right.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from warmcube.errors import DirectoryError, InvalidFilter
from warmcube.model.schema import KEY_KINDS, ColumnType, Kind

__all__ = ["directory_id", "holds", "is_text", "parse_id", "parse_ids", "show"]

_LIMITS: Final = {Kind.SMALLINT: 1 << 15, Kind.INTEGER: 1 << 31, Kind.BIGINT: 1 << 63}
"""One more than the greatest value; the least one is as far below zero."""
_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SHOWN: Final = 80


def show(value: object) -> str:
    """A value as a message shows it: never long, and never failing."""
    if isinstance(value, int) and value.bit_length() > 256:
        return f"an integer of {value.bit_length()} bits"
    if value is None or isinstance(value, str | int | float | bytes | UUID):
        text = repr(value)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return f"a {type(value).__name__}"


def is_text(text: str) -> bool:
    """Whether a database can hold this as text: no NUL, no half of a surrogate pair."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def holds(text: str, type: ColumnType) -> bool:
    """Whether `text` is the canonical form of an id of this type.

    A directory id for which this is false grants nothing in such a column. The empty text is an
    id that a text column can hold, although no request and no directory may name it.
    """
    limit = _LIMITS.get(type.kind)
    if limit is not None:
        return _INTEGER.fullmatch(text) is not None and -limit <= int(text) < limit
    if type.kind not in KEY_KINDS:
        raise ValueError(f"a {type} column can't hold ids")
    if type.kind is Kind.UUID:
        return _UUID.fullmatch(text) is not None
    return is_text(text)


def parse_id(value: object, type: ColumnType, *, name: str = "id") -> str:
    """The canonical form of an id in a request.

    Args:
        value: what was asked for. An integer column takes an int, or text that prints the same
            after parsing; a uuid column a `uuid.UUID` or its canonical text; a text column text.
        type: the column's type.
        name: what the message calls the id, such as ``"practice"``.

    Raises:
        InvalidFilter: for anything else, the empty text included.
    """
    limit = _LIMITS.get(type.kind)
    if isinstance(value, str):
        if value and holds(value, type):
            return str.__str__(value)
    elif isinstance(value, int):
        if limit is not None and -limit <= value < limit and not isinstance(value, bool):
            return str(int(value))
    elif isinstance(value, UUID) and type.kind is Kind.UUID:
        return str(UUID(int=value.int))
    raise InvalidFilter(f"{name} {show(value)} can't be read: {_expected(value, type)}")


def parse_ids(values: Collection[Any], type: ColumnType, *, name: str = "id") -> frozenset[str]:
    """The canonical forms of ids in a request: what `parse_id` gives for each.

    Raises:
        InvalidFilter: for the first that it can't read.
    """
    found = _parse_alike(values, type)
    if found is None:
        return frozenset([parse_id(each, type, name=name) for each in values])
    return found


def _parse_alike(values: Collection[Any], type: ColumnType) -> frozenset[str] | None:
    """The canonical forms of ids that are all of one plain type; None where each wants a look.

    A list may hold thousands, so each step is one call for all of them.
    """
    kinds = set(map(builtins.type, values))
    limit = _LIMITS.get(type.kind)
    if limit is not None:
        if kinds == {int}:
            is_held = -limit <= min(values) and max(values) < limit
            return frozenset(map(str, values)) if is_held else None
        if kinds == {str}:
            try:
                numbers = list(map(int, values))
            except ValueError:
                return None
            # Python reads " 1_14" too; only what prints as it was written is canonical.
            texts = frozenset(map(str, numbers))
            is_held = -limit <= min(numbers) and max(numbers) < limit
            return texts if is_held and texts.issuperset(values) else None
        return None
    if type.kind is Kind.TEXT and kinds == {str}:
        return frozenset(values) if "" not in values and is_text("".join(values)) else None
    return None


def _expected(value: object, type: ColumnType) -> str:
    limit = _LIMITS.get(type.kind)
    if limit is not None:
        return (
            f"the column is {type}; write an integer from {-limit} to {limit - 1}, "
            "as a number or as the digits that it prints as, such as 114"
        )
    if type.kind is Kind.UUID:
        return (
            "the column is uuid; write it in lower case with hyphens, "
            "such as 6f1c9b1e-0d4e-4f3a-9b7e-2a5c8d1e0f42"
        )
    if isinstance(value, int) and not isinstance(value, bool):
        return "the column is text; write it as text, in quotes"
    return (
        "the column is text; write text that isn't empty and has no NUL and no lone surrogate; "
        "leave the field out for no filter"
    )


def directory_id(value: object) -> str:
    """The text form of a practice or provider in a directory: 101 and ``"101"`` are one id.

    Raises:
        DirectoryError: if it is neither an integer of 64 bits nor text.
    """
    limit = _LIMITS[Kind.BIGINT]
    if isinstance(value, int) and not isinstance(value, bool) and -limit <= value < limit:
        return str(int(value))
    if isinstance(value, str) and value and is_text(value):
        return str.__str__(value)
    raise DirectoryError(
        f"{show(value)} can't be an id; write an integer of 64 bits, or text that isn't empty"
    )
