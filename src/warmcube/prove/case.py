"""One question to the cache, and how it has to be answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from warmcube.model.request import NULL, Query
from warmcube.model.schema import Datasource
from warmcube.prove.predicate import Door, View
from warmcube.prove.witness import EVERYTHING, Narrowing, Witness

__all__ = ["Case", "Scene", "Wanted"]


class Wanted(StrEnum):
    """What has to become of a question."""

    ROWS = "rows"  # those that SQL has, which may be none
    DENIED = "denied"
    UNKNOWN = "unknown data source"
    INVALID = "an error about the query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question.

    Attributes:
        kind: what is tried, for the report; the first words tell a read from a way to break out.
        query: what is asked.
        wanted: what has to become of it.
        narrowing: what of the user's rows it asks for.
        is_counted: whether it asks for nothing but counts by practice and provider.
        is_empty: whether there are no rows to it whatever the table holds.
        column: whose values are asked for, in the place of rows.
        is_inventory: whether the measures are asked for, in the place of rows.
        words: what messages of this kind have in common, whatever `named` is; None to not compare.
        named: what the message may repeat, and nothing else in it may depend on.
    """

    kind: str
    query: Query
    wanted: Wanted = Wanted.ROWS
    narrowing: Narrowing = EVERYTHING
    is_counted: bool = False
    is_empty: bool = False
    column: str | None = None
    is_inventory: bool = False
    words: str | None = None
    named: object = None


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A user before one partition of one data source.

    Attributes:
        user: the user's id.
        view: what the user may see and name.
        witness: what the database says.
        predicate: the user's rows, as SQL.
        inventory: the measures and frequencies, and whether the user has rows of each.
        list_limit: how many ids a list may have.
    """

    user: str
    view: View
    witness: Witness
    predicate: str
    inventory: Mapping[tuple[str | None, str | None], bool]
    list_limit: int

    @property
    def datasource(self) -> Datasource:
        return self.witness.datasource

    def query(self, **more: Any) -> Query:
        """A question to this partition."""
        measure, frequency = self.witness.partition
        roles = self.datasource.roles
        asked: dict[str, Any] = {"datasource": self.datasource.id}
        if roles.measure is not None:
            asked["measure"] = NULL if measure is None else measure
        if roles.frequency is not None:
            asked["frequency"] = NULL if frequency is None else frequency
        return Query(**(asked | more))

    def case(
        self,
        kind: str,
        narrowing: Narrowing = EVERYTHING,
        *,
        is_counted: bool = False,
        is_empty: bool = False,
        **more: Any,
    ) -> Case:
        """A question that has the rows that SQL has, if the user stands before an open door."""
        return self._case(
            Case(
                kind=kind,
                query=self.query(**more),
                narrowing=narrowing,
                is_counted=is_counted,
                is_empty=is_empty,
            )
        )

    def refused(
        self,
        kind: str,
        wanted: Wanted,
        *,
        words: str | None = None,
        named: object = None,
        **more: Any,
    ) -> Case:
        """A question that mustn't be answered."""
        return self._case(
            Case(kind=kind, query=self.query(**more), wanted=wanted, words=words, named=named)
        )

    def _case(self, case: Case) -> Case:
        """The same as the user meets it, who may not even know of the data source."""
        door = self.view.door
        if door is Door.OPEN:
            return case
        if door is Door.UNKNOWN:
            named = self.datasource.id
            return replace(case, wanted=Wanted.UNKNOWN, words="data source", named=named)
        return replace(case, wanted=Wanted.DENIED, words=None)

    def shown_practices(self) -> Sequence[str]:
        """Practices that the user has rows of here, of those that are compared and may be named:
        no query can name the empty text.
        """
        window = self.witness.window
        return sorted(
            {
                practice
                for practice, _ in self._seen
                if practice and (window is None or practice in window)
            }
        )

    def shown_providers(self) -> Sequence[str]:
        """Providers that the user has rows of here."""
        return sorted({provider for _, provider in self._seen if provider})

    @property
    def _seen(self) -> Mapping[tuple[str | None, str | None], int]:
        return self.witness.seen(self.predicate)
