"""In every order of events, a row and each of its attempts end exactly once. Runs on every store."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, get_args

import pytest
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
from gateway.store import InsertRequest, SettleRequest, Store, UpsertAttempt
from tests.store.cases import begun, ended
from tests.store.test_protocol import STORES

ENDS = [status for status in get_args(RequestStatus) if status != "open"]
ATTEMPT_STATES: list[AttemptStatus] = list(get_args(AttemptStatus))


class LedgerMachine(RuleBasedStateMachine):
    """Two stores on one ledger insert, attempt, settle, die and recover in any order."""

    implementation: ClassVar[str]
    requests: Bundle[str] = Bundle("requests")

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.home = self.open()
        self.other = self.open()
        self.ends: dict[str, tuple[Any, ...]] = {}
        self.attempt_ends: dict[str, tuple[Any, ...]] = {}
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
        assert isinstance(self.home.submit(InsertRequest(begun(request_id))).exception(), Conflict)

    @rule(request_id=requests, number=st.integers(1, 3), status=st.sampled_from(ATTEMPT_STATES))
    def attempt(self, request_id: str, number: int, status: AttemptStatus) -> None:
        cost = None if status == "reserved" else Decimal(number)
        self.home.submit(UpsertAttempt(request_id, Attempt(number, "gemini", "flash", status, cost))).result()

    @rule(request_id=requests, status=st.sampled_from(ENDS), cost=st.integers(0, 5))
    def settle(self, request_id: str, status: RequestStatus, cost: int) -> None:
        self.home.submit(SettleRequest(ended(request_id, status=status, actual_cost=Decimal(cost)))).result()

    @rule(request_id=consumes(requests), status=st.sampled_from(ENDS))
    def settle_with_open_attempts(self, request_id: str, status: RequestStatus) -> None:
        self.other.submit(SettleRequest(ended(request_id, status=status, attempts=()))).result()

    @rule()
    def die_and_recover(self) -> None:
        self.other.close()
        self.home.close_orphans(now="2026-11-22T11:00:00Z")
        self.other = self.open()

    @rule()
    def unknown(self) -> None:
        assert isinstance(self.home.submit(UpsertAttempt("never", Attempt(1, "p", "m"))).exception(), NotFound)

    @invariant()
    def ends_stand(self) -> None:
        """Closed rows and settled attempts never change, a closed row has no reserved attempt, and reports agree with the rows."""
        rows = [self.home.request(row["request_id"]) or {} for row in self.home.requests(limit=1000)]
        ends = {row["request_id"]: (row["status"], row["actual_cost"], row["estimated"]) for row in rows}
        closed: dict[str, tuple[Any, ...]] = {request_id: end for request_id, end in ends.items() if end[0] != "open"}
        attempts = [attempt for row in rows for attempt in row["attempts"]]
        settled: dict[str, tuple[Any, ...]] = {
            attempt["id"]: (attempt["status"], attempt["cost"])
            for attempt in attempts
            if attempt["status"] != "reserved"
        }
        summary = self.home.summary(days=1)

        assert len(rows) == self.count
        assert self.ends.items() <= closed.items()
        assert self.attempt_ends.items() <= settled.items()
        assert all(attempt["request_id"] not in closed for attempt in attempts if attempt["status"] == "reserved")
        assert summary["total_requests"] == len(closed)
        assert summary["total_cost"] == pytest.approx(sum(end[1] or 0 for end in closed.values()))
        self.ends, self.attempt_ends = closed, settled

    def teardown(self) -> None:
        self.other.close()
        self.home.close()
        self.folder.cleanup()

    def open(self) -> Store:
        return STORES[self.implementation](Path(self.folder.name))

    def begin_in(self, store: Store) -> str:
        self.count += 1
        request_id = f"r{self.count}"
        store.submit(InsertRequest(begun(request_id))).result()
        return request_id


@pytest.mark.parametrize("implementation", sorted(STORES))
def test_row_ends_exactly_once(implementation: str) -> None:
    """However insert, attempt, settlement, death and recovery are mixed, what has ended stays as it ended."""
    machine = type("Machine", (LedgerMachine,), {"implementation": implementation})
    examples = 20 if implementation == "sqlite" else 5  # each one needs a database of its own
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=20, deadline=None))
