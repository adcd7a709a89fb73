"""Defects of the system that this one replaces, by their line in ``rivals.md``: never again.

Each question is asked of the library in both tiers, and of the command line in one or the other.
All must agree, and give what SQL gives on the same table.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from adbc_driver_postgresql import dbapi
from tests.support.caches import execute, hold_partitions
from tests.support.ways import Deployment, Tier, may_answer, query_words, run_inside

from warmcube import AnalyticsCache, Query
from warmcube.errors import WarmcubeError

MEASURES: Final = (
    *("Charges", "A|B", "A", "B", "A:B", "A%7CB", "A:freq:Monthly", "m:A", "A}", "{ds:1:m:A", ":"),
    *("|", "A|B|Monthly|101", "A:freq:Monthly}:v1:p:101"),
)
FREQUENCIES: Final = ("Monthly", "Mon|thly", "Mon:thly")
TABLE: Final = """
CREATE TABLE facts AS
SELECT (row_number() OVER ())::integer AS row_number, m AS measure, f AS frequency,
       p AS practice_uid, v AS provider_uid, DATE '2026-01-01' AS date_index,
       v::numeric(9,2) AS measure_value
FROM unnest(ARRAY[{}]) AS m, unnest(ARRAY[{}]) AS f,
     unnest(ARRAY[101, 102, 103, 104, 105, NULL]) AS p, unnest(ARRAY[7, 8, NULL]) AS v
""".format(*(", ".join(f"'{each}'" for each in names) for names in (MEASURES, FREQUENCIES)))
TEXTS: Final = """
CREATE VIEW texts AS
SELECT row_number, measure, frequency, provider_uid::text AS provider_uid, date_index,
       CASE practice_uid WHEN 105 THEN '0101' ELSE practice_uid::text END AS practice_uid,
       measure_value
FROM facts
"""
"""The same with ids that are text, where 0101 is another practice than 101."""

ACCESS: Final = """
[roles]
super_admin = ["analytics:read:all"]
org_analyst = ["analytics:read:organization"]
provider = ["analytics:read:own"]
[[organizations]]
id = "north"
practices = [101, 102]
[[organizations]]
id = "quoted"
parent = "north"
practices = ["103"]
[[organizations]]
id = "empty"
practices = []
[[organizations]]
id = "closed"
parent = "north"
practices = [104]
active = false
[[users]]
id = "root"
roles = ["super_admin"]
[[users]]
id = "north"
roles = ["org_analyst"]
organizations = ["north"]
[[users]]
id = "nobody"
roles = ["org_analyst"]
organizations = ["empty"]
[[users]]
id = "provider"
roles = ["provider"]
organizations = ["north"]
provider = 7
[[users]]
id = "lost"
roles = ["provider"]
organizations = ["north"]
"""
CONFIGURATION: Final = """
[[datasources]]
id = 1
name = "facts"
source = "main"
table = "facts"
[[datasources]]
id = 2
name = "texts"
source = "main"
table = "texts"
"""
VISIBLE: Final = {
    "root": "TRUE",
    "north": "practice_uid IN (101, 102, 103)",
    "provider": "practice_uid IN (101, 102, 103) AND provider_uid = 7",
    "nobody": "FALSE",
    "lost": "FALSE",
}


@dataclass(frozen=True, slots=True)
class Everywhere:
    """Asks the same in each way, and wants one answer.

    Attributes:
        deployment: the configurations.
        caches: of each tier.
        database: with the table.
        shell: from which tier the command line answers next: a command costs far more than a query.
    """

    deployment: Deployment
    caches: dict[Tier, AnalyticsCache]
    database: str
    shell: Iterator[Tier]

    async def answer(self, user: str, **names: Any) -> frozenset[int] | int:
        """The numbers of the rows, or the exit status of the refusal."""
        datasource = names.pop("datasource", 1)
        asked = {"measure": "Charges", "frequency": "Monthly"} | names
        found = {
            f"cache.query, {tier}": await _ask(cache, tier, user, datasource, asked)
            for tier, cache in self.caches.items()
        }
        tier = next(self.shell)
        words = query_words(self.deployment.path(tier), user, datasource, asked)
        status, output = await asyncio.to_thread(run_inside, words)
        found[f"warmcube query, {tier}"] = status or _numbers(json.loads(output))
        assert len(set(found.values())) == 1, found
        return next(iter(found.values()))

    def sql(self, condition: str, **names: str) -> frozenset[int]:
        """What SQL says of a partition."""
        asked = {"measure": "Charges", "frequency": "Monthly"} | names
        with dbapi.connect(self.database) as db, db.cursor() as cursor:
            cursor.execute(
                "SELECT row_number FROM facts WHERE measure = $1 AND frequency = $2 "
                f"AND ({condition})",
                (asked["measure"], asked["frequency"]),
            )
            return frozenset(row[0] for row in cursor.fetchall())


async def _ask(
    cache: AnalyticsCache, tier: Tier, user: str, datasource: int, asked: dict[str, Any]
) -> frozenset[int] | int:
    try:
        grant = await cache.authorize(user)
        result = await cache.query(Query(datasource=datasource, **asked), grant)
    except WarmcubeError as error:
        return error.exit_status
    assert result.meta.origin in may_answer(tier)
    return _numbers(result.rows())


def _numbers(rows: list[dict[str, Any]]) -> frozenset[int]:
    numbers = Counter(row["row_number"] for row in rows)
    assert set(numbers.values()) <= {1}, "a row was answered twice"
    return frozenset(numbers)


@pytest.fixture(scope="module")
def facts(postgres_module_db: str) -> str:
    """A database with the table."""
    execute(postgres_module_db, TABLE, TEXTS)
    return postgres_module_db


@pytest.fixture
async def everywhere(tmp_path: Path, redis_url: str, facts: str) -> AsyncIterator[Everywhere]:
    """Warm caches, and the command line."""
    made = Deployment.write(tmp_path, redis_url, facts, access=ACCESS, datasources=CONFIGURATION)
    async with AsyncExitStack() as stack:
        caches: dict[Tier, AnalyticsCache] = {}
        for tier in ("store", "resident", "held", "database"):
            cache = AnalyticsCache.from_config(made.path(tier))
            caches[tier] = await stack.enter_async_context(cache)
        for datasource in (1, 2):
            await caches["store"].warm(datasource)
        await hold_partitions(caches["held"], 1, 2)
        yield Everywhere(made, caches, facts, itertools.cycle(caches))


async def test_line_1_an_empty_list_is_not_no_filter(everywhere: Everywhere) -> None:
    """No practices, no providers, and an organization without any: no rows, for everybody."""
    for user, condition in VISIBLE.items():
        assert await everywhere.answer(user) == everywhere.sql(condition)
        assert await everywhere.answer(user, practices=[]) == frozenset()
        assert await everywhere.answer(user, providers=[]) == frozenset()
        assert await everywhere.answer(user, practices=[], providers=[]) == frozenset()
    assert len(everywhere.sql(VISIBLE["north"])) == 9
    assert await everywhere.answer("nobody", organization="empty") == frozenset()
    assert await everywhere.answer("root", organization="north", practices=[]) == frozenset()


async def test_line_2_own_without_a_provider_sees_nothing(everywhere: Everywhere) -> None:
    """It never widens to the organization, whatever is named; with one it is that one's rows."""
    assert await everywhere.answer("lost") == frozenset()
    assert await everywhere.answer("lost", organization="north") == frozenset()
    assert await everywhere.answer("lost", practices=[101]) == frozenset()
    assert await everywhere.answer("lost", providers=[7]) == 3
    assert await everywhere.answer("lost", practices=[105]) == 3
    own = everywhere.sql("practice_uid = 101 AND provider_uid = 7")
    assert await everywhere.answer("provider", practices=[101]) == own != frozenset()


@pytest.mark.parametrize("user", VISIBLE)
async def test_line_3_an_organization_filter_is_never_dropped(
    everywhere: Everywhere, user: str
) -> None:
    """One that is invalid is an error, one without practices is empty; the super admin's too."""
    for organization in ("atlantis", "closed", "NORTH"):
        assert await everywhere.answer(user, organization=organization) == 3
    assert await everywhere.answer(user, organization="") == 2
    inside = everywhere.sql(f"practice_uid IN (101, 102, 103) AND {VISIBLE[user]}")
    north = await everywhere.answer(user, organization="north")
    assert north == (3 if user == "nobody" else inside)
    empty = await everywhere.answer(user, organization="empty")
    assert empty == (frozenset() if user in ("root", "nobody") else 3)


async def test_line_13_no_character_of_a_name_corrupts_its_key(everywhere: Everywhere) -> None:
    """``|``, ``:`` and braces: each measure and frequency has its own rows, all of them."""
    for measure in MEASURES:
        for frequency in FREQUENCIES if measure == "A|B" else ("Monthly",):
            names = {"measure": measure, "frequency": frequency}
            expected = everywhere.sql(VISIBLE["north"], **names)
            assert len(expected) == 9
            assert await everywhere.answer("north", **names) == expected
    for almost in ("A|", "A:", "A%7cB", "A|B:freq:Monthly"):
        assert await everywhere.answer("root", measure=almost) == frozenset()
    stats = await everywhere.caches["store"].stats(1)
    assert (stats.measures, stats.frequencies, stats.rows) == (
        len(MEASURES),
        len(FREQUENCIES),
        len(MEASURES) * len(FREQUENCIES) * 18,
    )


async def test_line_20_a_string_id_is_the_same_practice(everywhere: Everywhere) -> None:
    """``"101"`` is 101 in a request and in the directory; what isn't canonical is an error."""
    one = everywhere.sql("practice_uid = 101")
    own = everywhere.sql("practice_uid = 101 AND provider_uid = 7")
    for practice in (101, "101"):
        assert await everywhere.answer("north", practices=[practice]) == one != frozenset()
        assert await everywhere.answer("provider", practices=[practice]) == own != frozenset()
        assert await everywhere.answer("root", practices=[practice], providers=["7"]) == own
    # Practice 103 stands in the directory as text.
    assert await everywhere.answer("north", practices=[103]) == everywhere.sql("practice_uid = 103")
    for user in ("root", "lost"):
        for other in ("0101", " 101", "101.0", "+101", "x", "\u0661\u0660"):
            assert await everywhere.answer(user, practices=[other]) == 2
    assert await everywhere.answer("provider", providers=["07"]) == 2


async def test_line_20_where_ids_are_text(everywhere: Everywhere) -> None:
    """There every text is an id of its own: 0101 isn't 101, and who may not see it is told so."""
    for user, condition in VISIBLE.items():
        assert await everywhere.answer(user, datasource=2) == everywhere.sql(condition)
    one = everywhere.sql("practice_uid = 101")
    assert await everywhere.answer("north", datasource=2, practices=["101"]) == one
    other = everywhere.sql("practice_uid = 105")
    assert await everywhere.answer("root", datasource=2, practices=["0101"]) == other != frozenset()
    assert await everywhere.answer("north", datasource=2, practices=["0101"]) == 3
    # A number for a text column is an error in the library; a command line has text only.
    for cache in everywhere.caches.values():
        asked = Query(datasource=2, measure="Charges", frequency="Monthly", practices=[101])
        with pytest.raises(WarmcubeError, match="the column is text"):
            await cache.query(asked, await cache.authorize("root"))
