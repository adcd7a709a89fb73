"""``warmcube init``: from a stranger's table to a first answer."""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path

import duckdb
import pytest

from .conftest import Run, run


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder with a DuckDB file that holds somebody's table."""
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE sales AS SELECT 'Revenue' AS metric, 1 + i % 3 AS store_id, "
            "DATE '2024-01-01' + (i // 3)::integer AS day, (i * 1.25)::decimal(12, 2) AS amount "
            "FROM range(30) t(i)"
        )
    return tmp_path


def test_to_a_first_answer(shop: Path) -> None:
    """init, warm, query: each works with what the one before said."""
    words = ("--source", "duckdb://shop.duckdb", "--table", "sales")
    finished = run("init", *words, folder=shop)
    assert (finished.returncode, finished.stderr) == (0, b"")
    told = finished.stdout.decode()
    assert "Next: warmcube warm 1" in told
    assert "query 1 --as admin --measure Revenue --limit 10" in told

    written = tomllib.loads((shop / "warmcube.toml").read_text(encoding="utf-8"))
    assert written["datasources"][0]["columns"] == {
        "measure": "metric",
        "practice": "store_id",
        "provider": False,
        "frequency": False,
        "date": "day",
        "value": "amount",
    }
    for name in ("warmcube.toml", "access.toml"):
        assert stat.S_IMODE((shop / name).stat().st_mode) == 0o600

    assert run("warm", "1", folder=shop).returncode == 0
    answer = run(
        *("query", "1", "--as", "admin", "--measure", "Revenue", "--practice", "2"),
        *("--aggregate", "sum", "--format", "json"),
        folder=shop,
    )
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert answer.stdout == b'[{"sum":181.25}]\n'
    assert json.loads(run("stats", "1", "--json", folder=shop).stdout)["hits"] == 1


def test_nothing_is_overwritten(shop: Path, run_inside: Run) -> None:
    """A configuration that is there stays, unless --force is given; access.toml stays always."""
    words = ("init", "--source", "duckdb://shop.duckdb", "--table", "sales")
    (shop / "warmcube.toml").write_text("mine", encoding="utf-8")
    (shop / "access.toml").write_text("mine too", encoding="utf-8")
    refused = run_inside(*words, folder=shop)
    assert refused.returncode == 2
    assert refused.stderr.startswith(b"error: warmcube.toml is there already")
    assert (shop / "warmcube.toml").read_text(encoding="utf-8") == "mine"
    forced = run_inside(*words, "--force", folder=shop)
    assert forced.returncode == 0
    assert (shop / "warmcube.toml").read_text(encoding="utf-8").startswith("# The configuration")
    assert (shop / "access.toml").read_text(encoding="utf-8") == "mine too"
    assert b"--as USER" in forced.stdout


@pytest.mark.parametrize(
    ("source", "table", "status", "part"),
    [
        ("duckdb://shop.duckdb", "nothing", 1, "nothing"),
        ("duckdb://missing.duckdb", "sales", 1, "missing.duckdb"),
        ("mysql://u:hunter2@h/db", "sales", 2, "postgresql://user@host:5432/database"),
        ("postgresql://u:hunter2@127.0.0.1:1/db", "sales", 1, "can't be reached"),
        ("", "sales", 2, "--source"),
    ],
)
def test_what_cannot_be_looked_at(
    shop: Path, run_inside: Run, source: str, table: str, status: int, part: str
) -> None:
    """One sentence, no password, and no half-made files."""
    finished = run_inside("init", "--source", source, "--table", table, folder=shop)
    assert finished.returncode == status
    sentence = finished.stderr.decode()
    assert sentence.startswith("error: ")
    assert sentence.count("\n") == 1
    assert part in sentence
    assert "hunter2" not in sentence
    assert {path.name for path in shop.iterdir()} == {"shop.duckdb"}
