"""One proof from beginning to end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime

from warmcube.config import Settings
from warmcube.engine import AnalyticsCache
from warmcube.errors import DirectoryError
from warmcube.postgres.session import DRIVER_ERRORS, tell
from warmcube.postgres.url import PostgresUrl
from warmcube.prove.gate import GateTrial
from warmcube.prove.options import Options, ProgressCallback
from warmcube.prove.records import Records, read_file
from warmcube.prove.records_database import read_database
from warmcube.prove.report import DatasourceReport, Report, visible
from warmcube.prove.sample import choose_users
from warmcube.prove.trial import DatasourceTrial
from warmcube.prove.watch import Out, Watch

__all__ = ["name_those_unmet", "prove"]


async def prove(
    settings: Settings,
    options: Options,
    *,
    actor: str = "library",
    progress: ProgressCallback | None = None,
) -> Report:
    """Try to see what one may not, and compare every answer with SQL.

    Nothing is written: neither to the store nor to the database. What is audited is marked as a
    trial. A cancellation ends it with what was found so far.

    Args:
        settings: the configuration whose users, rights and data are tried.
        options: how.
        actor: who does it, for the audit.
        progress: told as it happens.

    Raises:
        UnknownDatasource: there is none with one of the ids.
        DirectoryError: the directory can't be read.
        WarmcubeError: what is configured can't be opened.
    """
    if options.is_database:
        settings = replace(settings, cache=settings.cache.model_copy(update={"enabled": False}))
    wanted = [settings.datasource(each) for each in dict.fromkeys(options.datasources)]
    report = Report(started=datetime.now(UTC).isoformat(timespec="seconds"), seed=options.seed)
    watch = Watch(report, progress, options.seconds)
    records = await _records(settings)
    users = _users(records, options, report)
    report.datasources = [
        DatasourceReport(
            id=each.id, name=each.name, origin="database" if options.is_database else "cache"
        )
        for each in wanted or settings.datasources
    ]
    try:
        async with AsyncExitStack() as stack:
            cache = await stack.enter_async_context(
                AnalyticsCache(settings, actor=actor, is_probe=True, stdout=2)
            )
            gate = GateTrial(cache, settings, records, users, watch)
            trials = [
                DatasourceTrial(cache, settings, records, each, watch)
                for each in report.datasources
            ]
            share = -(-options.cases // max(1, len(trials)))
            for trial in trials:
                await trial.plan(stack, users, share, options.seed)
            report.planned = sum(trial.planned for trial in trials) + gate.planned
            await gate.run(actor)
            for trial in trials:
                await trial.run()
    except Out as out:
        report.stopped = str(out)
        name_those_unmet(report, users)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        report.stopped = "interrupted"
    if report.stopped != "interrupted" and await _records(settings) != records:
        report.void = "the directory changed meanwhile, so nothing of this counts: run it again"
    report.seconds = watch.elapsed
    return report


def name_those_unmet(report: Report, users: Sequence[str]) -> None:
    """Say of which data sources not everybody was tried: what wasn't tried isn't proven."""
    for each in report.datasources:
        unmet = [user for user in users if user not in each.users or not each.users[user].cases]
        if unmet and each.problem is None:
            each.problem = f"the time was over before {len(unmet):,} of {len(users):,} users' turn"


def _users(records: Records, options: Options, report: Report) -> list[str]:
    """Whom to ask as; says if these aren't all."""
    report.users = len(records.people)
    if options.users:
        users = list(dict.fromkeys(options.users))
    else:
        users = list(choose_users(records, options.sample, random.Random(options.seed)))  # noqa: S311 - chooses trials
        if len(users) < len(records.people):
            report.notes.append(
                f"{len(users):,} of {len(records.people):,} users were tried, some of every sort; "
                "--sample N tries more"
            )
    report.users_tried = len(users)
    return users


async def _records(settings: Settings) -> Records:
    """The directory, read apart from the product.

    Raises:
        DirectoryError: it can't be read.
    """
    section = settings.directory
    try:
        if section.url is None:
            return await asyncio.to_thread(read_file, settings.directory_path)
        url = PostgresUrl.parse(section.url.get_secret_value(), "[directory] url")
        try:
            return await read_database(url, section.schema_name)
        except DRIVER_ERRORS as error:
            raise DirectoryError(
                f"the directory in {url.place} can't be read for the proof: {tell(error, url)}"
            ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DirectoryError(
            f"{visible(str(settings.directory_path))} can't be read for the proof: "
            f"{type(error).__name__}; `warmcube query` says what is wrong with it"
        ) from None
