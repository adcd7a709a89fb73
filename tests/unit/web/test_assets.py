"""`warmcube.web.assets`: each file once, under a path that changes with it."""

from __future__ import annotations

import gzip
import re
from importlib.resources import files

import pytest
import zstandard

from warmcube.web.assets import Asset, Assets, _fingerprint

IMPORT = re.compile(r"^(?:import .*|\} )?(?:from|import) \"([^\"]+)\";", re.MULTILINE)
STATIC = files("warmcube.web") / "static"


@pytest.fixture(scope="module")
def assets() -> Assets:
    """All of them."""
    return Assets()


async def test_what_comes_is_the_file(assets: Assets) -> None:
    """Whole, with its type, in every coding."""
    types = {
        "base.css": "text/css; charset=utf-8",
        "api.js": "text/javascript; charset=utf-8",
    }
    for name, media_type in types.items():
        _, _, version, last = assets.path(name).split("/")
        found = assets.find(version, last)
        assert found is not None
        data = (STATIC / name).read_bytes()
        assert (found.media_type, found.data) == (media_type, data)
        assert await found.encoded("identity") == (data, "identity")
        zipped, coding = await found.encoded("gzip")
        assert (gzip.decompress(zipped), coding) == (data, "gzip")
        packed, coding = await found.encoded("zstd")
        assert (zstandard.decompress(packed), coding) == (data, "zstd")


async def test_a_small_file_stays_as_it_is(assets: Assets) -> None:
    """Compressing it wouldn't pay."""
    found = Asset("image/svg+xml", b"<svg/>")
    assert await found.encoded("gzip") == (b"<svg/>", "identity")
    icon = assets.find(*assets.path("icon.svg").split("/")[2:])
    assert icon is not None
    assert icon.media_type == "image/svg+xml"


async def test_compression_is_done_once(assets: Assets) -> None:
    """However often it is asked for."""
    found = assets.find(*assets.path("base.css").split("/")[2:])
    assert found is not None
    assert (await found.encoded("zstd"))[0] is (await found.encoded("zstd"))[0]


def test_modules_find_each_other(assets: Assets) -> None:
    """They import each other by relative paths, so all lie in one folder; each import exists."""
    folders = {
        assets.path(each.name).rpartition("/")[0] for each in STATIC.iterdir() if each.is_file()
    }
    assert len(folders) == 1
    for each in STATIC.iterdir():
        if each.name.endswith(".js"):
            text = each.read_text(encoding="utf-8")
            for name in re.findall(
                r"^(?:import .*|\} )?(?:from|import) \"([^\"]+)\";", text, re.MULTILINE
            ):
                assert name.startswith("./"), (each.name, name)
                assert assets.path(name.removeprefix("./"))


def test_the_script_of_charts_is_there(assets: Assets) -> None:
    """Plotly's own, in a folder of its own: our changes don't have it loaded anew."""
    path = assets.path("plotly.min.js")
    found = assets.find(*path.split("/")[2:])
    assert found is not None
    assert b"plotly.js v" in found.data[:200]
    assert path.rpartition("/")[0] != assets.path("base.css").rpartition("/")[0]


@pytest.mark.parametrize(
    ("version", "name"),
    [("", ""), ("..", "base.css"), ("x", "base.css"), ("", "../assets.py"), ("x", "/etc/passwd")],
)
def test_nothing_else_is_there(assets: Assets, version: str, name: str) -> None:
    """What isn't in the registry isn't looked for anywhere."""
    assert assets.find(version, name) is None
    with pytest.raises(KeyError):
        assets.path("../assets.py")


def test_a_path_changes_with_its_content_and_its_name() -> None:
    """And with the border between two contents."""
    contents = (
        {"a": b"1", "b": b"2"},
        {"a": b"1", "b": b"3"},
        {"a": b"1", "c": b"2"},
        {"a": b"1b 1\n2"},
        {"a": b"1"},
    )
    assert len({_fingerprint(each) for each in contents}) == len(contents)
    assert _fingerprint(contents[0]) == _fingerprint({"a": b"1", "b": b"2"})
