"""From URLs to adapters."""

from __future__ import annotations

from pathlib import Path

import pytest

from warmcube.errors import ConfigError, SourceUnavailable
from warmcube.source.connect import open_source
from warmcube.source.duckdb_files import FileUrl


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:hush@h/db", "PostgresSource('main', database 'db' at h)"),
        ("postgres://h/db", "PostgresSource('main', database 'db' at h)"),
        ("duckdb:///a/b.duckdb", "DuckdbSource('main', '/a/b.duckdb')"),
        ("parquet:///a/**/*.parquet", "DuckdbSource('main', '/a/**/*.parquet')"),
    ],
)
def test_the_scheme_says_the_adapter(url: str, shown: str) -> None:
    """Nothing is opened yet, and no password shows."""
    assert repr(open_source("main", url)) == shown


@pytest.mark.parametrize("url", ["mysql://u:hush@h/db", "", "/file.duckdb", "h:hush@db"])
def test_other_urls_are_refused_without_being_shown(url: str) -> None:
    """With what is expected."""
    with pytest.raises(ConfigError, match=r"\[sources\.main\] url: expected postgresql") as raised:
        open_source("main", url)
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["duckdb:", "duckdb://", "parquet:///", "duckdb:/a", "duckdb://%00"]
)
def test_file_urls_without_a_file_are_refused(url: str) -> None:
    """With what is expected."""
    with pytest.raises(ConfigError, match="expected duckdb:///"):
        open_source("main", url)


def test_paths_are_decoded_and_relative_ones_are_of_here(monkeypatch: pytest.MonkeyPatch,
                                                         tmp_path: Path) -> None:  # fmt: skip
    """As in any URL of files."""
    monkeypatch.chdir(tmp_path)
    assert FileUrl.parse("duckdb://a%20b.duckdb", "main").pattern == str(tmp_path / "a b.duckdb")


def test_a_file_named_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    """Brackets in a name that exists are no pattern."""
    path = tmp_path / "[1].parquet"
    path.write_bytes(b"")
    assert FileUrl(is_parquet=True, pattern=str(path)).files("main").paths == [str(path)]
    with pytest.raises(SourceUnavailable, match="no file matches"):
        FileUrl(is_parquet=True, pattern=str(tmp_path / "*.csv")).files("main")
