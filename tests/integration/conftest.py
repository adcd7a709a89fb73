"""A store that is empty, and warmers on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from tests.support.memory import DATASOURCE

from warmcube.entry.keys import Keys
from warmcube.entry.seal import Checksum
from warmcube.store.api import Store
from warmcube.store.connect import open_store
from warmcube.warm.warmer import Warmer, WarmSettings


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    """The adapter on an empty server."""
    opened = open_store(redis_url)
    yield opened
    await opened.close()


@pytest.fixture
def keys() -> Keys:
    """The keys of the data source under test."""
    return Keys("", DATASOURCE.id)


def a_warmer(store: Store, **settings: float) -> Warmer:
    """A warmer with some settings changed."""
    return Warmer(store, "", Checksum(), WarmSettings(**settings))  # type: ignore[arg-type]


@pytest.fixture
def make_warmer(store: Store) -> Callable[..., Warmer]:
    """Makes warmers on the store."""
    return lambda **settings: a_warmer(store, **settings)
