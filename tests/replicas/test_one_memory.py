"""What one replica learned, all know: outcomes are learned in the order of their ids, wherever they came from."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from gateway.catalog.packaged import load_catalog
from gateway.routing.estimation.snapshot import dumps
from gateway.routing.estimation.trainer import SAVED_EVERY, OnlineTrainer
from gateway.store import InsertOutcome, StoredOutcome
from gateway.store.database_store import DatabaseStore
from gateway.store.opening import open_store
from tests.postgres import drop_database, new_database

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
