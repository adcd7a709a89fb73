"""Streamed exports: of any size, whole or visibly broken, under rights that still hold."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis.asyncio as redis
from tests.support.audit import read_lines
from tests.support.caches import ACCESS, NOTHING_KEPT, TABLE, execute, make_cache, select

from warmcube import AccessDenied, AnalyticsCache, Filter, Query
from warmcube.errors import (
    ExportBroken,
    InvalidQuery,
    LimitExceeded,
    SourceUnavailable,
    StoreUnavailable,
    UnknownDatasource,
)
from warmcube.query.formats import to_arrow_stream, to_csv, to_json

CHARGES: dict[str, Any] = {"datasource": 1, "measure": "Charges", "frequency": "Monthly"}
NORTH = "practice_uid IN (101, 102, 103)"
READ = '"analytics:read:organization"'
EXPORT = '"analytics:export:organization"'
EXPORTING = ACCESS.replace(READ, f"{READ}, {EXPORT}").replace(
    '"analytics:read:all"', '"analytics:read:all", "analytics:export:all"'
)
FORMATS = ("csv", "jsonl", "arrow", "parquet")


@pytest.fixture(scope="module")
def facts(postgres_module_db: str) -> str:
    """A database with the table, some of whose values have no place in Arrow's types."""
    execute(
        postgres_module_db,
        TABLE,
        "INSERT INTO ih.facts VALUES ('odd', 101, 1, 'Monthly', '2024-01-01', 1, '=1+1');\n"
        "INSERT INTO ih.facts VALUES ('odd', 101, 2, 'Monthly', '2024-01-02', 'NaN', '-x');\n"
        "INSERT INTO ih.facts VALUES ('odd', 112, 2, 'Monthly', 'infinity', -2, NULL)",
    )
    return postgres_module_db


@pytest.fixture
async def cache(tmp_path: Path, redis_url: str, facts: str) -> AsyncIterator[AnalyticsCache]:
    """A warm cache whose analysts may export, and whose answers may have few rows."""
    made = make_cache(tmp_path, redis_url, facts, access=EXPORTING, environment=NOTHING_KEPT)
    async with made as cache:
        await cache.warm(1)
        yield cache


async def stream(
    cache: AnalyticsCache, query: Query, format: str, user: str = "north", chunk_rows: int = 20
) -> tuple[bytes, Any]:
    """A whole export, and the stream that it came from."""
    grant = await cache.authorize(user)
    found = await cache.export_stream(query, grant, format, chunk_rows=chunk_rows)
    return b"".join([data async for data in found]), found


def arrow_of(data: bytes, format: str) -> pa.Table:
    """What an Arrow stream or a Parquet file holds."""
    if format == "parquet":
        return pq.read_table(io.BytesIO(data))
    with pa.ipc.open_stream(data) as reader:
        return reader.read_all()


QUERIES: dict[str, dict[str, Any]] = {
    "rows": {},
    "conditions": {"where": [Filter("measure_value", "gt", 25500)], "start": "2024-01-02"},
    "limit": {"limit": 45},
    "no rows by limit": {"limit": 0},
    "no rows": {"practices": []},
    "nothing that fits": {"where": [Filter("note", "eq", "nowhere")]},
    "no such measure": {"measure": "nothing"},
    "odd values": {"measure": "odd"},
    "ordered": {"order_by": ["-measure_value", "date_index"], "limit": 70},
    "grouped": {"group_by": ["date_index", "practice_uid"], "aggregate": "avg"},
    "counted": {"aggregate": "count"},
}


@pytest.mark.parametrize("is_warm", [True, False])
@pytest.mark.parametrize("user", ["north", "root"])
@pytest.mark.parametrize("name", QUERIES)
async def test_a_stream_is_the_export(
    cache: AnalyticsCache, name: str, user: str, *, is_warm: bool
) -> None:
    """In every format and from both tiers: the same rows, types and order as in one piece."""
    if not is_warm:
        await cache.invalidate(1)
    query = Query(**(CHARGES | QUERIES[name]))
    whole = await cache.export(query, await cache.authorize(user))
    assert whole.meta.origin == ("store" if is_warm else "database")
    for kind in FORMATS:
        data, found = await stream(cache, query, kind, user)
        if kind == "csv":
            assert sorted(data.split(b"\r\n")) == sorted(to_csv(whole).split(b"\r\n"))
        elif kind == "jsonl":
            rows = [json.loads(line, parse_float=Decimal) for line in data.splitlines()]
            expected = json.loads(to_json(whole), parse_float=Decimal)
            assert sorted(map(str, rows)) == sorted(map(str, expected))
        else:
            assert arrow_of(data, kind).schema == whole.to_arrow().schema
            assert sorted(map(str, arrow_of(data, kind).to_pylist())) == sorted(
                map(str, whole.to_arrow().to_pylist())
            )
        if is_warm and kind == "csv":
            assert data == to_csv(whole)
        if is_warm and kind == "arrow":
            assert arrow_of(data, kind).equals(arrow_of(to_arrow_stream(whole), kind))
        assert found.rows == len(whole)
        assert found.meta.origin == whole.meta.origin
        assert found.meta.snapshot == whole.meta.snapshot


async def test_spreadsheets_are_given_no_formulas(cache: AnalyticsCache) -> None:
    """Texts only: numbers stay numbers."""
    grant = await cache.authorize("root")
    query = Query(datasource=1, measure="odd", frequency="Monthly")
    found = await cache.export_stream(query, grant, "csv", spreadsheet=True)
    lines = b"".join([data async for data in found]).decode().splitlines()
    assert sorted(line.split(",")[-2:] for line in lines) == [
        ["-2.00", ""],
        ["1.00", "'=1+1"],
        ["NaN", "'-x"],
        ["measure_value", "note"],
    ]


@pytest.mark.parametrize("is_warm", [True, False])
async def test_answers_beyond_the_limit_of_rows(
    tmp_path: Path, redis_url: str, facts: str, *, is_warm: bool
) -> None:
    """Are streamed, to those who may export; what has to be evaluated whole is bounded as ever."""
    more = "[limits]\nrows = 40\ngroups = 5"
    made = make_cache(tmp_path, redis_url, facts, access=EXPORTING, more=more)
    async with made as cache:
        if is_warm:
            await cache.warm(1)
        with pytest.raises(LimitExceeded):
            await cache.export(Query(**CHARGES), await cache.authorize("north"))
        data, found = await stream(cache, Query(**CHARGES), "csv")
        rows = select(
            facts,
            "SELECT 1 FROM ih.facts WHERE measure = 'Charges' AND frequency = 'Monthly' "
            f"AND {NORTH}",
        )
        assert (len(data.splitlines()), found.rows) == (len(rows) + 1, len(rows))
        for whole in ({"order_by": ["note"]}, {"group_by": ["date_index"], "aggregate": "sum"}):
            with pytest.raises(LimitExceeded):
                await stream(cache, Query(**CHARGES, **whole), "csv")


async def test_what_is_wrong_is_said_before_the_first_byte(cache: AnalyticsCache) -> None:
    """Formats, queries, rights: none of them breaks a stream."""
    grant = await cache.authorize("north")
    with pytest.raises(InvalidQuery, match="expected one of csv, jsonl, arrow, parquet"):
        await cache.export_stream(Query(**CHARGES), grant, "xlsx")
    with pytest.raises(InvalidQuery, match="spreadsheet is for csv"):
        await cache.export_stream(Query(**CHARGES), grant, "arrow", spreadsheet=True)
    with pytest.raises(InvalidQuery, match="order_by"):
        await cache.export_stream(Query(**CHARGES, order_by="date"), grant)
    with pytest.raises(UnknownDatasource):
        await cache.export_stream(Query(datasource=9), grant)
    with pytest.raises(AccessDenied):
        await cache.export_stream(Query(**CHARGES, practices=[110]), grant)
    with pytest.raises(AccessDenied, match="export"):
        await cache.export_stream(Query(**CHARGES), await cache.authorize("provider"))


def exports(tmp_path: Path) -> list[dict[str, Any]]:
    """The lines of the audit about exports."""
    lines = read_lines((tmp_path / ".warmcube/audit.jsonl").read_bytes())
    return [line for line in lines if line["event"] == "exported"]


async def test_an_export_has_a_line_at_each_end(cache: AnalyticsCache, tmp_path: Path) -> None:
    """With the format, and how many rows went out; one that is closed early isn't done."""
    await stream(cache, Query(**CHARGES), "jsonl")
    grant = await cache.authorize("north")
    async with await cache.export_stream(Query(**CHARGES), grant, chunk_rows=20) as half:
        assert (await anext(half)).startswith(b"measure,")
        assert (await anext(half)).count(b"\r\n") == half.rows > 0
        assert repr(half) == f"<ExportStream: {half.rows} rows so far from the store>"
    untouched = await cache.export_stream(Query(**CHARGES), grant)
    await untouched.aclose()
    await stream(cache, Query(**CHARGES, practices=[]), "csv")  # nothing: no export
    await cache._parts.trail.close()
    told = [
        (line["phase"], line["outcome"], line["format"], line["rows"], line["error"])
        for line in exports(tmp_path)
    ]
    assert told == [
        ("begin", "allowed", "jsonl", None, None),
        ("end", "done", "jsonl", 91, None),
        ("begin", "allowed", "csv", None, None),
        ("end", "failed", "csv", half.rows, "Closed"),
        ("begin", "allowed", "csv", None, None),
        ("end", "failed", "csv", 0, "Closed"),
    ]
    ids = [line["export"] for line in exports(tmp_path)]
    assert ids[::2] == ids[1::2]
    assert len(set(ids)) == 3


async def until_broken(
    cache: AnalyticsCache, error: type[Exception], first: int, then: Any, **query: Any
) -> Exception:
    """Take some pieces, have something happen, and take the rest: an error, not an end."""
    grant = await cache.authorize("north")
    found = await cache.export_stream(Query(**CHARGES, **query), grant, chunk_rows=20)
    for _ in range(first):
        await anext(found)
    await then()
    with pytest.raises(error) as caught:
        async for _ in found:
            pass
    assert [data async for data in found] == []  # nothing follows an error
    return caught.value


async def test_a_rewarm_breaks_the_stream_off(cache: AnalyticsCache, tmp_path: Path) -> None:
    """Rather than mixing snapshots, or going on with one that was taken away."""
    error = await until_broken(cache, ExportBroken, 2, lambda: cache.warm(1))
    assert "warmed anew" in str(error)
    await until_broken(cache, ExportBroken, 2, lambda: cache.invalidate(1))
    await cache._parts.trail.close()
    ends = [line for line in exports(tmp_path) if line["phase"] == "end"]
    assert [(line["outcome"], line["error"]) for line in ends] == [("failed", "ExportBroken")] * 2
    assert all(0 < line["rows"] < 91 for line in ends)


async def test_damage_on_the_way_breaks_the_stream_off(
    cache: AnalyticsCache, redis_url: str
) -> None:
    """A lost entry is no shorter file; at the beginning the database answers."""

    async def lose() -> None:
        async with redis.Redis.from_url(redis_url) as client:
            await client.delete(*await client.keys("cache:*Charges*Monthly*:p:103:prov:3"))

    await until_broken(cache, ExportBroken, 2, lose)
    await cache.damage.settled()
    async with redis.Redis.from_url(redis_url) as client:
        assert await client.hlen("cache:meta:{ds:1}:damage") == 2  # so that it is repaired
    data, found = await stream(cache, Query(**CHARGES), "arrow")  # which looks through all first
    assert found.meta.origin == "database"
    assert "damage" in found.meta.notes[0]
    assert arrow_of(data, "arrow").num_rows == 91


async def test_a_store_that_is_gone_breaks_the_stream_off(
    cache: AnalyticsCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an error that says what to do."""

    async def run(*_: object, **__: object) -> None:
        raise StoreUnavailable("gone")

    async def leave() -> None:
        monkeypatch.setattr(cache._parts.store, "run", run)

    error = await until_broken(cache, ExportBroken, 2, leave)
    assert "export again" in str(error)


@pytest.mark.parametrize("is_warm", [True, False])
async def test_a_right_that_ends_ends_the_stream(
    cache: AnalyticsCache, tmp_path: Path, *, is_warm: bool
) -> None:
    """Also where rows are left that one may still have; and it is audited."""
    if not is_warm:
        await cache.invalidate(1)

    def become(old: str, new: str) -> Any:
        async def then() -> None:
            assert old in EXPORTING
            (tmp_path / "access.toml").write_text(EXPORTING.replace(old, new))
            await cache._parts.authoriser.authorize("root")  # it looks for news

        return then

    fewer = become("practices = [101, 102]", "practices = [101]")
    error = await until_broken(cache, AccessDenied, 2, fewer)
    assert "throw away" in str(error)
    await become("practices", "practices")()
    gone = become(f"{READ}, {EXPORT}", READ)
    await until_broken(cache, AccessDenied, 2, gone)
    await become("practices", "practices")()
    inactive = become('id = "north"\nroles', 'id = "north"\nactive = false\nroles')
    await until_broken(cache, AccessDenied, 2, inactive)
    await cache._parts.trail.close()
    ends = [line for line in exports(tmp_path) if line["phase"] == "end"]
    assert [(line["outcome"], line["error"]) for line in ends] == [("failed", "AccessDenied")] * 3
    lines = read_lines((tmp_path / ".warmcube/audit.jsonl").read_bytes())
    assert {"denied"} <= {line["event"] for line in lines}


async def test_rights_that_change_while_it_begins(
    cache: AnalyticsCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins anew, with what one may have now."""
    reader = cache._parts.answerer._reader
    before = reader.scan
    changed = EXPORTING.replace("practices = [101, 102]", "practices = [102]")

    def scan(*arguments: Any) -> Any:
        (tmp_path / "access.toml").write_text(changed)
        cache._parts.authoriser._looked = float("-inf")
        return before(*arguments)

    monkeypatch.setattr(reader, "scan", scan)
    data, found = await stream(cache, Query(**CHARGES), "jsonl")
    assert {json.loads(line)["practice_uid"] for line in data.splitlines()} == {102, 103}
    assert found.rows == 60


async def test_a_stream_holds_no_place_while_nobody_takes_from_it(cache: AnalyticsCache) -> None:
    """However slow the reader is: neither among the user's reads, nor at the database."""
    await cache.invalidate(1)
    grant = await cache.authorize("north")
    streams = [await cache.export_stream(Query(**CHARGES), grant, chunk_rows=20) for _ in range(20)]
    for each in streams:
        await anext(each)
        await anext(each)
    assert cache._parts.answerer._running.taken == 0
    assert cache._parts.answerer._falling_back.taken == 0
    assert len((await cache.query(Query(**CHARGES), grant)).rows()) == 91
    for each in streams:
        await each.aclose()


async def test_no_tier_is_an_error_before_the_first_byte(tmp_path: Path) -> None:
    """As for a query."""
    url = "postgresql://user@127.0.0.1:1/db"
    async with make_cache(tmp_path, "redis://127.0.0.1:1/0", url, access=EXPORTING) as cache:
        with pytest.raises(SourceUnavailable):
            await cache.export_stream(Query(**CHARGES), await cache.authorize("north"))
