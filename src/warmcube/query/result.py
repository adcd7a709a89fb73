"""What a query answers: rows that stay packed until somebody asks for them.

Nothing that leaves here holds a value that isn't in the answer's own rows: no dictionary of the
partition, no slice of a longer array, nothing that stood under a NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from warmcube.model.columns import Table
from warmcube.model.origin import Origin
from warmcube.query.explain import Explanation
from warmcube.query.judge import Judged
from warmcube.query.numbers import MAX_PRECISION
from warmcube.query.packed import Packed, pack
from warmcube.query.pythonform import python_values
from warmcube.query.resident import Deferred, Resident

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["Meta", "Result"]


class Meta(NamedTuple):
    """Where an answer comes from.

    Attributes:
        origin: the tier that it was answered from.
        snapshot: the snapshot's name; None from the database.
        as_of: when the database was read, if known.
        entries: how many entries were fetched, or practice-level sums in their place; of a
            resident answer, when it was read.
        rows_fetched: how many rows the evaluation started from, whenever that was; of sums, one
            for each practice and date.
        rows: how many rows the answer has.
        timings: milliseconds by step.
        stale: whether the snapshot is past its life.
        notes: what else is to be known, in sentences.
    """

    origin: Origin
    snapshot: str | None = None
    as_of: datetime | None = None
    entries: int = 0
    rows_fetched: int = 0
    rows: int = 0
    timings: Mapping[str, float] = MappingProxyType({})
    stale: bool = False
    notes: tuple[str, ...] = ()


class Result:
    """The answer to one query.

    Args:
        table: the answer's columns.
        meta: where it comes from.
        explanation: how it came about, or what tells it: few ask.
        judged: what was asked, and the rows that it may have; None where nobody was asked.
        resident: the same answer as it is kept; None where it isn't.
    """

    __slots__ = ("_explanation", "_resident", "_table", "judged", "meta")

    def __init__(
        self,
        table: Table,
        meta: Meta,
        explanation: Explanation | Callable[[], Explanation] | None = None,
        judged: Judged | None = None,
        resident: Resident | Deferred | None = None,
    ) -> None:
        self._table = table
        self.meta = meta
        self._explanation = explanation
        self.judged = judged
        self._resident = resident

    def __len__(self) -> int:
        return self._table.rows

    def __repr__(self) -> str:
        names = ", ".join(self.columns)
        return f"<Result: {len(self)} rows of ({names}) from the {self.meta.origin}>"

    @property
    def explanation(self) -> Explanation | None:
        """How it came about; None where nothing was asked for it."""
        found = self._explanation
        if found is None or isinstance(found, Explanation):
            return found
        made = found()
        self._explanation = made
        return made

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the answer's columns, in order."""
        return tuple(self._table.columns)

    @property
    def table(self) -> Table:
        """The packed columns. They may share memory, and dictionaries, with other answers."""
        return self._table

    def encoded(self, form: Hashable, encode: Callable[[], bytes]) -> bytes:
        """The columns in some form; where the answer is kept, so is this, for all who may see it.

        Args:
            form: which one; equal ones have equal bytes.
            encode: makes it of this answer's columns, and of nothing else.
        """
        return encode() if self._resident is None else self._resident.encoded(form, encode)

    def asked_as(self, judged: Judged) -> Result:
        """The same answer to the same question in other words.

        Args:
            judged: that question, and the rows that it may have: the same ones.
        """
        return Result(self._table, self.meta, self._explanation, judged, self._resident)

    def rows(self) -> list[dict[str, Any]]:
        """One dict per row; see `warmcube.query.pythonform.python_values` for the types."""
        names = self.columns
        columns = [python_values(column) for column in self._table.columns.values()]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def packed(self, name: str) -> Packed:
        """One column as arrays: the fastest way to compute with an answer.

        The other columns aren't made for it.

        Args:
            name: of the column, one of `columns`.

        Raises:
            KeyError: the answer doesn't have it.
        """
        return pack(self._table.columns[name])

    def to_arrow(self) -> pa.Table:
        """An Arrow table; see `warmcube.query.arrowform.arrow_table` for the types."""
        from warmcube.query.arrowform import arrow_table  # noqa: PLC0415 - loads pyarrow

        return arrow_table(self._table)

    def to_polars(self) -> pl.DataFrame:
        """A polars frame, with `to_arrow`'s types; averages of over 38 digits are text."""
        import polars as pl  # noqa: PLC0415 - loads polars

        from warmcube.query.arrowform import arrow_table  # noqa: PLC0415 - loads pyarrow

        return pl.DataFrame(arrow_table(self._table, longest_decimal=MAX_PRECISION))

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The Arrow PyCapsule interface: what reads Arrow reads a result."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)
