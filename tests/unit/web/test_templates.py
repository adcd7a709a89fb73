"""`warmcube.web.templates`: values become text, never markup."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest
from jinja2 import DictLoader, UndefinedError

from warmcube.web.assets import Assets
from warmcube.web.templates import Templates

EVIL = """</script><script>alert(1)</script><!-- <a href="javascript:x">'&"""


def templates(**texts: str) -> Templates:
    """Templates of a test's own."""
    made = Templates(Assets())
    made._environment.loader = DictLoader(texts)
    return made


def test_values_are_escaped() -> None:
    """In text and in attributes."""
    shown = templates(page='<p title="{{ it }}">{{ it }}</p>').render("page", {"it": EVIL})
    assert re.findall(r"<[^>]*>", shown) == [
        shown[: shown.index(">") + 1],
        "</p>",
    ]
    assert shown.count('"') == 2


def test_what_is_not_there_is_an_error() -> None:
    """A typing mistake in a template is found by the first test that renders it."""
    with pytest.raises(UndefinedError):
        templates(page="{{ missing }}").render("page", {})


def test_data_in_a_script_element() -> None:
    """It reads back as it was, in its order, and can't end the element."""
    data = {"b": EVIL, "a": ["ü", None, 1.5]}
    page = '<script type="application/json">{{ data | tojson }}</script>'
    shown = templates(page=page).render("page", {"data": data})
    assert shown.count("<") == 2
    text = shown.removeprefix('<script type="application/json">').removesuffix("</script>")
    assert json.loads(text) == data
    assert list(json.loads(text)) == ["b", "a"]


def test_no_template_has_anything_inline() -> None:
    """No script, no style, no handler: the policy would keep it from working."""
    for each in (files("warmcube.web") / "templates").iterdir():
        text = each.read_text(encoding="utf-8")
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", text), each.name
        for attributes, content in re.findall(r"<script([^>]*)>(.*?)</script>", text, re.DOTALL):
            is_data = 'type="application/json"' in attributes
            assert is_data or ("src=" in attributes and not content.strip()), each.name
        assert "| safe" not in text, each.name
        assert "autoescape" not in text, each.name
