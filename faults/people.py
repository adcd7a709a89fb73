"""Who asks, and which rows they may see: said twice, as a directory and as SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from faults.table import PRACTICES

__all__ = ["ACCESS", "PEOPLE", "Person"]


@dataclass(frozen=True, slots=True)
class Person:
    """A user.

    Attributes:
        id: in the directory.
        practices: whose rows they may see; None for all, NULL included.
        provider: the only provider whose rows they may see; None for all, NULL included.
    """

    id: str
    practices: frozenset[int] | None
    provider: int | None = None

    @property
    def condition(self) -> str:
        """Their rows, as SQL."""
        if self.practices is None:
            return "true"
        if not self.practices:
            return "false"
        listed = ", ".join(map(str, sorted(self.practices)))
        own = "" if self.provider is None else f" AND provider_uid = {self.provider}"
        return f"practice_uid IN ({listed}){own}"

    def may_see(self, practice: int | None, provider: int | None) -> bool:
        """Whether a row of these owners is theirs."""
        if self.practices is None:
            return True
        return practice in self.practices and self.provider in (None, provider)


PEOPLE: Final = (
    Person("root", None),
    Person("north", frozenset((101, 102, 103))),
    Person("east", frozenset((103,))),
    Person("south", frozenset((104, 105))),
    Person("west", frozenset((106,))),
    Person("doctor", frozenset((101, 102, 103)), 10101),
    Person("surgeon", frozenset((104, 105)), 10402),
    Person("nobody", frozenset()),
)

ACCESS: Final = f"""
[roles]
super_admin = ["analytics:read:all", "cache:manage:all"]
org_analyst = ["analytics:read:organization"]
provider = ["analytics:read:own"]

[[organizations]]
id = "north"
practices = {list(PRACTICES[:2])}
[[organizations]]
id = "north-east"
parent = "north"
practices = [103]
[[organizations]]
id = "south"
practices = [104, 105]
[[organizations]]
id = "west"
practices = [106]
[[organizations]]
id = "empty"
practices = []

[[users]]
id = "root"
roles = ["super_admin"]
[[users]]
id = "north"
roles = ["org_analyst"]
organizations = ["north"]
[[users]]
id = "east"
roles = ["org_analyst"]
organizations = ["north-east"]
[[users]]
id = "south"
roles = ["org_analyst"]
organizations = ["south"]
[[users]]
id = "west"
roles = ["org_analyst"]
organizations = ["west"]
[[users]]
id = "doctor"
roles = ["provider"]
organizations = ["north"]
provider = 10101
[[users]]
id = "surgeon"
roles = ["provider"]
organizations = ["south"]
provider = 10402
[[users]]
id = "nobody"
roles = ["org_analyst"]
organizations = ["empty"]
"""
