"""From a URL to a store."""

from __future__ import annotations

from urllib.parse import urlsplit

from warmcube.errors import ConfigError
from warmcube.store.api import Store
from warmcube.store.cluster import ClusterStore
from warmcube.store.cluster_url import CLUSTER_SCHEMES, ClusterUrl
from warmcube.store.redis import RedisStore

__all__ = ["open_store", "place_of"]


def place_of(url: str) -> str:
    """How messages name the server that a URL points to, without credentials."""
    parts = urlsplit(url)
    if parts.scheme in CLUSTER_SCHEMES:
        return ClusterUrl.parse(url).place
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or 'localhost'}{port}{parts.path}"


def open_store(url: str) -> Store:
    """The store that a URL names; nothing is connected yet.

    Raises:
        ConfigError: for a scheme that isn't a store's, or nodes that can't be read.
    """
    scheme = urlsplit(url).scheme
    if scheme in ("redis", "rediss", "unix"):
        return RedisStore(url, place=place_of(url))
    if scheme in CLUSTER_SCHEMES:
        return ClusterStore(url)
    raise ConfigError(
        f"[store] url has the scheme {scheme!r}; the store is reached by redis://, rediss://, "
        "unix://, redis+cluster:// or rediss+cluster://"
    )
