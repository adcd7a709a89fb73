"""Dashboards in other sites: a service that has some, who embeds, and who looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from tests.support.caches import make_cache, select
from tests.support.dashboards import SAMPLE
from tests.support.services import as_user

from warmcube.config import Settings

__all__ = [
    "ACCESS",
    "BOARDS",
    "BY_DATE",
    "NORTH",
    "VISIBLE",
    "YEAR",
    "look",
    "mint",
    "settings_of",
    "shown",
    "sums",
]

ACCESS = """
[roles]
super_admin = ["analytics:read:all", "cache:manage:all"]
keeper = ["analytics:read:own", "directory:manage:all"]
embedder = ["analytics:read:organization", "dashboards:embed:organization"]
reader = ["analytics:read:organization"]
embed_only = ["dashboards:embed:organization"]
own = ["analytics:read:own"]

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

[[users]]
id = "root"
roles = ["super_admin"]
[[users]]
id = "keeper"
roles = ["keeper"]
[[users]]
id = "ana"
roles = ["embedder"]
organizations = ["north"]
[[users]]
id = "bob"
roles = ["embedder"]
organizations = ["south"]
[[users]]
id = "reader"
roles = ["reader"]
organizations = ["north"]
[[users]]
id = "part"
roles = ["reader", {role = "embed_only", organization = "north-east"}]
organizations = ["north"]
[[users]]
id = "provider"
roles = ["own", "embed_only"]
organizations = ["north"]
provider = 3
[[users]]
id = "everything"
roles = ["super_admin", "embed_only"]
organizations = ["north"]
"""
VISIBLE = {
    "root": None,
    "everything": None,
    "ana": (101, 102, 103),
    "bob": (110,),
    "reader": (101, 102, 103),
    "part": (101, 102, 103),
    "provider": (101, 102, 103),
}
YEAR = {"start": "2024-01-01", "end": "2024-12-31"}
EMBED = '[auth.embed]\nkey_file = "embed.key"\n'
BOARDS = (
    SAMPLE,
    replace(SAMPLE, id="other"),
    replace(SAMPLE, id="analysts", roles=("embedder",)),
)


def settings_of(
    folder: Path, store: str, source: str, *, more: str = "", access: str = ACCESS
) -> Settings:
    """A configuration in which dashboards may be embedded."""
    (folder / "embed.key").write_bytes(b"a secret of embeds, long enough.")
    (folder / "embed.key").chmod(0o600)
    return make_cache(folder, store, source, access=access, more=EMBED + more).settings


BY_DATE = "date_index BETWEEN '2024-01-01' AND '2024-12-31'"
NORTH = f"practice_uid IN (101, 102, 103) AND {BY_DATE}"


async def mint(
    client: httpx.AsyncClient, user: str = "ana", dashboard: str = "sample", **body: Any
) -> dict[str, Any]:
    """A new embed."""
    answered = await client.post(
        f"/api/dashboards/{dashboard}/embed", json=body, headers=as_user(user)
    )
    assert answered.status_code == 201, answered.text
    made: dict[str, Any] = answered.json()
    return made


async def look(
    client: httpx.AsyncClient,
    token: str,
    filters: Mapping[str, Any] | None = None,
    dashboard: str = "sample",
    **body: Any,
) -> httpx.Response:
    """What a viewer is answered."""
    return await client.post(
        f"/api/embed/{dashboard}/render",
        json={"filters": filters, **body},
        headers={"Authorization": f"Bearer {token}"},
    )


async def shown(
    client: httpx.AsyncClient, token: str, filters: Mapping[str, Any] | None = None
) -> dict[str | None, str]:
    """The sums that a viewer is shown, by practice."""
    answered = await look(client, token, filters)
    assert answered.status_code == 200, answered.text
    (chart,) = (each for each in answered.json()["charts"] if each["id"] == "by-practice")
    (facet,) = chart["facets"]
    keys = [None if each["key"] is None else str(each["key"]) for each in facet["labels"]]
    return dict(zip(keys, facet["series"][0]["values"], strict=True)) if keys else {}


def sums(facts: str, condition: str) -> dict[Any, Any]:
    """The same, by SQL."""
    rows = select(
        facts,
        "SELECT practice_uid::text, sum(measure_value)::text FROM ih.facts WHERE "
        f"measure = 'Charges' AND frequency = 'Monthly' AND ({condition}) GROUP BY 1",
    )
    return {row[0]: row[1] for row in rows}
