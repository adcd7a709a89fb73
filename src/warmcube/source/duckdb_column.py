"""A DuckDB column: its type and its expressions. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from warmcube.model.schema import ColumnType, Kind
from warmcube.source.figures import float_expressions
from warmcube.source.names import quote
from warmcube.source.storage_form import WIDEST_PRECISION

__all__ = ["DuckdbColumn"]

_KINDS: Final = {
    "BOOLEAN": Kind.BOOLEAN,
    "TINYINT": Kind.SMALLINT,
    "UTINYINT": Kind.SMALLINT,
    "SMALLINT": Kind.SMALLINT,
    "USMALLINT": Kind.INTEGER,
    "INTEGER": Kind.INTEGER,
    "UINTEGER": Kind.BIGINT,
    "BIGINT": Kind.BIGINT,
    "FLOAT": Kind.REAL,
    "DOUBLE": Kind.DOUBLE,
    "DATE": Kind.DATE,
    "TIMESTAMP": Kind.TIMESTAMP,
    "TIMESTAMP_S": Kind.TIMESTAMP,
    "TIMESTAMP_MS": Kind.TIMESTAMP,
    "TIMESTAMP_NS": Kind.TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": Kind.TIMESTAMPTZ,
    "UUID": Kind.UUID,
}
_WHOLE: Final = {"UBIGINT": 20, "HUGEINT": WIDEST_PRECISION, "UHUGEINT": WIDEST_PRECISION}
_DECIMAL: Final = re.compile(r"DECIMAL\((\d+),(\d+)\)")


@dataclass(frozen=True, slots=True)
class DuckdbColumn:
    """A column as ``DESCRIBE`` tells of it.

    Attributes:
        name: unquoted.
        declared: its type in DuckDB's words.
        may_collate: whether it may have a collation of its own, which ``DESCRIBE`` doesn't tell;
            Parquet's can't, and a bare comparison lets DuckDB skip row groups.
    """

    name: str
    declared: str
    may_collate: bool = True

    @property
    def type(self) -> ColumnType:
        """What it is kept as."""
        decimal = _DECIMAL.fullmatch(self.declared)
        if decimal is not None:
            return ColumnType(Kind.NUMERIC, int(decimal[1]), int(decimal[2]), self.declared)
        if self.declared in _WHOLE:
            return ColumnType(Kind.NUMERIC, _WHOLE[self.declared], 0, self.declared)
        return ColumnType(_KINDS.get(self.declared, Kind.TEXT), source_type=self.declared)

    @property
    def plain(self) -> str:
        """Its value as it is."""
        return quote(self.name)

    @property
    def text(self) -> str:
        """Its value as text, to be grouped and compared by code point."""
        return f'{quote(self.name)}::VARCHAR COLLATE "C"'

    @property
    def figures(self) -> Sequence[str]:
        """The expressions of what `warmcube.source.figures` wants of it, beside its NULLs.

        Sums of wide numerics aren't among them: they may not fit DuckDB's own.
        """
        kind, plain = self.type.kind, self.plain
        if kind.is_float:
            return float_expressions(plain)
        if kind.is_number:
            return () if self.type.is_wide else (f"sum({plain})::VARCHAR",)
        if kind is Kind.DATE:
            return tuple(
                f"date_diff('day', DATE '1970-01-01', {f}({plain}) FILTER (isfinite({plain})))"
                for f in ("min", "max")
            )
        if kind.is_instant:
            value = plain if kind is Kind.TIMESTAMPTZ else f"TRY_CAST({plain} AS TIMESTAMP)"
            return tuple(
                f"epoch_us({f}({value}) FILTER (isfinite({value})))" for f in ("min", "max")
            )
        return ()

    @property
    def key(self) -> tuple[str, str]:
        """How it is compared: the left side, and the right's type."""
        kind = self.type.kind
        if kind.is_integer or kind is Kind.UUID:
            return self.plain, kind.value
        if self.declared == "VARCHAR" and not self.may_collate:
            return self.plain, "text"
        return self.text, "text"

    @property
    def selected(self) -> str:
        """The expression that brings it into Arrow so that nothing of it is lost."""
        kind = self.type.kind
        if kind is Kind.UUID:
            return f"unhex(replace({self.plain}::VARCHAR, '-', ''))"
        # Arrow would get a HUGEINT as a decimal of 38 digits, even where it has 39.
        if kind is Kind.TEXT or self.declared in _WHOLE:
            return f"{self.plain}::VARCHAR"
        return self.plain
