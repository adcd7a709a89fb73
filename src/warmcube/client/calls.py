"""The calls of the service: what each asks for, and what its answer is."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, TypeAlias, TypeVar
from urllib.parse import quote

import httpx

from warmcube.access.listing import OrganizationName
from warmcube.client.exchange import Call, Do, Reach, Steps
from warmcube.client.wire import (
    error_of,
    lacking,
    meta_of,
    packed,
    query_fields,
    read_json,
    result_of_columns,
    result_of_stream,
    table_of,
)
from warmcube.errors import ServiceError, WarmcubeError
from warmcube.model.request import Query
from warmcube.model.schema import Datasource, Roles
from warmcube.query.listing import Measures, Values
from warmcube.query.result import Result

__all__ = [
    "ExportFormat",
    "OpenDatasource",
    "ask",
    "ask_many",
    "export",
    "list_datasources",
    "list_measures",
    "list_organizations",
    "list_values",
    "of_form",
]

ExportFormat: TypeAlias = Literal["csv", "parquet", "arrow"]

_T = TypeVar("_T")
_STREAM: Final = "application/vnd.apache.arrow.stream"
_META: Final = "Warmcube-Meta"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenDatasource:
    """A data source that exists for the caller.

    Attributes:
        id: for a `Query`.
        name: for people.
        time_zone: whose days are days of timestamps.
        roles: which column plays which role.
    """

    id: int
    name: str
    time_zone: str
    roles: Roles


def ask(query: Query) -> Call[Result]:
    """One question, answered in Arrow."""
    return Call(
        method="POST",
        path="api/query",
        body=packed({**query_fields(query), "format": "arrow"}),
        accept=_STREAM,
        read=lambda body, headers: result_of_stream(body, headers.get(_META)),
    )


def ask_many(queries: Sequence[Query]) -> Call[list[Result | WarmcubeError]]:
    """Many questions in one read; each has an answer or an error of its own."""
    body = {"queries": [query_fields(query) for query in queries], "format": "columns"}

    def read(body: bytes, _headers: httpx.Headers) -> list[Result | WarmcubeError]:
        answers = of_form(lambda told: list(told["answers"]), read_json(body))
        if len(answers) != len(queries):
            raise ServiceError(
                f"the service gave {len(answers)} answers to {len(queries)} queries; none is used"
            )
        return [of_form(_answer_or_error, answer) for answer in answers]

    return Call(method="POST", path="api/query/batch", body=packed(body), read=read)


def _answer_or_error(answer: Any) -> Result | WarmcubeError:
    problem = answer.get("problem")
    if problem is None:
        return result_of_columns(answer)
    return error_of(int(problem.get("status", 500)), problem)


def list_datasources() -> Call[tuple[OpenDatasource, ...]]:
    """The data sources that exist for the caller."""
    return _get("api/datasources", _datasources)


def _datasources(told: Any) -> tuple[OpenDatasource, ...]:
    return tuple(
        OpenDatasource(
            id=each["id"],
            name=each["name"],
            time_zone=each["time_zone"],
            roles=Roles(**each["roles"]),
        )
        for each in told["datasources"]
    )


def list_organizations() -> Call[tuple[OrganizationName, ...]]:
    """The organizations that the caller may filter by."""
    return _get("api/organizations", _organizations)


def _organizations(told: Any) -> tuple[OrganizationName, ...]:
    return tuple(OrganizationName(**each) for each in told["organizations"])


def list_measures(datasource: int) -> Call[Measures]:
    """The measures, each with one frequency, of which the caller has rows."""
    return _get(f"api/datasources/{int(datasource)}/measures", _measures)


def _measures(told: Any) -> Measures:
    schema, rows = told["schema"], told["measures"]
    columns = [
        (schema[role]["name"], schema[role]["type"], [_unnamed(row[role]) for row in rows])
        for role in ("measure", "frequency")
        if schema[role] is not None
    ]
    roles = Roles(
        **{
            role: None if schema[role] is None else schema[role]["name"]
            for role in ("measure", "frequency")
        }
    )
    where = Datasource(id=0, name="", source="", table="", roles=roles)
    return Measures(Result(table_of(columns), meta_of(told["meta"])), where)


def _unnamed(name: Any) -> Any:
    return None if name == {"null": True} else name


def list_values(datasource: int, column: str, narrowing: Query) -> Call[Values]:
    """The distinct values of a column, those of the caller's rows."""
    fields = query_fields(narrowing)
    del fields["datasource"]
    path = f"api/datasources/{int(datasource)}/values/{quote(column, safe='')}"
    parameters = {"q": packed(fields).decode()} if fields else {}
    return _get(path, _values, parameters)


def _values(told: Any) -> Values:
    schema, values = told["schema"], told["values"]
    if told["has_null"]:
        values = [*values, None]
    table = table_of([(schema["name"], schema["type"], values)])
    return Values(Result(table, meta_of(told["meta"])))


def export(reach: Reach, query: Query, path: Path, format: ExportFormat) -> Steps[Path]:
    """Write an answer to a file as it arrives; the file is there whole, or as it was before."""
    call: Call[None] = Call(
        method="POST",
        path="api/export",
        body=packed({**query_fields(query), "format": format}),
        accept="*/*",
        read=lambda _body, _headers: None,
    )
    file, name = yield Do(partial(_beside, path))
    try:
        yield from reach.stream(call, file.write)
        yield Do(partial(_settle, file, name, path))
    except BaseException:
        yield Do(partial(_drop, file, name))
        raise
    return path


def _beside(path: Path) -> tuple[BinaryIO, Path]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    return os.fdopen(handle, "wb"), Path(name)


def _settle(file: BinaryIO, name: Path, path: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()
    name.replace(path)


def _drop(file: BinaryIO, name: Path) -> None:
    with contextlib.suppress(OSError):
        file.close()
    with contextlib.suppress(OSError):
        name.unlink()


def _get(
    path: str, read: Callable[[Any], _T], parameters: Mapping[str, str] | None = None
) -> Call[_T]:
    return Call(
        method="GET",
        path=path,
        parameters=parameters or {},
        read=lambda body, _headers: of_form(read, read_json(body)),
    )


def of_form(read: Callable[[Any], _T], told: Any) -> _T:
    """What is read from an answer.

    Raises:
        ServiceError: it isn't of the form that is read.
    """
    try:
        return read(told)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise lacking(error) from None
