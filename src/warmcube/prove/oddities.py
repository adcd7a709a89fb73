"""Ids and names that are made up, forged or of another type."""

from __future__ import annotations

import random
import uuid
from collections.abc import Container
from typing import Any, Final

from warmcube.model.request import NULL
from warmcube.prove.canonical import Form

__all__ = ["FORGED", "UNREADABLE", "confusions", "is_id", "made_up"]

FORGED: Final = (
    "' OR 1=1 --",
    "x'; DROP TABLE users; --",
    '" OR "1"="1',
    "*",
    "%",
    "~",
    "%7E",
    "{ds:1}",
    "}:p:101",
    ":p:101:prov:5",
    "Charges:v1:p:101:prov:5",
    "p:*",
    "idx:{ds:1:m:Charges:freq:Monthly}:v1",
    "\\",
    "\r\nGET cache:meta",
    "..",
    "None",
    "null",
    "NaN",
    "0x65",
    "\u0661\u0660\u0661",  # digits, but not those that a column prints
    "\u202e101",
    "é",
    "e\u0301",
    "x" * 100_000,
)
"""Texts that would be something else if any part took them for more than a text."""

UNREADABLE: Final = ("a\0b", "\0", "\ud800", "Charges\udfff")
"""Texts that no database can hold."""


def is_id(text: str, form: Form) -> bool:
    """Whether a column could print this as an id that isn't empty."""
    if form is Form.INTEGER:
        digits = text.removeprefix("-")
        return text.isascii() and digits.isdigit() and str(int(text)) == text and len(text) < 10
    if form is Form.UUID:
        try:
            return str(uuid.UUID(text)) == text
        except ValueError:
            return False
    return text not in ("", *UNREADABLE)


def made_up(form: Form, known: Container[object], random: random.Random) -> str:
    """An id that isn't among those that are known."""
    while True:
        if form is Form.INTEGER:
            text = str(random.randrange(1, 32_000))
        elif form is Form.UUID:
            text = str(uuid.UUID(int=random.getrandbits(128)))
        else:
            text = f"nobody's {random.getrandbits(40):x}"
        if text not in known:
            return text


def confusions(own: str, form: Form) -> list[Any]:
    """An id in forms that aren't its column's."""
    anything: list[Any] = [None, True, 1.0, own.encode(), [own], {"id": own}, (own,), NULL, ""]
    anything += [f"{own}\0", f"{own}\ud800"]
    if form is Form.INTEGER:
        padded = f"-0{own[1:]}" if own.startswith("-") else f"0{own}"
        anything += [padded, f" {own} ", f"{own} ", f"+{own}", f"{own}.0", f"{own}e0", f"{own}_0"]
        anything += [float(own), 10**30, f"{own}'", f"{own} OR 1=1", f"{own}:prov:5"]
        return anything
    if form is Form.UUID:
        changed = [own.upper(), own.replace("-", ""), "{" + own + "}", f"urn:uuid:{own}"]
        return anything + [each for each in changed if each != own] + [5]
    return [*anything, 5]
