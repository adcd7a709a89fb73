"""The URL of a Postgres database: checked, completed, and spoken of without its password."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from warmcube.errors import ConfigError

__all__ = ["PostgresUrl"]

_SCHEME: Final = re.compile(r"postgres(?:ql)?://")
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.%]*\]|[^:\[\]@/?#]*)(?::([0-9]*))?")
_SECRET_KEYS: Final = frozenset({"password", "sslpassword", "passfile", "oauth_client_secret"})
_HIDDEN: Final = "***"
_ADDED: Final = (
    ("application_name", "warmcube"),
    ("connect_timeout", "3"),
    ("client_encoding", "UTF8"),
)


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """A libpq URL; its ``repr`` and `place` hold no credential.

    Attributes:
        uri: what libpq is given.
        place: the database, as messages name it: ``database 'app' at db.example:5432``.
    """

    uri: str = field(repr=False)
    place: str
    _secrets: tuple[str, ...] = field(repr=False, default=())

    @classmethod
    def parse(cls, text: str, setting: str) -> PostgresUrl:
        """Read a URL.

        Args:
            text: ``postgresql://user:password@host:5432/database?option=value``, as libpq takes
                it: several hosts, or ``?host=/socket/folder``, included.
            setting: where it stands, for messages, such as ``[directory] url``.

        Raises:
            ConfigError: if libpq would read it otherwise than it was meant; a password with a
                character that has to be percent-encoded would then show in messages.
        """
        match = _SCHEME.match(text)
        if match is None:
            raise ConfigError(f"{setting}: expected postgresql://…")
        rest, _, query = text[match.end() :].partition("?")
        authority, _, database = rest.partition("/")
        user_info, at, hosts = authority.rpartition("@")
        readable = all(_HOST.fullmatch(host) for host in hosts.split(","))
        if "@" in user_info or "@" in database or "@" in query or "#" in text or not readable:
            raise ConfigError(
                f"{setting} can't be read (it isn't shown, since it may hold a "
                "password): expected postgresql://user:password@host:5432/database; in a user or "
                "password, write @ : / ? # and % as %40 %3A %2F %3F %23 and %25"
            )
        options = dict(part.partition("=")[::2] for part in query.split("&") if part)
        password = user_info.partition(":")[2] if at else ""
        secrets = [password, *(value for key, value in options.items() if key in _SECRET_KEYS)]
        added = [f"{key}={value}" for key, value in _ADDED if key not in options]
        return cls(
            f"postgresql://{rest}?{'&'.join([*filter(None, [query]), *added])}",
            _place(hosts, database, options),
            tuple({s for secret in secrets for s in (secret, unquote(secret)) if s}),
        )

    def without_secrets(self, message: str) -> str:
        """A message of the driver, with whatever is secret in this URL hidden."""
        for secret in sorted((self.uri, *self._secrets), key=len, reverse=True):
            message = message.replace(secret, _HIDDEN)
        return message


def _place(hosts: str, database: str, options: dict[str, str]) -> str:
    name = unquote(database or options.get("dbname", ""))
    host = unquote(options.get("host", hosts)) or "the local server"
    port = options.get("port", "")
    at = f"{host}:{port}" if port and not host.startswith("/") else host
    return f"database {name!r} at {at}" if name else f"the default database at {at}"
