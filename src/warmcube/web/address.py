"""A dashboard's filters in the address of its page. Pure; `view-state.js` does the same there.

Values are text here; the service reads them as their columns' types. Ids stand with commas between
them, a column's values each on its own under ``where.<column>``. ``~`` is NULL, and a text that
begins with ``~`` has one more in front. A list without values is one that nothing passes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote

__all__ = ["filters_in"]

_TEXTS: Final = ("preset", "start", "end", "organization")
_IDS: Final = ("practices", "providers")
_WHERE: Final = "where."
_NULL: Final = "~"


def filters_in(parameters: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Filters as a request's object gives them; what isn't about filters is left alone.

    Args:
        parameters: of the address, decoded, in their order.
    """
    found: dict[str, Any] = {}
    where: dict[str, list[str | None]] = {}
    for name, value in parameters:
        if name in _TEXTS and value:
            found.setdefault(name, value)
        elif name in _IDS:
            found.setdefault(name, []).extend(unquote(each) for each in value.split(",") if each)
        elif name.startswith(_WHERE):
            values = where.setdefault(name.removeprefix(_WHERE), [])
            if value:
                values.append(None if value == _NULL else value.removeprefix(_NULL))
    return {**found, "where": where} if where else found
