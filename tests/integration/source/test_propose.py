"""What ``warmcube init`` makes of real tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.integration.source.conftest import Execute, Open

from warmcube.errors import TableMismatch
from warmcube.model.schema import Roles
from warmcube.source.api import Source
from warmcube.source.propose import propose

COLUMNS = (
    "kpi_name text, kpi_type text, clinic_id integer, doctor_uuid uuid, freq text,"
    " reporting_month date, amount numeric(12,2), created_at timestamptz"
)
ROLES = Roles(
    measure="kpi_name",
    practice="clinic_id",
    provider="doctor_uuid",
    frequency="freq",
    date="reporting_month",
    value="amount",
)


async def test_a_table_with_other_names_is_understood(execute: Execute, source: Source) -> None:
    """By names, types and values; what was looked at is told."""
    execute(
        f"CREATE TABLE t ({COLUMNS})",
        "INSERT INTO t SELECT 'K' || g % 5, 'currency', g % 9, gen_random_uuid(), 'Monthly',"
        " DATE '2024-01-01', g, now() FROM generate_series(1, 500) g",
    )
    proposal = await propose(source, "public.t")
    assert proposal.as_roles == ROLES
    assert proposal.rows == 500
    facts = {column.name: column for column in proposal.columns}
    assert facts["kpi_name"].values == {"K0", "K1", "K2", "K3", "K4"}
    assert facts["doctor_uuid"].distinct == 500
    assert [role for role, proposed in proposal.roles.items() if proposed.unsure] == []


async def test_a_view_without_rows_is_judged_by_names_and_types(
    execute: Execute, source: Source
) -> None:
    """And it says that there were no rows."""
    execute(f"CREATE TABLE t ({COLUMNS})", "CREATE VIEW v AS SELECT * FROM t")
    proposal = await propose(source, "v")
    assert proposal.as_roles == ROLES
    assert proposal.rows == 0
    assert "no rows" in str(proposal.roles["frequency"].unsure)


async def test_a_column_that_cannot_be_kept_does_not_hinder(
    execute: Execute, source: Source
) -> None:
    """A numeric of too many digits is for the warm to refuse."""
    execute(f"CREATE TABLE t ({COLUMNS}, odd numeric)", "INSERT INTO t (odd) VALUES (1e60)")
    assert (await propose(source, "t")).as_roles == ROLES


async def test_a_missing_table_is_told(source: Source) -> None:
    """As everywhere else."""
    with pytest.raises(TableMismatch, match="no table or view nowhere"):
        await propose(source, "nowhere")


async def test_parquet_files_are_looked_at_too(
    make_duckdb: Callable[..., Path], open_url: Open
) -> None:
    """Through the same protocol."""
    path = make_duckdb(
        "COPY (SELECT 'a' AS metric, 1 AS tenant_id, 'W' AS grain, 2.5 AS total)"
        " TO '{folder}/t.parquet'"
    )
    proposal = await propose(open_url(f"parquet://{path.parent}/*.parquet"), "t")
    assert proposal.as_roles == Roles(
        measure="metric",
        practice="tenant_id",
        provider=None,
        frequency="grain",
        date=None,
        value="total",
    )
