"""From a file's bytes to plain data: TOML, or YAML that means one thing. Pure.

Of YAML only what a dashboard needs is read: no anchors, aliases, tags or merge keys, no key twice,
and plain words as YAML 1.2 has them (``no`` is a text, ``012`` is 12, ``12:30`` is a text).
"""

from __future__ import annotations

import re
import tomllib
from datetime import date
from decimal import Decimal
from typing import Any, Final

import yaml

__all__ = ["MOST_BYTES", "SUFFIXES", "Unreadable", "read_text"]

MOST_BYTES: Final = 1 << 20
SUFFIXES: Final = (".toml", ".yaml", ".yml")
_DEEPEST: Final = 20
_LONG_KEY: Final = re.compile(
    r"""(?:^|[\[{,])[ \t]*+(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+)"""
    rf"{{{_DEEPEST}}}",
    re.MULTILINE | re.ASCII,
)
"""A dotted key of TOML of many parts: `tomllib` takes their square in time."""


class Unreadable(Exception):
    """A file's text can't be read; says why, and what to do."""


def read_text(content: bytes, suffix: str) -> Any:
    """The data that a file holds.

    Args:
        content: the file's bytes.
        suffix: of its name, which tells the language.

    Raises:
        Unreadable: too large, not UTF-8, or not TOML or YAML.
    """
    if len(content) > MOST_BYTES:
        raise Unreadable(f"is larger than {MOST_BYTES:,} bytes; split the dashboard")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"line {line} isn't UTF-8; save the file as UTF-8") from None
    return _toml(text) if suffix == ".toml" else _yaml(text)


def _toml(text: str) -> Any:
    found = _LONG_KEY.search(text)
    if found is not None:
        line = text.count("\n", 0, found.end()) + 1
        raise Unreadable(f"isn't valid TOML: is nested too deeply to be read (line {line})")
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError) as error:
        raise Unreadable(f"isn't valid TOML: {error}") from None
    except RecursionError:
        raise Unreadable("is nested too deeply to be read") from None


def _yaml(text: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader, and stricter
    except yaml.MarkedYAMLError as error:
        raise Unreadable(f"isn't valid YAML: {_said(error)}") from None
    except yaml.YAMLError as error:
        raise Unreadable(f"isn't valid YAML: {' '.join(str(error).split())}") from None
    except (ValueError, ArithmeticError) as error:
        raise Unreadable(f"holds a value that can't be read: {error}") from None


def _said(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = "" if mark is None else f" (line {mark.line + 1}, column {mark.column + 1})"
    return f"{error.problem or error.context}{where}"


class _Loader(yaml.SafeLoader):
    """Plain data only; what could be meant in two ways is an error."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way
    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise yaml.MarkedYAMLError(
                problem="anchors and aliases aren't allowed here; write it out",
                problem_mark=event.start_mark,
            )
        if getattr(event, "tag", None) is not None:
            raise yaml.MarkedYAMLError(
                problem=f"tags like {event.tag} aren't allowed here; leave it out",
                problem_mark=event.start_mark,
            )
        if self._depth > _DEEPEST:
            raise yaml.MarkedYAMLError(
                problem="is nested too deeply to be read", problem_mark=event.start_mark
            )
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                raise yaml.MarkedYAMLError(
                    problem="a field's name has to be a text; put it in quotes",
                    problem_mark=key.start_mark,
                )
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the field {key.value[:100]!r} is there twice; give it once",
                    problem_mark=key.start_mark,
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _bool(_: Any, node: Any) -> bool:
    return str(node.value).lower() == "true"


def _int(_: Any, node: Any) -> int:
    return int(node.value)


def _float(_: Any, node: Any) -> Decimal:
    return Decimal(str(node.value).replace(".inf", "Infinity").replace(".nan", "NaN"))


def _date(_: Any, node: Any) -> date:
    return date.fromisoformat(node.value)


for _name, _pattern, _first, _make in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF", _bool),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""], None),
    ("int", r"[-+]?[0-9]+", "-+0123456789", _int),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan",
        "-+.0123456789",
        _float,
    ),
    ("timestamp", r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "0123456789", _date),
):
    _tag = f"tag:yaml.org,2002:{_name}"
    _Loader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), list(_first))
    if _make is not None:
        _Loader.add_constructor(_tag, _make)
