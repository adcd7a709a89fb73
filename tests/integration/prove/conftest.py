"""A table and a directory with something of everything, warm."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any, TypeAlias

import pytest
import redis
from tests.support.caches import execute, make_cache

from warmcube import AnalyticsCache
from warmcube.config import Settings, load
from warmcube.embedded import EmbeddedRedis
from warmcube.prove.options import Options
from warmcube.prove.report import Report
from warmcube.prove.run import prove

Prove: TypeAlias = Callable[..., Awaitable[Report]]

TABLE = """
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TABLE facts (
    measure text, practice_uid text, provider_uid uuid, frequency text, date_index timestamptz,
    measure_value double precision, amount numeric, mood mood, flag boolean, day date, note text
);
INSERT INTO facts
SELECT m, p, v::uuid, f,
       timestamptz '2024-01-01 22:00+00' + d * interval '7 hours',
       nullif(d, 3) / 7.0, nullif(d, 4) * 1.250, (ARRAY['glad', 'sad'])[1 + d % 2]::mood,
       d % 3 = 0, date '2024-01-01' + d, 'note of ' || coalesce(p, 'nobody') || ' ' || d
FROM unnest(ARRAY['Charges', 'A/R: {net} 100%', '~', NULL]) m,
     unnest(ARRAY['n1', 'n2', 'n:3', 's1', '%7E', 'free', NULL]) p,
     unnest(ARRAY['00000000-0000-0000-0000-000000000001',
                  '00000000-0000-0000-0000-00000000000a', NULL]) v,
     unnest(ARRAY['Monthly', NULL]) f, generate_series(0, 5) d
WHERE NOT (p = 'n2' AND m = '~');
UPDATE facts SET measure_value = 'NaN' WHERE note = 'note of n1 5' AND measure = 'Charges';
UPDATE facts SET amount = 'NaN', day = 'infinity' WHERE note = 'note of s1 5';
UPDATE facts SET day = '0044-03-15 BC', date_index = '-infinity' WHERE note = 'note of n2 5';
UPDATE facts SET date_index = NULL, note = '' WHERE note = 'note of n2 4';
"""

ACCESS = """
[roles]
super_admin = ["analytics:read:all", "cache:read:all"]
org_analyst = ["analytics:read:organization", "analytics:export:organization"]
provider = ["analytics:read:own"]
keeper = ["directory:manage:all", "elsewhere:do:things"]

[[organizations]]
id = "top"
[[organizations]]
id = "north"
parent = "top"
practices = ["n1", "shared"]
[[organizations]]
id = "north-east"
parent = "north"
practices = ["n2"]
[[organizations]]
id = "closed"
parent = "north"
practices = ["n:3"]
active = false
[[organizations]]
id = "below closed"
parent = "closed"
practices = ["free"]
[[organizations]]
id = "south"
parent = "top"
practices = ["s1", "n1", "%7E", "gone"]
[[organizations]]
id = "empty"

[[users]]
id = "root"
roles = ["super_admin"]
[[users]]
id = "half"
roles = [{ role = "super_admin", organization = "north" }]
[[users]]
id = "north"
roles = ["org_analyst"]
organizations = ["north"]
[[users]]
id = "both"
roles = [{ role = "org_analyst", organization = "south" }, "provider"]
organizations = ["top"]
providers = [{ practice = "n2", provider = "00000000-0000-0000-0000-00000000000a" }]
[[users]]
id = "own"
roles = ["provider"]
organizations = ["north"]
provider = "00000000-0000-0000-0000-000000000001"
[[users]]
id = "bound"
roles = ["provider"]
organizations = ["top"]
providers = [{ practice = "n2", provider = "00000000-0000-0000-0000-00000000000a" }]
[[users]]
id = "lost"
roles = ["provider"]
organizations = ["top"]
[[users]]
id = "nobody"
roles = ["org_analyst"]
organizations = ["empty", "closed"]
[[users]]
id = "old"
roles = [{ role = "super_admin", expires = 2020-01-01T00:00:00Z }, "keeper"]
[[users]]
id = "gone"
roles = ["super_admin"]
active = false
[[users]]
id = "<b>' OR 1=1 --"
roles = [{ role = "org_analyst", organization = "closed" }]
organizations = ["top"]
"""

MORE = """
[[datasources]]
id = 2
name = "Behind a door"
source = "main"
table = "facts"
roles = ["org_analyst"]
[[datasources]]
id = 3
name = "Without practices"
source = "main"
table = "facts"
[datasources.columns]
practice = false
frequency = false
"""


@pytest.fixture(scope="module")
def settings(
    redis_server: EmbeddedRedis, postgres_module_db: str, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """The configuration of three data sources on one table, all warm."""
    with closing(redis.Redis.from_url(redis_server.url)) as client:
        client.flushall()
    execute(postgres_module_db, TABLE)
    folder = tmp_path_factory.mktemp("proven")
    make_cache(folder, redis_server.url, postgres_module_db, access=ACCESS, table="facts")
    file = folder / "warmcube.toml"
    file.write_text(file.read_text() + MORE)
    loaded = load(file, {})

    async def warm() -> None:
        async with AnalyticsCache(loaded) as cache:
            for datasource in loaded.datasources:
                await cache.warm(datasource.id)

    asyncio.run(warm())
    return loaded


@pytest.fixture
def prove_it(settings: Settings) -> Prove:
    """Proves the configuration, by few cases unless told otherwise."""

    async def run(**options: Any) -> Report:
        return await prove(settings, Options(**({"cases": 400, "seed": 1} | options)))

    return run
