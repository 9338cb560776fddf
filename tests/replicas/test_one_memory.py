"""What one replica learned, all know: outcomes are learned in the order of their ids, wherever they came from."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest

from gateway.catalog.packaged import load_catalog
from gateway.routing.estimation.snapshot import dumps
from gateway.routing.estimation.trainer import FOLLOW_SECONDS, FOLLOWED, SAVED_EVERY, OnlineTrainer
from gateway.store import InsertOutcome, StoredOutcome
from gateway.store.database_store import DatabaseStore
from gateway.store.opening import open_store
from gateway.store.postgres.address import PostgresAddress
from gateway.store.postgres.leases import RENEW_SECONDS
from gateway.store.postgres.store import PostgresStore
from tests.postgres import drop_database, new_database
from tests.resilience.clocks import Clock

CATALOG = load_catalog()
MODELS = [model.key for model in CATALOG][:4]


@pytest.fixture
def url() -> Iterator[str]:
    database = new_database()
    yield database
    drop_database(database)


def outcome(number: int) -> StoredOutcome:
    model = MODELS[number % len(MODELS)]
    return StoredOutcome(
        provider=model.provider, model=model.name, pattern="code", complexity=(number % 10) / 10, quality=(number % 7) / 7,
        cost=0.001 * (1 + number % 5), input_tokens=10 + number, output_tokens=20, latency=0.5, source="explicit", weight=1.0,
    )  # fmt: skip


def state(trainer: OnlineTrainer) -> bytes:
    return dumps(trainer._estimator.state())


def test_replicas_that_learned_the_same_outcomes_have_the_same_state(url: str) -> None:
    """Outcomes of two replicas at once leave the same state in one that followed them, one that read all later, and a new one.

    The new one starts from the newest checkpoint and learns only what came after it.
    """
    with closing(open_store(url)) as first, closing(open_store(url)) as second:
        following = OnlineTrainer(url, CATALOG, store=first)
        late = OnlineTrainer(url, CATALOG, store=second)
        done = threading.Event()

        def follow() -> None:
            while not done.is_set():
                following.refresh()

        def store_outcomes(store: DatabaseStore, odd: int) -> None:
            written = [store.submit(InsertOutcome(outcome(2 * number + odd))) for number in range(SAVED_EVERY)]
            assert all(each.result() for each in written)

        thread = threading.Thread(target=follow)
        thread.start()
        writing = [threading.Thread(target=store_outcomes, args=each) for each in ((first, 0), (second, 1))]
        for each in writing:
            each.start()
        for each in writing:
            each.join()
        done.set()
        thread.join()
        following.refresh()
        late.refresh()
        new = OnlineTrainer(url, CATALOG, store=first)
        new.refresh()
        assert state(late) == state(following)
        assert state(new) == state(following)
        assert 1 <= len(first.states()) <= 3


def test_one_replica_learns_much_for_all_and_another_takes_over(url: str) -> None:
    """Of many outcomes one of two replicas saves what it learned, and the other loads it; when the first ends, the other saves.

    Slow: more outcomes are learned than are worth a load.
    """
    clock = Clock()

    def replica(store: PostgresStore) -> OnlineTrainer:
        leads = partial(store.replicas.leads, "learning")
        trainer = OnlineTrainer(url, CATALOG, store=store, clock=clock, poll_seconds=None, leads=leads)
        trainer.refresh()
        return trainer

    def store_outcomes(count: int) -> None:
        written = [second.submit(InsertOutcome(outcome(number))) for number in range(count)]
        assert all(each.result() for each in written)

    address = PostgresAddress.parse(url)
    with closing(PostgresStore(address)) as first, closing(PostgresStore(address, clock=clock)) as second:
        leading, following = replica(first), replica(second)
        store_outcomes(FOLLOWED + 1)
        leading.refresh()
        clock.pass_by(FOLLOW_SECONDS)
        following.refresh()
        assert following.snapshot().learned == FOLLOWED + 1
        assert state(following) == state(leading)
        assert [each.learned_to for each in second.states()] == [FOLLOWED + 1]

        first.close()
        clock.pass_by(RENEW_SECONDS)
        store_outcomes(SAVED_EVERY)
        following.refresh()
        assert [each.learned_to for each in second.states()] == [FOLLOWED + 1, FOLLOWED + 1 + SAVED_EVERY]
