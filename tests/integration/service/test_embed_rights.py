"""What an embed is worth while the rights of whoever made it change: as much as they are."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.support.audit import read_lines
from tests.support.directories import change as change_tables
from tests.support.directories import fill, least_seconds, use_database
from tests.support.embeds import (
    ACCESS,
    ASKED,
    BOARDS,
    FIXED,
    NORTH,
    VISIBLE,
    YEAR,
    condition_of,
    look,
    mint,
    settings_of,
    shown,
    sums,
    sums_in,
)
from tests.support.leaks import LeakScan
from tests.support.services import open_client

from warmcube.config import load
from warmcube.dashboard.render import GivenDashboards

PROMISED = 1.5
"""Seconds in which a change has to be seen: one, and a look that had begun."""
WITHIN = 10.0
"""Seconds that are waited for a change at most, on a machine that is shared."""
ANA = 'id = "ana"\nroles = ["embedder"]\norganizations = ["north"]\n'

Change = Callable[[str, str], None]


@pytest.fixture
async def opened(
    tmp_path: Path, redis_url: str, facts: str
) -> AsyncIterator[tuple[httpx.AsyncClient, FastAPI]]:
    """A warm service, and a client of it."""
    more = f'[audit]\npath = "{tmp_path}/audit.jsonl"\n'
    settings = settings_of(tmp_path, redis_url, facts, more=more)
    boards = GivenDashboards(*BOARDS)
    async with open_client(settings, LeakScan(VISIBLE), dashboards=boards) as (client, app):
        await app.state.service.cache.warm(1)
        yield client, app


@pytest.fixture
def client(opened: tuple[httpx.AsyncClient, FastAPI]) -> httpx.AsyncClient:
    """A client of the service."""
    return opened[0]


@pytest.fixture
def change(tmp_path: Path) -> Change:
    """Changes the directory's file."""

    def changed(before: str, after: str) -> None:
        path = tmp_path / "access.toml"
        text = path.read_text(encoding="utf-8")
        assert before in text
        new = path.with_suffix(".new")
        new.write_text(text.replace(before, after), encoding="utf-8")
        new.replace(path)

    return changed


async def becomes(
    status: int, client: httpx.AsyncClient, token: str, **more: Any
) -> httpx.Response:
    """That looks are answered so within a second or so; until then they are as before."""
    async with asyncio.timeout(WITHIN):
        while True:
            answered = await look(client, token, **more)
            if answered.status_code == status:
                return answered
            assert answered.status_code == 200
            await asyncio.sleep(0.01)


ENDS = {
    "no right to embed": (ANA, ANA.replace("embedder", "reader")),
    "no right to read": (ANA, ANA.replace("embedder", "embed_only")),
    "no role": (ANA, ANA.replace('"embedder"', "")),
    "inactive": (ANA, ANA + "active = false\n"),
    "gone": (ANA, ANA.replace('"ana"', '"ann"')),
    "the role's right is gone": (', "dashboards:embed:organization"]\nreader', "]\nreader"),
}


@pytest.mark.parametrize("what", ENDS)
async def test_a_right_that_is_gone_ends_it(
    client: httpx.AsyncClient, change: Change, tmp_path: Path, what: str
) -> None:
    """Within a second, in words that tell viewers nothing; and it is audited."""
    made = await mint(client, filters=YEAR)
    assert (await look(client, made["token"])).status_code == 200
    change(*ENDS[what])
    answered = await becomes(403, client, made["token"])
    detail = answered.json()["detail"]
    assert detail.startswith("this embedded dashboard is over, or doesn't show this")
    assert "ana" not in answered.text
    lines = read_lines((tmp_path / "audit.jsonl").read_bytes())
    async with asyncio.timeout(10):
        while not any(line["event"] == "denied" for line in lines):
            await asyncio.sleep(0.02)
            lines = read_lines((tmp_path / "audit.jsonl").read_bytes())
    denied = [line for line in lines if line["event"] == "denied"]
    assert {(line["actor"], line["subject"]) for line in denied} == {(f"embed {made['id']}", "ana")}


async def test_a_right_that_comes_back_counts_again(
    client: httpx.AsyncClient, change: Change, facts: str
) -> None:
    """While it lasts its rights are those of its minter; gone, they end in a second or so."""
    made = await mint(client, filters=YEAR)
    inactive = ANA + "active = false\n"

    async def again() -> None:
        change(inactive, ANA)
        async with asyncio.timeout(WITHIN):
            while True:
                if (await look(client, made["token"])).status_code == 200:
                    break
                await asyncio.sleep(0.01)
        assert await shown(client, made["token"]) == sums(facts, NORTH)
        change(ANA, inactive)

    change(ANA, inactive)
    assert await least_seconds(lambda: becomes(403, client, made["token"]), again) < PROMISED


async def test_rows_follow_the_organizations(
    client: httpx.AsyncClient, change: Change, facts: str
) -> None:
    """A practice that leaves isn't shown any more, and one that comes is.

    The look during which it happens may be refused: its rows are no longer all its minter's.
    """
    made = await mint(client, filters=YEAR)
    before = sums(facts, NORTH)
    after = sums(facts, NORTH.replace("102", "104"))
    assert await shown(client, made["token"]) == before
    change("practices = [101, 102]", "practices = [101, 104]")
    found = before
    async with asyncio.timeout(WITHIN):
        while found != after:
            assert found == before
            await asyncio.sleep(0.01)
            answered = await look(client, made["token"])
            found = sums_in(answered) if answered.status_code == 200 else before


@pytest.mark.parametrize(
    ("fixed", "before", "after"),
    [
        ({"practices": [101, 102]}, "practices = [101, 102]", "practices = [101]"),
        ({"practices": [102]}, "practices = [101, 102]", "practices = [101]"),
        ({"organization": "north-east"}, 'parent = "north"\n', ""),
        ({"organization": "north"}, ANA, ANA.replace("north", "south")),
    ],
)
async def test_what_is_fixed_and_lost_ends_it(
    client: httpx.AsyncClient, change: Change, fixed: dict[str, Any], before: str, after: str
) -> None:
    """It is never left out, which would show something else than was fixed."""
    made = await mint(client, filters={**YEAR, **fixed})
    assert (await look(client, made["token"])).status_code == 200
    change(before, after)
    await becomes(403, client, made["token"])


async def test_a_dashboard_for_a_role_is_for_whoever_has_it(
    client: httpx.AsyncClient, change: Change
) -> None:
    """Whoever lost it, their embed shows nothing more, although they may still embed others."""
    made = await mint(client, dashboard="analysts", filters=YEAR)
    other = await mint(client, filters=YEAR)
    assert (await look(client, made["token"], dashboard="analysts")).status_code == 200
    change(ANA, ANA.replace('"embedder"', '"reader", "embed_only"'))
    await becomes(403, client, made["token"], dashboard="analysts")
    assert (await look(client, other["token"])).status_code == 200


async def test_a_dashboard_that_is_gone_ends_it(
    opened: tuple[httpx.AsyncClient, FastAPI],
) -> None:
    """And one with the same id that comes later is shown by the token's rights, as any other."""
    client, app = opened
    made = await mint(client, filters=YEAR)
    boards = app.state.service.renderer._library._by_id
    sample = boards.pop("sample")
    assert (await look(client, made["token"])).status_code == 403
    boards["sample"] = sample
    assert (await look(client, made["token"])).status_code == 200


async def test_with_a_directory_in_a_database(
    tmp_path: Path, redis_url: str, facts: str, postgres_module_db: str
) -> None:
    """A change by SQL ends it as fast."""
    await fill(postgres_module_db, ACCESS)
    settings_of(tmp_path, redis_url, facts)
    use_database(tmp_path / "warmcube.toml", postgres_module_db)
    settings = load(tmp_path / "warmcube.toml", {})
    boards = GivenDashboards(*BOARDS)
    async with open_client(settings, LeakScan(VISIBLE), dashboards=boards) as (client, app):
        await app.state.service.cache.warm(1)
        made = await mint(client, filters=YEAR)
        assert await shown(client, made["token"]) == sums(facts, NORTH)
        change_tables(postgres_module_db, "UPDATE users SET active = false WHERE id = 'ana'")
        await becomes(403, client, made["token"])


async def test_any_mixture_is_within_what_is_fixed(client: httpx.AsyncClient, facts: str) -> None:
    """Filters put together by chance, fixed and asked for: SQL's numbers, or a refusal."""
    chance = random.Random(20_251_127)
    answers = 0
    for _ in range(40):
        fixed, conditions = dict(YEAR), [NORTH]
        for each, condition in chance.sample(FIXED, 2):
            if not each.keys() & {"start", "end", *fixed}:
                fixed |= each
                conditions.append(condition)
        token = (await mint(client, filters=fixed))["token"]
        for _ in range(4):
            asked: dict[str, Any] = {}
            for each in chance.sample(ASKED, 3):
                asked |= each
            answered = await look(client, token, asked)
            if answered.status_code != 200:
                assert answered.status_code in (403, 422), (fixed, asked, answered.text)
                continue
            answers += 1
            expected = sums(
                facts, " AND ".join(f"({each})" for each in [*conditions, condition_of(asked)])
            )
            assert await shown(client, token, asked) == expected, (fixed, asked)
    assert answers > 40


@pytest.mark.parametrize(("changes", "status"), [(1, 200), (9, 403)])
async def test_rights_that_change_while_it_is_drawn(
    opened: tuple[httpx.AsyncClient, FastAPI],
    change: Change,
    monkeypatch: pytest.MonkeyPatch,
    facts: str,
    changes: int,
    status: int,
) -> None:
    """What was drawn under others isn't shown; where they never rest, nothing is."""
    client, app = opened
    made = await mint(client, filters=YEAR)
    service = app.state.service
    draw, drawn = service.renderer.render, 0

    async def draw_and_change(*arguments: Any, **named: Any) -> Any:
        nonlocal drawn
        rendered = await draw(*arguments, **named)
        if drawn < changes:
            change(f"practices = [{104 + drawn}, 102]", f"practices = [{105 + drawn}, 102]")
            await service.cache.authorize("root")  # looks for news
        drawn += 1
        return rendered

    change("practices = [101, 102]", "practices = [104, 102]")
    await service.cache.authorize("root")
    monkeypatch.setattr(service.renderer, "render", draw_and_change)
    answered = await look(client, made["token"])
    assert answered.status_code == status, answered.text
    assert drawn == (2 if status == 200 else 3)
    if status == 200:
        assert await shown(client, made["token"]) == sums(facts, NORTH.replace("101", "105"))
