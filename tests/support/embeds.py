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
    "ASKED",
    "BOARDS",
    "BY_DATE",
    "EMBED",
    "EMBED_SECRET",
    "FIXED",
    "NORTH",
    "VISIBLE",
    "YEAR",
    "condition_of",
    "look",
    "mint",
    "settings_of",
    "shown",
    "sums",
    "sums_in",
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
EMBED_SECRET = b"a secret of embeds, long enough."
EMBED = '[auth.embed]\nkey_file = "embed.key"\n'
BOARDS = (
    SAMPLE,
    replace(SAMPLE, id="other"),
    replace(SAMPLE, id="analysts", roles=("embedder",)),
)


def settings_of(
    folder: Path,
    store: str,
    source: str,
    *,
    more: str = "",
    access: str = ACCESS,
    namespace: str = "",
) -> Settings:
    """A configuration in which dashboards may be embedded."""
    (folder / "embed.key").write_bytes(EMBED_SECRET)
    (folder / "embed.key").chmod(0o600)
    environment = {"WARMCUBE_STORE__NAMESPACE": namespace}
    return make_cache(
        folder, store, source, access=access, more=EMBED + more, environment=environment
    ).settings


BY_DATE = "date_index BETWEEN '2024-01-01' AND '2024-12-31'"
NORTH = f"practice_uid IN (101, 102, 103) AND {BY_DATE}"


FIXED: list[tuple[dict[str, Any], str]] = [
    ({"practices": [101, 102]}, "practice_uid IN (101, 102)"),
    ({"practices": []}, "false"),
    ({"providers": [1, 2]}, "provider_uid IN (1, 2)"),
    ({"providers": []}, "false"),
    ({"organization": "north-east"}, "practice_uid = 103"),
    ({"where": {"note": ["note of practice 101"]}}, "note = 'note of practice 101'"),
    ({"where": {"provider_uid": [None]}}, "provider_uid IS NULL"),
    ({"where": {"note": []}}, "false"),
    (
        {"start": "2024-01-02", "end": "2024-01-03"},
        "date_index BETWEEN '2024-01-02' AND '2024-01-03'",
    ),
    ({"start": "2024-01-04"}, "date_index >= '2024-01-04'"),
]
ASKED: list[dict[str, Any]] = [
    {},
    {"practices": [101, 102, 103, 110]},
    {"practices": ["101", "110"]},
    {"practices": [110]},
    {"practices": [103]},
    {"practices": []},
    {"providers": [1, 3]},
    {"providers": [4]},
    {"providers": []},
    {"organization": "north"},
    {"organization": "north-east"},
    {"organization": "south"},
    {"where": {"note": ["note of practice 101", "note of practice 102"]}},
    {"where": {"note": ["note of practice 110"]}},
    {"where": {"provider_uid": [None]}},
    {"where": {"provider_uid": [1]}},
    {"where": {"practice_uid": [103]}},
    {"where": {"practice_uid": []}},
    YEAR,
    {"preset": "all"},
    {"start": "2024-01-05"},
    {"time_zone": "Pacific/Kiritimati"},
]


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
    return sums_in(answered)


def sums_in(answered: httpx.Response) -> dict[str | None, str]:
    """The sums of a good answer, by practice."""
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


def condition_of(asked: Mapping[str, Any]) -> str:
    """What a page asks for, as a condition."""
    found = ["true"]
    names = {"practices": "practice_uid", "providers": "provider_uid"}
    lists = [(names[name], values) for name, values in asked.items() if name in names]
    for column, values in [*lists, *asked.get("where", {}).items()]:
        texts = ", ".join(f"'{value}'" for value in values if value is not None)
        some = f"{column}::text IN ({texts})" if texts else "false"
        found.append(f"({some} OR {column} IS NULL)" if None in values else some)
    if "organization" in asked:
        held = {"north": "101, 102, 103", "north-east": "103", "south": "110"}
        found.append(f"practice_uid IN ({held[asked['organization']]})")
    if "start" in asked:
        found.append(f"date_index >= '{asked['start']}'")
    if "end" in asked:
        found.append(f"date_index <= '{asked['end']}'")
    return " AND ".join(found)
