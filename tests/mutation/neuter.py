"""Breaks the policy as a whole, one rule at a time, and counts the tests that notice.

A mutant that one test kills shows that somebody looked there once. A rule of `access` on which
everything hangs should set off many alarms; how many is asserted here.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.mutation.trial import preload, run_apart

TESTS = ("tests/unit/access", "tests/unit/model", "tests/unit/query/test_judge.py")
ACCESS = "src/warmcube/access"


@dataclass(frozen=True, slots=True)
class Neutering:
    """A rule that no longer holds.

    Attributes:
        name: what is the case then.
        file: where the rule is.
        edits: what stands there, once each, and what is put in its place.
        at_least: so many tests must fail, cases of one test counted as one.
    """

    name: str
    file: str
    edits: tuple[tuple[str, str], ...]
    at_least: int = 1

    def text(self) -> str:
        """The module without the rule.

        Raises:
            ValueError: if the rule is written in other words by now.
        """
        text = Path(self.file).read_text(encoding="utf-8")
        for before, after in self.edits:
            if text.count(before) != 1:
                raise ValueError(f"{self.name}: {self.file} has no single {before!r}; write anew")
            text = text.replace(before, after)
        return text


NEUTERINGS = (
    Neutering(
        "a grant allows everything",
        f"{ACCESS}/decide.py",
        (("    if scope is ScopeKind.ALL:\n", "    return EVERYTHING\n    if False:\n"),),
        at_least=20,
    ),
    Neutering(
        "a filter that is empty is no filter",
        "src/warmcube/model/scope.py",
        (
            (
                "intersect_ids(self.practices, practices)",
                "intersect_ids(self.practices, practices or ALL)",
            ),
            (
                "intersect_ids(self.providers, providers)",
                "intersect_ids(self.providers, providers or ALL)",
            ),
        ),
        at_least=20,
    ),
    Neutering(
        "names outside the scope are let in",
        f"{ACCESS}/narrow.py",
        (("    if outside:\n", "    if False:\n"),),
    ),
    Neutering(
        "an organization filter is dropped",
        f"{ACCESS}/narrow.py",
        (("    if named is None:\n        return None\n", "    return None\n"),),
    ),
    Neutering(
        "roles never expire",
        f"{ACCESS}/decide.py",
        (("        if assignment.expires is None or now < assignment.expires\n", ""),),
    ),
    Neutering(
        "grants never end",
        f"{ACCESS}/grant.py",
        (("    if not grant.is_valid_at(now):\n", "    if False:\n"),),
    ),
    Neutering(
        "inactive organizations are walked through",
        f"{ACCESS}/directory.py",
        (("if organization.active and organization.id not in self.defective_organizations", ""),),
    ),
    Neutering(
        "organizations with a defect count",
        f"{ACCESS}/directory.py",
        ((" and organization.id not in self.defective_organizations", ""),),
    ),
    Neutering(
        "inactive users are let in",
        f"{ACCESS}/decide.py",
        (("    if not found.active:\n", "    if False:\n"),),
    ),
    Neutering(
        "defects touch nobody",
        f"{ACCESS}/decide.py",
        (("    if user in directory.defective:\n", "    if False:\n"),),
    ),
    Neutering(
        "a right to one's own is one to the organization",
        f"{ACCESS}/decide.py",
        (("    if scope is ScopeKind.OWN:\n", "    if False:\n"),),
    ),
    Neutering(
        "a provider of one practice is one of every practice",
        f"{ACCESS}/decide.py",
        (
            (
                "for binding in user.providers if binding.practice is None",
                "for binding in user.providers",
            ),
        ),
    ),
    Neutering(
        "a role of one organization holds everywhere",
        f"{ACCESS}/decide.py",
        (("ALL if named is None else directory.subtree([named])", "ALL"),),
    ),
    Neutering(
        "ids are let through in any form",
        f"{ACCESS}/standing.py",
        (
            (
                "frozenset(each for each in ids if type is not None and holds(each, type))",
                "ids",
            ),
        ),
    ),
    Neutering(
        "data sources have no doors",
        f"{ACCESS}/standing.py",
        (("    if datasource.door is None:\n", "    if True:\n"),),
    ),
    Neutering(
        "whoever may read may export",
        f"{ACCESS}/standing.py",
        (('    if purpose == "read":\n', "    if True:\n"),),
    ),
    Neutering(
        "requests come to the grant without their filters",
        "src/warmcube/query/judge.py",
        (
            ("        practices=query.practices,\n        providers=query.providers,\n", ""),
            ("        organization=query.organization,\n", ""),
        ),
    ),
    Neutering(
        "rows without a practice or provider are everybody's",
        "src/warmcube/model/scope.py",
        (
            (
                "(practice is not None and practice in self.practices)",
                "practice in {None, *self.practices}",
            ),
            (
                "(provider is not None and provider in self.providers)",
                "provider in {None, *self.providers}",
            ),
        ),
    ),
)


def red_tests(neuterings: Sequence[Neutering]) -> Iterator[tuple[Neutering, list[str]]]:
    """Which tests fail without each rule: file and name, cases left out."""
    preload(TESTS)
    for neutering in neuterings:
        with tempfile.NamedTemporaryFile("r+", suffix=".json") as file:
            pid = run_apart(neutering.file, neutering.text(), [TESTS], _Alarms(file.name))
            os.waitpid(pid, 0)
            failed: list[str] = json.loads(file.read() or "[]")
        yield neutering, sorted({name.partition("[")[0] for name in failed})


class _Alarms:
    """Notes the tests that fail."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        Path(self._path).write_text(json.dumps(self._failed), encoding="utf-8")
