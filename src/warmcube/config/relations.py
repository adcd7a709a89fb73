"""What must hold between settings, checked also where other settings are wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import combinations
from typing import Any, Final

from pydantic import BaseModel

from warmcube.config.auth_sections import AuthSection
from warmcube.config.problems import Problems, nearest
from warmcube.config.secret import masked
from warmcube.config.sections import (
    AuditSection,
    CacheSection,
    ColumnsSection,
    DirectorySection,
    ServiceSection,
    StoreSection,
    WorkerSection,
)

__all__ = ["check_relations"]

_SINK_OF: Final[Mapping[str, str]] = {"path": "file", "url": "postgres", "table": "postgres"}
"""For which sink a setting of ``[audit]`` is."""


def check_relations(
    raw: Mapping[str, Any], valid: Mapping[str, BaseModel], problems: Problems
) -> None:
    """Notes what is wrong between settings.

    Args:
        raw: the tables as they were read.
        valid: the sections that are valid in themselves.
        problems: takes what is wrong.
    """
    cache, store, directory, audit, auth, service = (
        valid.get(name) for name in ("cache", "store", "directory", "audit", "auth", "service")
    )
    if isinstance(cache, CacheSection) and cache.max_unchecked_age < cache.max_pointer_age:
        problems.add(
            ("cache", "max_unchecked_age"),
            f"expected at least max_pointer_age, which is {cache.max_pointer_age:g}",
            value=f"{cache.max_unchecked_age:g}",
        )
    worker = valid.get("worker")
    if isinstance(worker, WorkerSection) and worker.longest_pause < worker.pause:
        problems.add(
            ("worker", "longest_pause"),
            f"expected at least pause, which is {worker.pause:g}",
            value=f"{worker.longest_pause:g}",
        )
    if isinstance(store, StoreSection) and store.integrity == "mac" and store.mac_key is None:
        problems.add(
            ("store", "mac_key"),
            'missing; integrity = "mac" needs a key of at least 32 characters, best given as '
            "WARMCUBE_STORE__MAC_KEY",
        )
    if isinstance(store, StoreSection) and store.read_replicas and not store.is_cluster:
        problems.add(
            ("store", "read_replicas"),
            "is for a cluster; give url the scheme redis+cluster:// or rediss+cluster://, or "
            "leave it out",
        )
    if isinstance(directory, DirectorySection) and directory.path and directory.url:
        problems.add(("directory",), "has both path and url; expected one of them")
    if isinstance(audit, AuditSection):
        _check_audit(audit, problems)
    if isinstance(auth, AuthSection):
        _check_issuers(auth, problems)
        if isinstance(service, ServiceSection):
            _check_sign_in(auth, service, problems)
            _check_embed(auth, service, problems)
    service = valid.get("service")
    if isinstance(service, ServiceSection) and service.metrics_host and not service.metrics_port:
        problems.add(("service", "metrics_host"), "is for metrics_port, which is missing; set both")
    sources = raw.get("sources", {})
    _check_source_names(sources, problems)
    _check_datasources(raw.get("datasources"), sources, problems)


def _check_audit(audit: AuditSection, problems: Problems) -> None:
    """A setting of another sink would be one that nothing reads."""
    for key, sink in _SINK_OF.items():
        if key in audit.model_fields_set and audit.sink != sink:
            problems.add(
                ("audit", key),
                f'is for sink = "{sink}", and sink is "{audit.sink}"; leave it out, or set sink',
            )
    if audit.sink == "postgres" and audit.url is None:
        problems.add(
            ("audit", "url"),
            'missing; sink = "postgres" needs the URL of a database, best given as '
            "WARMCUBE_AUDIT__URL",
        )
    if audit.sink == "none" and audit.required:
        problems.add(
            ("audit", "required"),
            'expected false: with sink = "none" nothing is audited; set another sink',
            value="true",
        )


def _check_issuers(auth: AuthSection, problems: Problems) -> None:
    """That nobody of one issuer becomes somebody of another by having the same name there."""
    pairs: set[tuple[str, str]] = set()
    for position, each in enumerate(auth.keys):
        if (each.issuer, each.audience) in pairs:
            problems.add(
                ("auth", "keys", position, "issuer"),
                "expected another issuer or audience: these two are above already",
                value=f'"{masked(each.issuer)}"',
            )
        pairs.add((each.issuer, each.audience))
    if auth.shares_users:
        return
    namings = {(each.issuer, each.claim, each.prefix) for each in auth.keys}
    if auth.oidc is not None:
        namings.add((auth.oidc.issuer, auth.oidc.claim, auth.oidc.prefix))
    for one, other in combinations(sorted(namings, key=lambda naming: naming[2]), 2):
        if one[:2] != other[:2] and other[2].startswith(one[2]):
            problems.add(
                ("auth", "shares_users"),
                f"expected true, or prefixes of which none begins another: {_naming(one)}, "
                f"{_naming(other)}, so a name at the one may be somebody's at the other",
                value="false",
            )


def _naming(naming: tuple[str, str, str]) -> str:
    issuer, claim, prefix = naming
    return f'the {claim} of {masked(issuer)} has prefix = "{masked(prefix)}"'


def _check_sign_in(auth: AuthSection, service: ServiceSection, problems: Problems) -> None:
    """Browsers tell who they mean by the origin, so where they sign in it must be known."""
    if auth.sessions.idle > auth.sessions.life:
        problems.add(
            ("auth", "sessions", "idle"),
            f"expected at most life, which is {auth.sessions.life}",
            value=str(auth.sessions.idle),
        )
    if auth.local is None and auth.oidc is None and "sessions" in auth.model_fields_set:
        problems.add(
            ("auth", "sessions"), "nobody can sign in; add [auth.local] or [auth.oidc], or leave it"
        )
    if service.public_url is not None:
        return
    needed = "the URL under which users reach the service, like https://analytics.example.com"
    if auth.oidc is not None:
        problems.add(("service", "public_url"), f"missing; [auth.oidc] needs {needed}")
    elif auth.local is not None and service.host not in ("localhost", "127.0.0.1", "::1"):
        problems.add(
            ("service", "public_url"), f"missing; [auth.local] needs {needed}, off loopback"
        )


def _check_embed(auth: AuthSection, service: ServiceSection, problems: Problems) -> None:
    """A key of its own, so that no token of the one kind can be made with the other's."""
    if auth.embed is None:
        if service.frame_ancestors:
            problems.add(
                ("service", "frame_ancestors"),
                "is for embedded dashboards; add [auth.embed], or leave it",
            )
        return
    if any(each.key_file == auth.embed.key_file for each in auth.keys):
        problems.add(
            ("auth", "embed", "key_file"),
            "expected a file of its own: this one is in [[auth.keys]] already",
            value=f'"{masked(auth.embed.key_file)}"',
        )


def _check_source_names(sources: Any, problems: Problems) -> None:
    for name in sources if isinstance(sources, dict) else ():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
            problems.add(("sources", name), "expected a name of letters, digits, _ and -")


def _check_datasources(datasources: Any, sources: Any, problems: Problems) -> None:
    if not isinstance(datasources, list):
        return
    first: dict[int, int] = {}
    for position, table in enumerate(datasources):
        if not isinstance(table, dict):
            continue
        number, source = table.get("id"), table.get("source")
        if type(number) is int:
            if number in first:
                problems.add(
                    ("datasources", position, "id"),
                    f"expected another number: datasources[{first[number]}] has this id already",
                    value=str(number),
                )
            first.setdefault(number, position)
        if isinstance(source, str) and isinstance(sources, dict) and source not in sources:
            problems.add(
                ("datasources", position, "source"),
                f"there is no [sources.{masked(source)}]{nearest(source, sources)}",
                value=f'"{masked(source)}"',
            )
        _check_columns(position, table.get("columns", {}), problems)


def _check_columns(position: int, columns: Any, problems: Problems) -> None:
    """One column can't play two roles: an entry's key and its rows would disagree."""
    if not isinstance(columns, dict):
        return
    players: dict[str, str] = {}
    for role, field in ColumnsSection.model_fields.items():
        column = columns.get(role, field.default)
        if not isinstance(column, str):
            continue
        if column in players:
            problems.add(
                ("datasources", position, "columns", role),
                f"expected another column: this one is the {players[column]} already; false where "
                "the table has none",
                value=f'"{column}"',
            )
        players.setdefault(column, role)
