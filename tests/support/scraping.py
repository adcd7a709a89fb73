"""Reading metrics as Prometheus does."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families

__all__ = ["Scrape", "scrape"]


class Scrape:
    """What was told at one time.

    Args:
        text: of the answer.
    """

    def __init__(self, text: str) -> None:
        self.families = {each.name: each for each in text_string_to_metric_families(text)}

    @property
    def labels(self) -> list[dict[str, str]]:
        """Those of each sample."""
        return [sample.labels for each in self.families.values() for sample in each.samples]

    def of(self, name: str) -> dict[tuple[str, ...], float]:
        """The samples of a name that aren't 0, by the values of their labels.

        These stand in the alphabetical order of the labels' names.
        """
        return {
            tuple(sample.labels[name] for name in sorted(sample.labels)): sample.value
            for family in self.families.values()
            for sample in family.samples
            if sample.name == f"warmcube_{name}" and sample.value
        }


async def scrape(client: httpx.AsyncClient) -> Scrape:
    """What a service says of itself."""
    answered = await client.get("/metrics")
    assert answered.status_code == 200, answered.text
    return Scrape(answered.text)
