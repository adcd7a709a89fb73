"""Random values of every type, as the text that Postgres reads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Final
from uuid import UUID

from warmcube.model.schema import Kind

__all__ = [
    "DOCUMENTS",
    "NASTY",
    "NUMBER_ARRAYS",
    "TEXT_ARRAYS",
    "days",
    "distinct_texts",
    "doubles",
    "ids",
    "integers",
    "long_texts",
    "moments",
    "near",
    "numerics",
    "reals",
    "summable_doubles",
    "summable_reals",
    "uuids",
]

NASTY: Final = (
    "Charges",
    "charges",
    "A/R > 90 days: {net} 100%",
    "a:b",
    "a|b",
    "*",
    "~",
    "%7E",
    "",
    " ",
    "line\nbreak\ttab\r",
    "\"quoted\" 'single' \\back",
    "üñïcödé",
    "日本語",
    "😀 emoji 👩‍👩‍👧",
    "\ue000\uffff",
    "\U0010ffff",
    "'; DROP TABLE ih.money; --",
    "*3\r\n$3\r\nSET\r\n",
    "{ds:1}",
    "NULL",
    "null",
    "p:114:prov:5",
)
"""Each stands for itself. None has a letter whose small form depends on the language."""

DOCUMENTS: Final = (
    "null",
    "{}",
    "[]",
    '"text"',
    "1.50",
    '{"a": [1, 2, {"b": null}]}',
    '{"ключ": "😀"}',
)
NUMBER_ARRAYS: Final = ("{}", "{1}", "{1,2,NULL}", "{{1,2},{3,4}}")
TEXT_ARRAYS: Final = ("{}", '{""}', '{"a,b","{}",NULL,"NULL"}', '{"\\"q\\""}')

_DAYS: Final = (
    "infinity",
    "-infinity",
    "0044-03-15 BC",
    "4713-12-31 BC",
    "0001-01-01",
    "9999-12-31",
    "10000-01-01",
    "294000-02-28",
    "1970-01-01",
    "1969-12-31",
    "2024-02-29",
)
_CLOCKS: Final = (
    "00:00:00",
    "23:59:59.999999",
    "22:00:00",
    "21:59:59.999999",
    "23:00:00",
    "22:59:59.999999",
    "18:15:00",
    "18:14:59.999999",
    "12:34:56.5",
)
_CHANGES: Final = (  # of the clocks in Berlin and Havana, in UTC
    "2024-03-31 00:59:59.999999",
    "2024-03-31 01:00:00",
    "2024-10-27 00:30:00",
    "2024-10-27 01:30:00",
    "2024-10-26 22:00:00",
    "2024-03-10 04:59:59.999999",
    "2024-03-10 05:00:00",
    "2024-03-11 03:59:59.999999",
    "2024-03-11 04:00:00",
    "2024-11-03 03:59:59.999999",
    "2024-11-03 04:00:00",
    "2024-11-03 04:30:00",
    "2024-11-03 05:00:00",
    "2024-11-03 05:30:00",
    "2024-11-04 04:59:59.999999",
    "2024-11-04 05:00:00",
    "2024-03-31 02:30:00",
    "2024-10-27 02:30:00",
    "2024-03-10 00:30:00",
    "2024-11-03 00:30:00",
)


def ids(role: str, kind: Kind, count: int) -> list[str]:
    """The ids of the first practices, providers, …; the same at every call."""
    if kind is Kind.INTEGER:
        first = {"practice": 101, "provider": 5}.get(role, 1)
        return ["0", "-3", *(str(first + place) for place in range(count - 2))]
    if kind is Kind.BIGINT:
        edges = [str(2**63 - 1), str(-(2**63))]
        return edges + [str(2**40 + place) for place in range(count - 2)]
    if kind is Kind.UUID:
        digests = (hashlib.md5(f"{role}{place}".encode()).digest() for place in range(count))
        return [str(UUID(bytes=digest)) for digest in digests]
    plain = ids(role, Kind.INTEGER, count)  # some also look like numbers
    return [NASTY[place] if place < len(NASTY) else text for place, text in enumerate(plain)]


def integers(bits: int) -> Callable[[Random], str]:
    """Integers of so many bits: mostly small, sometimes at the edge."""
    limit = 1 << (bits - 1)

    def make(random: Random) -> str:
        if random.random() < 0.15:
            return str(random.choice([-limit, limit - 1, 0, -1, limit // 2]))
        return str(random.randint(-min(limit, 20), min(limit - 1, 20)))

    return make


def near(size: int) -> Callable[[Random], str]:
    """Integers around plus or minus `size`, so that few of them together are too large."""

    def make(random: Random) -> str:
        sign = 1 if random.random() < 0.8 else -1
        return str(sign * (size + random.randint(-(10**9), 10**9)))

    return make


def numerics(whole: int, decimals: int, *, has_infinities: bool = False) -> Callable[[Random], str]:
    """Numerics of up to so many digits; a few are NaN."""
    special = ["NaN", *["Infinity", "-Infinity"] * 2] if has_infinities else ["NaN"]

    def make(random: Random) -> str:
        share = random.random()
        if share < 0.012 * len(special):
            return random.choice(special)
        if share < 0.3:
            return str(Decimal(random.randint(-50, 50)).scaleb(-random.randint(0, decimals)))
        digits = random.randint(1, whole + decimals)
        unscaled = random.randrange(10**digits) * random.choice([1, -1])
        return f"{Decimal(unscaled).scaleb(-decimals):f}"

    return make


def _floats(special: tuple[str, ...], size: float) -> Callable[[Random], str]:
    def make(random: Random) -> str:
        share = random.random()
        if share < 0.2:
            return random.choice(special)
        if share < 0.5:
            return str(random.randint(-20, 20) / 4)
        return repr(random.uniform(-size, size))

    return make


_NOT_FINITE: Final = ("NaN", "Infinity", "-Infinity", "0", "-0")
doubles: Final = _floats(
    (*_NOT_FINITE, "1.7976931348623157e308", "5e-324", "1e23", "0.1", "1e15", "123456789012345680"),
    1e6,
)
reals: Final = _floats((*_NOT_FINITE, "3.4028235e38", "1e-40", "0.1", "1e6", "16777217"), 1e4)


def _summable(plain: Callable[[Random], str]) -> Callable[[Random], str]:
    def make(random: Random) -> str:
        if random.random() < 0.03:
            return random.choice(["NaN", "Infinity", "-Infinity"])
        return plain(random)

    return make


summable_doubles: Final = _summable(_floats(("0", "-0", "0", "-0", "1e12", "1e-300"), 1e6))
summable_reals: Final = _summable(_floats(("0", "-0", "0", "-0", "1e8", "1e-30"), 1e4))


def days(random: Random) -> str:
    """A day, mostly one of few."""
    if random.random() < 0.06:
        return random.choice(_DAYS)
    return (
        f"{random.choice([2023, 2024])}-{random.randint(1, 12):02}-{random.choice([1, 15, 28]):02}"
    )


def moments(suffix: str) -> Callable[[Random], str]:
    """A day and a time, mostly near midnight somewhere."""

    def make(random: Random) -> str:
        if random.random() < 0.2:
            return random.choice(_CHANGES) + suffix
        day, _, era = days(random).partition(" ")
        if "infinity" in day:
            return day
        return f"{day} {random.choice(_CLOCKS)}{suffix}{' ' + era if era else ''}"

    return make


def uuids(random: Random) -> str:
    """One of a few, or any."""
    if random.random() < 0.5:
        return str(UUID(int=random.choice([0, 2**127, 2**128 - 1])))
    return str(UUID(int=random.getrandbits(128)))


def distinct_texts(random: Random) -> str:
    """Hardly ever the same text twice."""
    return f"{random.choice(NASTY)} {random.getrandbits(64):x}"


def long_texts(random: Random) -> str:
    """Some of a megabyte."""
    size = 1 << 20 if random.random() < 0.03 else random.choice([0, 1, 300])
    return (f"{random.getrandbits(32):x} é 😀 " * (size // 10))[:size]
