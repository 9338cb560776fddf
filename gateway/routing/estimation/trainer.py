"""What the outcomes in the ledger teach, kept current: where routing's memory meets the store."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.catalog.catalog import Catalog
from gateway.errors import GatewayError
from gateway.routing.estimation.estimates import Estimates
from gateway.routing.estimation.estimator import Estimator, EstimatorState, Observation
from gateway.routing.estimation.snapshot import FORMAT, CheckpointError, dumps, loads
from gateway.routing.types import Outcome
from gateway.store import Checkpoint, InsertCheckpoint, InsertOutcome, RejectCheckpoint, Store, StoredOutcome
from gateway.store.sqlite import SqliteStore

log = logging.getLogger(__name__)

# Other processes' outcomes are looked for this often (seconds), when a decision is asked for.
POLL_SECONDS = 5.0
_PAGE = 2_000
# So many outcomes, the newest, are learned when a ledger is opened: more would not change much and take long.
REPLAY_LIMIT = 20_000
# So many outcomes lie between two states that are kept, so a start learns at most about as many again.
SAVED_EVERY = 1_000
# Where a state comes from.
SAVED, ROLLBACK, RESET = "saved", "rollback", "reset"


class OnlineTrainer:
    """The newest Estimates, from the outcomes in a store; opened and read when first asked.

    Everything is learned from what is stored, in the order of its ids, so that a restart and another process come to the
    same. A start goes on from the newest state in the store; without one that can be read it begins with the prior and the newest `replayed`
    outcomes. A rollback or reset that somebody orders is followed with the next look. `poll_seconds=None` leaves looking for new outcomes to who calls `refresh`, which blocks and may run in any
    thread. A `store` that is given stays open.
    """

    def __init__(
        self,
        db_path: str | Path,
        catalog: Catalog,
        *,
        store: Store | None = None,
        clock: Callable[[], float] = time.monotonic,
        poll_seconds: float | None = POLL_SECONDS,
        replayed: int = REPLAY_LIMIT,
    ) -> None:
        self.catalog = catalog
        self._db_path = db_path
        self._store = store
        self._owned = store is None
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._replayed = replayed
        self._lock = threading.Lock()
        self._estimator = Estimator(catalog)
        self._estimates = Estimates()
        self._newest: int | None = None
        self._saved_to = 0
        self._ordered = 0
        self._looked: float | None = None

    def snapshot(self) -> Estimates:
        """What is known already; asks nobody."""
        return self._estimates

    def refreshed(self) -> Estimates:
        """What is known, after a look for news where one is due. The first look must succeed; later ones are only logged."""
        now = self._clock()
        if self._looked is None:
            if self._poll_seconds is not None:
                self.refresh()
        elif self._poll_seconds is not None and now - self._looked >= self._poll_seconds:
            self._look(now)
        return self._estimates

    def refresh(self) -> None:
        """Learn what is stored and not yet known. Raises LedgerUnavailable."""
        with self._lock:
            self._learn_new()

    def record(self, outcome: StoredOutcome) -> None:
        """Commit the outcome, then learn it. Raises LedgerUnavailable."""
        self._opened().submit(InsertOutcome(outcome)).result()
        self.refresh()

    def close(self) -> None:
        if self._owned and self._store is not None:
            self._store.close()

    def _look(self, now: float) -> None:
        if not self._lock.acquire(blocking=False):
            return  # somebody else is looking
        try:
            self._looked = now
            self._learn_new()
        except GatewayError:
            log.exception("outcomes could not be read; routing goes on with what it knows")
        finally:
            self._lock.release()

    def _learn_new(self) -> None:
        store = self._opened()
        states = store.states()
        ordered = max((state.id for state in states if state.origin != SAVED and state.problem is None), default=0)
        if self._newest is None or ordered > self._ordered:
            self._ordered = ordered
            self._newest = self._begun(store, states)
        stored: list[StoredOutcome] = []
        while page := store.outcomes(after=self._newest, limit=_PAGE):
            stored += page
            self._newest = page[-1].id
        if stored:
            self._estimates = self._estimator.learn([_observation(each) for each in stored])
            self._save(store, states)
        self._looked = self._clock()

    def _begun(self, store: Store, states: Sequence[Checkpoint]) -> int:
        """Take up the newest state that can be read; the outcome's id up to which it knows all."""
        for state in reversed(states):
            if state.problem is not None:
                continue
            try:
                memory = read_state(store, state)
            except CheckpointError as error:
                log.error("learned state %d is left alone and kept: %s", state.id, error)
                store.submit(RejectCheckpoint(state.id, str(error))).result()
                continue
            self._take(memory, saved_to=state.learned_to)
            return state.learned_to
        self._take(EstimatorState(), saved_to=0)
        return max(0, store.newest_outcome() - self._replayed)

    def _take(self, memory: EstimatorState, *, saved_to: int) -> None:
        self._estimator = Estimator(self.catalog, memory)
        self._estimates = self._estimator.estimates()
        self._saved_to = saved_to

    def _save(self, store: Store, states: Sequence[Checkpoint]) -> None:
        """Keep what is known, unless another process just did."""
        newest = self._newest or 0
        self._saved_to = max(self._saved_to, max((each.learned_to for each in states if not each.problem), default=0))
        if newest - self._saved_to < SAVED_EVERY:
            return
        self._saved_to = newest
        state = Checkpoint(SAVED, FORMAT, learned_to=newest, outcomes=self._estimator.update)
        store.submit(InsertCheckpoint(state, dumps(self._estimator.memory()))).result()

    def _opened(self) -> Store:
        if self._store is None:
            self._store = SqliteStore(self._db_path)
        return self._store


def read_state(store: Store, state: Checkpoint) -> EstimatorState:
    """Raises StateUnreadable."""
    if state.origin == RESET:
        return EstimatorState()
    if state.format != FORMAT:
        raise CheckpointError("another version of the gateway wrote it")
    body = store.state_body(state.id)
    if body is None:
        raise CheckpointError("its checksum is wrong")
    return loads(body)


def _observation(stored: StoredOutcome) -> Observation:
    return Observation(
        model=(stored.provider, stored.model),
        pattern=stored.pattern,
        complexity=stored.complexity,
        features=stored.features or {},
        outcome=Outcome(
            quality=stored.quality,
            cost=stored.cost,
            input_tokens=stored.input_tokens,
            output_tokens=stored.output_tokens,
        ),
        weight=stored.weight,
    )
