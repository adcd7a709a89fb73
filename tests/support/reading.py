"""What a source gives, as plain Python values in storage form."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from warmcube.model.schema import Datasource, Roles, Schema
from warmcube.source.api import Source, SourceSnapshot
from warmcube.source.storage_form import storage_schema

NO_ROLES = Roles(measure=None, practice=None, provider=None, frequency=None, date=None, value=None)


def a_datasource(table: str, roles: Roles = NO_ROLES, time_zone: str = "UTC") -> Datasource:
    """A data source on a table."""
    return Datasource(
        id=7, name="seven", source="main", table=table, roles=roles, time_zone=time_zone
    )


async def read_table(
    source: Source, table: str, roles: Roles = NO_ROLES
) -> tuple[Schema, pa.Table]:
    """A whole table, in storage form, having checked that it is of the types it should be."""
    async with source.snapshot(a_datasource(table, roles)) as snapshot:
        return snapshot.schema, await read_all(snapshot)


async def read_all(snapshot: SourceSnapshot) -> pa.Table:
    """All rows of a snapshot."""
    batches = await asyncio.to_thread(lambda: list(snapshot.batches()))
    return pa.Table.from_batches(batches, storage_schema(snapshot.schema.columns))


def numbers(column: Sequence[Any]) -> list[int | None]:
    """A column of numerics in storage form as integers, narrow or wide."""
    return [
        int.from_bytes(value, "little", signed=True) if isinstance(value, bytes) else value
        for value in column
    ]
