"""warmcube: whole tables of measures, warm in Redis, answered per user in about a millisecond.

Names are imported when they are first used, so that the command line answers ``--help`` without
loading every driver.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from warmcube.engine import AnalyticsCache
    from warmcube.errors import AccessDenied, WarmcubeError
    from warmcube.model.request import NULL, Filter, Order, Query

__all__ = [
    "NULL",
    "AccessDenied",
    "AnalyticsCache",
    "Filter",
    "Order",
    "Query",
    "WarmcubeError",
    "__version__",
]

__version__ = "0.1.0"

_HOMES = {
    "AnalyticsCache": "warmcube.engine",
    "AccessDenied": "warmcube.errors",
    "WarmcubeError": "warmcube.errors",
    "NULL": "warmcube.model.request",
    "Filter": "warmcube.model.request",
    "Order": "warmcube.model.request",
    "Query": "warmcube.model.request",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
