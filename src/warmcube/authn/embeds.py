"""Embeds: an allow-list in the store of the dashboards that are shown in other sites.

A token counts while the store has the record of its embed, and no longer: taking that away revokes
the token in every process at once, and a store that was lost or emptied ends all of them. The token
holds the record's digest, so that nobody who can write to the store can change what it stands for.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from joserfc.jwk import OctKey

from warmcube.authn.embed_token import (
    LONGEST_LIFE,
    EmbedClaims,
    check_times,
    derive_key,
    embed_refusal,
    is_embed_id,
    read_embed_token,
    sign_embed_token,
)
from warmcube.authn.key_files import FileKeys, read_shared_secret
from warmcube.authn.keys import Keys, KeySource
from warmcube.config import Settings
from warmcube.config.auth_sections import KeysSection
from warmcube.entry.keys import SERVICE_KEYS
from warmcube.errors import ConfigError, LimitExceeded
from warmcube.store.api import Command, Store

__all__ = ["Embed", "Embeds", "MintedEmbed", "open_embeds"]

_KEY_FILE: Final = "[auth.embed] key_file"
MOST_EMBEDS: Final = 5_000
"""Of one user at a time."""
MOST_FILTERS: Final = 16_384
"""Bytes of the filters of one embed, as JSON."""
MOST_LISTED: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Embed:
    """A dashboard that is shown in another site.

    Attributes:
        id: by which it is revoked; opens nothing.
        user: who made it, and whose rights count.
        dashboard: which.
        filters: that hold whatever its viewers do, as their JSON.
        issued: Unix seconds of the store's clock.
        expires: likewise.
    """

    id: str
    user: str
    dashboard: str
    filters: Mapping[str, Any]
    issued: int
    expires: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MintedEmbed:
    """A new embed, and its token, which is told once and kept nowhere."""

    embed: Embed
    token: str

    def __repr__(self) -> str:
        return f"<MintedEmbed {self.embed.id}>"


class Embeds:
    """The embeds of one deployment.

    Args:
        store: where they are kept.
        prefix: what their keys begin with.
        keys: with which their tokens are signed.
        clock: Unix seconds.
    """

    def __init__(
        self,
        store: Store,
        prefix: bytes,
        keys: KeySource,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._record = prefix + b"embed:"
        self._all = prefix + b"embeds"
        self._of_user = prefix + b"embeds:"
        self._keys = keys
        self._clock = clock

    async def mint(
        self, user: str, dashboard: str, filters: Mapping[str, Any], seconds: int
    ) -> MintedEmbed:
        """Make a token; that its user may is for the caller to know.

        Args:
            user: whose rights it has.
            dashboard: that it shows.
            filters: that hold for it, as JSON has them.
            seconds: how long it counts; never longer than `LONGEST_LIFE`.

        Raises:
            LimitExceeded: the filters are too large, or too many embeds of the user's count.
            IdentityUnavailable: the key can't be read any more.
            StoreError: the store.
        """
        key = await self._key()
        if len(_compact(filters)) > MOST_FILTERS:
            raise LimitExceeded(
                f"the filters take more than {MOST_FILTERS:,} bytes; name fewer ids, or an "
                "organization instead"
            )
        now_ms = await self._store.now_ms()
        issued = now_ms // 1000
        embed = Embed(
            id=secrets.token_urlsafe(16),
            user=user,
            dashboard=dashboard,
            filters=filters,
            issued=issued,
            expires=issued + min(seconds, LONGEST_LIFE),
        )
        record = _encode(embed)
        claims = EmbedClaims(
            id=embed.id,
            dashboard=dashboard,
            record=hashlib.sha256(record).hexdigest(),
            issued=embed.issued,
            expires=embed.expires,
        )
        await self._keep(embed, record, now_ms)
        return MintedEmbed(embed=embed, token=sign_embed_token(claims, key))

    async def use(self, token: str, dashboard: str) -> Embed:
        """The embed that a token stands for.

        Args:
            token: as it came.
            dashboard: that is asked for with it.

        Raises:
            Unauthenticated: it is none, is over, was revoked, or is another dashboard's.
            IdentityUnavailable: the key can't be read any more.
            StoreError: the store can't tell.
        """
        claims = read_embed_token(token, await self._key())
        check_times(claims, self._clock())
        if claims.dashboard != dashboard:
            raise embed_refusal("dashboard")
        record = await self._get(claims.id)
        if record is None:
            raise embed_refusal("revoked")
        if hashlib.sha256(record).hexdigest() != claims.record:
            raise embed_refusal("record")
        embed = _decode(claims.id, record)
        if embed is None:  # pragma: no cover - signed by us, so it is what we wrote
            raise embed_refusal("record")
        return embed

    async def find(self, id: str) -> Embed | None:
        """The embed with this id, if it counts still.

        Raises:
            StoreError: the store.
        """
        if not is_embed_id(id):
            return None
        record = await self._get(id)
        return None if record is None else _decode(id, record)

    async def in_force(self, user: str | None = None) -> Sequence[Embed]:
        """The embeds of a user, or all, those first that end first; at most `MOST_LISTED`.

        Raises:
            StoreError: the store.
        """
        now = await self._store.now_ms()
        index = self._all if user is None else self._of_user + _whose(user)
        (ids,) = await self._store.run(
            [(b"ZRANGEBYSCORE", index, now, b"+inf", b"LIMIT", 0, MOST_LISTED)]
        )
        names = [name for each in ids if is_embed_id(name := each.decode(errors="replace"))]
        records = await self._store.run([self._getting(name) for name in names]) if names else []
        found = (
            _decode(name, record)
            for name, record in zip(names, records, strict=True)
            if record is not None
        )
        return tuple(embed for embed in found if embed is not None)

    async def revoke(self, embed: Embed) -> None:
        """End an embed, for every process.

        Raises:
            StoreError: the store; it may count still.
        """
        member = embed.id.encode()
        indexes = (self._all, self._of_user + _whose(embed.user))
        await self._store.run([(b"DEL", self._record + member)])
        await self._store.run([(b"ZREM", index, member) for index in indexes])

    async def _key(self) -> OctKey:
        keys = self._keys.current() or await self._keys.renewed()
        (key,) = keys.found
        if not isinstance(key, OctKey):  # pragma: no cover - `open_embeds` reads no other
            raise ConfigError(f"{_KEY_FILE} can't sign")
        return key

    async def _keep(self, embed: Embed, record: bytes, now_ms: int) -> None:
        member, of_user = embed.id.encode(), self._of_user + _whose(embed.user)
        _, _, count = await self._store.run(
            [
                (b"ZREMRANGEBYSCORE", self._all, b"-inf", now_ms),
                (b"ZREMRANGEBYSCORE", of_user, b"-inf", now_ms),
                (b"ZCARD", of_user),
            ]
        )
        if count >= MOST_EMBEDS:
            raise LimitExceeded(
                f"{MOST_EMBEDS:,} of your embeds count already; revoke some, or wait until they end"
            )
        ends = embed.expires * 1000
        await self._store.run(
            [
                (b"SET", self._record + member, record, b"PXAT", ends),
                (b"ZADD", self._all, ends, member),
                (b"PEXPIRE", self._all, LONGEST_LIFE * 1000),
                (b"ZADD", of_user, ends, member),
                (b"PEXPIRE", of_user, LONGEST_LIFE * 1000),
            ]
        )

    async def _get(self, id: str) -> bytes | None:
        (record,) = await self._store.run([self._getting(id)])
        return None if record is None else bytes(record)

    def _getting(self, id: str) -> Command:
        return (b"GET", self._record + id.encode())


def open_embeds(settings: Settings, store: Store) -> Embeds | None:
    """The embeds that a configuration's processes share; None where there are none.

    Raises:
        ConfigError: the key can't be used, or signs other tokens too.
    """
    section = settings.auth.embed
    if section is None:
        return None
    path, namespace = settings.base / section.key_file, settings.store.namespace

    def read() -> Keys:
        secret = read_shared_secret(path, _KEY_FILE)
        for other in settings.auth.keys:
            if "HS256" in other.algorithms and _secret_of(settings, other) == secret:
                raise ConfigError(
                    f"{_KEY_FILE} {path} holds the secret of the issuer {other.issuer}; make one "
                    "of its own, as with: (umask 077; openssl rand -base64 48 > FILE)"
                )
        return Keys((derive_key(secret, namespace),), is_named=False)

    return Embeds(store, namespace.encode() + SERVICE_KEYS, FileKeys(path, read))


def _secret_of(settings: Settings, section: KeysSection) -> bytes:
    path = settings.base / str(section.key_file)
    return read_shared_secret(path, "[[auth.keys]] key_file")


def _whose(user: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(user.encode()).digest()[:16])[:22]


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, allow_nan=False).encode()


def _encode(embed: Embed) -> bytes:
    return _compact(
        {
            "user": embed.user,
            "dashboard": embed.dashboard,
            "filters": embed.filters,
            "issued": embed.issued,
            "expires": embed.expires,
        }
    )


def _decode(id: str, record: bytes) -> Embed | None:
    """The embed of a record; None if that isn't one, whoever wrote it."""
    try:
        return Embed(id=id, **json.loads(record))
    except (ValueError, TypeError):
        return None
