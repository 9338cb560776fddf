"""The changes that a ledger knows; each runs inside the writer's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import apsw

from gateway.errors import Conflict, NotFound
from gateway.records import Attempt, RequestRecord
from gateway.store import InsertRequest, StoredOutcome, budgets, encoding, sql
from gateway.store.process_lease import ProcessLease


def begin(connection: apsw.Connection, begun: InsertRequest, *, owner: ProcessLease) -> int:
    """Which of the holds' amounts was held. A row whose money is not to be had is not begun: BudgetExceeded."""
    record, holds = begun
    row = encoding.begun_row(record, owner=owner.acquire())
    level = 0
    if holds and not sql.tuples(connection, sql.STATUS, row[:1]):
        level = budgets.hold(connection, row[0], holds)
    if not sql.changed(connection, sql.BEGIN, row):
        raise Conflict(f"The request {record.request_id} is in the ledger already.")
    _write_attempts(connection, row[0], record.attempts)
    return level


def attempt(connection: apsw.Connection, request_id: str, attempt: Attempt) -> None:
    """A late word on a closed row changes nothing: its attempts have their final state."""
    request_id = encoding.text(request_id)
    status = connection.execute(sql.STATUS, (request_id,)).get
    if status is None:
        raise NotFound(f"The request {request_id} is not in the ledger.", param="request_id")
    if status == "open":
        connection.execute(sql.FIRST_ATTEMPT, (request_id,))
        _write_attempts(connection, request_id, (attempt,))
        connection.execute(sql.COUNT_ATTEMPTS, {"request_id": request_id, "number": attempt.number})


def settle(connection: apsw.Connection, record: RequestRecord) -> None:
    if record.status == "open":
        raise ValueError("A request is settled with its final status.")
    row = encoding.settled_row(record)
    request_id = row[-1]
    connection.execute(sql.FIRST_ATTEMPT, (request_id,))
    settled = sql.changed(connection, sql.SETTLE, row)
    if not settled and sql.changed(connection, sql.BEGIN, encoding.begun_row(record, owner=None)):
        settled = sql.changed(connection, sql.SETTLE, row)
    if settled:
        _write_attempts(connection, request_id, record.attempts)
        connection.execute(sql.CLOSE_ATTEMPTS, {"request_id": request_id})
        budgets.charge(connection, request_id, cost_nano=encoding.nano(record.actual_cost))


def add_outcome(connection: apsw.Connection, outcome: StoredOutcome) -> int:
    connection.execute(sql.OUTCOME, encoding.outcome_row(outcome))
    return connection.last_insert_rowid()


def close_orphans(connection: apsw.Connection, *, owner: ProcessLease, now: str) -> int:
    """Close the rows of owners that live no more."""
    dead = [name for (name,) in sql.tuples(connection, sql.OPEN_OWNERS) if not owner.is_alive(name)]
    closed = 0
    for name in dead:
        for row in sql.tuples(connection, sql.OPEN_ROWS, (name,)):
            _interrupt(connection, row, now=now)
            closed += 1
    owner.remove_stale()
    budgets.charge_expired(connection, now=datetime.fromisoformat(now))
    return closed


def probe(connection: apsw.Connection) -> None:
    """A tiny write: whether the ledger takes any."""
    connection.execute(sql.PROBE)


def _write_attempts(connection: apsw.Connection, request_id: str, attempts: Sequence[Attempt]) -> None:
    for item in attempts:
        connection.execute(sql.ATTEMPT, encoding.attempt_row(item, request_id))


def _interrupt(connection: apsw.Connection, row: Sequence[Any], *, now: str) -> None:
    """Charge what an unfinished request may have cost: all that was held for it, else the estimates of its candidates."""
    request_id, candidates, baseline_provider, baseline_model = row
    estimates = _estimates(encoding.loads(candidates))
    held = budgets.held_for(connection, request_id)
    costs: list[Decimal | None] = []
    connection.execute(sql.FIRST_ATTEMPT, (request_id,))
    charges = sql.tuples(connection, sql.ATTEMPT_CHARGES, {"request_id": request_id})
    for attempt_id, status, cost, provider, model in charges:
        known = None if cost is None else Decimal(repr(cost))
        if status == "reserved":
            if held is not None:
                known, held = held, Decimal(0)
            elif known is None:
                known = estimates.get((provider, model))
            usd, nano = encoding.money(known)
            connection.execute(sql.ORPHAN_ATTEMPT, {"id": attempt_id, "cost": usd, "cost_nano": nano})
        costs.append(known)
    actual = None if None in costs or not costs else sum((cost for cost in costs if cost is not None), Decimal(0))
    baseline = estimates.get((baseline_provider, baseline_model))
    charged = dict(zip(encoding.COSTS, encoding.cost_columns(baseline, actual), strict=True))
    connection.execute(sql.INTERRUPT, {**charged, "request_id": request_id, "recovered_at": now})
    budgets.charge(connection, request_id, cost_nano=charged["actual_cost_nano"])


def _estimates(candidates: object) -> dict[tuple[str, str], Decimal]:
    """The candidates' expected costs in USD by provider and model, as the decision stored them."""
    found: dict[tuple[str, str], Decimal] = {}
    for candidate in candidates if isinstance(candidates, list) else ():
        if not isinstance(candidate, Mapping):
            continue
        cost = encoding.real(candidate.get("cost"))
        if cost is not None and cost >= 0:
            found[str(candidate.get("provider")), str(candidate.get("model"))] = Decimal(repr(cost))
    return found
