"""Every kind of store that the conformance suite is run on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from warmcube.store.api import Store
from warmcube.store.connect import open_store


@pytest.fixture(params=["redis_url", "cluster_url"])
def store_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty store: a server, then a cluster."""
    return str(request.getfixturevalue(request.param))


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    """The adapter on an empty store."""
    opened = open_store(store_url)
    yield opened
    await opened.close()
