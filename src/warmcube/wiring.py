"""Which parts a cache is made of, and how they hang together."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from warmcube.audit.directory import audit_directory, audit_no_directory
from warmcube.audit.trail import Trail
from warmcube.compare.verifier import Verifier
from warmcube.config import Settings
from warmcube.directory.authoriser import Authoriser
from warmcube.entry.keys import Keys
from warmcube.entry.seal import Seal
from warmcube.jobs.damage import DamageReports
from warmcube.jobs.ledger import Ledger
from warmcube.jobs.verifications import Verifications
from warmcube.observe.metrics import Metrics
from warmcube.observe.observer import UNOBSERVED, Observer
from warmcube.observe.sampler import Sampler
from warmcube.observe.stats import Stats, read_stats
from warmcube.observe.usage import Usage
from warmcube.opening import (
    answer_settings,
    open_configured_store,
    open_directory,
    open_seal,
    open_sources,
    open_trail,
    warm_settings,
)
from warmcube.oversight import Oversight
from warmcube.query.answering import ignore_damage
from warmcube.query.exporter import Exporter
from warmcube.query.inspector import Inspector
from warmcube.query.known import KnownIndex
from warmcube.query.lagging import LaggingReader
from warmcube.query.snapshots import Ages, Snapshots
from warmcube.query.sums_reader import SumsReader
from warmcube.readiness import Readiness
from warmcube.source.api import Source
from warmcube.store.api import Store
from warmcube.store.cluster import ClusterStore
from warmcube.store.paced import PatientStore, ServingStore
from warmcube.store.readonly import ReadOnlyStore
from warmcube.store.replicas import ReplicaReads
from warmcube.upkeep import Upkeep
from warmcube.verifying import Verifying
from warmcube.warm.warmer import Warmer

__all__ = ["Parts", "Wiring"]

WARM_PATIENCE: Final = 5.0
"""How many seconds the store may be out of reach without a warm failing of it."""
LEDGER_PATIENCE: Final = 1.0
"""The same for what is noted of it."""


@dataclass(slots=True, kw_only=True)
class Parts:
    """The open parts of a cache.

    Attributes:
        store: of the snapshots, and of what lives beside them.
        sources: the databases, by name.
        seal: what the store's values bear.
        metrics: the figures; None where ``[cache] metrics`` is off.
        trail: of the audit.
        authoriser: makes grants.
        snapshots: what is known of live snapshots.
        usage: how often each snapshot answered.
        jobs: the warms of all processes.
        damage: what readers have met.
        answerer: of every kind of read.
        upkeep: warms and invalidates.
        readiness: whether the others can answer.
        sampler: figures over time.
        inspector: what lies in the store, entry by entry.
        verifications: of all processes.
        verifying: compares snapshots with their databases.
        oversight: the users, and what they may see.
    """

    store: Store
    sources: dict[str, Source]
    seal: Seal
    metrics: Metrics | None
    trail: Trail
    authoriser: Authoriser
    snapshots: Snapshots
    usage: Usage
    jobs: Ledger
    damage: DamageReports
    answerer: Exporter
    upkeep: Upkeep
    readiness: Readiness
    sampler: Sampler
    inspector: Inspector
    verifications: Verifications
    verifying: Verifying
    oversight: Oversight


class Wiring:
    """Opens the parts that a configuration names, and joins them.

    Args:
        settings: see `warmcube.config`.
        actor: who asks, for the audit, where a call doesn't say otherwise.
        is_probe: for reading only, without a trace in the store.
        stdout: the descriptor of an audit on standard output.
        processes: how many processes like this one share the database.
        metrics_folder: where they share their figures; None for figures of one's own.

    Raises:
        ConfigError: the configured seal needs a key.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        actor: str,
        is_probe: bool,
        stdout: int,
        processes: int,
        metrics_folder: Path | None,
    ) -> None:
        self._settings = settings
        self._actor = actor
        self._is_probe = is_probe
        self._stdout = stdout
        self._processes = processes
        self._metrics_folder = metrics_folder
        self._seal = open_seal(settings)

    def open(self, stack: AsyncExitStack) -> Parts:
        """Start embedded servers where configured, and open the rest; nothing is read yet.

        Args:
            stack: closes what is opened, the last first.

        Raises:
            EmbeddedError: an embedded server can't be started.
            ConfigError: something that is configured can't be used.
        """
        settings, seal = self._settings, self._seal
        cache, namespace = settings.cache, settings.store.namespace
        store = open_configured_store(settings, stack)
        if self._is_probe:
            store = ReadOnlyStore(store)
        sources = open_sources(settings, stack)
        metrics = self._open_metrics(store, stack)
        observer: Observer = UNOBSERVED if metrics is None else metrics
        trail = open_trail(settings, is_probe=self._is_probe, stdout=self._stdout)
        stack.push_async_callback(trail.close)
        trail.denied = observer.denied
        authoriser = self._open_authoriser(trail, stack)
        ages = Ages(pointer=cache.max_pointer_age, unchecked=cache.max_unchecked_age)
        serving = ServingStore(store)
        snapshots = Snapshots(serving, namespace, seal, ages=ages)
        stack.push_async_callback(snapshots.close)
        usage = Usage(store, partial(Keys, namespace), is_kept=not self._is_probe)
        stack.push_async_callback(usage.close)
        jobs = Ledger(PatientStore(store, LEDGER_PATIENCE), namespace)
        verifications = Verifications(PatientStore(store, LEDGER_PATIENCE), namespace)
        damage = DamageReports(store, namespace)
        stack.push_async_callback(damage.close)
        is_told = settings.worker.repair != "off" and not self._is_probe
        met_damage = damage.report if is_told else ignore_damage
        known = KnownIndex(cache.index_bytes)
        answerer = Exporter(
            {datasource.id: datasource for datasource in settings.datasources},
            sources,
            authoriser,
            snapshots,
            self._reader(store, snapshots, known),
            usage,
            trail,
            answer_settings(
                settings,
                processes=self._processes,
                observer=observer,
                met_damage=met_damage,
            ),
        )

        stack.push_async_callback(answerer.partitions.close)
        stack.push_async_callback(answerer.shared.close)

        def forget(datasource: int) -> None:
            snapshots.forget(datasource)
            known.forget(datasource)
            answerer.drop(datasource)

        return Parts(
            store=store,
            sources=sources,
            seal=seal,
            metrics=metrics,
            trail=trail,
            authoriser=authoriser,
            snapshots=snapshots,
            usage=usage,
            jobs=jobs,
            damage=damage,
            answerer=answerer,
            upkeep=Upkeep(
                warmer=Warmer(
                    PatientStore(store, WARM_PATIENCE), namespace, seal, warm_settings(settings)
                ),
                sources=sources,
                store=store,
                namespace=namespace,
                jobs=jobs,
                trail=trail,
                observer=observer,
                forget=forget,
            ),
            readiness=Readiness(
                store=store,
                snapshots=snapshots,
                datasources=settings.datasources,
                sources=sources,
                authoriser=authoriser,
                trail=trail,
                is_enabled=cache.enabled,
                is_audit_required=settings.audit.required,
            ),
            sampler=Sampler(
                store,
                partial(Keys, namespace),
                settings.datasources,
                seal,
                metrics=metrics,
                days=cache.history_days,
            ),
            inspector=Inspector(store, snapshots, seal, authoriser, trail),
            verifications=verifications,
            verifying=Verifying(
                verifier=Verifier(store, namespace, seal, sources, trail, met_damage),
                jobs=verifications,
                observer=observer,
            ),
            oversight=Oversight(authoriser, settings.datasources, trail),
        )

    def _reader(self, store: Store, snapshots: Snapshots, known: KnownIndex) -> SumsReader:
        with_sums, serving = self._settings.cache.practice_sums, ServingStore(store)
        if isinstance(store, ClusterStore) and self._settings.store.read_replicas:
            replicas = ServingStore(ReplicaReads(store))
            return LaggingReader(
                serving, replicas, snapshots, self._seal, known, with_sums=with_sums
            )
        return SumsReader(serving, snapshots, self._seal, known, with_sums=with_sums)

    def _open_metrics(self, store: Store, stack: AsyncExitStack) -> Metrics | None:
        settings, seal = self._settings, self._seal
        if not settings.cache.metrics:
            return None

        async def stats(datasource: int) -> Stats:
            keys = Keys(settings.store.namespace, datasource)
            return await read_stats(store, keys, settings.datasource(datasource), seal)

        ids = [datasource.id for datasource in settings.datasources]
        metrics = Metrics(ids, stats, self._metrics_folder)
        stack.callback(metrics.close)
        return metrics

    def _open_authoriser(self, trail: Trail, stack: AsyncExitStack) -> Authoriser:
        directory = open_directory(self._settings)
        authoriser = Authoriser(
            directory,
            changed=partial(audit_directory, trail, self._actor, directory.name),
            report=partial(audit_no_directory, trail, self._actor, directory.name),
            is_watching=True,
        )
        stack.push_async_callback(authoriser.aclose)
        return authoriser
