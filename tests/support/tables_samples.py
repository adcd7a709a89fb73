"""The tables of the comparison with SQL: together they have every type, every role, every name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tests.support import tables_values as fill
from tests.support.tables import Fill, Sample, SampleColumn

from warmcube.model.schema import Kind, Roles

__all__ = ["PRACTICES", "PROVIDERS", "SAMPLES"]

PRACTICES = 16
"""Practices that tables have rows of; each has an id in every type."""

PROVIDERS = 40

_ID = SampleColumn("row_id", "bigint", Kind.BIGINT, lambda _random: "", 0.0)


def _role(name: str, sql: str, kind: Kind, values: Fill, nulls: float = 0.05) -> SampleColumn:
    return SampleColumn(name, sql, kind, values, nulls)


def _pick(values: Sequence[str]) -> Fill:
    return lambda random: random.choice(values)


_NUMBERS = (
    SampleColumn("tiny", "smallint", Kind.SMALLINT, fill.integers(16)),
    SampleColumn("whole", "integer", Kind.INTEGER, fill.integers(32), 0.0),
    SampleColumn("large", "bigint", Kind.BIGINT, fill.integers(64)),
    SampleColumn("single", "real", Kind.REAL, fill.reals),
    SampleColumn("twice", "double precision", Kind.DOUBLE, fill.doubles),
    SampleColumn("flag", "boolean", Kind.BOOLEAN, _pick(["true", "false"])),
    SampleColumn("narrow", "numeric(7,3)", Kind.NUMERIC, fill.numerics(4, 3)),
    SampleColumn("edge", "numeric(18,4)", Kind.NUMERIC, fill.numerics(14, 4)),
    SampleColumn("wide", "numeric(38,10)", Kind.NUMERIC, fill.numerics(28, 10)),
    SampleColumn("count", "numeric(19)", Kind.NUMERIC, fill.numerics(19, 0)),
)
_TIMES = (
    SampleColumn("day", "date", Kind.DATE, fill.days),
    SampleColumn("moment", "timestamp", Kind.TIMESTAMP, fill.moments("")),
    SampleColumn("instant", "timestamptz", Kind.TIMESTAMPTZ, fill.moments("+00")),
)
_TEXTS = (
    SampleColumn("words", "text", Kind.TEXT, _pick(fill.NASTY)),
    SampleColumn("short", "varchar(60)", Kind.TEXT, _pick(fill.NASTY)),
    SampleColumn("mood", "ih.mood", Kind.TEXT, _pick(["sad", "ok", "Überglücklich {x}", ""])),
    SampleColumn("document", "jsonb", Kind.TEXT, _pick(fill.DOCUMENTS)),
    SampleColumn("numbers", "integer[]", Kind.TEXT, _pick(fill.NUMBER_ARRAYS)),
    SampleColumn("lists", "text[]", Kind.TEXT, _pick(fill.TEXT_ARRAYS)),
    SampleColumn("key", "uuid", Kind.UUID, fill.uuids),
    SampleColumn("nothing", "text", Kind.TEXT, _pick(["never"]), 1.0),
)
_OTHERS = (
    SampleColumn("padded", "char(4)", Kind.TEXT, _pick(["a", "a b", "", "abcd"])),
    SampleColumn("clock", "time", Kind.TEXT, _pick(["00:00:00", "23:59:59.999999", "12:30:00"])),
    SampleColumn("span", "interval", Kind.TEXT, _pick(["1 day", "-1 mons +2 days", "00:00:00"])),
    SampleColumn("raw", "bytea", Kind.TEXT, _pick(["\\x", "\\x00ff", "\\xdeadbeef"])),
    SampleColumn("host", "inet", Kind.TEXT, _pick(["10.0.0.1", "::1", "10.0.0.0/8"])),
    SampleColumn(
        "free", "numeric", Kind.NUMERIC, fill.numerics(9, 6, has_infinities=True), 0.1, True
    ),
    SampleColumn("hundreds", "numeric(4,-2)", Kind.NUMERIC, _pick(["0", "51", "-99", "812345"])),
    SampleColumn("crumbs", "numeric(3,5)", Kind.NUMERIC, _pick(["0", "0.00999", "-0.00001"])),
    SampleColumn('Größe "x" %s {} $1', "integer", Kind.INTEGER, fill.integers(8)),
    SampleColumn("-minus", "integer", Kind.INTEGER, fill.integers(4)),
    SampleColumn("sum", "text", Kind.TEXT, _pick(["a", "b"])),
)


def _practice(kind: Kind, nulls: float = 0.05) -> SampleColumn:
    return _role(
        "practice_uid", kind.value, kind, _pick(fill.ids("practice", kind, PRACTICES)), nulls
    )


def _provider(kind: Kind, nulls: float = 0.15) -> SampleColumn:
    return _role(
        "provider_uid", kind.value, kind, _pick(fill.ids("provider", kind, PROVIDERS)), nulls
    )


def _skewed(values: Sequence[str]) -> Fill:
    """The first ones are the most frequent, so that partitions differ in size."""
    return lambda random: values[int(random.random() ** 2 * len(values))]


def _measure(values: Sequence[str], sql: str = "text", kind: Kind = Kind.TEXT) -> SampleColumn:
    return _role("measure", sql, kind, _skewed(values))


_NASTY_MEASURES = _measure(fill.NASTY)
_MEASURES = _measure(["Charges", "Payments", "A/R > 90 days: {net} 100%", ""])
_FREQUENCIES = _role("frequency", "text", Kind.TEXT, _pick(["Monthly", "Weekly", "*"]))
_DATE = _role("date_index", "date", Kind.DATE, fill.days)
_MONEY = _role("measure_value", "numeric(14,2)", Kind.NUMERIC, fill.numerics(12, 2))


def _value(sql: str, kind: Kind, values: Fill, *, is_unconstrained: bool = False) -> SampleColumn:
    return SampleColumn("measure_value", sql, kind, values, 0.1, is_unconstrained)


def _samples() -> tuple[Sample, ...]:
    key = Kind.UUID
    measure_ids = fill.ids("measure", Kind.UUID, 3)
    return (
        Sample(
            1,
            "money",
            (
                _ID,
                _MEASURES,
                _practice(Kind.INTEGER),
                _provider(Kind.INTEGER),
                _FREQUENCIES,
                _DATE,
                _MONEY,
                *_NUMBERS,
                *_TIMES,
                *_TEXTS,
            ),
            rows=2500,
            weight=2.0,
        ),
        Sample(
            2,
            "instants",
            (
                _NASTY_MEASURES,
                _practice(Kind.BIGINT),
                _ID,
                _provider(Kind.BIGINT),
                _role("frequency", "ih.mood", Kind.TEXT, _pick(["sad", "ok", ""])),
                _role("date_index", "timestamptz", Kind.TIMESTAMPTZ, fill.moments("+00")),
                _value("bigint", Kind.BIGINT, fill.near(2**62)),
                *_OTHERS,
            ),
            rows=2500,
            weight=1.5,
            time_zone="Europe/Berlin",
        ),
        Sample(
            3,
            "texts",
            (
                _ID,
                _role('Maß "1"', "varchar(80)", Kind.TEXT, _skewed(fill.NASTY)),
                _practice(Kind.TEXT),
                _provider(Kind.TEXT),
                _role("frequency", "text", Kind.TEXT, _skewed(["", "Monthly"])),
                _role("date_index", "timestamp", Kind.TIMESTAMP, fill.moments("")),
                _value("double precision", Kind.DOUBLE, fill.summable_doubles),
                *_TEXTS,
            ),
            roles=Roles(measure='Maß "1"'),
            time_zone="Asia/Kathmandu",
        ),
        Sample(
            4,
            "keys",
            (
                _ID,
                _measure(measure_ids, "uuid", key),
                _practice(key),
                _provider(key),
                _role("frequency", "integer", Kind.INTEGER, _pick(["1", "-7", "30"])),
                _role("date_index", "timestamptz", Kind.TIMESTAMPTZ, fill.moments("+00")),
                _value(
                    "numeric",
                    Kind.NUMERIC,
                    fill.numerics(10, 9, has_infinities=True),
                    is_unconstrained=True,
                ),
                *_TIMES,
            ),
            weight=1.5,
            time_zone="America/Havana",
        ),
        Sample(
            5,
            "unmeasured",
            (
                _ID,
                _practice(Kind.INTEGER),
                _provider(Kind.INTEGER, 0.0),
                _DATE,
                _value("real", Kind.REAL, fill.summable_reals),
            ),
            roles=Roles(measure=None, frequency=None),
            rows=900,
            weight=0.6,
        ),
        Sample(
            6,
            "impersonal",
            (
                _ID,
                _MEASURES,
                _practice(Kind.TEXT),
                _FREQUENCIES,
                _value("numeric(30,4)", Kind.NUMERIC, fill.numerics(26, 4)),
                _TIMES[0],
            ),
            roles=Roles(provider=None, date=None),
            rows=900,
            weight=0.6,
        ),
        Sample(
            7,
            "placeless",
            (_ID, _MEASURES, _provider(Kind.INTEGER), _DATE, _value("date", Kind.DATE, fill.days)),
            roles=Roles(practice=None, frequency=None),
            rows=600,
            weight=0.4,
        ),
        Sample(
            8,
            "worthless",
            (_ID, _practice(key), _provider(Kind.TEXT), _FREQUENCIES, _DATE, *_NUMBERS),
            roles=Roles(measure=None, value=None),
            rows=900,
            weight=0.5,
        ),
        Sample(
            9,
            "guarded",
            (
                _ID,
                _MEASURES,
                _practice(Kind.INTEGER, 0.0),
                _provider(Kind.INTEGER),
                _FREQUENCIES,
                _DATE,
                _value("text", Kind.TEXT, _pick(fill.NASTY)),
            ),
            door=("org_analyst", "guest"),
            rows=900,
            weight=0.6,
        ),
        Sample(
            10,
            "crowded",
            (
                _ID,
                _measure([f"m{place}" for place in range(40)]),
                _practice(Kind.INTEGER),
                _provider(Kind.INTEGER),
                _FREQUENCIES,
                _DATE,
                _value("numeric(38,10)", Kind.NUMERIC, fill.numerics(20, 10)),
                SampleColumn("unlike", "text", Kind.TEXT, fill.distinct_texts, 0.02),
                SampleColumn("alike", "text", Kind.TEXT, _pick(fill.NASTY)),
            ),
            rows=72_000,
            weight=0.8,
        ),
        Sample(
            11,
            "bulky",
            (
                _ID,
                _measure(["Charges", "Payments"]),
                _practice(Kind.INTEGER),
                _provider(Kind.INTEGER),
                _FREQUENCIES,
                _DATE,
                _value("smallint", Kind.SMALLINT, fill.integers(16)),
                SampleColumn("essay", "text", Kind.TEXT, fill.long_texts, 0.2),
            ),
            rows=300,
            weight=0.2,
        ),
    )


SAMPLES: Final = {sample.name: sample for sample in _samples()}
"""By name; without rows until `Sample.make`."""
