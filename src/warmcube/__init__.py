"""warmcube: whole tables of measures, warm in Redis, answered per user in about a millisecond."""

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
