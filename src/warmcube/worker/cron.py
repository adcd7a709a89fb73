"""When a cron expression fires next, in a time zone. Pure: no clock is read."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim

__all__ = ["next_fire"]


def next_fire(expression: str, zone: str, after_ms: int) -> int | None:
    """The first time after an instant, Unix milliseconds; None if there is none for 50 years.

    As Debian's cron has it where clocks are changed: what would fall into the hour that is left
    out comes right after it, and what falls into the hour that comes twice comes once.

    Args:
        expression: five fields, checked before.
        zone: the IANA name of a time zone.
        after_ms: Unix milliseconds.
    """
    # Cron's parts are whole seconds, and its first time is after the one it starts from.
    start = datetime.fromtimestamp(after_ms // 1000, UTC).astimezone(ZoneInfo(zone))
    found = next(CronSim(expression, start), None)
    return None if found is None else round(found.timestamp() * 1000)
