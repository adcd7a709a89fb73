"""Whole caches on real servers, configured as a user would."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from adbc_driver_postgresql import dbapi
from tests.support.sql import forget, reading

from warmcube import AnalyticsCache
from warmcube.config import load

__all__ = [
    "ACCESS",
    "BY_ENTRIES",
    "NOTHING_KEPT",
    "TABLE",
    "execute",
    "hold_partitions",
    "make_cache",
    "select",
]

NOTHING_KEPT = {"WARMCUBE_CACHE__RESIDENT_BYTES": "0"}
"""For tests of what is read from the store each time."""

BY_ENTRIES = NOTHING_KEPT | {"WARMCUBE_CACHE__PRACTICE_SUMS": "false"}
"""For tests of how entries are read, also for what practice-level sums could answer."""

TABLE = """
CREATE SCHEMA ih;
CREATE TABLE ih.facts (
    measure text, practice_uid integer, provider_uid integer, frequency text,
    date_index date, measure_value numeric(14,2), note text
);
INSERT INTO ih.facts
SELECT m, p, nullif(v, 0), f, DATE '2024-01-01' + d, (p * 1000 + v * 10 + d)::numeric / 4,
       'note of practice ' || p
FROM unnest(ARRAY['Charges', 'A/R > 90 days: {net} 100%']) m,
     generate_series(101, 112) p, generate_series(0, 4) v,
     unnest(ARRAY['Monthly', 'Weekly']) f, generate_series(0, 5) d;
INSERT INTO ih.facts VALUES
    (NULL, 101, 1, 'Monthly', '2024-01-01', 1, 'no measure'),
    ('Charges', NULL, 1, 'Monthly', '2024-01-01', 2, 'no practice'),
    ('Charges', 101, 1, NULL, '2024-01-01', 3, 'no frequency'),
    ('Charges', 101, 1, 'Monthly', NULL, NULL, NULL);
"""

ACCESS = """
[roles]
super_admin = ["analytics:read:all", "cache:manage:all"]
org_analyst = ["analytics:read:organization"]
provider = ["analytics:read:own"]

[[organizations]]
id = "north"
practices = [101, 102]
[[organizations]]
id = "north-east"
parent = "north"
practices = [103]
[[organizations]]
id = "south"
practices = [110]
[[organizations]]
id = "empty"
practices = []

[[users]]
id = "root"
roles = ["super_admin"]
[[users]]
id = "north"
roles = ["org_analyst"]
organizations = ["north"]
[[users]]
id = "provider"
roles = ["provider"]
organizations = ["north"]
provider = 3
[[users]]
id = "nobody"
roles = ["org_analyst"]
organizations = ["empty"]
[[users]]
id = "lost"
roles = ["provider"]
organizations = ["north"]
"""


def execute(url: str, *statements: str) -> None:
    """Run statements on a database."""
    forget()
    with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        for statement in statements:
            for part in statement.split(";\n"):
                if part.strip():
                    cursor.execute(part)


def select(url: str, query: str) -> list[tuple[object, ...]]:
    """What a query gives."""
    with reading(url) as cursor:
        cursor.execute(query)
        rows: list[tuple[object, ...]] = cursor.fetchall()
        return rows


def make_cache(
    folder: Path,
    store_url: str,
    source_url: str,
    *,
    access: str = ACCESS,
    more: str = "",
    table: str = "ih.facts",
    columns: str = "",
    environment: Mapping[str, str] | None = None,
) -> AnalyticsCache:
    """A cache with one data source, 1, on a folder of its own."""
    (folder / "access.toml").write_text(access)
    (folder / "warmcube.toml").write_text(
        f'{more}\n[store]\nurl = "{store_url}"\n[sources.main]\nurl = "{source_url}"\n'
        f'[[datasources]]\nid = 1\nname = "Facts"\nsource = "main"\ntable = "{table}"\n'
        f"[datasources.columns]\n{columns}\n"
    )
    return AnalyticsCache(load(folder / "warmcube.toml", environment or {}))


async def hold_partitions(cache: AnalyticsCache, *datasources: int) -> int:
    """Hold all partitions decoded, however cold they are; answers themselves are never found.

    So every answer is evaluated anew, from slices of what is held.

    Returns:
        how many are held.
    """
    parts = cache._parts
    answerer = parts.answerer
    for each in datasources:
        datasource = answerer._datasources[each]
        live = await parts.snapshots.load(datasource)
        assert live is not None
        for name in live.manifest.partitions:
            assert await answerer.partitions.load(datasource, live, name)
    answerer.residents.get = lambda key: None  # type: ignore[method-assign]
    return len(answerer.partitions)
