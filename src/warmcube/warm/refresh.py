"""What a warm reads anew, and what it carries over from the live snapshot. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from warmcube.entry.keys import PartitionName
from warmcube.entry.layout import Layout
from warmcube.entry.manifest import Manifest, Partition, answers_for, fingerprint
from warmcube.errors import InvalidQuery, UnknownPartition
from warmcube.model.request import NULL, Null
from warmcube.model.schema import Datasource, Schema
from warmcube.source.api import PartitionCount

__all__ = [
    "MOST_CHANGED",
    "MOST_READ",
    "TOO_WIDE",
    "Plan",
    "Refresh",
    "check_names",
    "join_layouts",
    "plan_refresh",
    "plan_whole",
    "why_whole",
]

MOST_CHANGED: Final = 0.5
"""If more than this share of a table's rows has changed, it is read whole: over two connections and
without a condition, which then takes less."""

MOST_READ: Final = 2000
"""Of more partitions than this it is read whole too, or the condition would become too long."""


TOO_WIDE: Final = "so many partitions are to be read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """What a refresh is to read anew; what isn't, is carried over.

    Attributes:
        measures: of which, in canonical form, None for NULL; `measures` None means all.
        frequencies: at which, likewise.
        changed: whatever has changed since the last warm, instead of what is named.
    """

    measures: tuple[str | None, ...] | None = None
    frequencies: tuple[str | None, ...] | None = None
    changed: bool = False

    @classmethod
    def of(
        cls,
        measures: Sequence[str | Null] | None,
        frequencies: Sequence[str | Null] | None,
        *,
        changed: bool,
    ) -> Refresh | None:
        """What is asked for; None is the whole table.

        Args:
            measures: of which; ``NULL`` for the rows without one; None for all.
            frequencies: at which, likewise.
            changed: whatever has changed.

        Raises:
            InvalidQuery: nothing can be meant by it.
        """
        if measures is None and frequencies is None:
            return cls(changed=True) if changed else None
        if changed:
            raise InvalidQuery(
                "changed finds by itself what to warm; name measures and frequencies, or have it "
                "found, but not both"
            )
        return cls(
            measures=_named("measures", measures), frequencies=_named("frequencies", frequencies)
        )

    def names(self, name: PartitionName) -> bool:
        """Whether a partition is meant by the measures and frequencies."""
        return (self.measures is None or name.measure in self.measures) and (
            self.frequencies is None or name.frequency in self.frequencies
        )


def _named(what: str, names: Sequence[str | Null] | None) -> tuple[str | None, ...] | None:
    if names is None:
        return None
    if not isinstance(names, list | tuple) or not all(
        isinstance(name, str) or name is NULL for name in names
    ):
        raise InvalidQuery(f"{what} is {names!r}; expected a list of texts, or NULL among them")
    if not names or "" in names:
        raise InvalidQuery(
            f"{what} is {names!r}, so there is nothing to warm; name some, or leave {what} out for "
            "all of them"
        )
    return tuple(dict.fromkeys(None if isinstance(name, Null) else name for name in names))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one warm does.

    Attributes:
        counted: of each partition that is read, how many rows the source holds.
        base: the snapshot that the others are carried over from; None if the table is read whole.
        carried: those.
        dropped: partitions of `base` of which the source holds no rows any more.
        fingerprints: of the partitions that are read, where they were taken.
        because: why a refresh reads the whole table; empty where it doesn't, or none was wanted.
        is_proven: whether what is carried was found to be what the source holds now.
    """

    counted: Mapping[PartitionName, int]
    base: Manifest | None = None
    carried: Mapping[PartitionName, Partition] = field(default_factory=dict)
    dropped: frozenset[PartitionName] = frozenset()
    fingerprints: Mapping[PartitionName, str | None] = field(default_factory=dict)
    because: str = ""
    is_proven: bool = True

    def without(self, lost: Iterable[PartitionName], counted: Iterable[PartitionCount]) -> Plan:
        """The same, with some that can't be carried read instead.

        Args:
            lost: which.
            counted: how many rows the source holds of them.
        """
        found = {each.name: each for each in counted}
        gone = frozenset(name for name in lost if name not in found)
        return replace(
            self,
            counted={**self.counted, **{name: each.rows for name, each in found.items()}},
            carried={n: p for n, p in self.carried.items() if n not in gone and n not in found},
            dropped=self.dropped | gone,
            # What it holds was proven to be what was held, though that can't be carried.
            fingerprints={
                **self.fingerprints,
                **{n: self.carried[n].fingerprint for n in found if self.is_proven},
            },
        )

    @property
    def is_too_wide(self) -> bool:
        """Whether so many partitions are read that it takes less to read the whole table."""
        return self.base is not None and len(self.counted) > MOST_READ

    @property
    def all_fingerprints(self) -> dict[PartitionName, str | None]:
        """Those of what is carried too, as far as they are of what the source holds now."""
        carried = self.carried if self.is_proven else {}
        return {**{n: p.fingerprint for n, p in carried.items()}, **self.fingerprints}

    @property
    def lasts_as_before(self) -> bool:
        """Whether the snapshot gets no more life: some of it is as old as it was."""
        return bool(self.carried) and not self.is_proven


def plan_whole(counted: Iterable[PartitionCount], because: str = "") -> Plan:
    """Read everything."""
    found = list(counted)
    return Plan(
        counted={each.name: each.rows for each in found},
        fingerprints={each.name: each.fingerprint for each in found},
        because=because,
    )


def why_whole(
    base: Manifest | None,
    datasource: Datasource,
    schema: Schema,
    seal: str,
    now_ms: int,
    refresh: Refresh,
) -> str:
    """Why nothing can be carried over from a snapshot; empty if it can.

    Args:
        base: the live snapshot.
        datasource: as it is configured now.
        schema: of its table now.
        seal: the name of the one that values bear now.
        now_ms: by the store's clock.
        refresh: what is wanted.
    """
    if base is None or not base.partitions:
        return "there is no snapshot to carry anything over from"
    same = fingerprint(datasource, schema) == base.fingerprint and schema == base.schema
    if not same or not answers_for(base, datasource):
        return "the table's columns, or what they are used for, have changed"
    if seal != base.seal:
        return "what the snapshot holds is sealed in another way than is configured now"
    if refresh.changed:
        if not base.has_fingerprints:
            return "nothing is known of the rows that the snapshot was made of"
    elif now_ms >= base.fresh_until_ms:
        return "the snapshot isn't fresh any more"
    return ""


def plan_refresh(base: Manifest, counted: Sequence[PartitionCount], refresh: Refresh) -> Plan:
    """What of a table is read, and what is carried over.

    Args:
        base: the live snapshot.
        counted: all partitions that the source holds; with fingerprints where changes are wanted.
        refresh: what is wanted; its names have been checked.
    """
    held = {each.name: each for each in counted}
    if refresh.changed:
        carried = {
            name: partition
            for name, partition in base.partitions.items()
            if name in held
            and partition.fingerprint is not None
            and partition.fingerprint == held[name].fingerprint
        }
        fresh = {name: each for name, each in held.items() if name not in carried}
    else:
        carried = {n: p for n, p in base.partitions.items() if not refresh.names(n)}
        fresh = {name: each for name, each in held.items() if refresh.names(name)}
    rows = sum(each.rows for each in fresh.values())
    if refresh.changed and rows > MOST_CHANGED * sum(each.rows for each in counted):
        return plan_whole(counted, "most of its rows have changed")
    plan = Plan(
        counted={name: each.rows for name, each in fresh.items()},
        base=base,
        carried=carried,
        dropped=frozenset(base.partitions.keys() - carried.keys() - fresh.keys()),
        fingerprints={name: each.fingerprint for name, each in fresh.items()},
        is_proven=refresh.changed,
    )
    return plan_whole(counted, TOO_WIDE) if plan.is_too_wide else plan


def check_names(refresh: Refresh, known: Iterable[PartitionName]) -> None:
    """See that all is somewhere that a refresh names.

    Raises:
        UnknownPartition: something isn't.
    """
    meant = [name for name in known if refresh.names(name)]
    for what, names, found in (
        ("measure", refresh.measures, {name.measure for name in meant}),
        ("frequency", refresh.frequencies, {name.frequency for name in meant}),
    ):
        missing = [name for name in names or () if name not in found]
        if missing:
            shown = "NULL" if missing[0] is None else repr(missing[0])
            raise UnknownPartition(
                f"neither the table nor the live snapshot holds anything of {what} {shown}"
                + (" as asked for" if refresh.measures and refresh.frequencies else "")
                + "; names are taken exactly as they are in the table, and `warmcube stats` lists "
                "what is held"
            )


def join_layouts(
    base: Manifest | None, carried: Mapping[PartitionName, Partition], fresh: Layout | None
) -> tuple[tuple[Layout, ...], dict[PartitionName, Partition], int]:
    """The layouts that a snapshot needs.

    Args:
        base: what the carried partitions are of.
        carried: those.
        fresh: the layout of those that were read; None if none were.

    Returns:
        all layouts, the carried partitions with their places among them, and the fresh one's.
    """
    layouts: list[Layout] = []
    kept: dict[PartitionName, Partition] = {}
    known = () if base is None else base.layouts
    for name, partition in carried.items():
        kept[name] = replace(partition, layout=_place(layouts, known[partition.layout]))
    place = 0 if fresh is None else _place(layouts, fresh)
    return tuple(layouts), kept, place


def _place(layouts: list[Layout], layout: Layout) -> int:
    if layout not in layouts:
        layouts.append(layout)
    return layouts.index(layout)
