"""The URL of a Redis Cluster: ``redis+cluster://[user:password@]host:port[,host:port…][/][?…]``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from warmcube.errors import ConfigError
from warmcube.store.topology import Address

__all__ = ["CLUSTER_SCHEMES", "ClusterUrl"]

CLUSTER_SCHEMES: Final = ("redis+cluster", "rediss+cluster")
_PORT: Final = 6379


@dataclass(frozen=True, slots=True)
class ClusterUrl:
    """What the URL of a cluster says.

    Attributes:
        scheme: of the URL of one node.
        credentials: with their ``@``; empty if there are none.
        seeds: the nodes that it names; they tell of the others.
        query: options of the connections, with their ``?``; empty if there are none.
    """

    scheme: str
    credentials: str
    seeds: tuple[Address, ...]
    query: str

    @classmethod
    def parse(cls, url: str) -> ClusterUrl:
        """Read one.

        Raises:
            ConfigError: it isn't one; the message doesn't say what the credentials are.
        """
        parts = urlsplit(url)
        if parts.scheme not in CLUSTER_SCHEMES:
            raise ConfigError(f"[store] url has the scheme {parts.scheme!r}, which is no cluster's")
        if parts.path.strip("/") not in ("", "0"):
            raise ConfigError(
                f"[store] url names the database {parts.path!r}; a cluster has only one: leave it "
                "out, and keep deployments apart by [store] namespace"
            )
        credentials, at, hosts = parts.netloc.rpartition("@")
        return cls(
            scheme=parts.scheme.partition("+")[0],
            credentials=credentials + at,
            seeds=tuple(dict.fromkeys(_seed(host) for host in hosts.split(","))),
            query=f"?{parts.query}" if parts.query else "",
        )

    def of(self, node: Address) -> str:
        """The URL of one node, for its adapter."""
        return f"{self.scheme}://{self.credentials}{node}/0{self.query}"

    @property
    def place(self) -> str:
        """How messages name the cluster, without credentials."""
        return f"{self.scheme}+cluster://{','.join(map(str, self.seeds))}"


def _seed(text: str) -> Address:
    try:
        found = urlsplit(f"//{text}")
        host, port = found.hostname, found.port
    except ValueError:
        host, port = None, None
    if not host:
        raise ConfigError(
            f"[store] url names the node {text!r}; host:port was expected, of several with commas "
            "between them"
        )
    return Address(host, _PORT if port is None else port)
