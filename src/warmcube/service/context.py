"""What the routes share: the engine, the limits, and who asks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from starlette.requests import Request

from warmcube.access.grant import Grant
from warmcube.access.permissions import Action
from warmcube.authn.embeds import Embeds
from warmcube.authn.identity import Identity
from warmcube.authn.sign_in import SignIn
from warmcube.config import Settings
from warmcube.dashboard.dates import WEEKDAYS
from warmcube.dashboard.files import open_library
from warmcube.dashboard.render import Dashboards, Renderer
from warmcube.engine import AnalyticsCache
from warmcube.service.tags import TagMaker
from warmcube.service.verifying import VerifyJobs
from warmcube.service.warming import Warming
from warmcube.store.paced import ServingStore

__all__ = ["Caller", "Identify", "Service"]

_LOG: Final = logging.getLogger("warmcube")

VERIFY_END_SECONDS: Final = 5.0
"""How long verifications may go on when the service ends."""

Identify: TypeAlias = Callable[[Request], Awaitable[Identity]]
"""Finds out who sends a request; raises `Unauthenticated`."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what they may.

    Attributes:
        identity: from the token or the session.
        grant: from the directory.
    """

    identity: Identity
    grant: Grant

    @property
    def name(self) -> str:
        """Who did it, for the history and the audit of what is done to the cache."""
        user, actor = self.identity.user, self.identity.actor
        return user if actor == user else f"{user} through {actor}"


class Service:
    """The engine and its configuration, as the routes use them.

    Args:
        settings: of the whole.
        identify: finds out who sends a request.
        cache: opened and closed by whoever runs the service.
        dashboards: the definitions; None for those of the configured folder.

    Attributes:
        renderer: renders the dashboards.
        sign_in: signs people in and out, where that is configured and the service runs.
        embeds: the dashboards in other sites, likewise.
    """

    def __init__(
        self,
        settings: Settings,
        identify: Identify,
        cache: AnalyticsCache,
        dashboards: Dashboards | None = None,
    ) -> None:
        self.settings = settings
        self.cache = cache
        self.renderer = Renderer(
            cache,
            dashboards or open_library(settings, _LOG.warning),
            WEEKDAYS.index(settings.dashboards.week_start),
            settings.dashboards.today,
        )
        self.warming = Warming(settings, cache)
        self.verifying = VerifyJobs(settings, cache)
        self._identify = identify
        self._tags: TagMaker | None = None
        self.sign_in: SignIn | None = None
        self.embeds: Embeds | None = None
        self.is_draining = False
        """Set when the service is to end: it isn't ready for new requests any more."""

    def drain(self) -> None:
        """Start nothing new, and end what could go on for long: the service is about to end."""
        self.is_draining = True
        self.warming.drain()
        self.verifying.drain()

    async def close(self) -> None:
        """End what the service has started, before the engine is closed."""
        self.drain()
        seconds = self.settings.service.shutdown
        # A verification that is broken off has lost nothing but its time.
        await asyncio.gather(
            self.warming.close(seconds), self.verifying.close(min(seconds, VERIFY_END_SECONDS))
        )

    @property
    def tags(self) -> TagMaker:
        """Makes entity tags."""
        if self._tags is None:
            self._tags = TagMaker(ServingStore(self.cache.store), self.settings.store.namespace)
        return self._tags

    async def identify(self, request: Request) -> Identity:
        """Who sends a request: by its bearer token if it has one, else by its session.

        A token that doesn't count is never made up for by a cookie.

        Raises:
            Unauthenticated: nobody knows.
            AccessDenied: it may be another site's, in somebody's name.
        """
        if self.sign_in is None or "authorization" in request.headers:
            return await self._identify(request)
        return await self.sign_in.authenticator.authenticate(
            request.method, request.scope["headers"]
        )

    async def caller(self, request: Request) -> Caller:
        """Who sends a request, and what they may; a dependency of every route but the probes.

        Raises:
            Unauthenticated: nobody knows.
            AccessDenied: they may nothing.
        """
        identity = await self.identify(request)
        request.state.user = identity.user
        request.state.method = identity.method
        grant = await self.cache.authorize(identity.user, actor=identity.actor, anew=False)
        return Caller(identity, grant)

    def check_download(self, request: Request, caller: Caller) -> None:
        """That a file asked for by GET with a session's cookie isn't another site's wish.

        Raises:
            AccessDenied: it is.
        """
        if self.sign_in is not None and caller.identity.method == "session":
            self.sign_in.guard.check_navigation(request.scope["headers"])

    async def reader(self, request: Request) -> Caller:
        """The same, for those who may see the cache's figures.

        Raises:
            AccessDenied: they may not.
        """
        caller = await self.caller(request)
        self.cache.require(caller.grant, Action.CACHE_READ, Action.CACHE_MANAGE)
        return caller

    async def overseer(self, request: Request) -> Caller:
        """The same, for those who may look through the directory.

        Raises:
            AccessDenied: they may not.
        """
        caller = await self.caller(request)
        self.cache.require(caller.grant, Action.DIRECTORY_READ, Action.DIRECTORY_MANAGE)
        return caller

    async def manager(self, request: Request) -> Caller:
        """The same, for those who may warm and invalidate.

        Raises:
            AccessDenied: they may not.
        """
        caller = await self.caller(request)
        self.cache.require(caller.grant, Action.CACHE_MANAGE)
        return caller
