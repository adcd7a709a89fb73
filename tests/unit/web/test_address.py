"""Filters in the address of a page."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.web.address import filters_in


def parameters(query: str) -> list[tuple[str, str]]:
    """As a request has them."""
    return parse_qsl(query, keep_blank_values=True)


@pytest.mark.parametrize(
    ("query", "filters"),
    [
        ("", {}),
        ("preset=last_month", {"preset": "last_month"}),
        ("start=2025-01-01&end=2025-06-30", {"start": "2025-01-01", "end": "2025-06-30"}),
        ("preset=&organization=", {}),
        ("organization=north&organization=south", {"organization": "north"}),
        ("practices=101,102&practices=103", {"practices": ["101", "102", "103"]}),
        ("practices=", {"practices": []}),
        ("providers=a%252Cb,c", {"providers": ["a,b", "c"]}),
        ("where.region=Bay&where.region=~", {"where": {"region": ["Bay", None]}}),
        ("where.region=~~", {"where": {"region": ["~"]}}),
        ("where.region=", {"where": {"region": []}}),
        ("utm_source=mail&filters=x", {}),
    ],
)
def test_an_address_says_what_a_request_would(query: str, filters: object) -> None:
    """What isn't about filters is left alone; a list without values is none of them."""
    assert filters_in(parameters(query)) == filters


@given(st.lists(st.text(min_size=1, alphabet=st.characters(codec="utf-8"))))
def test_ids_come_back_as_the_page_writes_them(ids: list[str]) -> None:
    """Commas and percent signs in an id, encoded once more, don't part it."""
    once = [each.replace("%", "%25").replace(",", "%2C") for each in ids]
    query = "practices=" + ",".join(quote(each, safe="") for each in once)
    assert filters_in(parameters(query)) == {"practices": ids}


@given(st.lists(st.none() | st.text(min_size=1, alphabet=st.characters(codec="utf-8")), min_size=1))
def test_values_come_back_as_the_page_writes_them(values: list[str | None]) -> None:
    """NULL is no text, whatever a text looks like."""
    written = ["~" if v is None else f"~{v}" if v.startswith("~") else v for v in values]
    query = "&".join(f"where.note={quote(each, safe='')}" for each in written)
    assert filters_in(parameters(query)) == {"where": {"note": values}}
