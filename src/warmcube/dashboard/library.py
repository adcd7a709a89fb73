"""What must hold between the dashboards of several files. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from warmcube.config.problems import nearest
from warmcube.dashboard.definition import Dashboard
from warmcube.dashboard.troubles import Trouble, Troubles

__all__ = ["check_library"]


def check_library(
    found: Mapping[str, Dashboard], datasources: Collection[int] | None
) -> tuple[dict[str, Dashboard], tuple[Trouble, ...]]:
    """The dashboards that can be used, by id, and what is wrong between them.

    A dashboard whose id is another's, or whose data source isn't configured, can't be used. One
    that leads to a dashboard that isn't there can.

    Args:
        found: each file's dashboard, in the order of the files.
        datasources: the ids of the configured ones; None to let any through.
    """
    usable: dict[str, Dashboard] = {}
    files: dict[str, str] = {}
    troubles: list[Trouble] = []
    for file, dashboard in found.items():
        said = Troubles(file)
        if datasources is not None and dashboard.datasource not in datasources:
            known = ", ".join(map(str, sorted(datasources)))
            said.add(
                ("datasource",),
                f"there is no such data source; expected one of {known}",
                value=dashboard.datasource,
            )
        elif dashboard.id in usable:
            said.add(
                ("id",),
                f"{files[dashboard.id]} has this id already; give another",
                value=dashboard.id,
            )
        else:
            usable[dashboard.id], files[dashboard.id] = dashboard, file
        troubles += said.found
    ids = {dashboard.id for dashboard in found.values()}
    for file, dashboard in found.items():
        named = {"charts": [{"id": chart.id} for chart in dashboard.charts]}
        said = Troubles(file, named)
        for position, chart in enumerate(dashboard.charts):
            target = chart.drill.dashboard
            if target is not None and target not in ids:
                said.add(
                    ("charts", position, "drill"),
                    f"there is no such dashboard{nearest(target, ids)}",
                    value=target,
                )
        troubles += said.found
    return usable, tuple(troubles)
