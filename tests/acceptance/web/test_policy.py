"""Plotly under our policy: everything that charts need works, and nothing is complained of."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import Page, expect
from tests.support.browser import Visits

CHART = "document.getElementById('chart')"
SVG = "{http://www.w3.org/2000/svg}svg"
SERIES = """[
  {x: ['2025-01', '2025-02', '2025-03'], y: [1, 3, 2], name: 'one'},
  {x: ['2025-01', '2025-02', '2025-03'], y: [2, 1, 4], name: 'two', type: 'bar'},
]"""
PIE = "[{labels: ['a', 'b', 'c'], values: [1, 3, 2], type: 'pie', hole: 0.4}]"


@pytest.fixture
def page(page_as: Visits) -> Page:
    """A page with Plotly, and a place for one chart."""
    opened = page_as("north", "/explore")
    opened.wait_for_function("() => window.Plotly")
    opened.evaluate(
        """() => {
          const place = document.createElement('div');
          place.id = 'chart';
          document.body.prepend(place);
        }"""
    )
    return opened


def draw(page: Page, traces: str, layout: str = "") -> None:
    """A chart of 600 by 300."""
    page.evaluate(
        "([traces, layout]) => Plotly.newPlot('chart', traces, layout, {displayModeBar: true})",
        page.evaluate(f"[{traces}, {{width: 600, height: 300, hovermode: 'x unified', {layout}}}]"),
    )


def middle(page: Page, selector: str) -> tuple[float, float]:
    """The middle of something, in the window."""
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_hover_legend_and_zoom(page: Page) -> None:
    """The pointer brings up the numbers, a series goes by its legend, and a drag narrows."""
    draw(page, SERIES)
    assert page.locator("#chart .scatterlayer path.js-line").count() == 1
    assert page.locator("#chart .barlayer .point").count() == 3
    x, y = middle(page, "#chart .nsewdrag")
    page.mouse.move(x, y)
    expect(page.locator("#chart .hoverlayer")).to_contain_text("one : 3")
    page.mouse.down()
    page.mouse.move(x + 80, y, steps=4)
    page.mouse.up()
    page.wait_for_function(
        "() => document.getElementById('chart').layout.xaxis.range[0] > '2025-01-2'"
    )
    page.locator("#chart .legendtoggle").first.click()
    page.wait_for_function(
        "() => document.getElementById('chart').data[0].visible === 'legendonly'"
    )


def test_a_pie_and_its_hover(page: Page) -> None:
    """Each part is drawn, and says what it is."""
    draw(page, PIE)
    assert page.locator("#chart .pielayer .slice").count() == 3
    box = page.locator("#chart .pielayer .slice path.surface").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 12, box["y"] + box["height"] / 2)
    expect(page.locator("#chart .hoverlayer")).to_contain_text("50%")


@pytest.mark.parametrize("traces", [SERIES, PIE])
def test_pictures_of_charts(page: Page, traces: str) -> None:
    """PNG and SVG come out, with the title in them."""
    draw(page, traces, "title: {text: 'Charges'}")
    size = {"width": 600, "height": 300}
    png, svg = (
        page.evaluate("options => Plotly.toImage('chart', options)", {"format": form, **size})
        for form in ("png", "svg")
    )
    head = base64.b64decode(png.removeprefix("data:image/png;base64,"))[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(head[16:20]), int.from_bytes(head[20:24])) == (600, 300)
    root = ET.fromstring(unquote(svg.removeprefix("data:image/svg+xml,")))
    assert root.tag == SVG
    assert "Charges" in "".join(root.itertext())


def test_a_picture_is_downloaded(page: Page, tmp_path: Path) -> None:
    """As a file of the name that was asked for."""
    draw(page, SERIES)
    with page.expect_download() as downloading:
        page.evaluate("() => Plotly.downloadImage('chart', {format: 'svg', filename: 'charges'})")
    downloading.value.save_as(tmp_path / "charges.svg")
    assert downloading.value.suggested_filename == "charges.svg"
    root = ET.parse(tmp_path / "charges.svg").getroot()
    assert root.tag == SVG


def test_another_chart_in_its_place(page: Page) -> None:
    """As after a filter's change; also where it is thrown away in the end."""
    draw(page, SERIES)
    page.evaluate("traces => Plotly.react('chart', traces)", page.evaluate(PIE))
    assert page.locator("#chart .pielayer .slice").count() == 3
    page.evaluate("() => Plotly.purge('chart')")
    assert page.locator("#chart svg").count() == 0


def test_it_looks_as_it_should(page: Page) -> None:
    """Plotly's own rules, which our stylesheet stands in for: layers lie on top of each other."""
    draw(page, SERIES)
    layers = page.locator("#chart .main-svg")
    assert {
        layers.nth(place).evaluate("element => getComputedStyle(element).position")
        for place in range(layers.count())
    } == {"absolute"}
    assert page.locator("#chart").evaluate("element => element.offsetHeight") == 300
    bar = page.locator("#chart .modebar").bounding_box()
    assert bar is not None
    assert bar["height"] < 40
