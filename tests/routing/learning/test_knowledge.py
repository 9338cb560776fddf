from __future__ import annotations

import threading
from pathlib import Path
from typing import cast

import pytest

from gateway.errors import LedgerUnavailable
from gateway.routing.learning.knowledge import POLL_SECONDS, Knowledge
from gateway.routing.learning.outcomes import stored
from gateway.routing.models import Outcome
from gateway.routing.prompt.features import facts_of
from gateway.store import Store, StoredOutcome
from tests.routing.memory_store import MemoryStore
from tests.routing.worlds import FLASH, MODERATE, THREE, said


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def outcome(quality: float = 0.1) -> StoredOutcome:
    return stored(said(FLASH, MODERATE), Outcome(quality=quality, cost=0.001))


def knowledge_of(store: MemoryStore, clock: Clock, *, poll_seconds: float | None = POLL_SECONDS) -> Knowledge:
    return Knowledge("unused", THREE, store=cast(Store, store), clock=clock, poll_seconds=poll_seconds)


def test_recorded_outcome_is_known_at_once() -> None:
    """When record returns, the outcome is committed and learned."""
    store = MemoryStore()
    knowledge = knowledge_of(store, Clock())

    knowledge.record(outcome())

    assert len(store.kept) == 1
    assert knowledge.known().learned == 1
    assert knowledge.known().of(FLASH, facts_of(MODERATE)).outcomes == 1


def test_file_is_opened_when_first_asked_and_read_whole(tmp_path: Path) -> None:
    """Knowledge made later on the same file knows what was recorded; until asked it opens nothing."""
    path = tmp_path / "gateway.db"
    first, later = Knowledge(path, THREE), Knowledge(path, THREE)
    assert not path.exists()
    first.close()

    first.record(outcome())

    assert later.known().learned == 0
    assert later.current().learned == 1
    first.close()
    later.close()


def test_news_of_others_are_looked_for_now_and_then() -> None:
    """Other processes' outcomes are known within seconds, without a look at each request."""
    store, clock = MemoryStore(), Clock()
    knowledge = knowledge_of(store, clock)
    knowledge.current()
    store.add_outcome(outcome())

    assert knowledge.current().learned == 0
    clock.now += POLL_SECONDS
    assert knowledge.current().learned == 1


def test_only_the_newest_are_replayed() -> None:
    """A large ledger is opened by its newest outcomes; what comes later is learned all the same."""
    store = MemoryStore()
    for _ in range(5):
        store.add_outcome(outcome())
    knowledge = Knowledge("unused.db", THREE, store=cast(Store, store), replayed=2)
    assert knowledge.current().learned == 2
    store.add_outcome(outcome())
    knowledge.refresh()
    assert knowledge.current().learned == 3


def test_without_polling_only_refresh_reads() -> None:
    """Where the server refreshes on its own, deciding never reads the store."""
    store = MemoryStore()
    store.add_outcome(outcome())
    knowledge = knowledge_of(store, Clock(), poll_seconds=None)

    assert knowledge.current().learned == 0
    knowledge.refresh()
    assert knowledge.current().learned == 1


def test_first_look_must_succeed_later_ones_need_not(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is decided on outcomes that could not be read at all; what is known already stays in use, and the failure is logged."""
    store, clock = MemoryStore(), Clock()
    store.broken = True
    knowledge = knowledge_of(store, clock)
    with pytest.raises(LedgerUnavailable):
        knowledge.current()

    store.broken = False
    knowledge.record(outcome())
    store.broken = True
    clock.now += POLL_SECONDS

    assert knowledge.current().learned == 1
    assert "routing goes on" in caplog.text


def test_looking_does_not_wait_for_a_refresh_in_another_thread() -> None:
    """While another thread reads, a decision is made on what is known."""
    store, clock = MemoryStore(), Clock()
    knowledge = knowledge_of(store, clock)
    knowledge.current()
    clock.now += POLL_SECONDS
    reading, go_on = threading.Event(), threading.Event()

    def slow_outcomes(*, after: int = 0, limit: int = 0) -> list[StoredOutcome]:
        reading.set()
        go_on.wait(10)
        return []

    store.outcomes = slow_outcomes  # type: ignore[method-assign]  # this store is slow for the length of the test
    thread = threading.Thread(target=knowledge.refresh)
    thread.start()
    reading.wait(10)

    assert knowledge.current().learned == 0
    go_on.set()
    thread.join()


def test_own_store_is_closed_and_a_given_one_stays_open(tmp_path: Path) -> None:
    """Who opens closes; closing twice or before any use does no harm."""
    given = MemoryStore()
    knowledge_of(given, Clock()).close()
    assert not given.closed

    own = Knowledge(tmp_path / "gateway.db", THREE)
    own.close()
    own.refresh()
    own.close()
    own.close()


def test_outcomes_without_features_are_learned_by_pattern() -> None:
    """Where features are not stored, pattern and complexity still teach."""
    store = MemoryStore()
    store.add_outcome(
        StoredOutcome(provider="gemini", model=FLASH.name, pattern="explanation", complexity=0.34, quality=0.0)
    )
    knowledge = knowledge_of(store, Clock())

    assert knowledge.current().of(FLASH, facts_of(MODERATE)).outcomes == 1
