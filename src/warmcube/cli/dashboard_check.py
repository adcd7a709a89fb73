"""What is wrong with files of dashboards: in themselves, between them, and beside the data."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from warmcube.cli.state import STDERR, operator
from warmcube.config import Settings
from warmcube.dashboard.against import check_contents, check_roles
from warmcube.dashboard.definition import Dashboard
from warmcube.dashboard.files import read_data
from warmcube.dashboard.library import check_library
from warmcube.dashboard.parse import parse
from warmcube.dashboard.text import SUFFIXES
from warmcube.dashboard.troubles import Trouble
from warmcube.engine import AnalyticsCache
from warmcube.errors import WarmcubeError
from warmcube.opening import open_directory

__all__ = ["Checked", "check_files"]


@dataclass(slots=True)
class Checked:
    """What came of checking.

    Attributes:
        files: which were looked at.
        troubles: what is wrong.
        unread: what couldn't be looked at, and why.
    """

    files: list[str] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class _Good:
    """A file that is right in itself."""

    data: Mapping[str, Any]
    dashboard: Dashboard


async def check_files(
    files: Sequence[Path], settings: Settings | None, *, with_data: bool
) -> Checked:
    """Check some files.

    Args:
        files: which.
        settings: the configuration; None to check the files alone.
        with_data: whether to look at the data sources and the directory.
    """
    checked = Checked(files=[str(path) for path in files])
    good = {str(path): found for path in files if (found := _read(path, checked))}
    known = {name: each.dashboard for name, each in good.items()}
    beside = _beside(files, settings)
    ids = None if settings is None else [each.id for each in settings.datasources]
    _, between = check_library(known | beside, ids)
    checked.troubles += [each for each in between if each.file in known]
    if settings is None:
        checked.unread.append("data sources and roles, since there is no configuration")
    elif with_data and good:
        await _check_data(good, settings, checked)
        await _check_directory(good, settings, checked)
    return checked


def _read(path: Path, checked: Checked) -> _Good | None:
    data, troubles = read_data(path, str(path))
    if not troubles:
        parsed = parse(data, str(path))
        if parsed.dashboard is not None:
            return _Good(data, parsed.dashboard)
        troubles = parsed.troubles
    checked.troubles += troubles
    return None


def _beside(files: Sequence[Path], settings: Settings | None) -> dict[str, Dashboard]:
    """What else the folder holds, to which dashboards may lead."""
    if settings is None or not settings.dashboards_path.is_dir():
        return {}
    checked = {path.resolve() for path in files}
    others = [path for path in sorted(settings.dashboards_path.iterdir()) if path.is_file()]
    found = {
        str(path): _read(path, Checked())
        for path in others
        if path.resolve() not in checked and path.suffix.lower() in SUFFIXES
    }
    return {name: each.dashboard for name, each in found.items() if each is not None}


async def _check_data(good: Mapping[str, _Good], settings: Settings, checked: Checked) -> None:
    configured = {each.id: each for each in settings.datasources}
    wanted = {each.dashboard.datasource for each in good.values()} & configured.keys()
    async with contextlib.AsyncExitStack() as stack:
        try:
            cache = await stack.enter_async_context(
                AnalyticsCache(settings, actor=operator(), stdout=STDERR)
            )
        except WarmcubeError as error:
            checked.unread.append(f"the data sources: {error}")
            return
        for number in sorted(wanted):
            try:
                contents = await cache.contents(number)
            except WarmcubeError as error:
                checked.unread.append(f"data source {number}: {error}")
                continue
            for name, each in good.items():
                if each.dashboard.datasource == number:
                    checked.troubles += check_contents(
                        each.dashboard, each.data, name, configured[number], contents
                    )


async def _check_directory(good: Mapping[str, _Good], settings: Settings, checked: Checked) -> None:
    if not any(each.dashboard.roles for each in good.values()):
        return
    source = open_directory(settings)
    try:
        found = await source.read(None)
    except WarmcubeError as error:
        checked.unread.append(f"roles: {error}")
        return
    finally:
        await source.close()
    if found is None or found.directory is None:
        checked.unread.append(f"roles: {source.name} has defects; see `warmcube directory check`")
        return
    for name, each in good.items():
        checked.troubles += check_roles(
            each.dashboard, each.data, name, found.directory.roles.keys()
        )
