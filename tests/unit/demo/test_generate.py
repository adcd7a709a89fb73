"""`warmcube.demo.generate`: exactly so many rows, always the same, and believable."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmcube.demo.generate import DEFAULT_SEED, SCHEMA, generate, practice_count
from warmcube.demo.practices import practices_of

KEY = ["measure", "practice_uid", "provider_uid", "frequency", "date_index"]


def frame(rows: int, seed: int = DEFAULT_SEED) -> pl.DataFrame:
    """All generated rows."""
    made = pl.from_arrow(pa.Table.from_batches(generate(rows, seed), SCHEMA))
    assert isinstance(made, pl.DataFrame)
    return made


@pytest.fixture(scope="module")
def usual() -> pl.DataFrame:
    """The data of the demo without ``--rows``."""
    return frame(250_000)


@settings(max_examples=15, deadline=None)
@given(st.integers(1_000, 60_000))
def test_exactly_as_many_rows_as_asked_for(rows: int) -> None:
    """Whatever the number, the rows come out exactly, and no two have the same key."""
    made = frame(rows)
    assert made.height == rows
    assert made.select(KEY).is_unique().all()


def test_the_same_seed_gives_the_same_rows() -> None:
    """The rows depend on the number and the seed, and on nothing else."""
    assert frame(20_000).equals(frame(20_000))
    assert not frame(20_000).equals(frame(20_000, seed=2))


def test_batches_are_small() -> None:
    """However many rows, memory holds a batch of them at a time."""
    sizes = [batch.num_rows for batch in generate(400_000)]
    assert sum(sizes) == 400_000
    assert max(sizes) < 100_000


def test_rows_are_valid(usual: pl.DataFrame) -> None:
    """Every decimal fits its type, and what may not be NULL isn't."""
    table = usual.to_arrow().cast(SCHEMA)
    table.validate(full=True)
    assert usual.height == 250_000
    assert len(usual.columns) == 13
    nulls = usual.null_count().row(0, named=True)
    may_be_null = {name for name, count in nulls.items() if count}
    assert may_be_null == {"provider_uid", "provider_name", "measure_value"}
    assert nulls["provider_uid"] == nulls["provider_name"]


def test_dates_lie_on_the_grid_of_their_frequency(usual: pl.DataFrame) -> None:
    """Weeks begin on Mondays, months and quarters on their first days; nothing has a gap."""
    date = pl.col("date_index")
    by_frequency = {
        frequency: usual.filter(pl.col("frequency") == frequency)["date_index"].unique().sort()
        for frequency in usual["frequency"].unique()
    }
    assert set(by_frequency) == {"Daily", "Weekly", "Monthly", "Quarterly"}
    for frequency, every in [("Daily", "1d"), ("Weekly", "1w"), ("Monthly", "1mo")]:
        days = by_frequency[frequency]
        grid = pl.date_range(days[0], days[-1], every, eager=True)
        assert days.to_list() == grid.to_list()
    quarters = by_frequency["Quarterly"]
    assert quarters.to_list() == (
        pl.date_range(quarters[0], quarters[-1], "3mo", eager=True).to_list()
    )
    assert by_frequency["Weekly"].dt.weekday().unique().to_list() == [1]
    assert (
        usual.filter(pl.col("frequency") == "Quarterly")
        .select((date.dt.day() == 1).all() & date.dt.month().is_in([1, 4, 7, 10]).all())
        .item()
    )


def test_values_are_of_their_type(usual: pl.DataFrame) -> None:
    """Percentages lie between 0 and 100, counts are whole and not negative."""
    value = pl.col("measure_value")
    percentages = usual.filter(pl.col("measure_type") == "percentage")
    assert percentages.select(value.is_between(0, 100).all()).item()
    counts = usual.filter(pl.col("measure_type") == "count")
    assert counts.select((value >= 0).all() & (value.cast(pl.Float64) % 1 == 0).all()).item()
    assert set(usual["measure_type"].unique()) == {"currency", "count", "percentage"}
    assert "A/R > 90 days: {net} 100%" in usual["measure"].unique()


def test_values_grow_and_have_a_season(usual: pl.DataFrame) -> None:
    """The last year of charges lies above the one before; visits peak in winter."""
    monthly = usual.filter(pl.col("frequency") == "Monthly").with_columns(
        pl.col("date_index").dt.year().alias("year"), pl.col("date_index").dt.month().alias("month")
    )
    charges = dict(
        monthly.filter(pl.col("measure") == "Charges")
        .group_by("year")
        .agg(pl.col("measure_value").mean())
        .rows()
    )
    assert charges[2025] > charges[2024] > charges[2023]
    visits = dict(
        monthly.filter(pl.col("measure") == "Visits")
        .group_by("month")
        .agg(pl.col("measure_value").mean())
        .rows()
    )
    assert visits[1] > visits[7]


def test_people_belong_together(usual: pl.DataFrame) -> None:
    """A practice has one name and several providers; a provider one name and one practice."""
    practices = {practice.uid: practice for practice in practices_of(practice_count(250_000))}
    found = usual.select("practice_uid", "practice_name", "provider_uid", "provider_name").unique()
    expected = {
        (uid, practice.name, provider, name)
        for uid, practice in practices.items()
        for provider, name in [
            (None, None),
            *zip(practice.provider_uids, practice.providers, strict=True),
        ]
    }
    assert set(found.rows()) == expected
    assert all(3 <= len(practice.providers) <= 6 for practice in practices.values())
    assert len({practice.name for practice in practices.values()}) == len(practices)
