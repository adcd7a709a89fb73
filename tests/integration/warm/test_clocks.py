"""Warmers and readers whose clocks are hours apart: the store's clock is the only one."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from tests.support.memory import DATASOURCE, MemorySource, read_all

from warmcube.entry.keys import Keys
from warmcube.entry.seal import Checksum
from warmcube.query.snapshots import Snapshots
from warmcube.store.api import Store
from warmcube.warm.named import read_named
from warmcube.warm.warmer import Warmer


@pytest.mark.parametrize("hours", [-30, -5, 5, 30])
async def test_nobodys_own_clock_counts(
    store: Store,
    make_warmer: Callable[..., Warmer],
    keys: Keys,
    monkeypatch: pytest.MonkeyPatch,
    hours: int,
) -> None:
    """What a warmer with a wrong clock writes lives as long as any, and a right reader reads it."""
    real = time.time
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: real() + hours * 3600)
        await make_warmer(ttl=100, stale_for=50).warm(
            DATASOURCE, MemorySource([("m", 1, 1, "f", 5)])
        )
        assert await read_all(store) == [(1, 1, 5)]
    manifest = (await read_named(store, keys, Checksum())).live
    assert manifest is not None
    assert abs(manifest.warmed_ms / 1000 - real()) < 60
    (left,) = await store.run([(b"PTTL", keys.current)])
    assert 90_000 < left <= 150_000
    live = await Snapshots(store, "", Checksum()).load(DATASOURCE)
    assert live is not None
    assert 90 < live.serve_until - time.monotonic() <= 150
    assert live.serve_until - live.fresh_until == pytest.approx(50)
