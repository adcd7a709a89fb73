"""The JSON schema is the published one, knows every right file, and refuses what is wrong."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final

from hypothesis import assume, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from warmcube.dashboard.parse import parse
from warmcube.dashboard.schema import json_schema, schema_text

ROOT: Final = Path(__file__).parents[3]
PUBLISHED: Final = ROOT / "docs/reference/dashboard.schema.json"
VALIDATOR: Final = Draft202012Validator(json_schema())


def plain(value: Any) -> Any:
    """Data as JSON has them: dates as text."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value


SAMPLES: Final = [
    plain(tomllib.loads(path.read_text(encoding="utf-8")))
    for path in sorted((ROOT / "src/warmcube/demo/dashboards").glob("*.toml"))
]

# Wrong in most places, right in some: what the fields themselves may be, and what none of them is.
_VALUES: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 70),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["", "date", "bar", "sum", "currency", "#abc", "blue", "x" * 300, "a b"]),
    st.lists(st.integers(0, 3), max_size=3),
    st.dictionaries(st.sampled_from(["id", "kind", "shift", "x"]), st.integers(0, 3), max_size=2),
)
_NAMES: Final = st.sampled_from(["id", "measure", "compare", "target", "where", "colour", "x"])


def _containers(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list):
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from _containers(each)


@st.composite
def changed(draw: st.DrawFn) -> Any:
    """A sample with up to two changes somewhere."""
    data = copy.deepcopy(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(1, 2))):
        where = draw(st.sampled_from([each for each in _containers(data) if each]))
        key = draw(st.sampled_from(sorted(where) if isinstance(where, dict) else range(len(where))))
        change = draw(st.sampled_from(["set", "remove", "add"]))
        if change == "set":
            where[key] = draw(_VALUES)
        elif change == "remove":
            del where[key]
        elif isinstance(where, dict):
            where[draw(_NAMES)] = draw(_VALUES)
        else:
            where.append(draw(_VALUES))
    return data


def test_the_published_schema_is_the_one_of_the_code() -> None:
    """`warmcube dashboard schema > docs/reference/dashboard.schema.json` makes it anew."""
    assert PUBLISHED.read_text(encoding="utf-8") == schema_text()


def test_it_is_a_schema() -> None:
    """Of the draft that it names; every field says what it is for."""
    schema = json.loads(schema_text())
    Draft202012Validator.check_schema(schema)
    charts = schema["properties"]["charts"]["items"]["properties"]
    assert all(each["description"] for each in (*schema["properties"].values(), *charts.values()))


def test_every_sample_is_valid() -> None:
    """As an editor sees them."""
    assert [list(VALIDATOR.iter_errors(sample)) for sample in SAMPLES] == [[], [], []]


@given(changed())
def test_what_the_schema_refuses_the_parser_refuses_too(data: Any) -> None:
    """So that an editor never complains of what works."""
    assume(not VALIDATOR.is_valid(data))
    assert parse(data).troubles


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
        lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each),
        max_leaves=20,
    )
)
def test_anything_at_all_is_parsed_without_a_crash(data: Any) -> None:
    """What is no dashboard has troubles."""
    assert parse(data).troubles
