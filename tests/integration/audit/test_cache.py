"""Whatever a cache decides is in its audit, and nothing is answered that had to be and isn't."""

# ruff: noqa: ASYNC240 - small files, and nothing else waits

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.audit import read_lines
from tests.support.caches import ACCESS, TABLE, execute, make_cache

from warmcube import AccessDenied, AnalyticsCache, Filter, Query
from warmcube.config import load
from warmcube.errors import AuditError, TableMismatch, UnknownDatasource

EXPORTING = ACCESS.replace(
    'org_analyst = ["analytics:read:organization"]',
    'org_analyst = ["analytics:read:organization", "analytics:export:organization"]',
)
CHARGES = Query(datasource=1, measure="Charges", frequency="Monthly")

Open = Callable[..., AbstractAsyncContextManager[AnalyticsCache]]


@pytest.fixture(scope="module")
def facts(postgres_module_db: str) -> str:
    """A database with the table."""
    execute(postgres_module_db, TABLE)
    return postgres_module_db


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    """The file of the audit."""
    return tmp_path / "audit.jsonl"


@pytest.fixture
def open_cache(tmp_path: Path, redis_url: str, facts: str, audit: Path) -> Open:
    """Opens a warm cache that writes its audit there."""

    @asynccontextmanager
    async def opened(more: str = "", **about: Any) -> AsyncIterator[AnalyticsCache]:
        section = f'[audit]\npath = "{audit}"\n{more}'
        made = make_cache(tmp_path, redis_url, facts, access=EXPORTING, more=section)
        async with made as warming:
            await warming.warm(1)
        audit.unlink(missing_ok=True)
        async with AnalyticsCache(load(tmp_path / "warmcube.toml", {}), **about) as cache:
            yield cache

    return opened


def _brief(line: dict[str, Any]) -> tuple[Any, ...]:
    return line["event"], line.get("subject"), line.get("action"), line["outcome"]


async def test_every_kind_of_read(open_cache: Open, audit: Path) -> None:
    """Each answer has its line: who asked as whom, for what, by which rights, and how many rows."""
    async with open_cache(actor="web") as cache:
        grant = await cache.authorize("north", actor="job 7")
        asked = Query(
            datasource=1,
            measure="Charges",
            frequency="Monthly",
            organization="north",
            practices=[101],
            where=[Filter("note", "like", "a secret of somebody")],
        )
        await cache.query(asked, grant)
        exported = await cache.export(CHARGES, grant)
        await cache.values(1, "note", grant, measure="Charges", frequency="Monthly")
        await cache.measures(1, grant)
        nothing = await cache.authorize("nobody")
        assert len(await cache.query(CHARGES, nothing)) == 0
    directory, *lines = read_lines(audit.read_bytes())
    assert (directory["event"], directory["actor"], directory["users"]) == (
        "directory_changed",
        "web",
        5,
    )
    assert [_brief(line) for line in lines] == [
        ("granted", "north", "query", "allowed"),
        ("exported", "north", "export", "allowed"),
        ("exported", "north", "export", "done"),
        ("granted", "north", "values", "allowed"),
        ("granted", "north", "measures", "allowed"),
        ("empty_grant", "nobody", "query", "empty"),
    ]
    assert {line["actor"] for line in lines[:-1]} == {"job 7"}
    assert lines[-1]["actor"] == "web"
    assert lines[-1]["reason"] == "no practices"
    query, begin, end, values, *_ = lines
    assert query["because"] == [
        {"role": "org_analyst", "permission": "analytics:read:organization", "organization": None}
    ]
    assert (query["practices"], query["providers"], query["organization"]) == ([101], None, "north")
    assert query["conditions"] == [{"column": "note", "operator": "like"}]
    assert begin["export"] == end["export"]
    assert end["rows"] == len(exported)
    assert values["column"] == "note"
    assert b"a secret of somebody" not in audit.read_bytes()


async def test_every_refusal(open_cache: Open, audit: Path) -> None:
    """Denials, filters that are blocked, doors: each with its reason, none with its message."""
    async with open_cache() as cache:
        north = await cache.authorize("north")
        own = await cache.authorize("provider")
        for user in ("eve", "mallory\x1b[2J\n", "lost and unknown"):
            with pytest.raises(AccessDenied):
                await cache.authorize(user)
        for asked, grant in (
            (Query(datasource=1, measure="Charges", practices=[110]), north),
            (Query(datasource=1, measure="Charges", organization="south"), north),
            (Query(datasource=1, measure="Charges", providers=[1]), own),
            (CHARGES, object()),
        ):
            with pytest.raises(AccessDenied):
                await cache.query(asked, grant)  # type: ignore[arg-type]
        with pytest.raises(UnknownDatasource):
            await cache.values(7, "note", north)
        with pytest.raises(AccessDenied):
            await cache.export(CHARGES, own)
    _, *lines = read_lines(audit.read_bytes())
    found = {(line["event"], line["reason"], line["subject"]) for line in lines}
    assert found == {
        ("denied", "unknown user", "eve"),
        ("denied", "unknown user", None),
        ("blocked_filter", "practice outside the scope", "north"),
        ("blocked_filter", "organization outside the scope", "north"),
        ("blocked_filter", "provider outside the scope", "provider"),
        ("denied", "foreign grant", None),
        ("denied", "unknown data source", "north"),
        ("denied", "no permission to export this data source", "provider"),
    }
    folded = next(line for line in lines if line["subjects"] is not None)
    assert folded["repeated"] == 1
    assert "\\u{1b}" in str(folded["subjects"]) or "\\u{1b}" in audit.read_text(encoding="utf-8")
    assert b"\x1b" not in audit.read_bytes()


async def test_repeated_denials_dont_fill_the_disk(open_cache: Open, audit: Path) -> None:
    """A thousand of one kind are two lines, and all are counted."""
    async with open_cache() as cache:
        grant = await cache.authorize("north")
        for _ in range(1000):
            with pytest.raises(AccessDenied):
                await cache.query(Query(datasource=1, measure="Charges", practices=[110]), grant)
    lines = [line for line in read_lines(audit.read_bytes()) if line["event"] == "blocked_filter"]
    assert len(lines) == 2
    assert sum(1 + line["repeated"] for line in lines) == 1000


async def test_warming_and_invalidating(open_cache: Open, audit: Path) -> None:
    """What changes the store is written too, with who did it."""
    async with open_cache(actor="cli:op") as cache:
        report = await cache.warm(1, force=True)
        await cache.invalidate(1, actor="deploy")
    warmed, invalidated = read_lines(audit.read_bytes())
    assert (warmed["event"], warmed["actor"], warmed["forced"], warmed["rows"]) == (
        "warmed",
        "cli:op",
        True,
        report.rows,
    )
    assert (invalidated["event"], invalidated["actor"], invalidated["was_live"]) == (
        "invalidated",
        "deploy",
        True,
    )


async def test_a_warm_that_fails(open_cache: Open, facts: str, audit: Path) -> None:
    """It is written as such."""
    execute(facts, "ALTER TABLE ih.facts RENAME TO gone")
    try:
        with pytest.raises(TableMismatch):
            async with open_cache():
                pass
    finally:
        execute(facts, "ALTER TABLE ih.gone RENAME TO facts")
    (line,) = read_lines(audit.read_bytes())
    assert (line["event"], line["outcome"], line["error"]) == ("warmed", "failed", "TableMismatch")


async def test_a_directory_that_changes(open_cache: Open, tmp_path: Path, audit: Path) -> None:
    """Another directory is told with its versions; one that is refused with its defects."""
    async with open_cache() as cache:
        await cache.authorize("root")
        file = tmp_path / "access.toml"
        file.write_text(EXPORTING.replace('id = "nobody"', 'id = "somebody"'))
        await cache.authorize("somebody")
        file.write_text(EXPORTING.replace('["org_analyst"]', '["org_analist"]'))
        await cache.authorize("somebody")
    first, second, refused = read_lines(audit.read_bytes())
    assert first["before"] is None
    assert second["before"] == first["after"]
    assert (refused["outcome"], refused["after"]) == ("failed", None)
    assert "there is no role 'org_analist'" in refused["error"]


async def test_probes_are_marked(open_cache: Open, audit: Path) -> None:
    """What the isolation kit tries alarms nobody."""
    async with open_cache(is_probe=True) as cache:
        grant = await cache.authorize("north")
        await cache.query(CHARGES, grant)
        with pytest.raises(AccessDenied):
            await cache.query(Query(datasource=1, measure="Charges", practices=[110]), grant)
    assert {line["probe"] for line in read_lines(audit.read_bytes())} == {True}


async def test_no_audit_no_answer(open_cache: Open, audit: Path) -> None:
    """Where it is required, a sink that fails lets nothing out; and no denial through either."""
    async with open_cache("required = true\n") as cache:
        grant = await cache.authorize("north")
        assert len(await cache.query(CHARGES, grant)) > 0
        assert b'"granted"' in audit.read_bytes()
        audit.unlink()
        audit.symlink_to("/dev/full")
        for read in (
            cache.query(CHARGES, grant),
            cache.export(CHARGES, grant),
            cache.values(1, "note", grant, measure="Charges", frequency="Monthly"),
            cache.measures(1, grant),
            cache.query(CHARGES, await cache.authorize("nobody")),
        ):
            with pytest.raises(AuditError, match=r"\[audit\] required = true"):
                await read
        with pytest.raises(AccessDenied):
            await cache.query(Query(datasource=1, measure="Charges", practices=[110]), grant)
        with pytest.raises(AccessDenied):
            await cache.authorize("eve")


async def test_where_it_isnt_required(
    open_cache: Open, audit: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Answers go on, a denial stays one, and the trouble is told."""
    async with open_cache() as cache:
        grant = await cache.authorize("north")
        audit.unlink(missing_ok=True)
        audit.symlink_to("/dev/full")
        assert len(await cache.query(CHARGES, grant)) > 0
        with pytest.raises(AccessDenied):
            await cache.query(Query(datasource=1, measure="Charges", practices=[110]), grant)
    assert any("audit" in record.message for record in caplog.records)


async def test_long_names_dont_wait_to_be_written(open_cache: Open, audit: Path) -> None:
    """Whatever somebody makes up, a line that waits has its beginning and not all of it."""
    long, asked = 200_000, 200
    nothing_kept = "[cache]\nindex_bytes = 0\nresident_bytes = 0"
    async with open_cache(nothing_kept) as cache:
        grant = await cache.authorize("north")
        async with cache._parts.trail._writing:  # as if the sink hung
            await cache.query(CHARGES, grant)
            tracemalloc.start()
            for number in range(asked):
                query = replace(CHARGES, measure=f"{number:06}" + "x" * long)
                assert len(await cache.query(query, grant)) == 0
            held, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
    assert held < long * asked / 2
    told = [str(line.get("measure")) for line in read_lines(audit.read_bytes())]
    cut = [measure[:6] for measure in told if measure.endswith(f"({long + 6:,} characters)")]
    assert cut == [f"{number:06}" for number in range(asked)]
