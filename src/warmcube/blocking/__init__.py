"""The cache for synchronous code: the same calls, without ``await``.

::

    from warmcube.blocking import AnalyticsCache

    with AnalyticsCache.from_config("warmcube.toml") as cache:
        grant = cache.authorize("ana")
        result = cache.query(Query(datasource=1, measure="Charges", frequency="Monthly"), grant)
"""

from warmcube.blocking.cache import AnalyticsCache

__all__ = ["AnalyticsCache"]
