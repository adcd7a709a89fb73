"""``warmcube dashboard``: check, begin, and describe dashboards, as whoever writes them does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.caches import ACCESS, TABLE, execute

from warmcube.cli.program import run_command
from warmcube.dashboard.files import open_library
from warmcube.dashboard.render import Renderer
from warmcube.dashboard.rendered import UniversalFilters
from warmcube.dashboard.schema import schema_text
from warmcube.engine import AnalyticsCache

from .conftest import Finished

Run = Callable[..., Finished]

GOOD = """\
id = "one"
title = "One"
datasource = 1
[[charts]]
id = "charges"
title = "Charges"
type = "number"
measure = "Charges"
frequency = "Monthly"
"""


def _lines(finished: Finished) -> list[str]:
    assert finished.stderr == b""
    return finished.stdout.decode().splitlines()


@pytest.fixture
def own(
    tmp_path: Path,
    postgres_db: str,
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    run_inside: Run,
) -> Run:
    """Runs ``warmcube`` in a folder with a configuration of its own, whose table isn't warm."""
    execute(postgres_db, TABLE)
    (tmp_path / "access.toml").write_text(ACCESS, encoding="utf-8")
    (tmp_path / "warmcube.toml").write_text(
        f"""
        [store]
        url = "{redis_url}"
        [sources.main]
        url = "{postgres_db}"
        [[datasources]]
        id = 1
        name = "Facts"
        source = "main"
        table = "ih.facts"
        """,
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    return lambda *words: run_inside(*words, folder=tmp_path)


def test_the_demo_s_dashboards_are_in_order(inside: Run) -> None:
    """Beside the demo's data and its directory."""
    finished = inside("dashboard", "check")
    assert (_lines(finished), finished.returncode) == (["3 files, 0 troubles"], 0)


def test_everything_wrong_is_listed_with_its_place(own: Run, tmp_path: Path) -> None:
    """In the file, between files, beside the data, beside the directory; and the status is 1."""
    folder = tmp_path / "dashboards"
    folder.mkdir()
    (folder / "a.toml").write_text(GOOD.replace('"Charges"\nfr', '"Charge"\nfr') + 'drill = "x"\n')
    (folder / "b.yaml").write_text("id: b\ntitle: [1]\n")
    (folder / "c.toml").write_text(GOOD.replace("datasource", 'roles = ["boss"]\ndatasource'))
    (folder / "d.toml").write_text("id = \n")
    (folder / "e.txt").write_text("no dashboard")
    expected = [
        f"{folder}/b.yaml: title = [1]: expected a text that isn't empty",
        f"{folder}/b.yaml: datasource: missing; expected the id of a configured data source",
        f"{folder}/b.yaml: charts: missing; expected its charts, in order",
        f"{folder}/d.toml: isn't valid TOML: Invalid value (at line 1, column 6)",
        f"{folder}/c.toml: id = 'one': {folder}/a.toml has this id already; give another",
        (
            f"{folder}/a.toml: charts[0].drill (chart 'charges') = 'x': there is no such "
            "dashboard; expected one of one"
        ),
        (
            f"{folder}/a.toml: charts[0].measure (chart 'charges') = 'Charge': the data source has "
            "no such measure; did you mean 'Charges'?"
        ),
        (
            f"{folder}/c.toml: roles[0] = 'boss': the directory has no such role; expected one of "
            "org_analyst, provider, super_admin"
        ),
        "4 files, 8 troubles",
    ]
    finished = own("dashboard", "check")
    assert (_lines(finished), finished.returncode) == (expected, 1)
    finished = own("dashboard", "check", "--json")
    found = json.loads(finished.stdout)
    assert found["files"] == [
        f"{folder}/{name}" for name in ("a.toml", "b.yaml", "c.toml", "d.toml")
    ]
    assert len(found["troubles"]) == 8
    assert found["troubles"][5] == {
        "file": f"{folder}/a.toml",
        "place": "charts[0].drill",
        "chart": "charges",
        "value": "'x'",
        "what": "there is no such dashboard; expected one of one",
    }
    assert (found["unread"], finished.returncode) == ([], 1)


def test_one_file_may_lead_to_others_of_the_folder(own: Run, tmp_path: Path) -> None:
    """Which aren't checked themselves."""
    folder = tmp_path / "dashboards"
    folder.mkdir()
    (folder / "a.toml").write_text(GOOD)
    (folder / "b.toml").write_text("broken")
    draft = tmp_path / "draft.toml"
    draft.write_text(GOOD.replace('"one"', '"two"') + 'drill = "one"\n')
    finished = own("dashboard", "check", "draft.toml")
    assert (_lines(finished), finished.returncode) == (["1 file, 0 troubles"], 0)


def test_what_cannot_be_looked_at_is_said(own: Run, tmp_path: Path) -> None:
    """Without the data the files themselves are checked all the same."""
    (tmp_path / "a.toml").write_text(GOOD.replace("datasource", 'roles = ["boss"]\ndatasource'))
    (tmp_path / "access.toml").write_text("roles = 1")
    config = (tmp_path / "warmcube.toml").read_text()
    (tmp_path / "warmcube.toml").write_text(config.replace("ih.facts", "ih.nothing"))
    finished = own("dashboard", "check", "a.toml")
    *unread, last = _lines(finished)
    assert [each.partition(": ")[2].partition(": ")[0] for each in unread] == [
        "data source 1",
        "roles",
    ]
    assert (last, finished.returncode) == ("1 file, 0 troubles", 0)
    finished = own("dashboard", "check", "a.toml", "--without-data")
    assert (_lines(finished), finished.returncode) == (["1 file, 0 troubles"], 0)


def test_files_can_be_checked_without_any_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """As an editor's hook does; that the data weren't looked at is said."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WARMCUBE_CONFIG", raising=False)
    (tmp_path / "a.toml").write_text(GOOD)
    assert run_command(["dashboard", "check", "a.toml"]) == 0
    assert capfdbinary.readouterr().out.decode().splitlines() == [
        "not checked: data sources and roles, since there is no configuration",
        "1 file, 0 troubles",
    ]
    assert run_command(["dashboard", "check"]) == 2
    assert b"there is no configuration file" in capfdbinary.readouterr().err


def test_a_missing_folder(own: Run, tmp_path: Path) -> None:
    """The sentence says how to begin."""
    finished = own("dashboard", "check")
    assert (finished.stdout, finished.returncode) == (b"", 2)
    assert finished.stderr.decode() == (
        f"error: the folder of dashboards {tmp_path}/dashboards can't be read: No such file or "
        "directory; make it with a first dashboard in it (`warmcube dashboard new`), or set "
        "[dashboards] path\n"
    )


def test_a_first_dashboard_passes_the_check(own: Run, tmp_path: Path) -> None:
    """It goes into the folder, and replaces nothing unless it is told to."""
    finished = own("dashboard", "new", "1")
    file = tmp_path / "dashboards/facts.toml"
    assert _lines(finished) == [
        f"Wrote {file}: 7 charts of 2 measures.",
        f"Next: warmcube dashboard check {file}",
    ]
    assert _lines(own("dashboard", "check")) == ["1 file, 0 troubles"]
    text = file.read_text(encoding="utf-8")
    finished = own("dashboard", "new", "1")
    assert finished.returncode == 2
    assert finished.stderr.decode() == (
        f"error: {file} is there already and stays as it is; replace it with --force, or name "
        "another with --output\n"
    )
    file.write_text("mine")
    assert own("dashboard", "new", "1", "--force").returncode == 0
    assert file.read_text(encoding="utf-8") == text
    assert own("dashboard", "new", "1", "--output", "other/first.toml").returncode == 0
    assert (tmp_path / "other/first.toml").read_text(encoding="utf-8") == text
    finished = own("dashboard", "new", "1", "--output", "access.toml/first.toml")
    assert (finished.returncode, b"can't be written" in finished.stderr) == (2, True)


def test_a_first_dashboard_of_an_empty_table(own: Run, tmp_path: Path, postgres_db: str) -> None:
    """There is nothing to show yet, and that is said."""
    execute(postgres_db, "TRUNCATE ih.facts")
    finished = own("dashboard", "new", "1")
    assert (finished.stdout, finished.returncode) == (b"", 1)
    assert finished.stderr.decode() == (
        "error: data source 1 has no rows yet, so nothing can be proposed; try again when it has\n"
    )
    assert not (tmp_path / "dashboards").exists()


async def test_every_chart_of_samples_and_a_first_one_shows_something(
    demo_config: Path, warmcube: Run
) -> None:
    """Rendered for the demo's super admin, no chart is empty, broken, or without a figure."""
    first = demo_config.parent / "dashboards/practice-analytics.toml"
    try:
        assert warmcube("dashboard", "new", "1").returncode == 0
        async with AnalyticsCache.from_config(demo_config) as cache:
            settings = cache.settings
            renderer = Renderer(cache, open_library(settings), today=settings.dashboards.today)
            grant = await cache.authorize("root")
            dashboards = await renderer.dashboards(grant)
            rendered = [
                await renderer.render(each, UniversalFilters(), grant) for each in dashboards
            ]
    finally:
        first.unlink()
    assert [each.id for each in rendered] == [
        "executive",
        "practice",
        "practice-analytics",
        "provider",
    ]
    charts = [(page.id, chart) for page in rendered for chart in page.charts]
    assert [(page, chart.id, chart.error) for page, chart in charts if chart.error] == []
    assert [(page, chart.id) for page, chart in charts if not chart.facets] == []
    blank = [
        (page, chart.id, series.id)
        for page, chart in charts
        for facet in chart.facets
        if len(facet.labels) > 1 or chart.id != "growth"  # a single month has none before it
        for series in facet.series
        if series.kind != "comparison" and all(value is None for value in series.values)
    ]
    assert blank == []


def test_the_schema_is_printed(inside: Run) -> None:
    """Byte for byte what is published."""
    assert inside("dashboard", "schema").stdout.decode() == schema_text()
