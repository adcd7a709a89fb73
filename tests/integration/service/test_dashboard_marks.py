"""Over HTTP: the rows behind a mark come to its figure, and files hold what was shown."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx
import pyarrow.parquet as pq
import pytest
from tests.support.leaks import LeakScan
from tests.support.number_boards import random_dashboard, random_filters
from tests.support.number_tables import access_of, make_world, settings_of
from tests.support.services import as_user, open_client

from warmcube.config import load
from warmcube.dashboard.parse import parse
from warmcube.dashboard.render import GivenDashboards

BOARD: Final = "/api/admin/analytics/dashboard/random"
Json = Mapping[str, Any]


def marks_of(chart: Json) -> Iterator[tuple[Json, int, Json]]:
    """Picture, place and series of each mark that has rows of its own."""
    for facet in chart["facets"]:
        measures = {each["id"] for each in facet["series"] if each["kind"] == "measure"}
        for place, label in enumerate(facet["labels"]):
            for series in facet["series"]:
                is_rest = label["is_other"] or "/~other" in series["id"]
                if (series["of"] or series["id"]) in measures and not is_rest:
                    yield facet, place, series


def asked_of(definition: Json, chart: Json, mark: tuple[Json, int, Json]) -> dict[str, Any]:
    """The request for the rows behind a mark, as the reference describes it."""
    facet, place, series = mark
    is_compared = series["kind"] == "comparison"
    own = series["of"] if is_compared else series["id"]
    body: dict[str, Any] = {"series": own.split("/")[0], "limit": 100_000, "decimals": "string"}
    if is_compared:
        body["period"] = "compared"
    if chart["column"] is not None:
        has_keys = is_compared and series["keys"] is not None
        body["label"] = {
            "key": series["keys"][place] if has_keys else facet["labels"][place]["key"]
        }
    if "split_by" in definition:
        body["split"] = {"key": series["split"]}
    if "multiples" in definition:
        body["multiple"] = {"key": facet["key"]}
    return body


def comes_to(aggregate: str, values: list[Decimal]) -> Decimal | None:
    """An aggregate by hand."""
    if aggregate == "count":
        return Decimal(len(values))
    if not values:
        return None
    if aggregate in ("min", "max"):
        return min(values) if aggregate == "min" else max(values)
    return sum(values, Decimal(0)) / (len(values) if aggregate == "avg" else 1)


def is_close(figure: str | None, found: Decimal | None, *, has_rows: bool) -> bool:
    """Where there are no rows, a filled up date may be zero."""
    if figure is None or found is None:
        return (figure is None and found is None) or not has_rows
    return abs(Decimal(figure) - found) <= abs(found) * Decimal("1e-15")


@pytest.mark.parametrize(
    "seed",
    [1, 8, 13, 17, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(20, 60))],
)
async def test_marks_and_files_have_the_figures(
    tmp_path: Path, redis_url: str, postgres_db: str, seed: int
) -> None:
    """Of random dashboards, for whoever may see some of the rows."""
    random = Random(seed)
    world = make_world(random)
    world.load(postgres_db)
    (tmp_path / "access.toml").write_text(access_of(world))
    (tmp_path / "warmcube.toml").write_text(settings_of(world, redis_url, postgres_db))
    definition = random_dashboard(random, 8)
    dashboard = parse(definition).dashboard
    assert dashboard is not None
    settings = load(tmp_path / "warmcube.toml", {})
    given = GivenDashboards(dashboard)
    async with open_client(settings, LeakScan({}), dashboards=given) as (client, app):
        await app.state.service.cache.warm(1)
        headers = as_user(random.choice(("root", "north")))
        filters = random_filters(random, world)
        answer = await client.post(f"{BOARD}/render", json={"filters": filters}, headers=headers)
        assert answer.status_code == 200, answer.text
        for said, chart in zip(answer.json()["charts"], definition["charts"], strict=True):
            assert said["error"] is None
            path = f"{BOARD}/charts/{said['id']}"
            await _check_files(client, f"{path}/data", filters, headers, said)
            marks = list(marks_of(said))
            for mark in random.sample(marks, min(len(marks), 8)):
                body = asked_of(chart, said, mark) | {"filters": filters}
                behind = await client.post(f"{path}/rows", json=body, headers=headers)
                assert behind.status_code == 200, behind.text
                rows = behind.json()["rows"]
                values = [
                    Decimal(str(row["measure_value"]))
                    for row in rows
                    if row["measure_value"] is not None
                ]
                (aggregate,) = (
                    each["aggregate"] for each in chart["series"] if each["id"] == body["series"]
                )
                figure = mark[2]["values"][mark[1]]
                found = comes_to(aggregate, values)
                assert is_close(figure, found, has_rows=bool(rows)), (body, figure, found)


async def _check_files(
    client: httpx.AsyncClient, path: str, filters: Json, headers: Mapping[str, str], said: Json
) -> None:
    """A column for each series, with its figures."""
    for form in ("csv", "parquet"):
        body = {"filters": filters, "format": form}
        file = await client.post(path, json=body, headers=headers)
        assert file.status_code == 200, file.text
        if form == "csv":
            # A row of nothing but a NULL is an empty line.
            lines = [line or [""] for line in csv.reader(io.StringIO(file.text))]
            columns = [list(column) for column in zip(*lines, strict=True)]
            columns = [column[1:] for column in columns]
        else:
            table = pq.read_table(io.BytesIO(file.content))
            columns = [column.to_pylist() for column in table.columns]
        facets = said["facets"]
        count = len(facets[0]["series"]) if facets else 0
        found = [
            [None if cell in ("", None) else Decimal(str(cell)) for cell in column]
            for column in columns[len(columns) - count :]
        ]
        expected = [
            [
                None if value is None else Decimal(value)
                for facet in facets
                for value in facet["series"][number]["values"]
            ]
            for number in range(count)
        ]
        assert found == expected, (said["id"], form)
