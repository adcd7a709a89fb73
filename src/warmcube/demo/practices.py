"""Who is who in the practice data: organizations, practices, providers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["ORGANIZATIONS", "Organization", "Practice", "practice", "practices_of"]

FIRST_PRACTICE: Final = 101


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """One organization of the tree."""

    id: str
    name: str
    parent: str | None = None
    active: bool = True


ORGANIZATIONS: Final = (
    Organization(id="meridian", name="Meridian Health"),
    Organization(id="north", name="Meridian North", parent="meridian"),
    Organization(id="north-coast", name="North Coast Physicians", parent="north"),
    Organization(id="north-valley", name="North Valley Clinics", parent="north"),
    Organization(id="north-closed", name="Old Harbour Group", parent="north", active=False),
    Organization(id="south", name="Meridian South", parent="meridian"),
    Organization(id="south-city", name="South City Medical", parent="south"),
    Organization(id="south-bay", name="South Bay Partners", parent="south"),
    Organization(id="lakeside", name="Lakeside Alliance"),
    Organization(id="lakeside-east", name="Lakeside East", parent="lakeside"),
    Organization(id="fresh", name="Fresh Start Partners"),  # has no practices yet
)
"""Three levels deep; one is inactive, one has no practices."""

# In turn; None is a practice that belongs to no organization.
_OWNERS: Final = (
    "north-coast",
    "north-valley",
    "south-city",
    "south-bay",
    "lakeside-east",
    "north",
    None,
    "south-city",
    "north-coast",
    "lakeside",
    "north-closed",
    "south",
)
_PLACES: Final = (
    "Alder",
    "Birch",
    "Cedar",
    "Dover",
    "Elm",
    "Fairview",
    "Grove",
    "Harbor",
    "Juniper",
    "Kings",
    "Linden",
    "Maple",
    "Oak",
)
_KINDS: Final = (
    ("Family Medicine", "Family Medicine"),
    ("Heart Center", "Cardiology"),
    ("Women's Health", "Obstetrics & Gynecology"),
    ("Orthopedics", "Orthopedics"),
    ("Pediatrics", "Pediatrics"),
    ("Skin Care", "Dermatology"),
    ("Eye Clinic", "Ophthalmology"),
)
_REGIONS: Final = ("Coast", "Valley", "City", "Bay", "Lake")
_FIRST_NAMES: Final = (
    "Ana",
    "Ben",
    "Chiara",
    "David",
    "Elif",
    "Fatima",
    "Grace",
    "Hugo",
    "Ines",
    "José",
    "Kim",
)
_LAST_NAMES: Final = (
    "Abbott",
    "Bauer",
    "Chen",
    "Díaz",
    "Evans",
    "Fischer",
    "Gupta",
    "Haddad",
    "Ito",
    "Jensen",
    "Kowalski",
    "Lefèvre",
    "Nguyễn",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """One practice and the people in it; a provider's uid is its position here, from 1."""

    uid: int
    name: str
    region: str
    specialty: str
    organization: str | None
    providers: tuple[str, ...]

    @property
    def provider_uids(self) -> tuple[int, ...]:
        return tuple(self.uid * 100 + number for number in range(1, len(self.providers) + 1))


def practice(position: int) -> Practice:
    """The practice at a position, from 0: always the same one."""
    place = _PLACES[position % len(_PLACES)]
    kind, specialty = _KINDS[position % len(_KINDS)]
    series = position // (len(_PLACES) * len(_KINDS))
    return Practice(
        uid=FIRST_PRACTICE + position,
        name=f"{place} {kind}" + (f" {series + 1}" if series else ""),
        region=_REGIONS[position % len(_REGIONS)],
        specialty=specialty,
        organization=_OWNERS[position % len(_OWNERS)],
        providers=tuple(_provider_name(position, number) for number in range(_size(position))),
    )


def practices_of(count: int) -> tuple[Practice, ...]:
    """The first practices."""
    return tuple(practice(position) for position in range(count))


def _size(position: int) -> int:
    """How many providers work there: 3 to 6."""
    return 3 + (position * 7 + 2) % 4


def _provider_name(position: int, number: int) -> str:
    first = _FIRST_NAMES[(position * 3 + number * 5) % len(_FIRST_NAMES)]
    last = _LAST_NAMES[(position * 5 + number * 7) % len(_LAST_NAMES)]
    return f"{first} {last}"
