"""``/api/dashboards`` and rendering over HTTP: SQL's numbers, for whoever may see them."""

from __future__ import annotations

import httpx
import pytest
from tests.integration.service.test_query import VISIBLE
from tests.support.caches import select
from tests.support.services import as_user

RENDER = "/api/admin/analytics/dashboard/sample/render"
YEAR = {"start": "2024-01-01", "end": "2024-12-31"}


@pytest.mark.parametrize("user", VISIBLE)
async def test_the_numbers_are_sqls(client: httpx.AsyncClient, facts: str, user: str) -> None:
    """Of a line over dates, a bar of each practice, and a number: values and totals."""
    answered = await client.post(RENDER, json={"filters": YEAR}, headers=as_user(user))
    assert answered.status_code == 200
    given = {chart["id"]: chart["facets"][0] for chart in answered.json()["charts"]}
    rows = (
        f"FROM ih.facts WHERE {VISIBLE[user]} AND measure = 'Charges' AND frequency = 'Monthly' "
        "AND date_index BETWEEN '2024-01-01' AND '2024-12-31'"
    )
    for chart, column, order in (
        ("by-date", "date_index", "1"),
        ("by-practice", "practice_uid", "2::numeric DESC NULLS LAST, practice_uid"),
    ):
        expected = select(
            facts,
            f"SELECT {column}::text, sum(measure_value)::text {rows} GROUP BY {column} "
            f"ORDER BY {order.replace('2::numeric', 'sum(measure_value)')}",
        )
        facet = given[chart]
        keys = [None if each["key"] is None else str(each["key"]) for each in facet["labels"]]
        assert list(zip(keys, facet["series"][0]["values"], strict=True)) == expected
    ((total,),) = select(facts, f"SELECT sum(measure_value)::text {rows}")
    assert given["total"]["series"][0]["values"] == [total]
    assert {facet["series"][0]["total"] for facet in given.values()} == {total}
