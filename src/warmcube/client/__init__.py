"""A client of the HTTP service, with the library's queries and results.

::

    from warmcube.client import Client, Query

    with Client("https://analytics.example.com", token_file="token") as client:
        result = client.query(Query(datasource=1, measure="Charges", frequency="Monthly"))
        result.to_polars()

`AsyncClient` has the same calls, to be awaited.
"""

from warmcube.client.admin import WarmJob
from warmcube.client.async_client import AsyncClient
from warmcube.client.calls import OpenDatasource
from warmcube.client.client import Client
from warmcube.client.verifying import VerifyJob
from warmcube.errors import AccessDenied, WarmcubeError
from warmcube.model.request import NULL, Filter, Order, Query

__all__ = [
    "NULL",
    "AccessDenied",
    "AsyncClient",
    "Client",
    "Filter",
    "OpenDatasource",
    "Order",
    "Query",
    "VerifyJob",
    "WarmJob",
    "WarmcubeError",
]
