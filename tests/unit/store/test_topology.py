"""What nodes of a cluster say of it."""

from __future__ import annotations

import pytest

from warmcube.errors import ConfigError
from warmcube.store.cluster_url import ClusterUrl
from warmcube.store.topology import Address, Shard, Topology

ASKED = Address("10.0.0.9", 7009)


def test_the_reply_of_a_node_is_read() -> None:
    """Hosts that it doesn't know are its own; later fields of newer servers are left alone."""
    slots = [
        [0, 99, [b"10.0.0.1", 7001, b"id", []], [b"10.0.0.2", 7002, b"id", []]],
        [101, 16383, [b"", 7003, b"id"], [None, 7004, b"id"], [b"?", 7005, b"id"]],
    ]
    info = b"cluster_state:ok\r\ncluster_current_epoch:7\r\n"
    topology = Topology.read(slots, info, ASKED)
    first, second = Address("10.0.0.1", 7001), Address("10.0.0.9", 7003)
    assert topology.shards[0] == topology.shards[99] == Shard(first, (Address("10.0.0.2", 7002),))
    assert topology.shards[100] is None
    assert topology.masters == [first, second]
    assert len(topology.nodes) == 5
    assert (topology.is_whole, topology.epoch) == (True, 7)
    topology.move(100, second)
    assert topology.shards[100] == topology.shards[101]
    topology.move(0, Address("h", 1))
    assert topology.shards[0] == Shard(Address("h", 1))
    assert not Topology.read([[0, 1]], b"cluster_state:fail", ASKED).is_whole


def test_a_node_without_a_name_may_have_an_address() -> None:
    """Where names are preferred, one that has none is known by what follows."""
    slots = [[0, 16383, [b"?", 7001, b"id", [b"ip", b"10.0.0.1"]], [b"?", 7002, b"id", []]]]
    (shard,) = set(Topology.read(slots, b"", ASKED).shards)
    assert shard == Shard(Address("10.0.0.1", 7001), (Address("10.0.0.9", 7002),))


def test_a_cluster_may_have_no_slots_yet() -> None:
    """Then it has no masters either."""
    assert Topology.read([], b"cluster_state:fail", ASKED).masters == []


def test_addresses_in_redirections() -> None:
    """IPv6 addresses have colons too, and a host that is left out is the node's own."""
    assert Address.parse("10.0.0.1:7000", ASKED) == Address("10.0.0.1", 7000)
    assert Address.parse("::1:7000", ASKED) == Address("::1", 7000)
    assert Address.parse(":7000", ASKED) == Address("10.0.0.9", 7000)
    assert Address.parse("?:7000", ASKED) == Address("10.0.0.9", 7000)
    assert str(Address("::1", 7000)) == "[::1]:7000"


def test_a_url_names_seeds_and_options() -> None:
    """Credentials and options count for every node, whichever it is."""
    url = ClusterUrl.parse("rediss+cluster://u:p%40w@a:7000,[::1]:7001,b/0?ssl_check_hostname=no")
    assert url.seeds == (Address("a", 7000), Address("::1", 7001), Address("b", 6379))
    assert url.of(Address("c", 1)) == "rediss://u:p%40w@c:1/0?ssl_check_hostname=no"
    assert url.place == "rediss+cluster://a:7000,[::1]:7001,b:6379"
    assert ClusterUrl.parse("redis+cluster://a").of(Address("::1", 1)) == "redis://[::1]:1/0"
    with pytest.raises(ConfigError, match="no cluster's"):
        ClusterUrl.parse("redis://a")
