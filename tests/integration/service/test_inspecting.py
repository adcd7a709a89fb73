"""`…/partitions`, `…/entries`, `…/entry`: what lies in the store, and who may look at what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis.asyncio as redis
from fastapi import FastAPI
from tests.support.audit import read_lines
from tests.support.caches import select
from tests.support.services import as_user

PREFIX = "/api/admin/analytics/cache"
NAME: dict[str, Any] = {"datasource": 1, "measure": "Charges", "frequency": "Monthly"}
ENTRY = {**NAME, "practice": 101, "provider": 3}
KEY = "cache:{ds:1:m:Charges:freq:Monthly}:v*:p:101:prov:3"


async def inspect(client: httpx.AsyncClient, user: str = "watcher", **more: Any) -> dict[str, Any]:
    """What is told of an entry."""
    answered = await client.post(f"{PREFIX}/entry", json={**ENTRY, **more}, headers=as_user(user))
    assert answered.status_code == 200, answered.text
    return dict(answered.json())


async def lines(app: FastAPI, folder: Path) -> list[dict[str, Any]]:
    """Of the audit."""
    await app.state.service.cache._parts.trail.close()
    text = (folder / ".warmcube/audit.jsonl").read_bytes()
    return read_lines(text)


async def test_partitions_are_those_of_the_table(client: httpx.AsyncClient, facts: str) -> None:
    """Each with as many rows and entries as SQL counts."""
    answered = await client.get(f"{PREFIX}/partitions", headers=as_user("watcher"))
    (found,) = answered.json()["datasources"]
    counted = select(
        facts,
        "SELECT measure, frequency, count(*), count(DISTINCT (practice_uid, provider_uid)) "
        "FROM ih.facts GROUP BY 1, 2",
    )
    told = [(p["measure"], p["frequency"], p["rows"], p["entries"]) for p in found["partitions"]]
    assert sorted(told, key=repr) == sorted(map(tuple, counted), key=repr)


async def test_entries_are_those_of_the_table(client: httpx.AsyncClient, facts: str) -> None:
    """Page by page, whatever comes up twice."""
    found: set[tuple[str | None, str | None]] = set()
    cursor: str | None = None
    while True:
        body = {**NAME, "cursor": cursor}
        answered = await client.post(f"{PREFIX}/entries", json=body, headers=as_user("watcher"))
        page = answered.json()
        found |= {(each["practice"], each["provider"]) for each in page["entries"]}
        cursor = page["cursor"]
        if cursor is None:
            break
    expected = select(
        facts,
        "SELECT DISTINCT practice_uid::text, provider_uid::text FROM ih.facts "
        "WHERE measure = 'Charges' AND frequency = 'Monthly'",
    )
    assert found == set(map(tuple, expected))
    assert page["total"] == len(expected)


async def test_an_entry_as_it_lies_there(
    client: httpx.AsyncClient, facts: str, redis_url: str
) -> None:
    """Its key, size, header and life are the store's; its rows SQL's; figures show no row."""
    found = await inspect(client)
    ((rows,),) = select(
        facts,
        "SELECT count(*) FROM ih.facts WHERE measure = 'Charges' AND frequency = 'Monthly' "
        "AND practice_uid = 101 AND provider_uid = 3",
    )
    assert (found["exists"], found["is_proven"], found["why"], found["data"]) == (
        True,
        True,
        None,
        None,
    )
    assert set(found["proofs"].values()) == {"ok"}
    assert found["rows"] == rows
    (part,) = found["parts"]
    assert (part["rows"], part["practice_code"], part["provider_code"]) == (rows, 101, 3)
    async with redis.Redis.from_url(redis_url) as store:
        (key,) = [key async for key in store.scan_iter(KEY)]
        assert part["key"] == key.decode()
        assert part["bytes"] == found["bytes"] == await store.strlen(key)
        assert part["memory_bytes"] == await store.memory_usage(key)
        assert abs(part["expires_seconds"] * 1000 - await store.pttl(key)) < 60_000
    text = sum(each["bytes"] for each in found["columns"])
    assert 0 < text <= found["bytes"]


async def test_rows_are_those_of_the_table(client: httpx.AsyncClient, facts: str) -> None:
    """As text, NULL as null, for whoever may read every row."""
    data = (await inspect(client, "root", rows=True))["data"]
    columns = ", ".join(f'"{name}"::text' for name in data["columns"])
    expected = select(
        facts,
        f"SELECT {columns} FROM ih.facts WHERE measure = 'Charges' AND frequency = 'Monthly' "
        "AND practice_uid = 101 AND provider_uid = 3",
    )
    assert sorted(map(repr, data["rows"])) == sorted(repr(list(row)) for row in expected)
    assert data["total"] == len(expected) > 0


async def test_no_entry_is_told_from_damage(
    client: httpx.AsyncClient, app: FastAPI, redis_url: str
) -> None:
    """What isn't there is proven not to be; what is altered, cut or lost is said to be damaged."""
    gone = await inspect(client, provider=987654)
    assert (gone["exists"], gone["is_proven"]) == (False, None)
    assert "no entry" in gone["why"]
    unknown = await inspect(client, measure="No such")
    assert (unknown["exists"], unknown["is_proven"], unknown["parts"]) == (False, None, [])
    async with redis.Redis.from_url(redis_url) as store:
        (key,) = [key async for key in store.scan_iter(KEY)]
        whole = await store.get(key)
        assert isinstance(whole, bytes)
        for damaged in (whole[:-1] + b"?", whole[:-1], whole[:10], b"", None):
            if damaged is None:
                await store.delete(key)
            else:
                await store.set(key, damaged)
            found = await inspect(client, "root", rows=True)
            assert (found["exists"], found["is_proven"], found["data"]) == (True, False, None)
            assert found["proofs"]["entry"] == found["why"] != "ok"
            assert found["proofs"]["practice"] == found["proofs"]["provider"] == "ok"
        await store.set(key, whole)
        index = key.decode().replace("cache:", "idx:").partition(":p:")[0]
        await store.hdel(f"{index}:counts", "p:101")
        found = await inspect(client)
        assert found["is_proven"] is False
        assert found["proofs"]["counts"] != "ok"
        assert "no set" in found["proofs"]["practice"]
    await app.state.service.cache.invalidate(1)
    cold = await inspect(client)
    assert (cold["exists"], cold["snapshot"], cold["is_proven"]) == (False, None, None)


async def test_rows_need_the_right_to_every_row(
    client: httpx.AsyncClient, app: FastAPI, tmp_path: Path
) -> None:
    """Whoever has only ``cache:read`` is denied, told nothing of the rows, and audited."""
    answered = await client.post(
        f"{PREFIX}/entry", json={**ENTRY, "rows": True}, headers=as_user("watcher")
    )
    assert answered.status_code == 403
    assert "analytics:read:all" in answered.json()["detail"]
    await inspect(client)
    await inspect(client, "root", rows=True, practice={"null": True}, provider={"null": True})
    await client.post(f"{PREFIX}/entries", json=NAME, headers=as_user("watcher"))
    told = await lines(app, tmp_path)
    (denied,) = [line for line in told if line["event"] == "denied"]
    assert (denied["subject"], denied["reason"]) == ("watcher", "no permission to read every row")
    looks = [line for line in told if line["event"] == "entry_inspected"]
    names = ("subject", "what", "measure", "practice", "provider")
    assert [tuple(line[name] for name in names) for line in looks] == [
        ("watcher", "entry", "Charges", "101", "3"),
        ("root", "rows", "Charges", "~", "~"),
        ("watcher", "list", "Charges", None, None),
    ]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"datasource": "1"},
        {"datasource": True},
        {**ENTRY, "practice": " 101"},
        {**ENTRY, "practice": 1.5},
        {**ENTRY, "practice": [101]},
        {**ENTRY, "practice": {"null": False}},
        {**ENTRY, "practice": {"null": 1}},
        {**ENTRY, "practice": None},
        {**ENTRY, "measure": None},
        {**ENTRY, "rows": 1},
        {**ENTRY, "rows": "true"},
        {**ENTRY, "cursor": "0"},
        {**ENTRY, "surprise": 1},
    ],
    ids=json.dumps,
)
async def test_what_names_no_entry(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """A sentence that says what was expected, never a guess."""
    answered = await client.post(f"{PREFIX}/entry", json=body, headers=as_user("root"))
    assert answered.status_code == 422, answered.text
    assert (
        "expected" in answered.json()["detail"]
        or "name" in answered.json()["detail"]
        or ("write" in answered.json()["detail"] or "fields are" in answered.json()["detail"])
    )


@pytest.mark.parametrize("cursor", [0, "", "x", "-1", "1" * 21, "²"])
async def test_a_cursor_that_is_none(client: httpx.AsyncClient, cursor: Any) -> None:
    """Only what a page gave."""
    body = {**NAME, "cursor": cursor}
    answered = await client.post(f"{PREFIX}/entries", json=body, headers=as_user("root"))
    assert answered.status_code == 422, answered.text
