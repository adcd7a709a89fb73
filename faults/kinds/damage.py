"""Faults of what lies in the store: deleted, altered, swapped, expired, evicted."""

from __future__ import annotations

import json
import zlib
from typing import Final

import redis

from faults.moments import READING, WARMING, WRITING
from faults.stage import Fault, Stage
from faults.table import DATASOURCE
from warmcube.entry.seal import Checksum, seal, unseal

__all__ = ["FAULTS"]

_ENTRIES: Final = "cache:{p}:v{v}:p:*:prov:*"
_META: Final = f"cache:meta:{{ds:{DATASOURCE}}}:"


class _Deleted(Fault):
    """Keys of a kind are gone.

    Args:
        name: of the fault.
        title: of the fault.
        pattern: of the keys.
        share: of them that go.
    """

    moments = (*READING, *WRITING)

    def __init__(self, name: str, title: str, pattern: str, share: float = 0.1) -> None:
        self.name, self.title = name, title
        self._pattern, self._share = pattern, share
        self.loses_index = pattern.startswith(("idx:", "*"))

    def act(self, stage: Stage) -> None:
        with stage.store() as client:
            found = stage.keys(client, self._pattern)
            chosen = found[: max(1, round(self._share * len(found)))]
            if not chosen:
                raise LookupError(f"there is no key like {self._pattern}")
            client.unlink(*chosen)


class _Expired(_Deleted):
    """Keys of a kind expire before their time."""

    def act(self, stage: Stage) -> None:
        with stage.store() as client:
            found = stage.keys(client, self._pattern)
            for key in found[: max(1, round(self._share * len(found)))]:
                client.pexpire(key, 1)


class _Altered(Fault):
    """Entries hold other bytes than were written.

    Args:
        name: of the fault.
        title: of the fault.
        how: "corrupt", "cut" or "swap".
    """

    moments = (*READING, *WRITING)

    def __init__(self, name: str, title: str, how: str) -> None:
        self.name, self.title, self._how = name, title, how

    def act(self, stage: Stage) -> None:
        random = stage.random
        with stage.store() as client:
            found = stage.keys(client, _ENTRIES)
            chosen = found[: max(2, len(found) // 5)]
            values = list(client.mget(chosen))
            if self._how == "swap":
                values = [*values[1:], values[0]]
            for key, value in zip(chosen, values, strict=True):
                if not isinstance(value, bytes):
                    continue
                new = bytearray(value)
                if self._how == "corrupt":
                    new[random.randrange(len(new))] ^= 1 << random.randrange(8)
                elif self._how == "cut":
                    del new[random.randrange(len(new)) :]
                client.set(key, bytes(new), keepttl=True)


class _SwappedMembers(Fault):
    """Index sets and counts of one practice lie under another's name."""

    name, title = "swap-members", "swap the members of index sets"
    loses_index = True
    moments = (*READING, *WRITING)

    def act(self, stage: Stage) -> None:
        with stage.store() as client:
            for key in stage.keys(client, "idx:{p}:v{v}:counts*")[:4]:
                fields = client.hgetall(key)
                names = [each for each in fields if each != b"total"]
                stage.random.shuffle(names)
                values = [fields[each] for each in names]
                turned = [*values[1:], *values[:1]]
                if names:
                    client.hset(key, mapping=dict(zip(names, turned, strict=True)))
            sets = stage.keys(client, "idx:{p}:v{v}:p*")[:6]
            for first, second in zip(sets[::2], sets[1::2], strict=False):
                _swap(client, first, second)
            for whole in stage.keys(client, "idx:{p}:v{v}")[:3]:
                if client.exists(whole):
                    client.lset(whole, 0, "p:101:prov:99999")


class _FutureManifest(Fault):
    """The manifest is of a format that this version doesn't know."""

    name, title = "future-manifest", "a manifest of a future format"
    moments = (*READING, *WRITING)

    def act(self, stage: Stage) -> None:
        with stage.store() as client:
            key = stage.keys(client, f"{_META}snapshot:{{v}}")[0]
            using = Checksum()
            value = client.get(key)
            assert isinstance(value, bytes)
            document = json.loads(zlib.decompress(unseal(using, key, value, "the manifest")))
            document["format"] += 1
            body = zlib.compress(json.dumps(document).encode())
            client.set(key, seal(using, key, body), keepttl=True)


class _Flushed(Fault):
    """Everything is gone."""

    name, title = "flushall", "FLUSHALL"
    moments = (*READING, *WARMING)

    def act(self, stage: Stage) -> None:
        with stage.store() as client:
            client.flushall()


class _Evicting(Fault):
    """The store is over its memory and evicts what it likes."""

    name, title = "evict-lru", "evict: maxmemory with allkeys-lru"
    loses_index = True
    moments = (*READING, *WRITING)
    is_quiet = False

    def act(self, stage: Stage) -> None:
        with stage.store() as client:
            used = int(client.info("memory")["used_memory"])
            client.config_set("maxmemory-policy", "allkeys-lru")
            client.config_set("maxmemory", used - 150_000)

    def undo(self, stage: Stage) -> None:
        with stage.store() as client:
            client.config_set("maxmemory", 0)
            client.config_set("maxmemory-policy", "noeviction")


class _Full(_Evicting):
    """The store is over its memory and takes nothing more."""

    name, title = "evict-none", "evict: maxmemory with noeviction"

    def act(self, stage: Stage) -> None:
        with stage.store() as client:
            used = int(client.info("memory")["used_memory"])
            client.config_set("maxmemory", used - 150_000)


def _swap(client: redis.Redis, first: bytes, second: bytes) -> None:
    if client.type(first) != b"set" or client.type(second) != b"set":
        return
    client.rename(first, b"swapping")
    client.rename(second, first)
    client.rename(b"swapping", second)


FAULTS: Final[tuple[Fault, ...]] = (
    _Deleted("delete-entry", "delete entries", _ENTRIES),
    _Deleted("delete-index", "delete index sets", "idx:{p}:v{v}", 0.5),
    _Deleted("delete-counts", "delete the counts", "idx:{p}:v{v}:counts*", 0.5),
    _Deleted("delete-manifest", "delete the manifest", "cache:meta:{ds:1}:snapshot:{v}"),
    _Deleted("delete-pointer", "delete the pointer", "cache:meta:{ds:1}:current"),
    _Deleted("delete-dictionary", "a dictionary chunk gone", "cache:meta:{ds:1}:dict:*:v{v}:*"),
    _Expired("expire-entries", "expire early: entries", _ENTRIES, 0.5),
    _Expired("expire-all", "expire early: the whole snapshot", "*{v}*", 1.0),
    _Altered("corrupt-entry", "corrupt an entry's bytes", "corrupt"),
    _Altered("cut-entry", "cut an entry's bytes", "cut"),
    _Altered("swap-entries", "swap entries' bytes", "swap"),
    _SwappedMembers(),
    _FutureManifest(),
    _Flushed(),
    _Evicting(),
    _Full(),
)
