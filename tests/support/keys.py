"""What a key says, read back by a grammar of its own.

Written from the design's §2 and ARCHITECTURE.md, not from `warmcube.entry.keys`, which it judges.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import unquote

__all__ = ["ParsedKey", "parse_field", "parse_key"]


class ParsedKey(NamedTuple):
    """The kind of a key, and its components; what a kind lacks isn't there."""

    kind: str
    components: tuple[str | int | None, ...] = ()


_COMPONENT: Final = r"~|(?:[A-Za-z0-9._-]|%[0-9A-F]{2})*"
_VERSION: Final = r"[1-9][0-9]*-[0-9a-f]{16}"
_T: Final = rf"\{{ds:(?P<ds>[0-9]+):m:(?P<c1>{_COMPONENT}):freq:(?P<c2>{_COMPONENT})\}}"
_DS: Final = r"\{ds:(?P<ds>[0-9]+)\}"

_GRAMMAR: Final = {
    "entry": rf"cache:{_T}:v(?P<v>{_VERSION}):p:(?P<c3>{_COMPONENT}):prov:(?P<c4>{_COMPONENT})"
    r"(?::part:(?P<n>[1-9][0-9]*))?",
    "sums": rf"cache:{_T}:v(?P<v>{_VERSION}):p:(?P<c3>{_COMPONENT}):sums",
    "whole_sums": rf"cache:{_T}:v(?P<v>{_VERSION}):sums",
    "all": rf"idx:{_T}:v(?P<v>{_VERSION})",
    "counts": rf"idx:{_T}:v(?P<v>{_VERSION}):counts",
    "bin": rf"idx:{_T}:v(?P<v>{_VERSION}):counts:(?P<n>0|[1-9][0-9]*)",
    "practice": rf"idx:{_T}:v(?P<v>{_VERSION}):p:(?P<c3>{_COMPONENT})",
    "provider": rf"idx:{_T}:v(?P<v>{_VERSION}):prov:(?P<c3>{_COMPONENT})",
    "master": rf"idx:{_DS}:master",
    "current": rf"cache:meta:{_DS}:current",
    "carrying": rf"cache:meta:{_DS}:carrying",
    "ends": rf"cache:meta:{_DS}:ends",
    "fence": rf"cache:meta:{_DS}:fence",
    "figures": rf"cache:meta:{_DS}:figures",
    "figures_coarse": rf"cache:meta:{_DS}:figures:coarse",
    "tally": rf"cache:meta:{_DS}:figures:tally",
    "kept": rf"cache:meta:{_DS}:kept",
    "pin": rf"cache:meta:{_DS}:pin",
    "history": rf"cache:meta:{_DS}:history",
    "last_warm": rf"cache:meta:{_DS}:last_warm",
    "published": rf"cache:meta:{_DS}:published",
    "snapshot": rf"cache:meta:{_DS}:snapshot:(?P<v>{_VERSION})",
    "retired": rf"cache:meta:{_DS}:retired:(?P<v>{_VERSION})",
    "uses": rf"cache:meta:{_DS}:uses:(?P<v>{_VERSION})",
    "dict": rf"cache:meta:{_DS}:dict:(?P<c1>{_COMPONENT}):v(?P<v>{_VERSION}):(?P<n>[0-9]+)",
    "damage": rf"cache:meta:{_DS}:damage",
    "outlook": rf"cache:meta:{_DS}:outlook",
    "job": rf"cache:meta:{_DS}:job",
    "jobs": rf"cache:meta:{_DS}:jobs",
    "jobs_order": rf"cache:meta:{_DS}:jobs:order",
    "verifying": rf"cache:meta:{_DS}:verifying",
    "verifications": rf"cache:meta:{_DS}:verifications",
    "verifications_order": rf"cache:meta:{_DS}:verifications:order",
    "verified": rf"cache:meta:{_DS}:verified",
    "lock": rf"lock:{_DS}:warm",
    "workers": r"cache:meta:\{workers\}",
    "worker": r"cache:meta:\{workers\}:(?P<c1>[0-9a-f]{16})",
    "reservations": r"cache:meta:\{reservations\}",
}


def parse_key(key: bytes, namespace: str = "") -> ParsedKey:
    """The one thing that a key can mean.

    Components come in the order in which they stand in the key.

    Raises:
        ValueError: it means nothing, or two things.
    """
    text = key.decode("ascii")
    if not text.startswith(namespace):
        raise ValueError(f"{key!r} isn't in the namespace {namespace!r}")
    found = [
        ParsedKey(kind, _components(match))
        for kind, grammar in _GRAMMAR.items()
        if (match := re.fullmatch(grammar, text[len(namespace) :]))
    ]
    if len(found) != 1:
        raise ValueError(f"{key!r} can be read as {found}")
    return found[0]


def parse_field(field: bytes) -> ParsedKey:
    """What a field of ``counts`` or a bin is of: ``total``, a practice or a provider."""
    text = field.decode("ascii")
    if text == "total":
        return ParsedKey("total")
    match = re.fullmatch(rf"(p|prov):(?P<c1>{_COMPONENT})", text)
    if match is None:
        raise ValueError(f"{field!r} is no field of counts")
    kind = {"p": "practice", "prov": "provider"}[match[1]]
    return ParsedKey(kind, _components(match))


def _components(match: re.Match[str]) -> tuple[str | int | None, ...]:
    return tuple(
        _value(name, match[name])
        for name in sorted(match.re.groupindex, key=match.re.groupindex.__getitem__)
    )


def _value(name: str, text: str | None) -> str | int | None:
    if name == "n":
        return int(text or 0)
    if name == "ds":
        return int(text or "")
    if name == "v":
        return text
    return None if text == "~" else unquote(text or "", errors="strict")
