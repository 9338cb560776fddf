"""Whatever order things happen in, a row and each of its attempts come to exactly one end."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from typing import get_args

import apsw
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from gateway.errors import Conflict, NotFound
from gateway.records import Attempt, AttemptStatus, RequestStatus
from gateway.store.sql import tuples
from gateway.store.sqlite import SqliteStore
from tests.store.cases import begun, ended

ENDS = [status for status in get_args(RequestStatus) if status != "open"]
ATTEMPT_STATES: list[AttemptStatus] = list(get_args(AttemptStatus))


class Ledger(RuleBasedStateMachine):
    """Two stores on one file begin, try, settle, die and recover in any order."""

    requests: Bundle[str] = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.home = SqliteStore(":memory:")
        self.other = SqliteStore(self.home.path)
        self.ends: dict[str, tuple[object, ...]] = {}
        self.attempt_ends: dict[str, tuple[object, ...]] = {}
        self.count = 0

    @initialize(target=requests)
    def first(self) -> str:
        return self.begin_in(self.home)

    @rule(target=requests)
    def begin(self) -> str:
        return self.begin_in(self.home)

    @rule(target=requests)
    def begin_elsewhere(self) -> str:
        return self.begin_in(self.other)

    @rule(request_id=requests)
    def begin_again(self, request_id: str) -> None:
        assert isinstance(self.home.begin(begun(request_id)).exception(), Conflict)

    @rule(request_id=requests, number=st.integers(1, 3), status=st.sampled_from(ATTEMPT_STATES))
    def attempt(self, request_id: str, number: int, status: AttemptStatus) -> None:
        cost = None if status == "reserved" else Decimal(number)
        self.home.attempt(request_id, Attempt(number, "gemini", "flash", status, cost)).result()

    @rule(request_id=requests, status=st.sampled_from(ENDS), cost=st.integers(0, 5))
    def settle(self, request_id: str, status: RequestStatus, cost: int) -> None:
        self.home.settle(ended(request_id, status=status, actual_cost=Decimal(cost))).result()

    @rule(request_id=consumes(requests), status=st.sampled_from(ENDS))
    def settle_with_open_attempts(self, request_id: str, status: RequestStatus) -> None:
        self.other.settle(ended(request_id, status=status, attempts=())).result()

    @rule()
    def die_and_recover(self) -> None:
        self.other.close()
        self.home.close_orphans(now="2026-11-22T11:00:00Z")
        self.other = SqliteStore(self.home.path)

    @rule()
    def unknown(self) -> None:
        assert isinstance(self.home.attempt("never", Attempt(1, "p", "m")).exception(), NotFound)

    @invariant()
    def ends_stand(self) -> None:
        """What had ended is as it was; what is closed has no attempt in flight; the hours' sums are the rows'."""
        with closing(apsw.Connection(str(self.home.path))) as connection:
            rows = tuples(connection, "SELECT request_id, status, actual_cost_nano, estimated FROM routing_metrics")
            attempts = tuples(connection, "SELECT id, status, cost_nano, request_id FROM attempts")
            (counted,) = tuples(connection, "SELECT total(requests), total(cost_nano) FROM sums WHERE unit = 'hour'")
        closed = {row[0]: row[1:] for row in rows if row[1] != "open"}
        finished = {attempt[0]: attempt[1:] for attempt in attempts if attempt[1] != "reserved"}

        assert len(rows) == self.count
        assert self.ends.items() <= closed.items()
        assert self.attempt_ends.items() <= finished.items()
        assert all(attempt[3] not in closed for attempt in attempts if attempt[1] == "reserved")
        assert counted == (len(closed), sum(facts[1] or 0 for facts in closed.values()))
        self.ends, self.attempt_ends = closed, finished

    def teardown(self) -> None:
        self.other.close()
        self.home.close()

    def begin_in(self, store: SqliteStore) -> str:
        self.count += 1
        request_id = f"r{self.count}"
        store.begin(begun(request_id)).result()
        return request_id


def test_row_ends_exactly_once() -> None:
    """However begin, attempt, settle, death and recovery are mixed, what has ended stays as it ended.

    Slow: 25 random histories on a real file; it has to find orders that nobody thought of.
    """
    run_state_machine_as_test(Ledger, settings=settings(max_examples=25, stateful_step_count=20, deadline=None))
