"""Every number of random dashboards equals SQL's: seeded tables, definitions, filters and viewers.

What SQL says comes from `tests.support.number_sql`, one statement for each chart, made of the
definition by the reference's words alone.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from tests.support.number_boards import Definition, random_dashboard, random_filters
from tests.support.number_compare import differences
from tests.support.number_sql import Question, expected_chart
from tests.support.number_tables import World, access_of, make_world, settings_of

from warmcube import AnalyticsCache
from warmcube.config import load
from warmcube.dashboard.filters import filters_of
from warmcube.dashboard.parse import parse
from warmcube.dashboard.render import GivenDashboards, Renderer

pytestmark = pytest.mark.no_cover  # repeats for long what other tests cover

NOW = datetime(2024, 3, 15, 12, tzinfo=UTC)
USERS = ("root", "root", "north", "north", "provider", "nobody")


async def wrong_figures(random: Random, world: World, cache: AnalyticsCache, url: str) -> list[str]:
    """In what a random dashboard differs from SQL, asked twice: the second answer is a kept one."""
    definition = random_dashboard(random, 4)
    parsed = parse(definition)
    assert parsed.dashboard is not None, [str(each) for each in parsed.troubles]
    renderer = Renderer(cache, GivenDashboards(parsed.dashboard), clock=lambda: NOW)
    user, filters = random.choice(USERS), random_filters(random, world)
    expected = [
        expected_chart(url, Question(world, definition, chart, user, filters))
        for chart in definition["charts"]
    ]
    found: list[str] = []
    for _ in range(2):
        grant = await cache.authorize(user)
        rendered = await renderer.render(parsed.dashboard, filters_of(filters), grant)
        for chart, shown, known in zip(
            definition["charts"], rendered.charts, expected, strict=True
        ):
            wrong = differences(world, chart, shown, known)
            if wrong:
                found.append(_told(definition, chart, user, filters, wrong))
    return found


def _told(
    definition: Definition, chart: Definition, user: str, filters: Definition, wrong: list[str]
) -> str:
    """All that it takes to see it again."""
    beside = {name: definition[name] for name in ("names", "where") if name in definition}
    said = json.dumps([chart, beside, filters], default=str)
    return "\n  ".join([f"{user} sees of {said}", *wrong])


@pytest.mark.parametrize(
    "seed",
    [*range(5), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(5, 60))],
)
async def test_random_dashboards_have_sqls_numbers(
    tmp_path: Path, redis_url: str, postgres_db: str, seed: int
) -> None:
    """From the database, from the store, when kept, and after a warm of other rows."""
    random = Random(seed)
    world = make_world(random)
    world.load(postgres_db)
    (tmp_path / "access.toml").write_text(access_of(world))
    (tmp_path / "warmcube.toml").write_text(settings_of(world, redis_url, postgres_db))
    async with AnalyticsCache(load(tmp_path / "warmcube.toml", {})) as cache:
        for place in ("database", "store", "store after other rows"):
            if place == "store after other rows":
                world.fill(random, len(world.rows) or 30)
                world.load(postgres_db)
            if place != "database":
                await cache.warm(1)
            for _ in range(3):
                found = await wrong_figures(random, world, cache, postgres_db)
                assert not found, "\n".join([f"seed {seed}, from the {place}", *found])
