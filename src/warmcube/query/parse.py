"""Queries from dicts and JSON, strictly: what isn't exactly a query is an error.

Only an absent field or a null is "not given"; ``[]`` stays ``[]``. Which rows a measure or
frequency of NULL means is written ``{"null": true}``, since null is "not given" there.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from warmcube.errors import InvalidQuery
from warmcube.model.request import NULL, Filter, Order, Query
from warmcube.query.wording import shown

__all__ = ["json_without_doubt", "query_from_dict", "query_from_json"]

_NULL_FORM: Final = {"null": True}


def query_from_json(text: str | bytes) -> Query:
    """A query from a JSON object; numbers with a fraction are read as exact decimals.

    Raises:
        InvalidQuery: not JSON, a field twice, or anything that `query_from_dict` refuses.
    """
    try:
        data = json_without_doubt(text)
    except ValueError as error:
        raise InvalidQuery(f"the query isn't JSON: {error}; give one JSON object") from None
    return query_from_dict(data)


def json_without_doubt(text: str | bytes) -> Any:
    """JSON that means one thing: no field twice, no NaN; fractions are exact decimals.

    Raises:
        ValueError: it isn't JSON.
        RecursionError: it is nested deeper than can be read.
        InvalidQuery: a field stands twice, or a number is none of JSON's, or beyond all bounds.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_without_duplicates,
            parse_float=Decimal,
            parse_constant=_no_constant,
        )
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except (ValueError, InvalidOperation):  # thousands of digits, or an exponent of that kind
        raise InvalidQuery("a number has more digits than can be read; write fewer") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        # One pass: a search for each name would take minutes where there are many.
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise InvalidQuery(f"the query has the field {shown(twice)} twice; give it once")
    return found


def _no_constant(name: str) -> Any:
    raise InvalidQuery(f'{name} is no JSON value; write it as text, "{name}"')


def query_from_dict(data: Any) -> Query:
    """A query from a dict with the fields of `Query`.

    A condition is ``{"column": …, "op": …, "value": …}``, an order a name (``"-name"`` for
    descending) or ``{"column": …, "descending": true}``.

    Raises:
        InvalidQuery: an unknown field, a value of the wrong type, an empty text.
    """
    fields = _fields(data, "the query", Query)
    if "datasource" not in fields:
        raise InvalidQuery("the query has no datasource; give its id")
    return Query(**{name: _READERS[name](name, value) for name, value in fields.items()})


def _fields(data: Any, what: str, form: type) -> dict[str, Any]:
    """The given fields of an object, without those that are null."""
    if not isinstance(data, Mapping):
        raise _wrong(what, data, "an object of fields")
    known = [field.name for field in dataclasses.fields(form)]
    for name in data:
        if name not in known:
            raise InvalidQuery(
                f"{what} has an unknown field {shown(name)}; the fields are {', '.join(known)}"
            )
    return {name: value for name, value in data.items() if value is not None}


def _wrong(name: str, value: Any, expected: str) -> InvalidQuery:
    return InvalidQuery(f"{name} is {shown(value)}; expected {expected}")


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(name, value, "a whole number")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _wrong(name, value, "a text that isn't empty")
    return value


def _measure(name: str, value: Any) -> Any:
    if value is NULL or value == _NULL_FORM:
        return NULL
    return _id(name, value)


def _id(name: str, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
        raise _wrong(name, value, "a whole number, or a text that isn't empty")
    return value


def _day(name: str, value: Any) -> Any:
    return value if isinstance(value, date) else _text(name, value)


def _list(name: str, value: Any, read: Callable[[str, Any], Any]) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise _wrong(name, value, "a list")
    return [read(f"{name}[{place}]", item) for place, item in enumerate(value)]


def _ids(name: str, value: Any) -> list[Any]:
    return _list(name, value, _id)


def _names(name: str, value: Any) -> list[Any]:
    return _list(name, value, _text)


def _filters(name: str, value: Any) -> list[Any]:
    return _list(name, value, _filter)


def _filter(name: str, value: Any) -> Filter:
    if isinstance(value, Filter):
        return value
    fields = _fields(value, name, Filter)
    for needed in ("column", "op"):
        if needed not in fields:
            raise InvalidQuery(f"{name} has no {needed}; a condition has column, op and value")
        _text(f"{name}.{needed}", fields[needed])
    value = fields.get("value")
    if fields["op"] == "in" and isinstance(value, list | tuple):
        fields["value"] = [NULL if item == _NULL_FORM else item for item in value]
    return Filter(**fields)


def _orders(name: str, value: Any) -> list[Any]:
    return _list(name, value, _order)


def _order(name: str, value: Any) -> str | Order:
    if isinstance(value, Order):
        return value
    if not isinstance(value, Mapping):
        return _text(name, value)
    fields = _fields(value, name, Order)
    if "column" not in fields:
        raise InvalidQuery(f"{name} has no column; an order has column and descending")
    _text(f"{name}.column", fields["column"])
    if not isinstance(fields.get("descending", False), bool):
        raise _wrong(f"{name}.descending", fields["descending"], "true or false")
    return Order(**fields)


_READERS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "datasource": _whole,
    "measure": _measure,
    "frequency": _measure,
    "organization": _text,
    "practices": _ids,
    "providers": _ids,
    "start": _day,
    "end": _day,
    "where": _filters,
    "group_by": _names,
    "aggregate": _text,
    "order_by": _orders,
    "limit": _whole,
}
