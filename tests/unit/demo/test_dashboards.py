"""The demo's dashboards are in order, and show all that a dashboard can."""

from __future__ import annotations

from pathlib import Path

from warmcube.dashboard.definition import CALCULATIONS, CHART_TYPES
from warmcube.dashboard.files import Library
from warmcube.demo.files import DATASOURCE, write_files
from warmcube.demo.generate import SCHEMA
from warmcube.demo.measures import FREQUENCIES, MEASURES


async def test_the_samples_show_every_chart_type_and_calculation(tmp_path: Path) -> None:
    """Three dashboards, without troubles, from the executive's to the provider's."""
    write_files(tmp_path, practices=24)
    library = Library(tmp_path / "dashboards", is_needed=True, datasources=[DATASOURCE])
    dashboards = await library.current()
    assert library.troubles == ()
    charts = [chart for each in dashboards.values() for chart in each.charts]
    drills = {
        (each.id, chart.drill.dashboard)
        for each in dashboards.values()
        for chart in each.charts
        if chart.drill.dashboard
    }
    assert list(dashboards) == ["executive", "practice", "provider"]
    assert drills == {("executive", "practice"), ("practice", "provider")}
    assert {chart.type for chart in charts} == set(CHART_TYPES)
    assert {each.function for chart in charts for each in chart.calculations} == set(CALCULATIONS)


async def test_the_samples_name_only_what_the_data_have(tmp_path: Path) -> None:
    """Measures, frequencies and columns, roles aside."""
    write_files(tmp_path, practices=24)
    dashboards = await Library(tmp_path / "dashboards").current()
    charts = [chart for each in dashboards.values() for chart in each.charts]
    measures = {series.measure for chart in charts for series in chart.series}
    columns = {
        name
        for chart in charts
        for name in (chart.group_by, chart.split_by, chart.multiples)
        if name is not None
    }
    columns |= {column for each in dashboards.values() for column in each.filters}
    columns |= {column for each in dashboards.values() for column in each.names.values()}
    assert measures <= {measure.name for measure in MEASURES}
    assert {chart.frequency for chart in charts} <= {each.name for each in FREQUENCIES}
    assert columns <= {*SCHEMA.names, "date", "practice", "provider"}


def test_writing_the_demo_anew_leaves_other_dashboards_alone(tmp_path: Path) -> None:
    """What somebody has put beside the samples stays; the samples are as they ship."""
    write_files(tmp_path, practices=24)
    own, sample = tmp_path / "dashboards/own.toml", tmp_path / "dashboards/executive.toml"
    shipped = sample.read_text(encoding="utf-8")
    own.write_text("mine", encoding="utf-8")
    sample.write_text("broken", encoding="utf-8")
    write_files(tmp_path, practices=24)
    assert own.read_text(encoding="utf-8") == "mine"
    assert sample.read_text(encoding="utf-8") == shipped
