"""What SQL has for a case: rows, groups and values, within the right and what was named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from warmcube.model.request import Query
from warmcube.prove.case import Case, Scene
from warmcube.prove.totals import Key, Total, group, total
from warmcube.prove.witness import Pair, Row

__all__ = ["Expected"]


class Expected:
    """What SQL has for a case, under the user's predicate.

    Args:
        scene: who asks, and what the database says.
        case: what is asked.
    """

    def __init__(self, scene: Scene, case: Case) -> None:
        self.scene = scene
        self.query: Query = case.query
        self.names = list(scene.witness.forms)
        narrowing = case.narrowing
        self._seen = {} if case.is_empty else scene.witness.seen(scene.predicate)
        self.pairs = [pair for pair in self._seen if narrowing.keeps(scene.view, pair)]
        self._case = case
        named = (narrowing.practices, narrowing.providers)
        # A condition narrows after the lookup; what the request names, before it.
        self.within = sum(
            count
            for (practice, provider), count in self._seen.items()
            if (named[0] is None or practice in named[0])
            and (named[1] is None or provider in named[1])
            and (
                narrowing.organization is None
                or scene.view.is_below(narrowing.organization, practice)
            )
        )
        self.rows: Sequence[Row] = []
        if not case.is_counted:
            self.rows = scene.witness.select(self.pairs, narrowing.days)
        self.groups: Mapping[Key, Total] = {}
        if case.query.aggregate is not None:
            self.groups = self._counted() if case.is_counted else self._totals()

    @property
    def size(self) -> int:
        """How many rows the answer has."""
        if self._case.column is not None:
            return len(self.values(self._case.column))
        return len(self.rows if self.query.aggregate is None else self.groups)

    @property
    def all_days(self) -> Mapping[Key, Sequence[Row]]:
        """The groups there are within the right and what was named, whatever the days."""
        if self._case.is_counted:
            return dict.fromkeys(self.groups, ())
        rows = self.scene.witness.select(self.pairs, None)
        return group(rows, self._places())

    @property
    def foreign_groups(self) -> set[Key]:
        """The groups of rows outside the right or what was named."""
        if self._case.is_counted:
            roles = self.scene.datasource.roles
            return {
                tuple(
                    pair[0] if name == roles.practice else pair[1] for name in self.query.group_by
                )
                for pair in self.scene.witness.pairs
                if self.is_of_others(pair)
            }
        pairs = filter(self.is_of_others, self.scene.witness.pairs)
        return set(group(self.scene.witness.select(pairs, None), self._places()))

    def is_of_others(self, pair: Pair) -> bool:
        """Whether a row of this practice and provider is outside the right or what was named."""
        return not (
            self.scene.view.sees(*pair) and self._case.narrowing.keeps(self.scene.view, pair)
        )

    def values(self, column: str) -> set[str]:
        """The values of a column, NULL left out."""
        return _values(self.rows, self.names.index(column))

    def foreign_values(self, column: str) -> set[str]:
        """Those of rows outside the right or what was named."""
        pairs = filter(self.is_of_others, self.scene.witness.pairs)
        return _values(self.scene.witness.select(pairs, None), self.names.index(column))

    def _places(self) -> list[int]:
        return [self.names.index(name) for name in self.query.group_by]

    def _totals(self) -> Mapping[Key, Total]:
        function = str(self.query.aggregate)
        value = self.scene.datasource.roles.value
        groups = group(self.rows, self._places())
        if value is None:
            return {key: Total(text=str(len(rows))) for key, rows in groups.items()}
        place, form = self.names.index(value), self.scene.witness.forms[value]
        return {key: total(function, rows, place, form) for key, rows in groups.items()}

    def _counted(self) -> Mapping[Key, Total]:
        roles = self.scene.datasource.roles
        wanted = set(self.pairs)
        counts: Counter[Key] = Counter() if self.query.group_by else Counter({(): 0})
        for each in self.scene.witness.counted:
            if (each.practice, each.provider) not in wanted:
                continue
            of = {roles.practice: each.practice, roles.provider: each.provider}
            counts[tuple(of[name] for name in self.query.group_by)] += each.values
        return {key: Total(text=str(count)) for key, count in counts.items()}


def _values(rows: Sequence[Row], place: int) -> set[str]:
    return {value for row in rows if (value := row[place]) is not None}
