"""The OpenAPI document: right in itself, and its examples work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
from tests.support.services import as_user, path_of


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each path, method and operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def examples(operation: dict[str, Any]) -> Iterator[tuple[dict[str, str], Any]]:
    """The parameters and the body of each example."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    if "example" in body:
        yield {}, body["example"]
    for parameter in operation.get("parameters", ()):
        content = parameter.get("content", {}).get("application/json", {})
        if "example" in content:
            yield {parameter["name"]: json.dumps(content["example"])}, None


async def test_it_is_openapi_3_1_and_whole(client: httpx.AsyncClient) -> None:
    """Anybody may read it; every operation says what it answers, and what else it may."""
    document = (await client.get("/api/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == "1.0.0"
    for path, method, operation in operations(document):
        assert operation["summary"], (path, method)
        assert {"401", "403", "422"} <= set(operation["responses"]), (path, method)
        for status, response in operation["responses"].items():
            for kind, content in response.get("content", {}).items():
                jsonschema.Draft202012Validator.check_schema(content["schema"])
                assert (int(status) >= 400) == (kind == "application/problem+json")


async def test_its_examples_work(client: httpx.AsyncClient) -> None:
    """What is shown can be sent as it stands, and is answered as the schema says."""
    document = (await client.get("/api/openapi.json")).json()
    tried = 0
    for path, method, operation in operations(document):
        for parameters, body in examples(operation):
            where = path_of(path)
            answered = await client.request(
                method, where, params=parameters, json=body, headers=as_user("root")
            )
            # Nothing is kept here to roll back to.
            good = (409,) if path.endswith("/rollback") else (200, 202)
            assert answered.status_code in good, (path, method, answered.text)
            kind = answered.headers["content-type"]
            described = operation["responses"][str(answered.status_code)]["content"]
            if kind in described and kind == "application/json":
                jsonschema.validate(answered.json(), described[kind]["schema"])
            tried += 1
    assert tried >= 3
