from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.errors import LedgerUnavailable
from gateway.routing.estimation.snapshot import FORMAT, dumps
from gateway.routing.estimation.trainer import (
    FOLLOW_SECONDS,
    FOLLOWED,
    POLL_SECONDS,
    RESET,
    ROLLBACK,
    SAVED,
    SAVED_EVERY,
    OnlineTrainer,
)
from gateway.routing.estimation.validation import stored
from gateway.routing.prompt.features import prompt_facts
from gateway.routing.types import Outcome
from gateway.store import Checkpoint, InsertCheckpoint, InsertOutcome, Store, StoredOutcome
from tests.routing.memory_store import MemoryStore
from tests.routing.worlds import FLASH, MODERATE, THREE, said


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def outcome(quality: float = 0.1) -> StoredOutcome:
    return stored(said(FLASH, MODERATE), Outcome(quality=quality, cost=0.001))


def trainer_on(store: MemoryStore, clock: Clock, *, poll_seconds: float | None = POLL_SECONDS) -> OnlineTrainer:
    return OnlineTrainer("unused", THREE, store=cast(Store, store), clock=clock, poll_seconds=poll_seconds)


def test_recorded_outcome_is_known_at_once() -> None:
    """When record returns, the outcome is committed and learned."""
    store = MemoryStore()
    trainer = trainer_on(store, Clock())

    trainer.record(outcome())

    assert len(store.kept) == 1
    assert trainer.snapshot().learned == 1
    assert trainer.snapshot().of(FLASH, prompt_facts(MODERATE)).outcomes == 1


def test_file_is_opened_when_first_asked_and_read_whole(tmp_path: Path) -> None:
    """A trainer created later on the same file learns what was recorded; nothing is opened before the first use."""
    path = tmp_path / "gateway.db"
    first, later = OnlineTrainer(path, THREE), OnlineTrainer(path, THREE)
    assert not path.exists()
    first.close()

    first.record(outcome())

    assert later.snapshot().learned == 0
    assert later.refreshed().learned == 1
    first.close()
    later.close()


def test_news_of_others_are_looked_for_now_and_then() -> None:
    """Other processes' outcomes are known within seconds, without a look at each request."""
    store, clock = MemoryStore(), Clock()
    trainer = trainer_on(store, clock)
    trainer.refreshed()
    store.submit(InsertOutcome(outcome()))

    assert trainer.refreshed().learned == 0
    clock.now += POLL_SECONDS
    assert trainer.refreshed().learned == 1


def test_only_the_newest_are_replayed() -> None:
    """A large ledger is opened by its newest outcomes; what comes later is learned all the same."""
    store = MemoryStore()
    for _ in range(5):
        store.submit(InsertOutcome(outcome()))
    trainer = OnlineTrainer("unused.db", THREE, store=cast(Store, store), replay_limit=2)
    assert trainer.refreshed().learned == 2
    store.submit(InsertOutcome(outcome()))
    trainer.refresh()
    assert trainer.refreshed().learned == 3


def test_more_outcomes_than_a_batch_are_all_learned() -> None:
    """A refresh reads pages and learns batches until nothing is left, and the estimates after it include everything."""
    store = MemoryStore()
    unrated = stored(said(FLASH, MODERATE), Outcome(cost=0.001))
    for _ in range(2_150):
        store.submit(InsertOutcome(unrated))
    trainer = trainer_on(store, Clock())
    trainer.refresh()

    assert trainer.snapshot().learned == 2_150


def test_without_polling_only_refresh_reads() -> None:
    """Where the server refreshes on its own, deciding never reads the store."""
    store = MemoryStore()
    store.submit(InsertOutcome(outcome()))
    trainer = trainer_on(store, Clock(), poll_seconds=None)

    assert trainer.refreshed().learned == 0
    trainer.refresh()
    assert trainer.refreshed().learned == 1


def test_first_look_must_succeed_later_ones_need_not(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is decided on outcomes that could not be read at all; what is known already stays in use, and the failure is logged."""
    store, clock = MemoryStore(), Clock()
    store.broken = True
    trainer = trainer_on(store, clock)
    with pytest.raises(LedgerUnavailable):
        trainer.refreshed()

    store.broken = False
    trainer.record(outcome())
    store.broken = True
    clock.now += POLL_SECONDS

    assert trainer.refreshed().learned == 1
    assert "routing continues" in caplog.text


def test_looking_does_not_wait_for_a_refresh_in_another_thread() -> None:
    """While another thread reads, a decision is made on what is known."""
    store, clock = MemoryStore(), Clock()
    trainer = trainer_on(store, clock)
    trainer.refreshed()
    clock.now += POLL_SECONDS
    reading, go_on = threading.Event(), threading.Event()

    def slow_outcomes(*, after: int = 0, limit: int = 0) -> list[StoredOutcome]:
        reading.set()
        go_on.wait(10)
        return []

    store.outcomes = slow_outcomes  # type: ignore[method-assign]  # this store is slow for the length of the test
    thread = threading.Thread(target=trainer.refresh)
    thread.start()
    reading.wait(10)

    assert trainer.refreshed().learned == 0
    go_on.set()
    thread.join()


def test_own_store_is_closed_and_a_given_one_stays_open(tmp_path: Path) -> None:
    """Who opens closes; closing twice or before any use does no harm."""
    given = MemoryStore()
    trainer_on(given, Clock()).close()
    assert not given.closed

    own = OnlineTrainer(tmp_path / "gateway.db", THREE)
    own.close()
    own.refresh()
    own.close()
    own.close()


def served(store: MemoryStore, count: int, *, quality: float = 0.1) -> None:
    for _ in range(count):
        store.submit(InsertOutcome(outcome(quality)))


def test_a_restart_goes_on_from_the_newest_state(caplog: pytest.LogCaptureFixture) -> None:
    """What was learned is kept every so often; a start reads that and only what came after, and knows the same."""
    store = MemoryStore()
    first = trainer_on(store, Clock())
    served(store, SAVED_EVERY)
    first.refresh()
    served(store, 3)
    first.refresh()

    again = trainer_on(store, Clock())
    asked: list[int] = []
    answered = store.outcomes
    store.outcomes = lambda *, after=0, limit=0: asked.append(after) or answered(after=after, limit=limit)  # type: ignore[method-assign, func-returns-value]  # notes what is asked for

    assert again.refreshed().of(FLASH, prompt_facts(MODERATE)) == first.snapshot().of(FLASH, prompt_facts(MODERATE))
    assert again.refreshed().learned == SAVED_EVERY + 3
    assert [state.learned_to for state in store.saved] == [SAVED_EVERY]
    assert min(asked) == SAVED_EVERY


def test_only_one_of_several_processes_keeps_a_state() -> None:
    """Where another process kept one lately, there is no need for a second."""
    store = MemoryStore()
    one, other = trainer_on(store, Clock()), trainer_on(store, Clock())
    served(store, SAVED_EVERY)
    one.refresh()
    other.refresh()

    assert len(store.saved) == 1


@pytest.mark.parametrize(
    ("harm", "problem"),
    [
        ({"format": "other"}, "another version"),
        ({"body": None}, "checksum"),
        ({"body": b"nonsense"}, "not a state"),
    ],
    ids=["version", "checksum", "content"],
)
def test_unreadable_checkpoint_is_logged_and_kept(
    harm: dict[str, Any], problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is marked with its problem, and the outcomes of the ledger are learned from the prior."""
    store = MemoryStore()
    served(store, SAVED_EVERY)
    trainer_on(store, Clock()).refresh()
    if "format" in harm:
        store.saved = [replace(store.saved[0], format=harm["format"])]
    elif harm["body"] is None:
        store.bodies.clear()
    else:
        store.bodies[1] = harm["body"]

    estimates = trainer_on(store, Clock()).refreshed()

    assert problem in caplog.text
    assert problem in (store.saved[0].problem or "")
    assert estimates.learned == SAVED_EVERY


def test_an_order_to_go_back_is_followed() -> None:
    """Running gateways take up a reset or rollback at their next look, and forget what lay between."""
    store = MemoryStore()
    trainer = trainer_on(store, Clock(), poll_seconds=None)
    served(store, SAVED_EVERY, quality=0.9)
    trainer.refresh()
    good = trainer.snapshot().of(FLASH, prompt_facts(MODERATE)).quality
    served(store, 50, quality=0.0)
    trainer.refresh()
    assert trainer.snapshot().of(FLASH, prompt_facts(MODERATE)).quality < good - 0.3

    store.submit(
        InsertCheckpoint(replace(store.saved[0], origin=ROLLBACK, learned_to=store.newest_outcome()), store.bodies[1])
    )
    trainer.refresh()
    assert trainer.snapshot().of(FLASH, prompt_facts(MODERATE)).quality == good

    store.submit(InsertCheckpoint(Checkpoint(RESET, FORMAT, learned_to=store.newest_outcome(), outcomes=0), b""))
    trainer.refresh()
    assert trainer.snapshot().of(FLASH, prompt_facts(MODERATE)).outcomes == 0
    served(store, 1)
    trainer.refresh()
    assert trainer.snapshot().learned == 1


def test_outcomes_without_features_are_learned_by_pattern() -> None:
    """Where features are not stored, pattern and complexity still teach."""
    store = MemoryStore()
    store.submit(
        InsertOutcome(
            StoredOutcome(provider="gemini", model=FLASH.name, pattern="explanation", complexity=0.34, quality=0.0)
        )
    )
    trainer = trainer_on(store, Clock())

    assert trainer.refreshed().of(FLASH, prompt_facts(MODERATE)).outcomes == 1


def following_on(store: MemoryStore, clock: Clock) -> OnlineTrainer:
    """A trainer of a replica that another one learns for, after its start."""
    trainer = OnlineTrainer(
        "unused", THREE, store=cast(Store, store), clock=clock, poll_seconds=None, leads=lambda: False
    )
    trainer.refresh()
    return trainer


def leading_on(store: MemoryStore, clock: Clock) -> OnlineTrainer:
    trainer = OnlineTrainer(
        "unused", THREE, store=cast(Store, store), clock=clock, poll_seconds=None, leads=lambda: True
    )
    trainer.refresh()
    return trainer


def test_replica_that_follows_learns_a_few_outcomes_itself() -> None:
    """A few new outcomes are known at the next refresh, and only the replica that leads saves what it learned.

    Slow: as many outcomes are learned, twice, as one checkpoint has.
    """
    store, clock = MemoryStore(), Clock()
    leading, following = leading_on(store, clock), following_on(store, clock)
    for _ in range(SAVED_EVERY):
        store.submit(InsertOutcome(outcome()))
    following.refresh()
    assert (following.snapshot().learned, store.saved) == (SAVED_EVERY, [])
    leading.refresh()
    assert [each.learned_to for each in store.saved] == [SAVED_EVERY]


def test_replica_that_follows_loads_what_is_too_much_to_learn() -> None:
    """With many new outcomes a replica that follows waits for the checkpoint of the one that leads, and has the same state then.

    Slow: as many outcomes are learned as cost more than a load.
    """
    store, clock = MemoryStore(), Clock()
    leading, following = leading_on(store, clock), following_on(store, clock)
    store.submit(InsertOutcome(outcome()))
    following.refresh()
    for _ in range(FOLLOWED + 1):
        store.submit(InsertOutcome(outcome()))
    following.refresh()
    assert following.snapshot().learned == 1
    leading.refresh()
    clock.now += FOLLOW_SECONDS
    reads = store.reads
    following.refresh()
    assert following.snapshot().learned == FOLLOWED + 2
    assert store.reads == reads + 1  # of the newest id
    assert dumps(following._estimator.state()) == dumps(leading._estimator.state())


@pytest.mark.parametrize("saved", ["nothing", "damaged", "of another version"])
def test_outcomes_are_learned_where_nobody_leads(saved: str) -> None:
    """If no usable checkpoint comes, as when the replica that leads has died, the outcomes are learned after a while.

    Slow: as many outcomes are learned as cost more than a load.
    """
    store, clock = MemoryStore(), Clock()
    following = following_on(store, clock)
    store.submit(InsertOutcome(outcome()))
    following.refresh()
    for _ in range(FOLLOWED + 1):
        store.submit(InsertOutcome(outcome()))
    if saved != "nothing":
        written = Checkpoint(SAVED, FORMAT if saved == "damaged" else "newer", learned_to=FOLLOWED + 2, outcomes=1)
        store.submit(InsertCheckpoint(written, b"?"))
    clock.now += FOLLOW_SECONDS - 1
    following.refresh()
    assert following.snapshot().learned == 1
    clock.now += 1
    following.refresh()
    assert following.snapshot().learned == FOLLOWED + 2
    assert [each.problem for each in store.saved] == [None] * len(store.saved)


def test_state_that_an_operator_replaced_is_not_saved() -> None:
    """A rollback or reset that comes while a checkpoint is written wins: the checkpoint is not stored after it."""
    store, clock = MemoryStore(), Clock()
    leading = leading_on(store, clock)
    for _ in range(SAVED_EVERY):
        store.submit(InsertOutcome(outcome()))

    def reset() -> None:
        if leading.snapshot().learned == SAVED_EVERY and not store.saved:
            store.submit(InsertCheckpoint(Checkpoint(RESET, FORMAT, learned_to=SAVED_EVERY, outcomes=0), b""))

    leading.refresh(reset)
    assert [each.origin for each in store.saved] == [RESET]
