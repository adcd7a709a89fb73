"""The isolation kit reads a directory in Postgres by itself, deletions and mistakes included."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import psycopg
import pytest
from tests.integration.prove.conftest import TABLE
from tests.support.caches import execute, make_cache

from warmcube import AnalyticsCache
from warmcube.config import Settings, load
from warmcube.prove.options import Options
from warmcube.prove.run import prove

PEOPLE = """
INSERT INTO {0}.organizations (id, parent_id, active, deleted_at) VALUES
    ('top', NULL, true, NULL), ('north', 'top', true, NULL), ('deep', 'north', true, NULL),
    ('closed', 'top', false, NULL), ('razed', 'top', true, now()), ('below', 'razed', true, NULL),
    ('loop a', 'top', true, NULL), ('loop b', 'loop a', true, NULL);
UPDATE {0}.organizations SET parent_id = 'loop b' WHERE id = 'loop a';
INSERT INTO {0}.organization_practices VALUES ('north', 'n1'), ('deep', 'n2'), ('closed', 'n:3'),
    ('razed', 's1'), ('below', 'free'), ('loop b', '%7E'), ('top', 'gone');
INSERT INTO {0}.roles (id, active, deleted_at) VALUES ('admin', true, NULL),
    ('analyst', true, NULL), ('provider', true, NULL), ('off', false, NULL),
    ('removed', true, now()),
    ('wrong', true, NULL);
INSERT INTO {0}.role_permissions VALUES ('admin', 'analytics:read:all'),
    ('analyst', 'analytics:read:organization'), ('provider', 'analytics:read:own'),
    ('off', 'analytics:read:all'), ('removed', 'analytics:read:all'),
    ('wrong', 'analytics:read:every'), ('wrong', 'analytics:read:all');
INSERT INTO {0}.users (id, active, deleted_at) VALUES ('root', true, NULL), ('ana', true, NULL),
    ('own', true, NULL), ('looped', true, NULL), ('off', true, NULL), ('typo', true, NULL),
    ('inactive', false, NULL), ('deleted', true, now()), ('below', true, NULL),
    ('ended', true, NULL), ('forever', true, NULL);
INSERT INTO {0}.user_organizations VALUES ('ana', 'top'), ('own', 'north'), ('looped', 'loop b'),
    ('off', 'top'), ('below', 'razed'), ('below', 'below'), ('forever', 'deep');
INSERT INTO {0}.user_roles (user_id, role_id, organization_id, expires_at) VALUES
    ('root', 'admin', NULL, NULL), ('ana', 'analyst', NULL, NULL), ('own', 'provider', NULL, NULL),
    ('looped', 'analyst', NULL, NULL), ('off', 'off', NULL, NULL), ('off', 'removed', NULL, NULL),
    ('off', 'provider', NULL, NULL), ('typo', 'wrong', NULL, NULL),
    ('inactive', 'admin', NULL, NULL),
    ('deleted', 'admin', NULL, NULL), ('below', 'analyst', NULL, NULL),
    ('ended', 'admin', NULL, '-infinity'), ('forever', 'analyst', NULL, 'infinity');
INSERT INTO {0}.user_providers VALUES ('own', 'n1', '00000000-0000-0000-0000-000000000001');
"""


@pytest.fixture
def settings(tmp_path: Path, redis_url: str, postgres_db: str) -> Settings:
    """One data source and its users in one database, warm."""
    execute(postgres_db, TABLE)
    create = (files("warmcube.directory") / "sql" / "create.sql").read_text()
    with psycopg.connect(postgres_db, autocommit=True) as connection:
        connection.execute(create.replace("{schema}", "warmcube").encode())
        connection.execute(PEOPLE.replace("{0}", "warmcube").encode())
    make_cache(tmp_path, redis_url, postgres_db, table="facts")
    file = tmp_path / "warmcube.toml"
    file.write_text(f'{file.read_text()}\n[directory]\nurl = "{postgres_db}"\n')
    return load(file, {})


async def test_a_database_directory(settings: Settings) -> None:
    """What is inactive, deleted, ended, or in a loop counts for nothing, to both alike."""
    async with AnalyticsCache(settings) as cache:
        await cache.warm(1)
    report = await prove(settings, Options(cases=700))
    assert [(each.user, each.case, each.what) for each in report.findings] == []
    assert report.is_clean, report.as_json()["notes"]
    assert report.users == 10
    (datasource,) = report.datasources
    rows = {user: tally.rows > 0 for user, tally in datasource.users.items()}
    assert {user for user, has_rows in rows.items() if has_rows} >= {"root", "ana", "own", "below"}
    for user in ("looped", "typo", "inactive", "ended"):
        tally = datasource.users[user]
        assert tally.denied == tally.cases
