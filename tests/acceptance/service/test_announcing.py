"""What `warmcube serve` says when it starts, to whoever wants to open its pages."""

from __future__ import annotations

from pathlib import Path

import argon2
import httpx
from tests.support.served import Running

from warmcube.authn.credentials import CredentialsFile

from .conftest import Start


def second_line(service: Running) -> str:
    """What it says below its address."""
    assert service.process.stdout is not None
    return service.process.stdout.readline().strip()


def test_it_says_that_there_are_no_pages(start: Start) -> None:
    """And what to add for them, instead of leaving people before a 404."""
    service = start("port = 0\n")
    assert second_line(service) == (
        "there are no pages, since nobody can sign in: for that add [auth.local] or [auth.oidc] "
        "(see docs/how-to/use-the-pages.md)"
    )
    assert httpx.get(f"{service.url}/sign-in").status_code == 404


def test_it_says_where_people_sign_in(start: Start, tmp_path: Path) -> None:
    """There the page is."""
    kept = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(b"x" * 12)
    CredentialsFile(tmp_path / "credentials.toml").put("root", kept)
    service = start("port = 0\n", auth="[auth.local]\n")
    assert second_line(service) == f"people sign in on {service.url}/sign-in"
    page = httpx.get(f"{service.url}/", follow_redirects=True)
    assert (page.status_code, str(page.url)) == (200, f"{service.url}/sign-in?next=%2Fdashboards")
