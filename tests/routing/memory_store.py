"""A store that keeps outcomes in memory, for tests of what learns from one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar

from gateway.errors import LedgerUnavailable
from gateway.store import Checkpoint, InsertCheckpoint, InsertOutcome, Mutation, RejectCheckpoint, StoredOutcome

T = TypeVar("T")


class MemoryStore:
    """The part of a store that routing uses. While `broken` every call fails, as on a full disk."""

    def __init__(self) -> None:
        self.kept: list[StoredOutcome] = []
        self.saved: list[Checkpoint] = []
        self.bodies: dict[int, bytes] = {}
        self.reads = 0
        self.closed = False
        self.broken = False

    def submit(self, mutation: Mutation[T]) -> Future[T]:
        done: Future[Any] = Future()
        match mutation:
            case InsertOutcome() if self.broken:
                done.set_exception(LedgerUnavailable("disk full"))
            case InsertOutcome(outcome):
                self.kept.append(outcome._replace(id=len(self.kept) + 1))
                done.set_result(len(self.kept))
            case InsertCheckpoint(checkpoint, body):
                number = len(self.saved) + 1
                self.saved.append(replace(checkpoint, id=number))
                self.bodies[number] = body
                done.set_result(number)
            case RejectCheckpoint(number, problem):
                self.saved = [replace(each, problem=problem) if each.id == number else each for each in self.saved]
                done.set_result(None)
            case _:
                raise AssertionError(f"routing has no business with {mutation}")
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

    def close(self) -> None:
        self.closed = True

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"routing has no business with {name}")
