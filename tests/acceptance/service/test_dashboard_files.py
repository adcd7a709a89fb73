"""A running service follows its dashboards' files, in each of its processes."""

from __future__ import annotations

from pathlib import Path

import httpx
from tests.support.served import Running
from tests.support.servers import wait_until

from .conftest import AS_NORTH, Start

GOOD = """\
id = "one"
title = "{title}"
datasource = 1
[[charts]]
id = "charges"
title = "Charges"
type = "number"
measure = "Charges"
frequency = "Monthly"
"""

CONNECTIONS = 16
"""So many new ones reach both processes, but for once in 30,000 times."""


def titles(service: Running) -> set[tuple[str, ...]]:
    """What is listed, over connections of their own."""
    name, _, value = AS_NORTH.partition(": ")
    found = set()
    for _ in range(CONNECTIONS):
        with httpx.Client(base_url=service.url, headers={name: value}, trust_env=False) as client:
            listed = client.get("/api/dashboards").raise_for_status().json()["dashboards"]
        found.add(tuple(each["title"] for each in listed))
    return found


def test_each_process_follows_the_files(start: Start, tmp_path: Path) -> None:
    """A file comes, is changed, is broken half-way, is whole again, and goes."""
    service = start("port = 0\nworkers = 2")
    assert titles(service) == {()}
    file = tmp_path / "dashboards/one.toml"
    file.parent.mkdir()
    file.write_text(GOOD.format(title="First"))
    wait_until(lambda: titles(service) == {("First",)})
    file.write_text(GOOD.format(title="Second"))
    wait_until(lambda: titles(service) == {("Second",)})
    file.write_text(GOOD.format(title="Third")[:60])
    said = "one.toml: isn't valid TOML"
    wait_until(lambda: bool(titles(service)) and sum(said in line for line in service.told) == 2)
    assert titles(service) == {("Second",)}
    assert sum(said in line for line in service.told) == 2  # once for each process
    file.write_text(GOOD.format(title="Third"))
    wait_until(lambda: titles(service) == {("Third",)})
    file.unlink()
    wait_until(lambda: titles(service) == {()})
