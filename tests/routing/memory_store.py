"""A store that keeps outcomes in memory, for tests of what learns from one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from gateway.errors import LedgerUnavailable
from gateway.store import Checkpoint, StoredOutcome


class MemoryStore:
    """The part of a store that routing uses. While `broken` every call fails, as on a full disk."""

    def __init__(self) -> None:
        self.kept: list[StoredOutcome] = []
        self.saved: list[Checkpoint] = []
        self.bodies: dict[int, bytes] = {}
        self.reads = 0
        self.closed = False
        self.broken = False

    def add_outcome(self, outcome: StoredOutcome) -> Future[int]:
        done: Future[int] = Future()
        if self.broken:
            done.set_exception(LedgerUnavailable("disk full"))
        else:
            self.kept.append(outcome._replace(id=len(self.kept) + 1))
            done.set_result(len(self.kept))
        return done

    def newest_outcome(self) -> int:
        return max((each.id for each in self.outcomes()), default=0)

    def outcomes(self, *, after: int = 0, limit: int = 10_000) -> Sequence[StoredOutcome]:
        if self.broken:
            raise LedgerUnavailable("disk full")
        self.reads += 1
        return self.kept[after : after + limit]

    def states(self) -> Sequence[Checkpoint]:
        if self.broken:
            raise LedgerUnavailable("disk full")
        return tuple(self.saved)

    def state_body(self, number: int) -> bytes | None:
        return self.bodies.get(number)

    def add_state(self, state: Checkpoint, body: bytes) -> Future[int]:
        done: Future[int] = Future()
        number = len(self.saved) + 1
        self.saved.append(replace(state, id=number))
        self.bodies[number] = body
        done.set_result(number)
        return done

    def mark_unusable(self, number: int, problem: str) -> Future[None]:
        self.saved = [replace(each, problem=problem) if each.id == number else each for each in self.saved]
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def close(self) -> None:
        self.closed = True

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"routing has no business with {name}")
