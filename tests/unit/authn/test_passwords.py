"""`warmcube.authn.passwords`: which passwords may be, and how they are checked."""

from __future__ import annotations

import asyncio
import threading
from typing import Literal

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmcube.authn.passwords import Hasher, flaw_of, is_hash, is_possible
from warmcube.errors import Overloaded

CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.mark.parametrize(
    ("password", "flaw"),
    [
        ("twelve bytes", None),
        ("eleven byte", "it has 11 bytes; expected at least 12"),
        ("", "it has 0 bytes; expected at least 12"),
        ("😀😀😀", None),  # 12 bytes
        ("x" * 1024, None),
        ("x" * 1025, "it has 1,025 bytes; expected at most 1,024"),
        ("\udc80" * 12, "it isn't Unicode text"),
    ],
)
def test_only_length_counts(password: str, flaw: str | None) -> None:
    """Twelve bytes to a kilobyte, whatever they are."""
    assert flaw_of(password) == flaw


@given(st.text(max_size=1100))
def test_what_can_be_chosen_can_be_typed(password: str) -> None:
    """Every password that may be chosen is one that is checked when somebody signs in."""
    if flaw_of(password) is None:
        assert is_possible(password)


@pytest.mark.parametrize("password", ["x" * 1025, "\udc80", "é" * 600])
def test_what_is_nobodys_password(password: str) -> None:
    """What can't have been chosen isn't worth its time."""
    assert not is_possible(password)


async def test_right_and_wrong() -> None:
    """A password is right however its letters were composed, and nothing else is."""
    hasher = Hasher(CHEAP)
    kept = hasher.hash("Zwölf Zeichen")
    assert await hasher.verify(kept, "Zwölf Zeichen")
    assert await hasher.verify(kept, "Zwo\u0308lf Zeichen")
    assert not await hasher.verify(kept, "Zwolf Zeichen")
    assert not await hasher.verify(kept, "")
    assert not await hasher.verify(None, "Zwölf Zeichen")
    assert not await hasher.verify("$argon2id$broken", "Zwölf Zeichen")
    assert hasher.hash("Zwölf Zeichen") != kept  # salted
    hasher.close()


class Counting(argon2.PasswordHasher):
    """Notes the parameters of what it verifies."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified: list[argon2.Parameters] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        """See `argon2.PasswordHasher`."""
        assert isinstance(hash, str)
        self.verified.append(argon2.extract_parameters(hash))
        return super().verify(hash, password)


async def test_for_nobody_the_work_is_the_same() -> None:
    """Without a hash one of the same parameters is checked, and never found right."""
    kdf = Counting()
    hasher = Hasher(kdf)
    kept = hasher.hash("correct horse")
    assert not await hasher.verify(kept, "wrong horse!")
    assert not await hasher.verify(None, "wrong horse!")
    assert len(kdf.verified) == 2
    assert kdf.verified[0] == kdf.verified[1]
    hasher.close()


class Blocking(argon2.PasswordHasher):
    """Verifies when it is told to."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.go = threading.Event()
        self.two_run = threading.Event()
        self.running = 0
        self.most = 0
        self._lock = threading.Lock()

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        """See `argon2.PasswordHasher`."""
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
            if self.running == 2:
                self.two_run.set()
        self.go.wait(30)
        with self._lock:
            self.running -= 1
        return super().verify(hash, password)


async def test_few_at_a_time() -> None:
    """No more run or wait than are meant to; whoever gives up makes room when it is done."""
    kdf = Blocking()
    hasher = Hasher(kdf, at_once=2, waiting=3)
    kept = hasher.hash("correct horse")
    tasks = [asyncio.create_task(hasher.verify(kept, "correct horse")) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded) as refused:
        await hasher.verify(kept, "correct horse")
    assert refused.value.retry_after > 0
    assert await asyncio.to_thread(kdf.two_run.wait, 30)
    tasks[0].cancel()  # runs on in its thread
    await asyncio.gather(tasks[0], return_exceptions=True)
    with pytest.raises(Overloaded):
        await hasher.verify(kept, "correct horse")
    kdf.go.set()
    assert await asyncio.gather(*tasks[1:]) == [True] * 4
    assert await hasher.verify(kept, "correct horse")
    assert kdf.most == 2
    hasher.close()


async def test_other_parameters_are_outdated() -> None:
    """A hash is renewed with today's parameters, of the same password."""
    hasher = Hasher(CHEAP)
    before = argon2.PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash("correct horse")
    assert hasher.is_outdated(before)
    assert await hasher.verify(before, "correct horse")
    after = await hasher.renew("correct horse")
    assert not hasher.is_outdated(after)
    assert await hasher.verify(after, "correct horse")
    hasher.close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        7,
        None,
        "correct horse",
        "$2b$12$abcdefghijklmnopqrstuv",
        pytest.param(
            argon2.PasswordHasher(1, 8, 1, type=argon2.Type.I).hash("correct horse"), id="argon2i"
        ),
    ],
)
def test_what_is_no_hash(text: object) -> None:
    """Neither a plain password nor another function's hash is taken for ours."""
    assert not is_hash(text)


def test_todays_parameters_are_those_of_rfc_9106() -> None:
    """argon2id with 64 MiB, three passes and four lanes: the RFC's second recommendation."""
    hasher = Hasher()
    assert argon2.extract_parameters(hasher.hash("correct horse")) == (
        argon2.profiles.RFC_9106_LOW_MEMORY
    )
    hasher.close()
