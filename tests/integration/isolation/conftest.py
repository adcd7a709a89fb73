"""A place for trials under row-level security."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.support.rls_trial import Place
from tests.support.rls_world import install, uninstall


@pytest.fixture
def place(
    redis_url: str, postgres_db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """Servers without a world. A directory in a database may be read as often as it changes."""
    monkeypatch.setattr("warmcube.directory.database.LEAST_SECONDS", 0.01)
    with psycopg.connect(postgres_db, autocommit=True, prepare_threshold=None) as connection:
        install(connection)
        yield Place(redis_url, postgres_db, tmp_path, connection)
        uninstall(connection)
