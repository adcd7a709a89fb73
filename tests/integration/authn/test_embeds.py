"""Embeds in a real store: what counts, for whom, and when it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.tokens import SECRET, configured, secret_file, section

from warmcube.authn import embeds as module
from warmcube.authn.embeds import Embed, Embeds, MintedEmbed, open_embeds
from warmcube.errors import (
    ConfigError,
    IdentityUnavailable,
    LimitExceeded,
    StoreError,
    Unauthenticated,
)
from warmcube.store.api import Store
from warmcube.store.connect import open_store

EMBED = '[auth.embed]\nkey_file = "embed.key"\n'
FILTERS: dict[str, Any] = {"practices": [101], "where": {"note": ["ünïcode", None]}}

Open = Callable[..., Embeds]


@pytest.fixture
def open_some(tmp_path: Path, store: Store) -> Open:
    """Opens what a process has of a deployment's embeds."""

    def opened(namespace: str = "", secret: bytes = b"e" * 32) -> Embeds:
        key = tmp_path / "embed.key"
        if not key.exists():
            key.write_bytes(secret)
            key.chmod(0o600)
        more = f'{EMBED}[store]\nnamespace = "{namespace}"\n'
        found = open_embeds(configured(tmp_path, "", more), store)
        assert found is not None
        return found

    return opened


async def code_of(embeds: Embeds, token: str, dashboard: str = "sales") -> str:
    """As what a token is refused."""
    with pytest.raises(Unauthenticated) as caught:
        await embeds.use(token, dashboard)
    assert token not in repr(caught.value)
    return caught.value.code


async def minted(embeds: Embeds, user: str = "ana", seconds: int = 600) -> MintedEmbed:
    """An embed of the dashboard sales."""
    return await embeds.mint(user, "sales", FILTERS, seconds)


async def test_an_embed_is_what_was_minted_in_every_process(store: Store, open_some: Open) -> None:
    """Who made it, what is fixed, and when it ends; the store keeps no token."""
    one, other = open_some(), open_some()
    before = await store.now_ms() // 1000
    made = await minted(one)
    after = await store.now_ms() // 1000
    embed = made.embed
    assert before <= embed.issued <= after
    assert embed == Embed(
        id=embed.id,
        user="ana",
        dashboard="sales",
        filters=FILTERS,
        issued=embed.issued,
        expires=embed.issued + 600,
    )
    for each in (one, other):
        assert await each.use(made.token, "sales") == embed
        assert await each.find(embed.id) == embed
    signature = made.token.rpartition(".")[2].encode()
    (keys,) = await store.run([(b"KEYS", b"*")])
    for key in keys:
        (dumped,) = await store.run([(b"DUMP", key)])
        assert signature not in dumped
    assert made.token not in repr(made)


async def test_no_embed_lasts_longer_than_an_hour(store: Store, open_some: Open) -> None:
    """Whatever is asked for; its keys don't either."""
    made = await minted(open_some(), seconds=10**6)
    assert made.embed.expires - made.embed.issued == 3600
    (keys,) = await store.run([(b"KEYS", b"*")])
    assert sorted(keys) == sorted(
        [
            b"cache:meta:service:embed:" + made.embed.id.encode(),
            b"cache:meta:service:embeds",
            *(key for key in keys if key.startswith(b"cache:meta:service:embeds:")),
        ]
    )
    assert len(keys) == 3
    lives = await store.run([(b"PTTL", key) for key in keys])
    assert all(0 < life <= 3_600_000 for life in lives)


async def test_it_ends_with_its_time_by_either_clock(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, store: Store, open_some: Open
) -> None:
    """By the store's, since the record is gone; by the process's, since the token says so."""
    embeds = open_some()
    made = await minted(embeds)
    ends = float(made.embed.expires)
    late = open_embeds(configured(tmp_path, "", EMBED), store)
    assert late is not None
    monkeypatch.setattr(late, "_clock", lambda: ends - 0.001)
    assert await late.use(made.token, "sales") == made.embed
    monkeypatch.setattr(late, "_clock", lambda: ends)
    assert await code_of(late, made.token) == "embed-expired"
    past = await store.now_ms() - 1
    record = b"cache:meta:service:embed:" + made.embed.id.encode()
    await store.run([(b"PEXPIREAT", record, past)])
    assert await code_of(embeds, made.token) == "embed-revoked"


async def test_a_revoked_embed_is_over_in_every_process(open_some: Open) -> None:
    """At once, and only that one."""
    one, other = open_some(), open_some()
    made, kept = await minted(one), await minted(one)
    await other.use(made.token, "sales")
    await other.revoke(made.embed)
    for each in (one, other):
        assert await code_of(each, made.token) == "embed-revoked"
        assert await each.use(kept.token, "sales") == kept.embed
        assert await each.find(made.embed.id) is None
        assert await each.in_force() == (kept.embed,)
        assert await each.in_force("ana") == (kept.embed,)
    await other.revoke(made.embed)  # again is fine


async def test_an_embed_is_of_one_dashboard(open_some: Open) -> None:
    """Another one's id with its token is refused before the store is asked."""
    embeds = open_some()
    made = await minted(embeds)
    for other in ("Sales", "sales2", "", "sales/"):
        assert await code_of(embeds, made.token, other) == "embed-dashboard"


async def test_deployments_take_no_token_of_each_others(open_some: Open) -> None:
    """Although they share the store and the file of the key."""
    one, other = open_some(), open_some("other:")
    made = await minted(one)
    assert await code_of(other, made.token) == "embed-signature"
    assert await other.find(made.embed.id) is None
    assert await other.in_force() == ()


async def test_a_record_that_was_changed_in_the_store_counts_for_nothing(
    store: Store, open_some: Open
) -> None:
    """Whoever can write there can end embeds, and widen none."""
    embeds = open_some()
    made, other = await minted(embeds), await embeds.mint("root", "sales", {}, 600)
    key = b"cache:meta:service:embed:" + made.embed.id.encode()
    (record,) = await store.run([(b"GET", key)])
    (others,) = await store.run([(b"GET", b"cache:meta:service:embed:" + other.embed.id.encode())])
    changed = json.loads(record)
    for field, value in {"user": "root", "filters": {}, "expires": 2**40, "dashboard": "x"}.items():
        widened = json.dumps({**changed, field: value}, separators=(",", ":"), sort_keys=True)
        await store.run([(b"SET", key, widened.encode())])
        assert await code_of(embeds, made.token) == "embed-record", field
    for text in (others, record + b" ", b"", b"{}", b"\xff"):
        await store.run([(b"SET", key, text)])
        assert await code_of(embeds, made.token) == "embed-record"
    await store.run([(b"SET", key, record)])
    assert await embeds.use(made.token, "sales") == made.embed


async def test_those_in_force_are_listed(store: Store, open_some: Open) -> None:
    """One's own, or all; those first that end first. What isn't a record is left out."""
    embeds = open_some()
    late = await minted(embeds)
    soon = await minted(embeds, seconds=60)
    theirs = await minted(embeds, "ünïcode: {*}", 300)
    assert await embeds.in_force("ana") == (soon.embed, late.embed)
    assert await embeds.in_force("ünïcode: {*}") == (theirs.embed,)
    assert await embeds.in_force("bob") == ()
    assert await embeds.in_force() == (soon.embed, theirs.embed, late.embed)
    ends, index = soon.embed.expires * 1000, b"cache:meta:service:embeds"
    await store.run(
        [
            (
                b"ZADD",
                b"cache:meta:service:embeds",
                ends,
                b"../x",
                ends,
                b"B" * 22,
                ends,
                b"C" * 22,
            ),
            (b"SET", b"cache:meta:service:embed:" + b"C" * 22, b"[1]"),
        ]
    )
    assert await embeds.in_force() == (soon.embed, theirs.embed, late.embed)
    assert await embeds.find("C" * 22) is None
    assert await embeds.find("s") is None
    await store.run([(b"DEL", index)])
    assert await embeds.in_force() == ()


async def test_a_user_has_so_many_and_each_is_so_large(
    monkeypatch: pytest.MonkeyPatch, store: Store, open_some: Open
) -> None:
    """What is beyond is refused; what is over makes room."""
    embeds = open_some()
    with pytest.raises(LimitExceeded, match="16,384 bytes"):
        await embeds.mint("ana", "sales", {"practices": list(range(10_000))}, 60)
    monkeypatch.setattr(module, "MOST_EMBEDS", 2)
    first = await minted(embeds)
    await minted(embeds)
    with pytest.raises(LimitExceeded, match="2 of your embeds"):
        await minted(embeds)
    await minted(embeds, "bob")
    (indexes,) = await store.run([(b"KEYS", b"cache:meta:service:embeds:*")])
    past = await store.now_ms() - 1
    await store.run([(b"ZADD", index, b"XX", past, first.embed.id.encode()) for index in indexes])
    await minted(embeds)


async def test_a_store_that_cant_tell_denies(
    tmp_path: Path, open_some: Open, unused_tcp_port: int
) -> None:
    """Nothing is remembered that would count without it."""
    made = await minted(open_some())
    gone = open_store(f"redis://127.0.0.1:{unused_tcp_port}/0")
    try:
        embeds = open_embeds(configured(tmp_path, "", EMBED), gone)
        assert embeds is not None
        with pytest.raises(StoreError):
            await embeds.use(made.token, "sales")
    finally:
        await gone.close()


async def test_a_key_that_is_taken_away_ends_its_tokens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, open_some: Open
) -> None:
    """And so does one that is replaced."""
    embeds = open_some()
    made = await minted(embeds)
    seconds = 100.0
    monkeypatch.setattr(embeds._keys, "_monotonic", lambda: seconds)
    monkeypatch.setattr(embeds._keys, "_looked", 0.0)
    (tmp_path / "embed.key").write_bytes(b"another secret of enough bytes, too")
    assert await code_of(embeds, made.token) == "embed-signature"
    seconds = 200.0
    (tmp_path / "embed.key").unlink()
    with pytest.raises(IdentityUnavailable):
        await embeds.use(made.token, "sales")
    with pytest.raises(IdentityUnavailable):
        await minted(embeds)


def test_the_key_is_for_nothing_else(tmp_path: Path, store: Store) -> None:
    """Neither the same file nor the same secret, nor one that others may read."""
    keys = section('["HS256"]', secret_file(tmp_path))
    with pytest.raises(ConfigError, match="expected a file of its own"):
        configured(tmp_path, keys, EMBED.replace("embed.key", "secret"))
    settings = configured(tmp_path, keys, EMBED)
    path = tmp_path / "embed.key"
    with pytest.raises(ConfigError, match="isn't there"):
        open_embeds(settings, store)
    path.write_bytes(SECRET)
    with pytest.raises(ConfigError, match="may be read"):
        open_embeds(settings, store)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="holds the secret of the issuer") as caught:
        open_embeds(settings, store)
    assert SECRET.decode() not in str(caught.value)
    path.write_bytes(b"short")
    with pytest.raises(ConfigError, match="holds 5 bytes"):
        open_embeds(settings, store)


def test_without_the_section_there_are_none(tmp_path: Path, store: Store) -> None:
    """And a page that could be framed would be one that isn't there."""
    assert open_embeds(configured(tmp_path, ""), store) is None
    with pytest.raises(ConfigError, match=r"frame_ancestors.*\[auth.embed\]"):
        configured(tmp_path, "", '[service]\nframe_ancestors = ["https://portal.example.com"]\n')


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "'self'",
        "https:",
        "https://*.example.com",
        "https://a;b",
        "https://a b",
        "https://a.example/x",
        "http://a.example",
    ],
)
def test_frame_ancestors_are_origins(tmp_path: Path, origin: str) -> None:
    """Neither a pattern nor a keyword, nor what would end the header's directive."""
    with pytest.raises(ConfigError, match="frame_ancestors"):
        configured(tmp_path, "", f'{EMBED}[service]\nframe_ancestors = ["{origin}"]\n')
