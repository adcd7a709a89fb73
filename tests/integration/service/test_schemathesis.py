"""Schemathesis against the document, as users of every role, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import (
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from schemathesis.generation import GenerationMode
from tests.integration.service.conftest import ACCESS, PRACTICES
from tests.support.caches import make_cache
from tests.support.dashboards import SAMPLE
from tests.support.embeds import EMBED, EMBED_SECRET
from tests.support.leaks import LeakScan
from tests.support.services import as_user, identify_by_name
from tests.support.serving import serving

from warmcube.dashboard.render import GivenDashboards
from warmcube.service.app import create_app

pytestmark = pytest.mark.no_cover  # repeats for long what other tests cover

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]
EXAMPLES = 9
EXAMPLES_LONG = 100
"""Cases of each operation, right and wrong ones; each is sent as everybody."""

settings.register_profile(
    "schemathesis",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, redis_server: Any, facts: str) -> Iterator[str]:
    """A warm service behind a socket."""
    folder: Path = tmp_path_factory.mktemp("described")
    (folder / "embed.key").write_bytes(EMBED_SECRET)
    (folder / "embed.key").chmod(0o600)
    made = make_cache(folder, redis_server.url, facts, access=ACCESS, more=EMBED)

    async def warm() -> None:
        async with made as cache:
            await cache.warm(1)

    asyncio.run(warm())
    dashboards = GivenDashboards(SAMPLE)
    with serving(create_app(made.settings, identify_by_name, dashboards=dashboards)) as url:
        yield url


@pytest.fixture(scope="module")
def described(url: str) -> Any:
    """The document, as schemathesis reads it."""
    return schemathesis.openapi.from_url(f"{url}/api/openapi.json")


USERS = (*PRACTICES, "watcher", "nobody", "")
"""Every role, an unknown user, and nobody."""


@pytest.mark.parametrize(
    "examples", [EXAMPLES, pytest.param(EXAMPLES_LONG, marks=pytest.mark.long)]
)
def test_the_service_keeps_to_its_document(described: Any, examples: int) -> None:
    """Whatever is sent: no 5xx, no status that isn't documented, no body of another shape."""
    scan = LeakScan(PRACTICES)
    operations = [found.ok() for found in described.get_all_operations()]
    for operation in operations:
        for mode in GenerationMode:
            try:
                _try(operation.as_strategy(generation_mode=mode), scan, examples)
            except Unsatisfiable:  # nothing of an operation without parameters can be wrong
                assert mode is GenerationMode.NEGATIVE
    assert scan.scanned > 10 * len(operations) * len(USERS)


def _try(cases: Any, scan: LeakScan, examples: int) -> None:
    """Send many cases, each as everybody."""

    @settings(settings.get_profile("schemathesis"), max_examples=examples)
    @given(case=cases)
    def ask(case: Any) -> None:
        for user in USERS:
            headers = as_user(user) if user else {}
            response = case.call(headers=headers, allow_redirects=False)
            case.validate_response(response, checks=CHECKS)
            scan.check(user, _as_httpx(case, response))

    ask()


def _as_httpx(case: Any, response: Any) -> httpx.Response:
    return httpx.Response(
        response.status_code,
        headers=[
            (name, values[0])
            for name, values in response.headers.items()
            if name.lower() != "content-encoding"  # it is decoded already
        ],
        content=response.content,
        request=httpx.Request(case.method, "http://test/"),
    )
