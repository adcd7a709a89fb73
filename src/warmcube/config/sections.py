"""Every setting, declared once: its name, type, default, range, unit and what it is for."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from ipaddress import ip_network
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
)

from warmcube.config.secret import SecretUrl

__all__ = [
    "COLUMN_OR_FALSE",
    "EMBEDDED",
    "AuditSection",
    "CacheSection",
    "ColumnsSection",
    "DashboardsSection",
    "DatasourceSection",
    "DirectorySection",
    "EmbeddedSection",
    "LimitsSection",
    "Section",
    "ServiceSection",
    "SourceSection",
    "StoreSection",
    "WorkerSection",
    "listed",
]

EMBEDDED = "embedded"
"""In place of a URL: a server that warmcube itself starts and stops."""


def _has_scheme(*schemes: str, embeddable: bool = True) -> AfterValidator:
    def check(url: SecretUrl) -> SecretUrl:
        text = url.get_secret_value()
        if embeddable and text == EMBEDDED:
            return url
        try:
            parts = urlsplit(text)
            # libpq's may name several hosts, and so may a cluster's, which its adapter reads
            if not parts.scheme.startswith("postgres") and "+cluster" not in parts.scheme:
                _ = parts.port
        except ValueError:
            raise ValueError("a URL whose host and port can be read") from None
        if parts.scheme not in schemes or "://" not in text:
            starts = ", ".join(f"{scheme}://" for scheme in schemes)
            either = f', or "{EMBEDDED}"' if embeddable else ""
            raise ValueError(f"a URL that begins with one of {starts}{either}")
        needs_path = parts.scheme in ("unix", "duckdb", "parquet")
        if needs_path and not (parts.netloc + parts.path).strip("/"):
            raise ValueError(f"{parts.scheme}:// followed by a path")
        return url

    return AfterValidator(check)


_HOST: Final = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
"""Neither a pattern nor what would end a header's directive; as browsers write it."""


def _origin(url: str) -> str:
    """A web origin: scheme, host, perhaps a port; https, but on loopback."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("an origin whose host and port can be read") from None
    is_loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if (
        parts.scheme not in ("https", "http")
        or not parts.hostname
        or parts.username is not None
        or url != f"{parts.scheme}://{parts.netloc}"
        or not _HOST.fullmatch(parts.netloc)
    ):
        raise ValueError("an origin like https://analytics.example.com, without a path")
    if parts.scheme == "http" and not is_loopback:
        raise ValueError("an origin with https://; http:// is for loopback only")
    return url


def _network(text: str) -> str:
    """An address or a network; a name would be trusted by nobody, and say so to nobody."""
    try:
        ip_network(text)
    except ValueError:
        raise ValueError("an address like 10.0.0.1 or a network like 10.0.0.0/8") from None
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # "" is a folder, "../x" no key, "Mars" not found
        raise ValueError("the IANA name of a time zone, like UTC or Europe/Berlin") from None
    return name


def _cron(text: str) -> str:
    """Five fields, as cron reads them, that fit some moment."""
    wrong = 'five fields as in a crontab, like "0 */2 * * *"'
    if len(text.split()) != 5:
        raise ValueError(wrong)
    try:
        next(CronSim(text, datetime(2000, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(f"{wrong} ({error})") from None
    except StopIteration:
        raise ValueError(f"{wrong}; there is no such day") from None
    return text


def _column(value: Any) -> Any:
    if value is False:
        return None
    if not isinstance(value, str) or not value:
        raise ValueError("the name of a column, or false where the table has none")
    return value


def _identifier(name: str) -> str:
    if len(name.encode()) > 63:  # Postgres would cut it, and say so to nobody
        raise ValueError("at most 63 bytes")
    return name


def _namespace(text: str) -> str:
    # A brace would move the cluster hash tag that every key carries, and so part a partition.
    if any(character in "{}*?[]\\" or not "!" <= character <= "~" for character in text):
        raise ValueError("printable ASCII without spaces, braces, brackets, * ? or \\")
    return text


def listed(value: Any) -> Any:
    """A list of the file as the tuple that a setting keeps."""
    return tuple(value) if isinstance(value, list) else value


COLUMN_OR_FALSE = BeforeValidator(_column)
Column = Annotated[str | None, COLUMN_OR_FALSE]
Name = Annotated[str, Field(min_length=1)]
_STORES: Final = ("redis", "rediss", "unix", "redis+cluster", "rediss+cluster")
StoreUrl = Annotated[SecretUrl, _has_scheme(*_STORES)]
SourceUrl = Annotated[SecretUrl, _has_scheme("postgresql", "postgres", "duckdb", "parquet")]
PostgresUrl = Annotated[SecretUrl, _has_scheme("postgresql", "postgres", embeddable=False)]


class Section(BaseModel):
    """One table of the file: no unknown keys, no coercion, no change after loading."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,  # an input may hold a password
    )


class StoreSection(Section):
    """``[store]``: the Redis or Valkey that holds the snapshots."""

    url: StoreUrl = Field(
        default=SecretUrl("redis://127.0.0.1:6379/0"),
        description="redis://, rediss://, unix://, redis+cluster:// or rediss+cluster://; or "
        '"embedded" for a Redis that warmcube starts itself',
    )
    integrity: Literal["checksum", "mac"] = Field(
        default="checksum",
        description='how entries prove that they are whole; "mac" where other applications can '
        "write to the same Redis",
    )
    mac_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description='the key of integrity = "mac"; the same for all processes',
    )
    namespace: Annotated[str, AfterValidator(_namespace)] = Field(
        default="",
        max_length=200,
        description="put in front of every key; two deployments on one server need two",
    )

    read_replicas: bool = Field(
        default=False,
        description="whether a cluster's replicas answer queries too; what one doesn't hold yet is "
        "asked of its master",
    )
    allow_eviction: bool = Field(
        default=False,
        description="accept a server whose maxmemory-policy may evict the live snapshot",
    )

    @property
    def is_embedded(self) -> bool:
        return self.url.get_secret_value() == EMBEDDED

    @property
    def is_cluster(self) -> bool:
        return urlsplit(self.url.get_secret_value()).scheme.endswith("+cluster")


class EmbeddedSection(Section):
    """``[embedded]``: the servers that warmcube starts itself."""

    folder: Name = Field(
        default=".warmcube",
        description="where embedded servers keep their data; relative to the configuration file",
    )


class CacheSection(Section):
    """``[cache]``: how long snapshots live, and how they are written and read."""

    ttl: int = Field(
        default=14400,
        gt=0,
        le=10**9,
        description="how long a snapshot is fresh",
        json_schema_extra={"unit": "seconds", "env": "CACHE_TTL"},
    )
    batch_size: int = Field(
        default=5000,
        gt=0,
        le=10**6,
        description="how much goes into one write",
        json_schema_extra={"unit": "entries", "env": "CACHE_BATCH_SIZE"},
    )
    query_timeout: int = Field(
        default=10000,
        gt=0,
        le=10**8,
        description="the deadline of one query",
        json_schema_extra={"unit": "milliseconds", "env": "CACHE_QUERY_TIMEOUT"},
    )
    enabled: bool = Field(
        default=True,
        description="false answers everything from the database",
        json_schema_extra={"env": "CACHE_ENABLED"},
    )
    metrics: bool = Field(
        default=True,
        description="Prometheus metrics",
        json_schema_extra={"env": "CACHE_METRICS_ENABLED"},
    )
    stale_for: int = Field(
        default=3600,
        ge=0,
        le=10**9,
        description="past its life, how long a snapshot may still serve, marked stale",
        json_schema_extra={"unit": "seconds"},
    )
    keep_snapshots: int = Field(
        default=0,
        ge=0,
        le=100,
        description="how many superseded snapshots stay until their own end, to roll back to",
    )
    max_pointer_age: float = Field(
        default=1.0,
        ge=0,
        description="how long a process may serve resident data without asking the store",
        json_schema_extra={"unit": "seconds"},
    )
    max_unchecked_age: float = Field(
        default=5.0,
        ge=0,
        description="the same while the store can't be asked; at least max_pointer_age",
        json_schema_extra={"unit": "seconds"},
    )
    resident_bytes: int = Field(
        default=128 << 20,
        ge=0,
        le=2**40,
        description="how much a process holds of hot partitions, and keeps of answers; 0: nothing",
        json_schema_extra={"unit": "bytes"},
    )
    index_bytes: int = Field(
        default=64 << 20,
        ge=0,
        le=2**40,
        description="how much a process keeps of the index that it has read; 0 keeps none",
        json_schema_extra={"unit": "bytes"},
    )
    practice_sums: bool = Field(
        default=True,
        description="keep beside the entries what adds up over all providers of a practice, and "
        "answer from that where it tells all",
    )
    history_days: int = Field(
        default=7,
        ge=0,
        le=90,
        description="how long the service keeps figures over time in the store; 0 keeps none",
        json_schema_extra={"unit": "days"},
    )
    fallback_slots: int = Field(
        default=8,
        gt=0,
        description="how many reads of the databases may go on at a time, for all workers of a "
        "service together; at least as many as those",
    )


class LimitsSection(Section):
    """``[limits]``: an excess is an error that names the limit, never a cut answer."""

    rows: int = Field(default=1_000_000, gt=0, description="rows of one answer")
    groups: int = Field(default=100_000, gt=0, description="groups of one answer")
    list: int = Field(default=10_000, gt=0, description="ids in one filter")
    conditions: int = Field(default=50, gt=0, description="conditions of one query")
    running_per_user: int = Field(default=8, gt=0, description="queries of one user at a time")
    body: int = Field(
        default=1_000_000,
        gt=0,
        description="of one request to the service",
        json_schema_extra={"unit": "bytes"},
    )
    depth: int = Field(default=16, gt=0, le=500, description="how deep JSON may be nested")
    batch: int = Field(default=100, gt=0, description="queries of one batch")
    fallback_rows: int = Field(
        default=2_000_000,
        gt=0,
        description="rows that the database gives in place of the cache for one query or batch",
    )
    answer: int = Field(
        default=256_000_000,
        gt=0,
        description="of one answer of the service that isn't streamed, before compression",
        json_schema_extra={"unit": "bytes"},
    )


class ServiceSection(Section):
    """``[service]``: what ``warmcube serve`` listens on."""

    host: Name = Field(default="127.0.0.1", description="the address to listen on")
    port: int = Field(default=8080, ge=0, le=65535, description="the port; 0 for any free one")
    workers: int = Field(default=1, gt=0, le=256, description="processes behind the port")
    shutdown: float = Field(
        default=30.0,
        gt=0,
        description="how long requests and warms may go on after a SIGTERM",
        json_schema_extra={"unit": "seconds"},
    )
    connections: int = Field(
        default=1000,
        gt=0,
        le=100_000,
        description="open at a time, of each process; further ones are answered 503",
    )
    receive_timeout: float = Field(
        default=20.0,
        gt=0,
        description="how long a request may take to arrive, and a client to take the next 16 kB "
        "of its answer",
        json_schema_extra={"unit": "seconds"},
    )
    keep_alive: float = Field(
        default=75.0,
        gt=0,
        description="how long a connection may be idle; longer than a proxy in front keeps it",
        json_schema_extra={"unit": "seconds"},
    )
    public_url: Annotated[str, AfterValidator(_origin)] | None = Field(
        default=None,
        description="under which users reach the service, like https://analytics.example.com",
    )
    cors_origins: Annotated[
        tuple[Annotated[str, AfterValidator(_origin)], ...], BeforeValidator(listed)
    ] = Field(
        default=(),
        description="web pages of these origins may call the API from a browser",
    )
    frame_ancestors: Annotated[
        tuple[Annotated[str, AfterValidator(_origin)], ...], BeforeValidator(listed)
    ] = Field(
        default=(),
        description="pages of these origins may show embedded dashboards in a frame",
    )
    trusted_proxies: Annotated[
        tuple[Annotated[str, AfterValidator(_network)], ...], BeforeValidator(listed)
    ] = Field(
        default=(),
        description="addresses or networks of proxies whose X-Forwarded-For and -Proto count",
    )
    metrics_host: Name | None = Field(
        default=None, description="where metrics are served instead; with metrics_port"
    )
    metrics_port: int | None = Field(
        default=None, gt=0, le=65535, description="the port of its own for metrics"
    )
    metrics_token_file: Name | None = Field(
        default=None,
        description="a file with the bearer token that /metrics asks for",
    )


class WorkerSection(Section):
    """``[worker]``: how ``warmcube worker`` keeps data sources warm."""

    concurrency: int = Field(
        default=2, gt=0, le=64, description="data sources that one worker warms at a time"
    )
    warm_after: float = Field(
        default=0.5,
        gt=0,
        le=0.9,
        description="of a snapshot's life, the share after which it is warmed anew",
    )
    refresh: Literal["whole", "changed"] = Field(
        default="whole",
        description="what is read anew of an old snapshot: the whole table, or the partitions that "
        "have changed",
    )
    jitter: float = Field(
        default=0.1,
        ge=0,
        le=0.5,
        description="by which share of that the moment varies, so that not all fall due at once",
    )
    pause: float = Field(
        default=5.0,
        gt=0,
        le=86_400,
        description="after a warm that failed, before the next try; doubled by each further one",
        json_schema_extra={"unit": "seconds"},
    )
    longest_pause: float = Field(
        default=900.0,
        gt=0,
        le=86_400,
        description="the longest of these pauses; at least pause",
        json_schema_extra={"unit": "seconds"},
    )
    repair: Literal["auto", "worker", "off"] = Field(
        default="auto",
        description='who warms anew what was found damaged: a worker, with "auto" a process of the '
        'service\'s where no worker is alive; "off" leaves it to the next warm',
    )
    repair_pause: float = Field(
        default=300.0,
        ge=0,
        le=86_400,
        description="between two repairs of the same, at least",
        json_schema_extra={"unit": "seconds"},
    )
    shutdown: float = Field(
        default=30.0,
        ge=0,
        le=86_400,
        description="how long warms may go on after a SIGTERM, before they are given up",
        json_schema_extra={"unit": "seconds"},
    )


class SourceSection(Section):
    """``[sources.NAME]``: a database that holds tables of measures."""

    url: SourceUrl = Field(
        description="postgresql://user@host:5432/db, duckdb:///file.duckdb or "
        'parquet:///dir/*.parquet; or "embedded" for the demo\'s Postgres',
    )

    @property
    def is_embedded(self) -> bool:
        return self.url.get_secret_value() == EMBEDDED


class ColumnsSection(Section):
    """``[datasources.columns]``: which column plays which role; false where the table has none."""

    measure: Column = Field(default="measure", description="the column of measure names")
    practice: Column = Field(default="practice_uid", description="the column of practices")
    provider: Column = Field(default="provider_uid", description="the column of providers")
    frequency: Column = Field(default="frequency", description="the column of frequencies")
    date: Column = Field(default="date_index", description="the column of dates")
    value: Column = Field(default="measure_value", description="the column of values")


class DatasourceSection(Section):
    """``[[datasources]]``: one table or view of measures."""

    id: int = Field(ge=0, le=2**31 - 1, description="the data source's id, unique")
    name: Name = Field(description="what people call it")
    source: Name = Field(description="the name of a [sources.NAME] table")
    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        default="UTC",
        description="in whose days dates given for a timestamp column are meant",
    )
    table: Name = Field(description="the table or view, as schema.table")
    warm_at: Annotated[str, AfterValidator(_cron)] | None = Field(
        default=None,
        description='when a worker warms it, as in a crontab, in its time zone: "0 */2 * * *"; '
        "when absent, by [worker] warm_after",
    )
    verify_at: Annotated[str, AfterValidator(_cron)] | None = Field(
        default=None,
        description='when a worker compares its cache with its database, likewise: "30 3 * * sun"; '
        "when absent, only when asked for",
    )
    refresh: Literal["whole", "changed"] | None = Field(
        default=None,
        description="what a worker then reads anew; when absent, as [worker] refresh says",
    )
    roles: Annotated[tuple[Name, ...], BeforeValidator(listed)] | None = Field(
        default=None,
        min_length=1,
        description="the roles for which it exists; when absent, for everybody",
    )
    change_column: Name | None = Field(
        default=None,
        description="a column whose greatest value grows with every change, such as updated_at; "
        "warm --changed then compares it, and the number of rows, instead of hashing all rows",
    )
    columns: ColumnsSection = Field(
        default=ColumnsSection(), description="which column plays which role"
    )


class DashboardsSection(Section):
    """``[dashboards]``: where dashboards are defined, and what holds for all of them."""

    path: Name | None = Field(
        default=None,
        description="the folder of dashboards, relative to the configuration file; when absent, "
        "the folder dashboards beside it, if there is one",
    )
    week_start: Literal[
        "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"
    ] = Field(
        default="monday",
        description="the day on which weeks begin, for presets like this_week",
    )
    today: date | None = Field(
        default=None,
        description="the day from which presets count, for data that end in the past; when absent, "
        "the viewer's today",
    )


class DirectorySection(Section):
    """``[directory]``: who the users are and what they may read; one of the two."""

    path: Name | None = Field(
        default=None,
        description="the file of roles, organizations and users, relative to the configuration "
        "file; access.toml where neither path nor url is given",
    )
    url: PostgresUrl | None = Field(
        default=None,
        description="the Postgres database that holds them instead; directly, not through a "
        "pooler, so that changes are heard of at once",
    )
    schema_name: Annotated[Name, AfterValidator(_identifier)] = Field(
        default="warmcube",
        description="the schema of the directory's tables in that database",
    )
    max_age: float = Field(
        default=60.0,
        gt=0,
        description="how long a directory counts that can't be read again; then everybody is "
        "denied",
        json_schema_extra={"unit": "seconds"},
    )
    max_age_unheard: float = Field(
        default=5.0,
        gt=0,
        description="the same for a database from which changes can't be heard of (LISTEN)",
        json_schema_extra={"unit": "seconds"},
    )


class AuditSection(Section):
    """``[audit]``: where it is written who asked for what, and what came of it."""

    sink: Literal["file", "stdout", "postgres", "none"] = Field(
        default="file", description='where the lines go; "none" audits nothing'
    )
    path: Name | None = Field(
        default=None,
        description='the file of sink = "file", relative to the configuration file; when absent, '
        "audit.jsonl in the folder of [embedded]",
    )
    url: PostgresUrl | None = Field(
        default=None,
        description='the database of sink = "postgres": postgresql://user@host:5432/db',
    )
    table: Name = Field(
        default="warmcube.audit",
        description='the table of sink = "postgres", as schema.table; made if it isn\'t there',
    )
    required: bool = Field(
        default=False,
        description="no audit, no answer: rows are given out only when the sink has the line",
    )
