"""Of which shapes a dashboard's values are: each reads strictly, and describes itself. Pure.

A shape is declared once. `read` makes the value that the rest of the code works with, or notes
what is wrong and returns `WRONG`; `schema` is the same as JSON Schema, for editors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Protocol, TypeAlias

from warmcube.config.problems import nearest
from warmcube.dashboard.troubles import Place

__all__ = [
    "WRONG",
    "Choice",
    "Day",
    "Either",
    "Fields",
    "Flag",
    "Form",
    "Items",
    "Key",
    "Named",
    "Number",
    "Scalar",
    "Shape",
    "Table",
    "Text",
    "Whole",
    "field_of",
]

WRONG: Final = object()
"""Stands for a value that is there, and can't be used."""

Schema: TypeAlias = dict[str, Any]

_LONGEST: Final = 200
_LARGEST: Final = 2**63 - 1


class Shape(Protocol):
    """What a value has to be."""

    def read(self, value: Any, at: Place) -> Any:
        """The value for the rest of the code; `WRONG` with a trouble noted."""

    def schema(self) -> Schema:
        """The same as JSON Schema."""


class Form(Shape, Protocol):
    """A shape that is one of several."""

    def takes(self, value: Any) -> bool:
        """Whether the value is of this kind at all, so that messages speak of this shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text that isn't empty; with a pattern, one of a certain form."""

    longest: int = _LONGEST
    pattern: str | None = None
    expected: str = "a text that isn't empty"

    def read(self, value: Any, at: Place) -> Any:
        if not isinstance(value, str):
            hint = "; put it in quotes" if _is_scalar(value) else ""
            return _wrong(at, value, f"{self.expected}{hint}")
        if not value.strip() or (self.pattern and not re.fullmatch(self.pattern, value)):
            return _wrong(at, value, self.expected)
        if len(value) > self.longest:
            return _wrong(at, value, f"at most {self.longest} characters, not {len(value)}")
        if any(ord(character) < 32 and character not in "\n\t" for character in value):
            return _wrong(at, value, "a text without control characters")
        return value

    def schema(self) -> Schema:
        said: Schema = {"type": "string", "minLength": 1, "maxLength": self.longest}
        return said | ({"pattern": f"^(?:{self.pattern})$"} if self.pattern else {})

    def takes(self, value: Any) -> bool:
        return isinstance(value, str)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a closed set of names."""

    noun: str
    names: tuple[str, ...]

    def read(self, value: Any, at: Place) -> Any:
        if isinstance(value, str) and value in self.names:
            return value
        at.unknown(self.noun, value, self.names)
        return WRONG

    def schema(self) -> Schema:
        return {"enum": list(self.names)}

    def takes(self, value: Any) -> bool:
        return isinstance(value, str)


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false; `only` says that one of them alone has a meaning."""

    only: bool | None = None

    def read(self, value: Any, at: Place) -> Any:
        if isinstance(value, bool) and self.only in (None, value):
            return value
        return _wrong(at, value, "true or false" if self.only is None else str(self.only).lower())

    def schema(self) -> Schema:
        return {"type": "boolean"} if self.only is None else {"const": self.only}

    def takes(self, value: Any) -> bool:
        return isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between two, both included."""

    least: int
    most: int

    def read(self, value: Any, at: Place) -> Any:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if is_whole and self.least <= value <= self.most:
            return value
        return _wrong(at, value, f"a whole number from {self.least} to {self.most}")

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Number:
    """A finite number, exact."""

    def read(self, value: Any, at: Place) -> Any:
        if _is_number(value):
            exact = Decimal(str(value)) if isinstance(value, float) else Decimal(value)
            if exact.is_finite() and abs(exact.adjusted()) <= 30:
                return exact
        return _wrong(at, value, "a finite number of at most 30 digits")

    def schema(self) -> Schema:
        return {"type": "number"}

    def takes(self, value: Any) -> bool:
        return _is_number(value)


@dataclass(frozen=True, slots=True)
class Key:
    """What names a measure or a frequency: a text, or a whole number."""

    noun: str

    def read(self, value: Any, at: Place) -> Any:
        if isinstance(value, str) and 0 < len(value) <= 1000:
            return value
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST:
            return value
        return _wrong(
            at, value, f"a {self.noun}: a text of 1 to 1000 characters, or a whole number"
        )

    def schema(self) -> Schema:
        return {"type": ["string", "integer"], "minLength": 1, "maxLength": 1000}


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value that a column may have."""

    def read(self, value: Any, at: Place) -> Any:
        if isinstance(value, float):
            value = Decimal(str(value))
        if isinstance(value, Decimal) and not value.is_finite():
            return _wrong(at, value, 'a finite number; write "NaN" or "Infinity" as text')
        if isinstance(value, int) and abs(value) > 10**38:
            return _wrong(at, value, "a number of at most 38 digits")
        if _is_scalar(value) and (not isinstance(value, str) or len(value) <= 1000):
            return value
        return _wrong(
            at, value, "a text of at most 1000 characters, a number, true, false, or a date"
        )

    def schema(self) -> Schema:
        return {"type": ["string", "number", "boolean"], "maxLength": 1000}

    def takes(self, value: Any) -> bool:
        return _is_scalar(value)


@dataclass(frozen=True, slots=True)
class Day:
    """A day, as the file's own date or as text."""

    def read(self, value: Any, at: Place) -> Any:
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        return _wrong(at, value, "a day like 2025-12-31")

    def schema(self) -> Schema:
        return {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d$"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list of so many of one shape."""

    of: Shape
    noun: str
    least: int = 1
    most: int

    def read(self, value: Any, at: Place) -> Any:
        if not isinstance(value, list):
            return _wrong(at, value, f"a list of {self.noun}")
        if not self.least <= len(value) <= self.most:
            at.wrong(f"has {len(value)} {self.noun}; expected {self.least} to {self.most}")
            return WRONG
        return [self.of.read(each, at / position) for position, each in enumerate(value)]

    def schema(self) -> Schema:
        return {
            "type": "array",
            "items": self.of.schema(),
            "minItems": self.least,
            "maxItems": self.most,
        }

    def takes(self, value: Any) -> bool:
        return isinstance(value, list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A table whose keys are free, each with a value of one shape."""

    of: Shape
    most: int

    def read(self, value: Any, at: Place) -> Any:
        if not isinstance(value, dict):
            return _wrong(at, value, "a table")
        if len(value) > self.most:
            at.wrong(f"has {len(value)} entries; expected at most {self.most}")
            return WRONG
        return {
            name: self.of.read(each, at / name)
            for name, each in value.items()
            if Text().read(name, at) is not WRONG
        }

    def schema(self) -> Schema:
        return {
            "type": "object",
            "propertyNames": Text().schema(),
            "additionalProperties": self.of.schema(),
            "maxProperties": self.most,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a table: its shape, what it is for, and whether it has to be there."""

    shape: Shape
    help: str
    is_required: bool = False


def field_of(shape: Shape, help: str, *, is_required: bool = False) -> Field:
    """A field, in one line."""
    return Field(shape=shape, help=help, is_required=is_required)


Fields: TypeAlias = dict[str, Any]
"""What a table says: only the fields that are there, `WRONG` for those that can't be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of declared fields."""

    noun: str
    fields: Mapping[str, Field]
    make: Callable[[Fields, Place], Any] = field(default=lambda fields, _: fields)

    def read(self, value: Any, at: Place) -> Any:
        if not isinstance(value, dict):
            return _wrong(at, value, f"a table: {self.noun}")
        for name in value:
            if name not in self.fields:
                (at / str(name)).wrong(f"unknown field{nearest(str(name), self.fields)}")
        found: Fields = {}
        for name, declared in self.fields.items():
            if name in value:
                found[name] = declared.shape.read(value[name], at / name)
            elif declared.is_required:
                (at / name).wrong(f"missing; expected {declared.help}")
                found[name] = WRONG
        return self.make(found, at)

    def schema(self) -> Schema:
        return {
            "type": "object",
            "additionalProperties": False,
            "required": [name for name, each in self.fields.items() if each.is_required],
            "properties": {
                name: {"description": each.help} | each.shape.schema()
                for name, each in self.fields.items()
            },
        }

    def takes(self, value: Any) -> bool:
        return isinstance(value, dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Either:
    """One of several forms; `make` brings the short ones into the long one."""

    of: Sequence[Form]
    expected: str
    make: Callable[[Any], Any] = field(default=lambda value: value)

    def read(self, value: Any, at: Place) -> Any:
        for shape in self.of:
            if shape.takes(value):
                found = shape.read(value, at)
                return WRONG if found is WRONG else self.make(found)
        return _wrong(at, value, self.expected)

    def schema(self) -> Schema:
        return {"anyOf": [shape.schema() for shape in self.of]}


def _wrong(at: Place, value: Any, expected: str) -> Any:
    at.wrong(f"expected {expected}", value=value)
    return WRONG


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float | Decimal | date)
