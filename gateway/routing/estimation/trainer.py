"""Keeps the estimates current with the outcomes in a store, and saves checkpoints of what was learned."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.catalog import ModelKey
from gateway.catalog.catalog import Catalog
from gateway.errors import GatewayError
from gateway.routing.estimation.agreement import DERIVED_SOURCES, LATER_SOURCES
from gateway.routing.estimation.estimates import Estimates
from gateway.routing.estimation.estimator import Estimator, EstimatorState
from gateway.routing.estimation.examples import Observation
from gateway.routing.estimation.snapshot import FORMAT, READABLE_FORMATS, CheckpointError, dumps, loads
from gateway.routing.estimation.throttle import Pause, no_pause
from gateway.routing.types import Outcome
from gateway.store import Checkpoint, InsertCheckpoint, InsertOutcome, RejectCheckpoint, Store, StoredOutcome
from gateway.store.opening import open_store

log = logging.getLogger(__name__)

# Seconds between two reads of the outcomes that other processes stored.
POLL_SECONDS = 5.0
# Outcomes read at once, and learned between two snapshots of the estimates: the first bounds what holds up other threads, the second
# memory.
_PAGE = 100
_BATCH = 2_000
# Without a checkpoint, at most this many of the newest outcomes are learned at a start: older ones change little and take long.
REPLAY_LIMIT = 20_000
# The least number of outcomes between two checkpoints, so a start learns at most about as many again.
SAVED_EVERY = 1_000
# With more outcomes than this to learn, a replica that another one learns for loads a checkpoint instead: that costs as much as
# learning some 2,000. Fewer outcomes it learns itself, so that it knows them at once.
FOLLOWED = 2_000
# Seconds between two loads, and for which no new checkpoint is waited for.
FOLLOW_SECONDS = 10.0
# The origins of a checkpoint: this trainer, or an operator's command.
SAVED, ROLLBACK, RESET = "saved", "rollback", "reset"


class OnlineTrainer:
    """Learns the outcomes of a store in the order of their ids, so a restart and other processes reach the same estimates.

    A start continues from the newest readable checkpoint, else from the prior with the newest `replay_limit` outcomes. A rollback or
    reset by an operator is followed at the next refresh. With `poll_seconds=None` only `refresh` reads the store; it blocks and may run
    in any thread. Without a `store`, the file at `db_path` is opened at the first use. A `store` that is passed in is not closed.

    Where several replicas learn, `leads` says whether this one learns and saves for all; it blocks. The others learn a few outcomes
    themselves, and follow its checkpoints where there are more than FOLLOWED.
    """

    def __init__(
        self,
        db_path: str | Path,
        catalog: Catalog,
        *,
        store: Store | None = None,
        clock: Callable[[], float] = time.monotonic,
        poll_seconds: float | None = POLL_SECONDS,
        replay_limit: int = REPLAY_LIMIT,
        leads: Callable[[], bool] | None = None,
    ) -> None:
        self.catalog = catalog
        self._db_path = db_path
        self._store = store
        self._owns_store = store is None
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._replay_limit = replay_limit
        self._leads = leads or (lambda: True)
        self._followed_at = float("-inf")
        self._lock = threading.Lock()
        self._estimator = Estimator(catalog)
        self._estimates = Estimates()
        self._learned_to: int | None = None  # the id of the last outcome learned
        self._saved_to = 0
        self._last_command = 0  # the id of the last rollback or reset followed
        self._refreshed_at: float | None = None

    def snapshot(self) -> Estimates:
        """The current estimates, without I/O."""
        return self._estimates

    def refreshed(self) -> Estimates:
        """The current estimates, after a refresh if one is due. The first refresh must succeed; errors of later ones are logged."""
        now = self._clock()
        if self._refreshed_at is None:
            if self._poll_seconds is not None:
                self.refresh()
        elif self._poll_seconds is not None and now - self._refreshed_at >= self._poll_seconds:
            self._try_refresh(now)
        return self._estimates

    def refresh(self, pause: Pause = no_pause) -> None:
        """Learns the outcomes that were stored since the last refresh, in batches. Raises LedgerUnavailable, and what `pause` raises."""
        with self._lock:
            self._learn_new(pause)

    def record(self, outcome: StoredOutcome) -> None:
        """Commits the outcome, then learns it. Raises LedgerUnavailable."""
        self._open_store().submit(InsertOutcome(outcome)).result()
        self.refresh()

    def close(self) -> None:
        if self._owns_store and self._store is not None:
            self._store.close()

    def _try_refresh(self, now: float) -> None:
        if not self._lock.acquire(blocking=False):
            return  # another thread is refreshing
        try:
            self._refreshed_at = now
            self._learn_new(no_pause)
        except GatewayError:
            log.exception("outcomes could not be read; routing continues with the current estimates")
        finally:
            self._lock.release()

    def _learn_new(self, pause: Pause) -> None:
        store = self._open_store()
        checkpoints = store.states()
        last_command = _last_command(checkpoints)
        if self._learned_to is None or last_command > self._last_command:
            self._last_command = last_command
            self._learned_to = self._restore(store, checkpoints, pause=pause)
            pause()
        leads = self._leads()
        if (
            not leads
            and self._refreshed_at is not None
            and self._follow(store, checkpoints, learned_to=self._learned_to, pause=pause)
        ):
            return
        before = self._learned_to
        while batch := _read_batch(store, after=self._learned_to, pause=pause):
            self._learned_to = batch[-1][0]
            self._estimates = self._estimator.learn([observation for _, observation in batch], pause=pause)
        if leads and self._learned_to != before:
            self._save(store, checkpoints, pause=pause)
        self._refreshed_at = self._clock()

    def _follow(self, store: Store, checkpoints: Sequence[Checkpoint], *, learned_to: int, pause: Pause) -> bool:
        """Whether there is too much to learn here: the newest checkpoint is loaded, or the next one is waited for.

        Nobody waits for long: if no checkpoint comes, as when the replica that leads has died, the outcomes are learned here.
        """
        now = self._clock()
        if store.newest_outcome() - learned_to <= FOLLOWED:
            self._followed_at = now
            return False
        if now - self._followed_at < FOLLOW_SECONDS:
            return True
        usable = [each for each in checkpoints if each.problem is None and each.format in READABLE_FORMATS]
        newest = max(usable, key=lambda each: each.learned_to, default=None)
        if newest is None or newest.learned_to - learned_to <= FOLLOWED:
            return False
        try:
            state = read_state(store, newest)
        except CheckpointError as error:
            log.warning("checkpoint %d cannot be followed: %s", newest.id, error)
            return False
        self._load(state, saved_to=newest.learned_to, pause=pause)
        self._learned_to, self._followed_at, self._refreshed_at = newest.learned_to, now, now
        return True

    def _restore(self, store: Store, checkpoints: Sequence[Checkpoint], *, pause: Pause) -> int:
        """Loads the newest readable checkpoint; returns the id of the last outcome that it includes."""
        for checkpoint in reversed(checkpoints):
            if checkpoint.problem is not None:
                continue
            try:
                state = read_state(store, checkpoint)
            except CheckpointError as error:
                log.error("checkpoint %d cannot be used and is kept: %s", checkpoint.id, error)
                store.submit(RejectCheckpoint(checkpoint.id, str(error))).result()
                continue
            self._load(state, saved_to=checkpoint.learned_to, pause=pause)
            return checkpoint.learned_to
        self._load(EstimatorState(), saved_to=0, pause=pause)
        return max(0, store.newest_outcome() - self._replay_limit)

    def _load(self, state: EstimatorState, *, saved_to: int, pause: Pause) -> None:
        self._estimator = Estimator(self.catalog, state)
        self._estimates = self._estimator.estimates(pause=pause)
        self._saved_to = saved_to

    def _save(self, store: Store, checkpoints: Sequence[Checkpoint], *, pause: Pause) -> None:
        """Saves a checkpoint, unless this or another process saved one less than SAVED_EVERY outcomes ago."""
        learned_to = self._learned_to or 0
        newest = max((checkpoint.learned_to for checkpoint in checkpoints if not checkpoint.problem), default=0)
        self._saved_to = max(self._saved_to, newest)
        if learned_to - self._saved_to < SAVED_EVERY:
            return
        body = dumps(self._estimator.state(), pause=pause)
        if _last_command(store.states()) > self._last_command:
            return  # an operator has ordered another state meanwhile, which this one must not follow
        self._saved_to = learned_to
        checkpoint = Checkpoint(SAVED, FORMAT, learned_to=learned_to, outcomes=self._estimator.learned)
        store.submit(InsertCheckpoint(checkpoint, body)).result()

    def _open_store(self) -> Store:
        if self._store is None:
            self._store = open_store(self._db_path)
        return self._store


def read_state(store: Store, checkpoint: Checkpoint) -> EstimatorState:
    """The state in a checkpoint. Raises CheckpointError."""
    if checkpoint.origin == RESET:
        return EstimatorState()
    if checkpoint.format not in READABLE_FORMATS:
        raise CheckpointError("another version of the gateway wrote it")
    body = store.state_body(checkpoint.id)
    if body is None:
        raise CheckpointError("its checksum is wrong")
    return loads(body)


def _last_command(checkpoints: Sequence[Checkpoint]) -> int:
    """The id of the last rollback or reset by an operator; 0 without one."""
    return max((each.id for each in checkpoints if each.origin != SAVED and each.problem is None), default=0)


def _read_batch(store: Store, *, after: int, pause: Pause) -> Sequence[tuple[int, Observation]]:
    """The next outcomes with their ids, read in pages; empty if there are none."""
    batch: list[tuple[int, Observation]] = []
    while len(batch) < _BATCH:
        page = store.outcomes(after=after, limit=_PAGE)
        batch += [(outcome.id, _observation(outcome)) for outcome in page]
        pause()
        if len(page) < _PAGE:
            break
        after = page[-1].id
    return batch


def _observation(stored: StoredOutcome) -> Observation:
    return Observation(
        model=ModelKey(stored.provider, stored.model),
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
        agreement=stored.agreement,
        compared=stored.source not in LATER_SOURCES,
        rated=stored.source not in DERIVED_SOURCES,
    )
