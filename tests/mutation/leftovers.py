"""The changes that mutmut 3 doesn't make.

In functions it never turns a condition round that is a bare name or a call, leaves ``isinstance``
alone, and drops no statement, no result, no half of an ``and`` or ``or`` and no filter of a
comprehension. Decorated functions (properties), class bodies and modules it doesn't touch at all.
Here is the rest: the former everywhere, and in the latter also what mutmut does elsewhere.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from tests.mutation.mutant import Mutant, change_between

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_OPERATORS: dict[type[ast.AST], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.And: "or",
    ast.Or: "and",
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "+",
    ast.FloorDiv: "*",
    ast.LShift: ">>",
    ast.BitOr: "&",
    ast.BitAnd: "|",
}


def _one_more(found: re.Match[str]) -> str:
    """A repetition in a pattern that takes one more."""
    return found[0].replace(f"{found[1]}}}", f"{int(found[1]) + 1}}}")


_IN_PATTERNS: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"\\Z", ""),  # the end is no longer required
    (r"\{(\d+)\}", _one_more),
    (r"\{\d+,(\d+)\}", _one_more),
    (r"(?<=[\])])[*]", "+"),
    (r"(?<=[\])])[+]", "*"),
    (r"0-9a-f", "0-9a-fA-F"),
    (r"\[1-9\]", "[0-9]"),
    (r"\[\^:\]", "."),
    (r"(?<=\))\?(?=[\\)])", ""),
)


@dataclass(frozen=True, slots=True)
class Leftover:
    """A mutant, and the whole text of its module."""

    mutant: Mutant
    text: str


def leftovers(file: str, source: str) -> list[Leftover]:
    """Every change to one module, each once."""
    found: dict[str, Leftover] = {}
    text = _Text(source)
    for owner, node in _owned(ast.parse(source)):
        for at, replacement in _changes(owner, node, text):
            changed = text.with_change(at, replacement)
            if changed != source and changed not in found and _compiles(changed):
                change = change_between(source, changed)
                found[changed] = Leftover(Mutant(file, owner.name, change), changed)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Owner:
    name: str
    is_reached: bool  # whether mutmut goes there


class _Text:
    """A source whose nodes can be replaced; the offsets of `ast` count UTF-8 bytes."""

    def __init__(self, source: str) -> None:
        self._raw = source.encode()
        lines = self._raw.splitlines(keepends=True)
        self._starts = [sum(map(len, lines[:number])) for number in range(len(lines) + 1)]

    def span(self, node: ast.AST) -> tuple[int, int]:
        assert isinstance(node, ast.expr | ast.stmt)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._starts[node.lineno - 1] + node.col_offset,
            self._starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def of(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self._raw[start:end].decode()

    def between(self, left: ast.AST, right: ast.AST) -> tuple[int, int]:
        return self.span(left)[1], self.span(right)[0]

    def with_change(self, at: tuple[int, int], replacement: str) -> str:
        return (self._raw[: at[0]] + replacement.encode() + self._raw[at[1] :]).decode()


_Change: TypeAlias = tuple[tuple[int, int], str]


def _compiles(text: str) -> bool:
    try:
        compile(text, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _owned(tree: ast.Module) -> Iterator[tuple[_Owner, ast.AST]]:
    """Every node that may be changed, with the function or class that it lies in."""
    waiting: list[tuple[_Owner, ast.AST]] = [(_Owner("<module>", is_reached=False), tree)]
    while waiting:
        owner, node = waiting.pop()
        yield owner, node
        inner = owner
        if isinstance(node, ast.ClassDef):
            inner = _Owner(node.name, is_reached=False)
        elif isinstance(node, _Function):
            prefix = "" if owner.name == "<module>" else f"{owner.name}."
            inner = _Owner(f"{prefix}{node.name}", is_reached=_is_reached(node))
        waiting += [(inner, child) for child in _children(node)]


def _is_reached(node: _Function) -> bool:
    names = [each.id for each in node.decorator_list if isinstance(each, ast.Name)]
    return len(names) == len(node.decorator_list) <= 1 and set(names) <= {
        "staticmethod",
        "classmethod",
    }


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """What lies directly in a node, but for annotations, decorators, docstrings, `__all__`, and
    the inside of f-strings, whose places `ast` knows only from Python 3.12 on.
    """
    if isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ):
        return
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "ctx"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_docstring(child):
                yield child


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _changes(owner: _Owner, node: ast.AST, text: _Text) -> Iterator[_Change]:
    yield from _conditions(node, text)
    yield from _statements(node, text)
    if not owner.is_reached:
        yield from _expressions(node, text)
        yield from _collections(node, text)


def _conditions(node: ast.AST, text: _Text) -> Iterator[_Change]:
    match node:
        case ast.If(test=test) | ast.While(test=test):
            is_call = isinstance(test, ast.Call)
            yield text.span(test), f"(not {text.of(test) if is_call else f'({text.of(test)})'})"
        case ast.comprehension(ifs=ifs):
            for each in ifs:
                yield text.span(each), "True"
        case ast.Call(func=ast.Name(id="isinstance")):
            yield text.span(node), f"(not {text.of(node)})"
        case ast.BoolOp(values=values):
            for dropped in values:
                kept = [text.of(each) for each in values if each is not dropped]
                word = "and" if isinstance(node.op, ast.And) else "or"
                yield text.span(node), f"({f' {word} '.join(f'({each})' for each in kept)})"


def _statements(node: ast.AST, text: _Text) -> Iterator[_Change]:
    match node:
        case ast.Raise() | ast.AugAssign() | ast.Continue() | ast.Break():
            yield text.span(node), "pass"
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield text.span(node), "pass"
        case ast.Return(value=ast.expr() as value) if text.of(value) != "None":
            yield text.span(value), "None"


def _expressions(node: ast.AST, text: _Text) -> Iterator[_Change]:
    """What mutmut does to an expression in a function."""
    match node:
        case ast.Constant(value=bool() as value):
            yield text.span(node), str(not value)
        case ast.Constant(value=int() as value):
            yield text.span(node), str(value + 1)
        case ast.Constant(value=str() | bytes()):
            yield from _texts(node, text)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield text.span(node), text.of(operand)
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            yield text.between(left, right), f" {_OPERATORS[type(op)]} "
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            yield text.between(left, right), f" {_OPERATORS[type(op)]} "
        case ast.BoolOp(values=[first, second, *_], op=op):
            yield text.between(first, second), f" {_OPERATORS[type(op)]} "
        case ast.IfExp(test=test):
            yield text.span(test), f"not ({text.of(test)})"


def _collections(node: ast.AST, text: _Text) -> Iterator[_Change]:
    """One element less."""
    match node:
        case ast.Tuple(elts=elements, ctx=ast.Load()) | ast.Set(elts=elements) if len(elements) > 1:
            for dropped in elements:
                kept = "".join(f"{text.of(each)}, " for each in elements if each is not dropped)
                is_set = isinstance(node, ast.Set)
                yield text.span(node), f"{{{kept}}}" if is_set else f"({kept})"
        case ast.Dict(keys=keys, values=values) if len(values) > 1:
            for dropped in values:
                kept = "".join(
                    f"{text.of(key)}: {text.of(value)}, "
                    for key, value in zip(keys, values, strict=True)
                    if key is not None and value is not dropped
                )
                yield text.span(node), f"{{{kept}}}"


def _texts(node: ast.AST, text: _Text) -> Iterator[_Change]:
    written = text.of(node)
    prefix, quote, inner = re.fullmatch(r"(\w*)(['\"])(.*)['\"]", written, re.DOTALL).groups()  # type: ignore[union-attr]
    if inner.startswith('"'):
        return
    yield text.span(node), f"{prefix}{quote}XX{inner}{quote}"
    if "r" not in prefix:
        return
    for pattern, replacement in _IN_PATTERNS:
        for found in re.finditer(pattern, inner):
            new = found.expand(replacement) if isinstance(replacement, str) else replacement(found)
            changed = f"{inner[: found.start()]}{new}{inner[found.end() :]}"
            yield text.span(node), f"{prefix}{quote}{changed}{quote}"
