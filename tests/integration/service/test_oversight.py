"""`/api/admin/directory`: the users and what they may see, for those who look after them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from tests.integration.service.conftest import ACCESS
from tests.support.audit import read_lines
from tests.support.services import as_user

PREFIX = "/api/admin/directory"
PATHS = ("/organizations", "/users", "/users/north/access", "/defects")
KNOWN = tomllib.loads(ACCESS)


async def ask(client: httpx.AsyncClient, path: str, **parameters: str) -> dict[str, Any]:
    """What root is told."""
    answered = await client.get(PREFIX + path, params=parameters, headers=as_user("root"))
    assert answered.status_code == 200, answered.text
    return dict(answered.json())


async def printed(folder: Path, *arguments: str) -> Any:
    """What a command prints as JSON; None where it prints nothing."""
    program = str(Path(sys.executable).with_name("warmcube"))
    done = await asyncio.to_thread(
        subprocess.run,
        [program, "--config", str(folder / "warmcube.toml"), *arguments, "--json"],
        capture_output=True,
        check=False,
    )
    return json.loads(done.stdout) if done.stdout else None


@pytest.mark.parametrize("user", ["watcher", "north", "exporter", "provider", "nobody"])
async def test_nobody_else_may(client: httpx.AsyncClient, user: str) -> None:
    """And who may not can't tell a user that there is from one that there isn't."""
    for path in (*PATHS, "/users/no-such/access"):
        answered = await client.get(PREFIX + path, headers=as_user(user))
        assert answered.status_code == 403
        assert "no-such" not in answered.text


async def test_the_tree(client: httpx.AsyncClient) -> None:
    """All organizations, as the file has them."""
    found = (await ask(client, "/organizations"))["organizations"]
    users = [each for user in KNOWN["users"] for each in user.get("organizations", ())]
    expected = [
        {
            "id": each["id"],
            "name": each.get("name", each["id"]),
            "parent": each.get("parent"),
            "active": True,
            "has_defect": False,
            "practices": [str(practice) for practice in each["practices"]],
            "users": users.count(each["id"]),
        }
        for each in KNOWN["organizations"]
    ]
    assert found == sorted(expected, key=lambda each: each["id"])


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, ["exporter", "north", "provider", "root", "watcher"]),
        ({"search": "OR"}, ["exporter", "north"]),
        ({"search": "zzz"}, []),
        ({"organization": "north"}, ["exporter", "north", "provider"]),
        ({"organization": "north", "search": "pro"}, ["provider"]),
        ({"after": "north"}, ["provider", "root", "watcher"]),
    ],
)
async def test_users_are_found(
    client: httpx.AsyncClient, parameters: dict[str, str], expected: list[str]
) -> None:
    """By what id or name contain, and by organization."""
    found = await ask(client, "/users", **parameters)
    assert [each["id"] for each in found["users"]] == expected
    assert found["following"] is None


async def test_many_users_come_in_pages(
    client: httpx.AsyncClient, app: FastAPI, tmp_path: Path
) -> None:
    """Each once, whatever their number."""
    more = "".join(f'[[users]]\nid = "u{n:03}"\nroles = []\n' for n in range(250))
    (tmp_path / "access.toml").write_text(ACCESS + more)
    await app.state.service.cache._parts.authoriser.directory()
    found: list[str] = []
    page: dict[str, Any] = {"following": ""}
    while page["following"] is not None:
        after = {"after": page["following"]} if page["following"] else {}
        page = await ask(client, "/users", search="u", **after)
        assert len(page["users"]) <= 100
        found += [each["id"] for each in page["users"]]
    assert found == [f"u{n:03}" for n in range(250)]
    assert page["total"] == 250


@pytest.mark.parametrize("user", ["root", "watcher", "north", "exporter", "provider"])
@pytest.mark.parametrize("organization", [None, "north-east"])
async def test_the_explanation_is_that_of_the_command(
    client: httpx.AsyncClient, tmp_path: Path, user: str, organization: str | None
) -> None:
    """``warmcube explain-access --json``, but for when it was decided."""
    narrowed = {} if organization is None else {"organization": organization}
    told = (await ask(client, f"/users/{user}/access", **narrowed))["access"]
    options = [] if organization is None else ["--organization", organization]
    expected = await printed(tmp_path, "explain-access", user, *options)
    for each in (told, expected):
        if each is not None:
            del each["decided_at"], each["valid_until"]
    assert told == expected


async def test_who_is_denied_and_why(
    client: httpx.AsyncClient, app: FastAPI, tmp_path: Path
) -> None:
    """Not an error of whoever asks; each look is audited, with who looked and at whom."""
    unknown = await ask(client, "/users/nemo/access")
    assert (unknown["access"], unknown["denied"]["reason"]) == (None, "unknown user")
    outside = await ask(client, "/users/north/access", organization="south")
    assert outside["denied"]["reason"] == "organization outside the scope"
    await ask(client, "/users/north/access")
    for path in ("/organizations", "/users", "/defects"):
        await ask(client, path)
    await app.state.service.cache._parts.trail.close()
    text = (tmp_path / ".warmcube/audit.jsonl").read_bytes()
    told = read_lines(text)
    explained = [each for each in told if each.get("action") == "explain"]
    assert [(each["event"], each["actor"], each["subject"]) for each in explained] == [
        ("denied", "root through test", "nemo"),
        ("blocked_filter", "root through test", "north"),
        ("granted", "root through test", "north"),
    ]
    listed = [each for each in told if each["event"] == "directory_read"]
    assert [(each["subject"], each["what"]) for each in listed] == [
        ("root", "organizations"),
        ("root", "users"),
        ("root", "defects"),
    ]


async def test_defects_are_those_of_the_command(client: httpx.AsyncClient, tmp_path: Path) -> None:
    """Also of a file that isn't in force because of them."""
    await ask(client, "/users")  # the directory that is in force
    (tmp_path / "access.toml").write_text(
        ACCESS + '[[users]]\nid = "odd"\nroles = ["nope"]\norganizations = ["gone"]\n'
    )
    found = (await ask(client, "/defects"))["findings"]
    assert found == await printed(tmp_path, "directory", "check", "--without-data")
    assert sum(each["is_defect"] for each in found) == 2
