"""The practice data itself: any number of rows, always the same ones for the same seed.

Every (measure, practice, provider, frequency) has a history of about the same depth, scaled so
that the rows come out exactly as asked for; more rows mean more practices.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from warmcube.demo.measures import FREQUENCIES, MEASURES
from warmcube.demo.practices import Practice, practices_of

__all__ = ["DEFAULT_ROWS", "DEFAULT_SEED", "MINIMUM_ROWS", "SCHEMA", "generate", "practice_count"]

DEFAULT_ROWS: Final = 250_000
DEFAULT_SEED: Final = 20260101
MINIMUM_ROWS: Final = 1_000

SCHEMA: Final = pa.schema(
    [
        pa.field("measure", pa.string(), nullable=False),
        pa.field("measure_type", pa.string(), nullable=False),
        pa.field("practice_uid", pa.int32(), nullable=False),
        pa.field("practice_name", pa.string(), nullable=False),
        pa.field("region", pa.string(), nullable=False),
        pa.field("provider_uid", pa.int32()),  # NULL: a value of the whole practice
        pa.field("provider_name", pa.string()),
        pa.field("specialty", pa.string(), nullable=False),
        pa.field("frequency", pa.string(), nullable=False),
        pa.field("date_index", pa.date32(), nullable=False),
        pa.field("measure_value", pa.decimal128(14, 2)),  # NULL: too few cases to say
        pa.field("cases", pa.int32(), nullable=False),
        pa.field("loaded_at", pa.timestamp("us", tz="UTC"), nullable=False),
    ]
)

_Array = npt.NDArray[Any]
_ROWS_PER_PRACTICE: Final = 6_864  # at the usual depth of history
_FEWEST_PRACTICES: Final = 24  # every organization has some
_PRACTICES_PER_BATCH: Final = 12
_LOADED_AT: Final = int(np.datetime64("2026-01-01T05:30:00", "us").astype(np.int64))
_YEAR: Final = 365.25
_ORIGIN_OF_GROWTH: Final = int(np.datetime64("2023-01-01", "D").astype(np.int64))

# One practice's combinations of measure and frequency, in this order within each provider.
_MEASURE: Final = np.repeat(np.arange(len(MEASURES)), len(FREQUENCIES))
_FREQUENCY: Final = np.tile(np.arange(len(FREQUENCIES)), len(MEASURES))
_WEIGHT: Final = np.array([frequency.weight for frequency in FREQUENCIES])[_FREQUENCY]


def practice_count(rows: int) -> int:
    """How many practices so many rows are about."""
    return max(_FEWEST_PRACTICES, round(rows / _ROWS_PER_PRACTICE))


def generate(rows: int = DEFAULT_ROWS, seed: int = DEFAULT_SEED) -> Iterator[pa.RecordBatch]:
    """The table, in batches of about 80,000 rows.

    Args:
        rows: how many in all.
        seed: the same seed gives the same rows.
    """
    practices = practices_of(practice_count(rows))
    slots = np.array([len(practice.providers) + 1 for practice in practices])
    total = int(slots.sum()) * int(_WEIGHT.sum())
    begun = 0  # weight of all entries before this batch
    for first in range(0, len(practices), _PRACTICES_PER_BATCH):
        chosen = practices[first : first + _PRACTICES_PER_BATCH]
        width = int(slots[first : first + _PRACTICES_PER_BATCH].sum())
        ends = begun + np.cumsum(np.tile(_WEIGHT, width), dtype=np.int64)
        # Rounding the running sum, not each history, makes the whole come out exactly.
        depths = np.diff(ends * rows // total, prepend=begun * rows // total)
        begun = int(ends[-1])
        yield _batch(chosen, depths, np.random.default_rng((seed, first)))


def _batch(
    practices: Sequence[Practice], depths: _Array, random: np.random.Generator
) -> pa.RecordBatch:
    """The rows of some practices; `depths` says how many each entry has."""
    slots = np.array([len(practice.providers) + 1 for practice in practices])
    width = int(slots.sum())  # providers, and a NULL for each practice
    per_slot = len(_MEASURE)
    entry = np.repeat(np.arange(len(depths)), depths)
    back = np.arange(len(entry)) - np.repeat(np.cumsum(depths) - depths, depths)
    slot, combination = entry // per_slot, entry % per_slot
    measure, frequency = _MEASURE[combination], _FREQUENCY[combination]
    practice_of_slot = np.repeat(np.arange(len(practices)), slots)
    number = np.arange(width) - np.repeat(np.cumsum(slots) - slots, slots)
    practice = practice_of_slot[slot]
    is_whole = (number == 0)[slot]

    deepest = int(depths.max(initial=0))
    days = np.stack([each.grid(deepest) for each in FREQUENCIES])[frequency, back]
    # A practice's own value is about that of all its providers.
    size = np.where(number == 0, slots[practice_of_slot] - 1, 1) * random.lognormal(0, 0.3, width)
    cents = _cents(measure, frequency, days, size[slot], random)
    cases = random.poisson(9, len(entry)).astype(np.int32)
    uids = np.array([each.uid for each in practices], dtype=np.int32)
    providers = np.concatenate([(0, *each.provider_uids) for each in practices]).astype(np.int32)
    names = [name for each in practices for name in (None, *each.providers)]
    columns = {
        "measure": _texts([each.name for each in MEASURES], measure),
        "measure_type": _texts([each.type for each in MEASURES], measure),
        "practice_uid": pa.array(uids[practice]),
        "practice_name": _texts([each.name for each in practices], practice),
        "region": _texts([each.region for each in practices], practice),
        "provider_uid": pa.array(providers[slot], mask=is_whole),
        "provider_name": _texts(names, slot),
        "specialty": _texts([each.specialty for each in practices], practice),
        "frequency": _texts([each.name for each in FREQUENCIES], frequency),
        "date_index": pa.array(days).view(pa.date32()),
        "measure_value": _decimals(cents, is_null=cases < 2),
        "cases": pa.array(cases),
        "loaded_at": pa.array(np.full(len(entry), _LOADED_AT)).view(pa.timestamp("us", tz="UTC")),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _cents(
    measure: _Array, frequency: _Array, days: _Array, size: _Array, random: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Values in hundredths: the level, times size, share of a month, growth, season and noise."""

    def of_measure(name: str) -> _Array:
        column: _Array = np.array([getattr(each, name) for each in MEASURES])[measure]
        return column

    types = np.array([each.type for each in MEASURES])
    is_level = (types == "percentage")[measure] | (of_measure("name") == "Days in A/R")
    share = np.array([each.share for each in FREQUENCIES])[frequency]
    years = (days - _ORIGIN_OF_GROWTH) / _YEAR
    angle = 2 * np.pi * (days % _YEAR / _YEAR - (of_measure("peak") - 0.5) / 12)
    value = of_measure("monthly") * (1 + of_measure("growth") * years)
    value *= 1 + of_measure("season") * np.cos(angle) * ~is_level
    value *= np.maximum(0.0, 1 + of_measure("noise") * random.standard_normal(len(days)))
    value *= np.where(is_level, 1.0, size * share)
    value = np.where((types == "percentage")[measure], np.clip(value, 0, 100), value)
    value = np.where((types == "count")[measure], np.rint(value), value)
    cents: npt.NDArray[np.int64] = np.rint(value * 100).astype(np.int64)
    return cents


def _texts(values: Sequence[str | None], codes: _Array) -> pa.Array:
    return pa.array(values, pa.string()).take(pa.array(codes))


def _decimals(cents: npt.NDArray[np.int64], *, is_null: npt.NDArray[np.bool_]) -> pa.Array:
    """Hundredths as decimal128(14, 2): 16 bytes each, the upper half being the sign."""
    words = np.empty((len(cents), 2), dtype=np.int64)
    words[:, 0] = cents
    words[:, 1] = cents >> 63
    valid = pa.py_buffer(np.packbits(~is_null, bitorder="little"))
    type_ = pa.decimal128(14, 2)
    return pa.Array.from_buffers(type_, len(cents), [valid, pa.py_buffer(words)])
