"""Request rows and their attempts: insert, settle, and recovery after a crash. Runs inside the writer's transaction."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from gateway.accounts.budgets import Hold
from gateway.errors import Conflict, NotFound
from gateway.records import Attempt, RequestRecord
from gateway.store import budgets, encoding, sql
from gateway.store.candidate_columns import from_columns
from gateway.store.mutations import InsertRequest, StoredOutcome
from gateway.store.process_lease import ProcessLease
from gateway.store.sql import Connection

log = logging.getLogger(__name__)


class Owner(Protocol):
    """The process that inserts rows."""

    def acquire(self) -> str:
        """The id to store with a row, once other processes can see that this one is alive. Raises LedgerUnavailable."""


def insert(connection: Connection, mutation: InsertRequest, *, owner: Owner) -> int:
    """Returns the index of the held amount. Without enough budget nothing is inserted. Raises BudgetExceeded, Conflict."""
    record = mutation.record
    values = encoding.insert_values(record, owner=owner.acquire())
    level = insert_row(connection, values, mutation.holds)
    _upsert_attempts(connection, values[0], record.attempts)
    return level


def insert_row(connection: Connection, values: Sequence[Any], holds: Sequence[Hold]) -> int:
    """Insert a row by its values, in the order of `encoding.INSERT_COLUMNS`; otherwise as `insert`."""
    request_id = values[0]
    level = 0
    if holds and not sql.tuples(connection, sql.STATUS, (request_id,)):
        level = budgets.place_holds(connection, request_id, holds)
    if not sql.changed(connection, sql.INSERT_REQUEST, values):
        raise Conflict(f"The request {request_id} is in the ledger already.")
    return level


def upsert_attempt(connection: Connection, request_id: str, attempt: Attempt) -> None:
    """Has no effect on a closed row, whose attempts are final. Raises NotFound."""
    request_id = encoding.text(request_id)
    status = connection.execute(sql.STATUS, (request_id,)).get
    if status is None:
        raise NotFound(f"The request {request_id} is not in the ledger.", param="request_id")
    if status == "open":
        connection.execute(sql.FIRST_ATTEMPT, (request_id,))
        _upsert_attempts(connection, request_id, (attempt,))
        connection.execute(sql.COUNT_ATTEMPTS, {"request_id": request_id, "number": attempt.number})


def settle(connection: Connection, record: RequestRecord) -> None:
    """Idempotent; an unknown row is inserted. A row that was closed otherwise stays as it is, which is logged. Raises ValueError for an open record."""
    if record.status == "open":
        raise ValueError("A request is settled with its final status.")
    values = encoding.settle_values(record)
    request_id = values[-1]
    connection.execute(sql.FIRST_ATTEMPT, (request_id,))
    settled = sql.changed(connection, sql.SETTLE_REQUEST, values)
    if not settled and sql.changed(connection, sql.INSERT_REQUEST, encoding.insert_values(record, owner=None)):
        settled = sql.changed(connection, sql.SETTLE_REQUEST, values)
    if settled:
        _upsert_attempts(connection, request_id, record.attempts)
        connection.execute(sql.CLOSE_ATTEMPTS, {"request_id": request_id})
        budgets.charge(connection, request_id, cost_nano=encoding.nano(record.actual_cost))
    elif (status := connection.execute(sql.STATUS, (request_id,)).get) != record.status:
        log.warning(
            "%s ended as %s, but its row was closed as %s before, by another process: the row keeps its estimated cost",
            *(record.request_id, record.status, status),
        )


def insert_outcome(connection: Connection, outcome: StoredOutcome) -> int:
    """Returns the id of the outcome."""
    return int(connection.execute(sql.INSERT_OUTCOME_ID, encoding.outcome_values(outcome)).get)


def close_orphans(connection: Connection, *, owner: ProcessLease, now: str) -> int:
    """Close the open rows of processes that no longer run; returns their number."""
    dead_owners = [name for (name,) in sql.tuples(connection, sql.OPEN_OWNERS) if not owner.is_alive(name)]
    closed = interrupt_rows(connection, dead_owners, now=now)
    owner.remove_stale()
    return closed


def interrupt_rows(connection: Connection, owners: Sequence[str | None], *, now: str) -> int:
    """Close the open rows of these owners, and charge expired holds; returns the number of rows."""
    closed = 0
    for owner in owners:
        for row in sql.tuples(connection, sql.OPEN_ROWS, (owner,)):
            _interrupt(connection, row, now=now)
            closed += 1
    budgets.charge_expired(connection, now=datetime.fromisoformat(now))
    return closed


def probe(connection: Connection) -> None:
    """Write one row, to find out whether the ledger accepts writes."""
    connection.execute(sql.PROBE)


def _upsert_attempts(connection: Connection, request_id: str, attempts: Sequence[Attempt]) -> None:
    for attempt in attempts:
        connection.execute(sql.UPSERT_ATTEMPT, encoding.attempt_values(attempt, request_id))


def _interrupt(connection: Connection, row: Sequence[Any], *, now: str) -> None:
    """Charge what an unfinished request may have cost: the held amount, or without one the estimated costs of its attempts."""
    request_id, candidates, baseline_provider, baseline_model = row
    estimates = _estimates(from_columns(encoding.loads(candidates)))
    held = budgets.held_for(connection, request_id)
    costs: list[Decimal | None] = []
    connection.execute(sql.FIRST_ATTEMPT, (request_id,))
    charges = sql.tuples(connection, sql.ATTEMPT_CHARGES, {"request_id": request_id})
    for attempt_id, status, stored_cost, provider, model in charges:
        cost = None if stored_cost is None else Decimal(repr(stored_cost))
        if status == "reserved":
            if held is not None:
                cost, held = held, Decimal(0)
            elif cost is None:
                cost = estimates.get((provider, model))
            usd, nano = encoding.money(cost)
            connection.execute(sql.ORPHAN_ATTEMPT, {"id": attempt_id, "cost": usd, "cost_nano": nano})
        costs.append(cost)
    actual = None if None in costs or not costs else sum((cost for cost in costs if cost is not None), Decimal(0))
    baseline = estimates.get((baseline_provider, baseline_model))
    charged = dict(zip(encoding.COST_COLUMNS, encoding.cost_values(baseline, actual), strict=True))
    connection.execute(sql.INTERRUPT, {**charged, "request_id": request_id, "recovered_at": now})
    budgets.charge(connection, request_id, cost_nano=charged["actual_cost_nano"])


def _estimates(candidates: object) -> dict[tuple[str, str], Decimal]:
    """Expected costs in USD by provider and model, from the stored decision."""
    estimates: dict[tuple[str, str], Decimal] = {}
    for candidate in candidates if isinstance(candidates, list) else ():
        if not isinstance(candidate, Mapping):
            continue
        cost = encoding.real(candidate.get("cost"))
        if cost is not None and cost >= 0:
            estimates[str(candidate.get("provider")), str(candidate.get("model"))] = Decimal(repr(cost))
    return estimates
