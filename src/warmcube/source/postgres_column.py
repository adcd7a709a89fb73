"""A Postgres column: its type, its expressions, and the digits of a numeric. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from warmcube.errors import UnsupportedValue
from warmcube.model.schema import NARROW_PRECISION, Column, ColumnType, Kind
from warmcube.source.figures import float_expressions
from warmcube.source.names import quote
from warmcube.source.select import Statement
from warmcube.source.storage_form import INSTANT_MAX, WIDEST_PRECISION

__all__ = [
    "MINUS_INFINITY",
    "TOO_LATE",
    "NumericFacts",
    "PostgresColumn",
    "facts_statement",
    "known_type",
    "resolve",
]

_KINDS: Final = {
    "int2": Kind.SMALLINT,
    "int4": Kind.INTEGER,
    "int8": Kind.BIGINT,
    "float4": Kind.REAL,
    "float8": Kind.DOUBLE,
    "numeric": Kind.NUMERIC,
    "bool": Kind.BOOLEAN,
    "date": Kind.DATE,
    "timestamp": Kind.TIMESTAMP,
    "timestamptz": Kind.TIMESTAMPTZ,
    "uuid": Kind.UUID,
}

# An instant arrives as microseconds since 1970. Those below are the last three that int64 holds.
_LAST: Final = "294247-01-10 04:00:54.775807"
_LAST_BUT_ONE: Final = "294247-01-10 04:00:54.775806"
_LAST_BUT_TWO: Final = "294247-01-10 04:00:54.775805"
MINUS_INFINITY: Final = INSTANT_MAX - 1
"""How -infinity arrives; +infinity arrives as the greatest int64, where it belongs."""
TOO_LATE: Final = INSTANT_MAX - 2
"""How an instant arrives that int64 can't hold: Postgres counts from 2000, 30 years further."""


@dataclass(frozen=True, slots=True)
class PostgresColumn:
    """A column as ``describe.sql`` tells of it.

    Attributes:
        name: unquoted.
        declared: its type in Postgres's words.
        base: the ``pg_type`` name beneath all domains; empty where that isn't a built-in type.
        modifier: the type modifier that holds for `base`; -1 is none.
        is_domain: whether it is of a domain.
        is_deterministic: whether its collation tells all different texts apart.
        nullable: whether NULL is allowed.
        comment: the comment on it.
    """

    name: str
    declared: str
    base: str
    modifier: int = -1
    is_domain: bool = False
    is_deterministic: bool = True
    nullable: bool = True
    comment: str | None = None

    @property
    def type(self) -> ColumnType:
        """What it is kept as; precision 0 is a numeric whose digits aren't declared."""
        kind = _KINDS.get(self.base, Kind.TEXT)
        if kind is Kind.NUMERIC and self.modifier >= 4:
            # As in Postgres's numeric.c: precision above, an 11-bit signed scale below.
            packed = self.modifier - 4
            digits, scale = packed >> 16 & 0xFFFF, ((packed & 0x7FF) ^ 1024) - 1024
            precision = max(digits - min(scale, 0), scale)
            if precision <= WIDEST_PRECISION:
                return ColumnType(kind, precision, max(scale, 0), self.declared)
        return ColumnType(kind, source_type=self.declared)

    @property
    def needs_facts(self) -> bool:
        """Whether its digits are known only from the data."""
        return self.type.kind is Kind.NUMERIC and self.type.precision == 0

    @property
    def plain(self) -> str:
        """Its value as its base type."""
        return f"{quote(self.name)}::{self.base}" if self.is_domain else quote(self.name)

    @property
    def text(self) -> str:
        """Its value as text, to be grouped and compared by code point."""
        return f'{quote(self.name)}::text COLLATE "C"'

    @property
    def selected(self) -> str:
        """The expression that brings it over the wire so that nothing of it is lost."""
        kind, plain = self.type.kind, self.plain
        if kind is Kind.TEXT:
            return f"{quote(self.name)}::text"
        if kind is Kind.NUMERIC:
            # As text: ADBC's own numeric is an opaque one, and Arrow's decimals know no NaN.
            return f"trim_scale({plain})::text" if self.needs_facts else f"{plain}::text"
        if kind is Kind.DATE:
            return (
                f"CASE WHEN isfinite({plain}) THEN {plain} - DATE '1970-01-01'"
                f" WHEN {plain} = 'infinity' THEN 2147483647"
                f" WHEN {plain} = '-infinity' THEN -2147483648 END"
            )
        if kind.is_instant:
            zone = "+00" if kind is Kind.TIMESTAMPTZ else ""
            last, last_but_one, last_but_two = (
                f"{kind.value} '{text}{zone}'" for text in (_LAST, _LAST_BUT_ONE, _LAST_BUT_TWO)
            )
            return (
                f"CASE WHEN {plain} > '-infinity' AND {plain} < {last_but_two} THEN {plain}"
                f" WHEN {plain} = 'infinity' THEN {last}"
                f" WHEN {plain} = '-infinity' THEN {last_but_one}"
                f" WHEN {plain} IS NOT NULL THEN {last_but_two} END"
            )
        return plain

    @property
    def figures(self) -> Sequence[str]:
        """The expressions of what `warmcube.source.figures` wants of it, beside its NULLs."""
        kind, plain = self.type.kind, self.plain
        if kind.is_float:
            return float_expressions(plain)
        if kind.is_number:
            return (f"sum({plain})::text",)
        if kind is Kind.DATE:
            return tuple(
                f"{f}({plain}) FILTER (WHERE isfinite({plain})) - DATE '1970-01-01'"
                for f in ("min", "max")
            )
        if kind.is_instant:
            zone = "+00" if kind is Kind.TIMESTAMPTZ else ""
            finite = f"isfinite({plain}) AND {plain} < {kind.value} '{_LAST_BUT_TWO}{zone}'"
            return tuple(f"{f}({plain}) FILTER (WHERE {finite})" for f in ("min", "max"))
        return ()

    @property
    def key(self) -> tuple[str, str]:
        """How it is compared: the left side (fit for an index if may be), and the right's type."""
        if self.type.kind.is_integer or self.type.kind is Kind.UUID:
            return self.plain, self.base
        if self.base in ("text", "varchar") and self.is_deterministic:
            return quote(self.name), "text"
        return self.text, "text"


@dataclass(frozen=True, slots=True)
class NumericFacts:
    """What there is in a numeric column: NaN and infinities apart, NULL included as None.

    Attributes:
        scale: the most digits after the point that are printed.
        least_scale: the most that are needed.
        whole: the greatest absolute value without its fraction, as text.
    """

    scale: int | None
    least_scale: int | None
    whole: str | None


def facts_statement(table: str, columns: Sequence[PostgresColumn]) -> Statement:
    """What `resolve` has to know: three values per column, in the order of `NumericFacts`."""
    facts = []
    for column in columns:
        plain = column.plain
        # scale() is NULL for NaN and the infinities; Postgres 13 has no infinity to compare with.
        facts += [
            f"max(scale({plain}))::text",
            f"max(min_scale({plain}))::text",
            f"(max(abs(trunc({plain}))) FILTER (WHERE scale({plain}) IS NOT NULL))::text",
        ]
    return Statement(f"SELECT {', '.join(facts)} FROM {table}")  # noqa: S608


def known_type(column: PostgresColumn, known: Column | None) -> ColumnType | None:
    """The type of a column without a look at the data, if that can be told."""
    if not column.needs_facts:
        return column.type
    if known is None or known.type.kind is not Kind.NUMERIC:
        return None
    return ColumnType(Kind.NUMERIC, known.type.precision, known.type.scale, column.declared)


def resolve(column: PostgresColumn, facts: NumericFacts) -> ColumnType:
    """The type that holds everything in a numeric column of undeclared digits.

    Precision is rounded up to what storage distinguishes, so that the schema doesn't change with
    every new digit.

    Raises:
        UnsupportedValue: more than 38 digits are needed.
    """
    digits = len((facts.whole or "0").lstrip("0"))
    for scale in (facts.scale or 0, facts.least_scale or 0):
        for precision in (NARROW_PRECISION, WIDEST_PRECISION):
            if digits + scale <= precision:
                return ColumnType(Kind.NUMERIC, precision, scale, column.declared)
    raise UnsupportedValue(
        f"column {column.name!r} ({column.declared}) holds numbers of up to {digits} digits before "
        f"and {facts.least_scale} after the decimal point; at most {WIDEST_PRECISION} in all can "
        "be kept exactly, and nothing is rounded: read a view that rounds it, or casts it to text"
    )
