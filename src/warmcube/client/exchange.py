"""A call from request to answer, told step by step, so that it is written once.

`perform` decides and waits for nothing: it yields what is to be done next, and is sent what came
of it. `warmcube.client.driving` does these steps, with ``await`` or without.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

import httpx

from warmcube import __version__
from warmcube.client.address import TokenSource, usable_token
from warmcube.client.wire import error_of, read_json
from warmcube.errors import ConfigError, Overloaded, ServiceError, ServiceUnavailable, WarmcubeError

__all__ = ["Call", "Close", "Do", "Reach", "Read", "Reply", "Send", "Step", "Steps", "Wait"]

_T = TypeVar("_T")

ATTEMPTS: Final = 5
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
_PROBLEM_BYTES: Final = 65_536
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_BROKEN: Final = (*_NOT_SENT, httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


class Reply(Protocol):
    """An answer whose body hasn't been read yet; what reads it is the driver's own."""

    @property
    def response(self) -> httpx.Response: ...


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request; the answer is a `Reply`."""

    request: httpx.Request


@dataclass(frozen=True, slots=True)
class Read:
    """Read on; the answer is some bytes, none at the end."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Close:
    """Be done with a reply."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Do:
    """Call what may take its time; the answer is what it returns, awaited where it has to be."""

    call: Callable[[], Any]


Step: TypeAlias = Send | Read | Close | Wait | Do
Steps: TypeAlias = Generator[Step, Any, _T]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[_T]):
    """One request, and how its answer is read.

    Attributes:
        method: of HTTP.
        path: below the service's address.
        read: makes the answer of a whole body and its headers.
        body: JSON.
        parameters: of the URL.
        accept: the media type that is wanted.
        is_read: whether it changes nothing, so that it may be sent once more.
    """

    method: str
    path: str
    read: Callable[[bytes, httpx.Headers], _T]
    body: bytes | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    accept: str = "application/json"
    is_read: bool = True


class Reach:
    """How a client reaches its service.

    Args:
        url: the service's address, with a slash at its end.
        token: gives the token for each request.
        timeout: seconds for one call, with everything that is tried for it.
        is_compressed: whether answers are wanted compressed.
        clock: monotonic seconds.
        chance: between 0 and 1, anew for each pause.

    Raises:
        ConfigError: the timeout can't be one.
    """

    def __init__(
        self,
        url: httpx.URL,
        token: str | TokenSource | None,
        timeout: float,
        *,
        is_compressed: bool = True,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if not 0 < timeout < float("inf"):
            raise ConfigError(f"timeout is {timeout!r}; expected seconds, more than 0")
        self.url = url
        self._token = token
        self._encodings = "zstd, gzip" if is_compressed else "identity"
        self._timeout = timeout
        self._clock = clock
        self._chance = chance

    def perform(self, call: Call[_T]) -> Steps[_T]:
        """The answer to a call.

        Raises:
            WarmcubeError: the service's, or why there is none.
        """
        deadline = self._clock() + self._timeout
        reply = yield from self.open(call, deadline)
        try:
            body = yield from self._body(reply, deadline)
        finally:
            yield Close(reply)
        return call.read(body, reply.response.headers)

    def stream(self, call: Call[Any], take: Callable[[bytes], Any]) -> Steps[httpx.Headers]:
        """Hand a body on piece by piece; it may take longer than a call otherwise.

        Args:
            call: whose answer is streamed.
            take: is called with each piece.

        Returns:
            The headers.

        Raises:
            WarmcubeError: it didn't come to its end.
        """
        reply = yield from self.open(call, self._clock() + self._timeout)
        try:
            while chunk := (yield from self._chunk(reply)):
                yield Do(lambda chunk=chunk: take(chunk))  # type: ignore[misc]
        finally:
            yield Close(reply)
        return reply.response.headers

    def open(self, call: Call[Any], deadline: float) -> Steps[Reply]:
        """A successful answer, unread; a call that changes nothing is tried more than once.

        Raises:
            WarmcubeError: there is none.
        """
        attempt = 0
        while True:
            reply, error, pause = yield from self._attempt(call, deadline, attempt)
            if reply is not None:
                return reply
            attempt += 1
            if pause is None or attempt == ATTEMPTS or self._clock() + pause >= deadline:
                raise error
            yield Wait(pause)

    def _attempt(
        self, call: Call[Any], deadline: float, attempt: int
    ) -> Steps[tuple[Reply | None, WarmcubeError, float | None]]:
        """A reply, or an error and how long to wait until another try makes sense, if ever."""
        request = yield from self._request(call, deadline)
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt)
        pause = longest * (1 + self._chance()) / 2
        try:
            reply: Reply = yield Send(request)
        except httpx.HTTPError as error:
            may_retry = call.is_read and isinstance(error, _BROKEN)
            return None, self._unavailable(error), pause if may_retry else None
        response = reply.response
        if response.is_success:
            return reply, _NO_ERROR, None
        try:
            problem = yield from self._problem(reply, deadline)
        finally:
            yield Close(reply)
        hint = _seconds(response.headers.get("retry-after"))
        error_told = self._error(response, problem, hint)
        may_retry = call.is_read and response.status_code == 503 and hint is not None
        exact = error_told.retry_after if isinstance(error_told, Overloaded) else hint
        return None, error_told, exact if may_retry else None

    def _request(self, call: Call[Any], deadline: float) -> Steps[httpx.Request]:
        left = max(0.001, deadline - self._clock())
        headers = {
            "Accept": f"{call.accept}, application/problem+json",
            "Accept-Encoding": self._encodings,
            "User-Agent": f"warmcube/{__version__}",
        }
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        if self._token is not None:
            token = self._token if isinstance(self._token, str) else (yield Do(self._token))
            headers["Authorization"] = f"Bearer {usable_token(token)}"
        return httpx.Request(
            call.method,
            self.url.join(call.path),
            params=dict(call.parameters) or None,
            content=call.body,
            headers=headers,
            extensions={"timeout": httpx.Timeout(left).as_dict()},
        )

    def _body(self, reply: Reply, deadline: float, most: int | None = None) -> Steps[bytes]:
        chunks, size = [], 0
        while chunk := (yield from self._chunk(reply)):
            chunks.append(chunk)
            size += len(chunk)
            if self._clock() >= deadline:
                raise ServiceUnavailable(
                    f"the answer of {self._name} took longer than {self._timeout:g} s; give the "
                    "client a longer timeout, or ask for less"
                )
            if most is not None and size > most:
                return b""
        return b"".join(chunks)

    def _chunk(self, reply: Reply) -> Steps[bytes]:
        try:
            chunk: bytes = yield Read(reply)
        except httpx.HTTPError as error:
            raise ServiceUnavailable(
                f"the answer of {self._name} broke off ({type(error).__name__}); nothing of it is "
                "used; ask again"
            ) from None
        return chunk

    def _problem(self, reply: Reply, deadline: float) -> Steps[Mapping[str, Any]]:
        kind = reply.response.headers.get("content-type", "").partition(";")[0]
        if kind != "application/problem+json":
            return {}
        problem = read_json((yield from self._body(reply, deadline, _PROBLEM_BYTES)) or b"{}")
        return problem if isinstance(problem, dict) else {}

    def _error(
        self, response: httpx.Response, problem: Mapping[str, Any], retry_after: float | None
    ) -> WarmcubeError:
        status = response.status_code
        if response.has_redirect_location:
            return ServiceError(
                f"{self._name} answers with a redirect ({status}), which isn't followed, since it "
                "could carry the token elsewhere; give the address that it leads to"
            )
        error = error_of(status, problem, retry_after)
        request_id = response.headers.get("x-request-id")
        if request_id is not None:
            error.add_note(f"request {request_id[:64]!r}")
        return error

    def _unavailable(self, error: httpx.HTTPError) -> ServiceUnavailable:
        if isinstance(error, httpx.TimeoutException):
            return ServiceUnavailable(
                f"{self._name} didn't answer within {self._timeout:g} s ({type(error).__name__})"
            )
        return ServiceUnavailable(
            f"{self._name} can't be reached ({type(error).__name__}); check the address, and "
            "whether the service runs"
        )

    @property
    def _name(self) -> str:
        return f"the service at {self.url.scheme}://{self.url.netloc.decode('ascii')}"


_NO_ERROR: Final = ServiceError("none")


def _seconds(text: str | None) -> float | None:
    """The seconds of a Retry-After; the form with a date isn't read."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 6:
        return None
    return float(text)
