"""What a refresh reads, and what it carries over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.entry.test_manifest import MANIFEST

from warmcube.entry.keys import PartitionName
from warmcube.entry.layout import Field, Layout
from warmcube.entry.manifest import Manifest, Partition, fingerprint
from warmcube.errors import InvalidQuery, UnknownPartition
from warmcube.model.request import NULL
from warmcube.model.schema import ColumnType, Datasource, Kind
from warmcube.source.api import PartitionCount
from warmcube.warm.refresh import (
    MOST_READ,
    Refresh,
    check_names,
    join_layouts,
    plan_refresh,
    why_whole,
)

CHANGED = Refresh(changed=True)
DATASOURCE = Datasource(
    id=1, name="t", source=MANIFEST.source, table=MANIFEST.table, roles=MANIFEST.roles
)
ONE: Partition = next(iter(MANIFEST.partitions.values()))


def named(*names: str) -> list[PartitionName]:
    """Partitions by the first letter as measure, the second as frequency."""
    return [PartitionName(name[0], name[1]) for name in names]


def a_base(**prints: str | None) -> Manifest:
    """A snapshot of partitions with some fingerprints."""
    return replace(
        MANIFEST,
        fingerprint=fingerprint(DATASOURCE, MANIFEST.schema),
        partitions={
            PartitionName(name[0], name[1]): replace(ONE, fingerprint=each)
            for name, each in prints.items()
        },
    )


def counted(**prints: str | None) -> list[PartitionCount]:
    """What a source holds, ten rows of each."""
    return [
        PartitionCount(PartitionName(name[0], name[1]), 10, each) for name, each in prints.items()
    ]


def test_nothing_asked_for_is_the_whole_table() -> None:
    """Only names or a wish for changes make a refresh."""
    assert Refresh.of(None, None, changed=False) is None
    assert Refresh.of(None, None, changed=True) == CHANGED
    assert Refresh.of(["b", NULL, "b"], None, changed=False) == Refresh(measures=("b", None))
    assert Refresh.of(None, ("f",), changed=False) == Refresh(frequencies=("f",))


@pytest.mark.parametrize(
    ("measures", "frequencies", "changed", "message"),
    [
        ([], None, False, "nothing to warm"),
        (None, [""], False, "nothing to warm"),
        ("Charges", None, False, "expected a list"),
        ([None], None, False, "or NULL among them"),
        ([1], None, False, "expected a list"),
        (["a"], None, True, "not both"),
        (None, ["a"], True, "not both"),
    ],
)
def test_what_can_not_be_meant_is_an_error(
    measures: Any, frequencies: Any, changed: bool, message: str
) -> None:
    """An empty list never means everything, nor does None within one mean NULL."""
    with pytest.raises(InvalidQuery, match=message):
        Refresh.of(measures, frequencies, changed=changed)


def test_names_have_to_be_somewhere() -> None:
    """Each of them, with the others: in the table or in the snapshot."""
    known = [*named("af", "bg"), PartitionName(None, "f")]
    check_names(CHANGED, [])
    check_names(Refresh(measures=("a", None)), known)
    check_names(Refresh(measures=("a", "b"), frequencies=("f", "g")), known)
    with pytest.raises(UnknownPartition, match=r"frequency 'g' as asked for"):
        check_names(Refresh(measures=("a",), frequencies=("f", "g")), known)
    with pytest.raises(UnknownPartition, match=r"frequency NULL;"):
        check_names(Refresh(frequencies=(None,)), known)


def test_equal_fingerprints_are_carried() -> None:
    """What has another, none, or is new is read; what is gone is dropped."""
    base = a_base(af="1", bf="2", cf=None, df="4", ef="5", gf="6", hf="7")
    plan = plan_refresh(
        base, counted(af="1", bf="x", cf=None, ef="5", gf="6", hf="7", nf="8"), CHANGED
    )
    assert list(plan.carried) == named("af", "ef", "gf", "hf")
    assert plan.counted == dict.fromkeys(named("bf", "cf", "nf"), 10)
    assert plan.dropped == set(named("df"))
    assert plan.fingerprints == dict(zip(named("bf", "cf", "nf"), ("x", None, "8"), strict=True))
    assert (plan.base, plan.because, plan.lasts_as_before) == (base, "", False)


def test_only_what_is_named_is_looked_at() -> None:
    """Others are carried whether the table still has them or not, and as old as they are."""
    plan = plan_refresh(
        a_base(af="1", ag="2", bf="3", cf="4"),
        counted(af="9", bf="9", nf="9", ng="9"),
        Refresh(measures=("a", "n"), frequencies=("f", "g")),
    )
    assert list(plan.carried) == named("bf", "cf")
    assert set(plan.counted) == set(named("af", "nf", "ng"))
    assert plan.dropped == set(named("ag"))
    assert plan.lasts_as_before


def test_all_is_read_if_most_has_changed() -> None:
    """Of the rows, or very many partitions."""
    plan = plan_refresh(a_base(af="1", bf="2"), counted(af="1", bf="x", cf="3"), CHANGED)
    assert plan.base is None
    assert len(plan.counted) == 3
    assert "most of its rows" in plan.because
    many = [PartitionCount(PartitionName(str(n), "f"), 1) for n in range(MOST_READ + 1)]
    plan = plan_refresh(a_base(af="1"), many, Refresh(frequencies=("f",)))
    assert "so many partitions" in plan.because


def test_what_can_not_be_carried_is_read_or_gone() -> None:
    """It keeps its fingerprint if that was just compared, and only then."""
    base = a_base(af="1", bf="2", cf="3")
    plan = plan_refresh(base, counted(af="1", bf="2", cf="3"), CHANGED)
    plan = plan.without(named("af"), counted(af=None))
    assert list(plan.carried) == named("bf", "cf")
    assert plan.fingerprints == dict(zip(named("af"), "1", strict=True))
    assert plan.all_fingerprints == dict(zip(named("bf", "cf", "af"), "231", strict=True))
    plan = plan_refresh(base, counted(af="9", cf="9"), Refresh(measures=("a",)))
    plan = plan.without(named("bf", "cf"), counted(cf=None))
    assert not plan.carried
    assert plan.dropped == set(named("bf"))
    assert plan.fingerprints == dict(zip(named("af"), "9", strict=True))
    assert plan.all_fingerprints == plan.fingerprints
    assert not plan.lasts_as_before


def test_why_nothing_can_be_carried() -> None:
    """Each reason in its words; a change of the seal, the schema, the table or the roles is one."""
    base = a_base(af="1")
    assert MANIFEST.seal == base.seal

    def why(base: Manifest | None, refresh: Refresh = CHANGED, **changes: Any) -> str:
        facts: dict[str, Any] = {
            "datasource": DATASOURCE,
            "schema": base.schema if base else MANIFEST.schema,
            "seal": MANIFEST.seal,
            "now_ms": MANIFEST.fresh_until_ms - 1,
        }
        return why_whole(base, refresh=refresh, **(facts | changes))

    assert why(base) == ""
    assert why(base, Refresh(measures=("a",))) == ""
    assert why(base, now_ms=base.fresh_until_ms) == ""
    assert "isn't fresh" in why(base, Refresh(measures=("a",)), now_ms=base.fresh_until_ms)
    assert "no snapshot" in why(None)
    assert "no snapshot" in why(replace(base, partitions={}))
    assert "nothing is known" in why(a_base(af=None))
    assert why(a_base(af=None), Refresh(measures=("a",))) == ""
    assert "in another way" in why(base, seal="other")
    for changed in (
        replace(DATASOURCE, table="ih.other"),
        replace(DATASOURCE, source="other"),
        replace(DATASOURCE, roles=replace(DATASOURCE.roles, value=None)),
    ):
        assert "have changed" in why(base, datasource=changed)
    columns = base.schema.columns
    wider = replace(base.schema, columns=(*columns[:-1], replace(columns[-1], type=A_NUMERIC)))
    assert "have changed" in why(base, schema=wider)


A_NUMERIC = ColumnType(Kind.NUMERIC, 38, 5, "numeric")


def test_layouts_are_those_in_use() -> None:
    """Equal ones are one, and what nobody needs any more is left out."""
    first, second, third = (Layout((Field(n, ColumnType(Kind.INTEGER), False),)) for n in "abc")
    base = replace(MANIFEST, layouts=(first, second, third))
    carried = {
        name: replace(ONE, layout=layout)
        for name, layout in zip(named("af", "bf", "cf"), (2, 0, 2), strict=True)
    }
    layouts, kept, place = join_layouts(base, carried, first)
    assert layouts == (third, first)
    assert [each.layout for each in kept.values()] == [0, 1, 0]
    assert place == 1
    assert join_layouts(None, {}, second) == ((second,), {}, 0)
    assert join_layouts(base, carried, None)[0] == (third, first)
