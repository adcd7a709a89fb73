"""Charts that are kept: found only by the very answers that they were made of."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.support.dashboards import chart_of, series_of

from warmcube.dashboard.assemble import assemble
from warmcube.dashboard.definition import DateRange
from warmcube.dashboard.kept import LEAST, KeptCharts
from warmcube.dashboard.plan import Axis, ChartPlan
from warmcube.model.columns import ColumnData, Table
from warmcube.model.schema import ColumnType, Kind

LABEL = Axis("provider_uid", ColumnType(Kind.INTEGER), None)
PLAN = ChartPlan(
    chart=chart_of(group_by="provider"),
    labels=LABEL,
    split=None,
    multiples=None,
    dates=DateRange(),
    compared=None,
    current=((3,),),
    before=(),
    scale=0,
    is_real=False,
    date="date_index",
    zone=ZoneInfo("UTC"),
)


def answer(*values: int) -> Table:
    """Sums of some providers."""
    return Table(
        {
            "provider_uid": ColumnData(ColumnType(Kind.INTEGER), np.arange(len(values))),
            "sum": ColumnData(ColumnType(Kind.BIGINT), np.array(values)),
        },
        len(values),
    )


def test_the_same_answers_have_the_same_chart() -> None:
    """Wherever among the questions of a dashboard they stand."""
    kept, table = KeptCharts(), answer(1, 2)
    first = kept.assemble(PLAN, {3: table})
    assert first == assemble(PLAN, {3: table})
    assert kept.assemble(PLAN, {3: table}) is first
    assert kept.assemble(replace(PLAN, current=((0,),)), {0: table}) is first
    assert len(kept) == 1


@pytest.mark.parametrize(
    "changed",
    [
        replace(PLAN, chart=chart_of(group_by="provider", sort="-value")),
        replace(PLAN, chart=replace(PLAN.chart)),
        replace(PLAN, labels=replace(LABEL, names="sum")),
        replace(PLAN, dates=DateRange(preset="all")),
        replace(PLAN, zone=ZoneInfo("Europe/Berlin")),
        replace(PLAN, scale=2),
    ],
)
def test_whatever_is_different_is_another_chart(changed: ChartPlan) -> None:
    """The definition, names, days, zone: each is made anew."""
    kept, table = KeptCharts(), answer(1, 2)
    kept.assemble(PLAN, {3: table})
    assert kept.assemble(changed, {3: table}) == assemble(changed, {3: table})
    assert len(kept) == 2


def test_equal_answers_that_arent_the_same_are_others() -> None:
    """Only what surely is the same answer, of the same rows, is taken for it."""
    kept = KeptCharts()
    one, other = answer(1, 2), answer(1, 3)
    for table in (one, other, answer(1, 2)):
        assert kept.assemble(PLAN, {3: table}) == assemble(PLAN, {3: table})
    assert len(kept) == 3


def test_the_budget_holds() -> None:
    """What wasn't asked for longest goes; what is too large isn't kept at all."""
    # A chart of two labels has two rows and four figures beside what each takes.
    kept = KeptCharts(budget=8 * (LEAST + 6))
    tables = [answer(number, 2) for number in range(9)]
    for table in tables[:8]:
        kept.assemble(PLAN, {3: table})
    first = kept.assemble(PLAN, {3: tables[0]})
    kept.assemble(PLAN, {3: tables[8]})
    assert len(kept) == 8
    assert kept.assemble(PLAN, {3: tables[0]}) is first
    large = answer(1, 2, 3)
    assert kept.assemble(PLAN, {3: large}) is not kept.assemble(PLAN, {3: large})
    assert len(kept) == 8


def test_charts_without_rows_take_their_part_of_the_budget() -> None:
    """Each holds an answer of its own, and filters that nothing passes are endless."""
    kept = KeptCharts(budget=8 * LEAST)
    for _ in range(20):
        kept.assemble(PLAN, {3: answer()})
    assert len(kept) == 8


def test_a_series_is_no_other() -> None:
    """Two series of one answer each aren't one of both."""
    kept, one, other = KeptCharts(), answer(1), answer(2)
    both = replace(
        PLAN,
        chart=chart_of(series=(series_of(), series_of("second"))),
        current=((0,), (1,)),
    )
    first = kept.assemble(both, {0: one, 1: other})
    second = kept.assemble(replace(both, current=((1,), (0,))), {0: one, 1: other})
    assert [series.values for series in first.facets[0].series] == [(Decimal(1),), (Decimal(2),)]
    assert [series.values for series in second.facets[0].series] == [(Decimal(2),), (Decimal(1),)]
