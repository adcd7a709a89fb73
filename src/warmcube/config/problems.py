"""What is wrong with a configuration, in words: all of it at once, and never a credential."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from warmcube.config.secret import SecretUrl, masked
from warmcube.errors import ConfigError

__all__ = [
    "KeyPath",
    "Problem",
    "Problems",
    "expected",
    "key_text",
    "kind_of",
    "nearest",
    "section_of",
]

KeyPath: TypeAlias = tuple[str | int, ...]
"""The way to a value: names of tables and keys, positions in arrays."""

_LONGEST_VALUE = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: where, which key, which value (already masked), what to do."""

    place: str
    key: str
    value: str | None
    what: str

    def __str__(self) -> str:
        shown = "" if self.value is None else f" = {self.value}"
        key = f"{self.key}{shown}: " if self.key else ""
        return f"{self.place}: {key}{self.what}"


class Problems:
    """Collects problems; knows for each key whether the file or the environment set it.

    Args:
        file: how messages name the file.
        origins: the environment variable of every value that came from one.
    """

    def __init__(self, file: str, origins: Mapping[KeyPath, str]) -> None:
        self._file = file
        self._origins = origins
        self._found: dict[str, None] = {}

    def add(self, path: KeyPath, what: str, *, value: str | None = None) -> None:
        """Notes a problem of the value at `path`; `value` must be masked already."""
        variable = self._origins.get(path)
        place = self._file if variable is None else f"environment variable {variable}"
        self.add_text(str(Problem(place=place, key=key_text(path), value=value, what=what)))

    def add_text(self, text: str) -> None:
        """Notes a problem that is already a sentence."""
        self._found[text] = None

    def add_invalid(
        self, error: ValidationError, model: type[BaseModel], prefix: KeyPath, raw: Any
    ) -> None:
        """Notes what pydantic found in one section."""
        for details in error.errors(include_url=False, include_input=False):
            path = details["loc"]
            field, owner = _field_at(model, path)
            if details["type"] == "extra_forbidden":
                names = owner.model_fields if owner is not None else ()
                what, value = f"unknown key{nearest(str(path[-1]), names)}", None
            elif details["type"] == "missing":
                what, value = f"missing; expected {expected(field)}", None
            else:
                own = (details.get("ctx") or {}).get("error")
                wanted = str(own) if isinstance(own, ValueError) else expected(field)
                if own is None and isinstance(path[-1] if path else "", int):  # of a list of names
                    wanted = "text that isn't empty"
                what = f"expected {wanted}"
                value = _shown(_value_at(raw, path), field)
            self.add(prefix + path, what, value=value)

    def raise_if_any(self) -> None:
        """Raises everything found as one error.

        Raises:
            ConfigError: if there is anything.
        """
        found = list(self._found)
        if len(found) == 1:
            raise ConfigError(found[0])
        if found:
            lines = "".join(f"\n  {text}" for text in found)
            raise ConfigError(f"{len(found)} problems in the configuration:{lines}")


def key_text(path: KeyPath) -> str:
    """A path as people write it: ``datasources[0].columns.date``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def nearest(name: str, names: Iterable[str]) -> str:
    """``; did you mean 'ttl'?``, or the names there are where none is near."""
    known = list(names)
    close = get_close_matches(name.lower(), known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; expected one of {', '.join(sorted(known))}" if known else ""


def kind_of(annotation: Any) -> Any:
    """The type that a value must have, without None and without what pydantic wraps around."""
    while True:
        if get_origin(annotation) in (Union, types.UnionType):
            annotation = next(arg for arg in get_args(annotation) if arg is not type(None))
        elif hasattr(annotation, "__metadata__"):
            annotation = annotation.__origin__
        else:
            return annotation


_KINDS: Mapping[Any, str] = {
    int: "an integer",
    float: "a finite number",
    bool: "true or false",
    str: "text",
    SecretStr: "text",
    SecretUrl: "a URL",
    tuple: "a list of texts",
}
_BOUNDS: Sequence[tuple[type[Any], Callable[[Any], str]]] = (
    (Gt, lambda bound: f"above {bound.gt}"),
    (Ge, lambda bound: f"of at least {bound.ge}"),
    (Le, lambda bound: f"of at most {bound.le}"),
)


def expected(field: FieldInfo | None) -> str:
    """What a setting's value must be, from its one declaration."""
    if field is None:
        return "a table"
    kind = kind_of(field.annotation)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "a table"
    if get_origin(kind) is Literal:
        return " or ".join(f'"{choice}"' for choice in get_args(kind))
    words = _KINDS.get(get_origin(kind) or kind, "another type")
    least = next((item.min_length for item in field.metadata if type(item) is MinLen), 0)
    if least == 1:
        words += " that isn't empty"
    elif least:
        words += f" of at least {least} characters"
    bounds = [say(item) for item in field.metadata for type_, say in _BOUNDS if type(item) is type_]
    if bounds:
        words += f" {' and '.join(bounds)}"
    unit = (field.json_schema_extra or {}) if not callable(field.json_schema_extra) else {}
    about = f"{unit['unit']}: {field.description}" if "unit" in unit else field.description
    return f"{words} ({about})"


def _field_at(
    model: type[BaseModel], path: Sequence[str | int]
) -> tuple[FieldInfo | None, type[BaseModel] | None]:
    """The setting at a path below `model`, and the section it belongs to."""
    field: FieldInfo | None = None
    owner: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, int) or owner is None:
            continue  # an element of a list: what is said of the list holds for it
        field = owner.model_fields.get(part)
        kind = None if field is None else section_of(field) or kind_of(field.annotation)
        if part == path[-1]:
            break
        owner = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
    return field, owner


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The section of which a setting is a list; None for any other."""
    kind = kind_of(field.annotation)
    of = get_args(kind)[:1] if get_origin(kind) is tuple else ()
    return of[0] if of and isinstance(of[0], type) and issubclass(of[0], BaseModel) else None


def _value_at(raw: Any, path: Sequence[str | int]) -> Any:
    for part in path:
        raw = raw[part]
    return raw


def _shown(value: Any, field: FieldInfo | None) -> str | None:
    """A value for a message: never a secret, never long."""
    if field is not None and kind_of(field.annotation) is SecretStr:
        return None
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "[]" if not value else "a list"
    text = {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
    if isinstance(value, str):
        text = f'"{masked(value)}"'
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
