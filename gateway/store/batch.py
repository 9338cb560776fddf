"""Applies what waits for one commit to SQLite, with as few statements as possible.

Fast path: the inserts and settlements of a batch are written with `executemany`. If any row needs special handling, the
writer rolls the transaction back and applies each operation on its own (`apply_one`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import apsw

from gateway.records import RequestRecord
from gateway.store import budgets, encoding, rollup, sql
from gateway.store.mutations import (
    InsertOutcome,
    InsertRequest,
    InsertResponse,
    SettleRequest,
    StoredOutcome,
)
from gateway.store.operations import apply_one
from gateway.store.process_lease import ProcessLease
from gateway.store.writer import Operation


class NotBatchable(Exception):
    """A row of the batch needs special handling."""


def apply_batch(connection: apsw.Connection, batch: Sequence[Operation], *, owner: ProcessLease) -> list[Any]:
    """The results, as if the operations were applied one after the other. Raises NotBatchable, or any other error, if that fails."""
    results: list[Any] = [None] * len(batch)
    for run in independent_runs(batch):
        settlements = [operation for _, operation in run if isinstance(operation, SettleRequest)]
        _settle_requests(connection, [settlement.record for settlement in settlements])
        _insert_outcomes(connection, [outcome for settlement in settlements for outcome in settlement.stored_outcomes])
        _insert_requests(
            connection,
            [operation.record for _, operation in run if isinstance(operation, InsertRequest) and is_plain(operation)],
            owner,
        )
        for index, operation in run:
            if isinstance(operation, InsertRequest) and is_plain(operation):
                results[index] = 0
            elif not isinstance(operation, SettleRequest):
                results[index] = apply_one(connection, operation, owner=owner)
    return results


Run = list[tuple[int, Operation]]
# A tuple, because evaluating a union for each `isinstance` is slow.
_GROUPABLE = (InsertRequest, SettleRequest, InsertOutcome, InsertResponse)


def independent_runs(batch: Sequence[Operation]) -> Iterator[Run]:
    """Sections of the batch, with indexes, in which all settlements may be applied before all inserts.

    So no section inserts and then settles the same row. An operation that may touch any row (feedback, recovery) is a section of
    its own.
    """
    run: Run = []
    inserted: set[str] = set()
    for index, operation in enumerate(batch):
        groupable = isinstance(operation, _GROUPABLE)
        if run and (
            not groupable or (isinstance(operation, SettleRequest) and operation.record.request_id in inserted)
        ):
            yield run
            run, inserted = [], set()
        if not groupable:
            yield [(index, operation)]
            continue
        if isinstance(operation, InsertRequest):
            inserted.add(operation.record.request_id)
        run.append((index, operation))
    if run:
        yield run


def is_plain(mutation: InsertRequest) -> bool:
    """Whether the row has neither holds nor attempts."""
    return not mutation.holds and not mutation.record.attempts


def _insert_requests(connection: apsw.Connection, records: Sequence[RequestRecord], owner: ProcessLease) -> None:
    if not records:
        return
    before = connection.total_changes()
    owner_id = owner.acquire()
    connection.executemany(sql.INSERT_REQUEST, [encoding.insert_values(record, owner=owner_id) for record in records])
    if connection.total_changes() - before != len(records):
        raise NotBatchable


def _settle_requests(connection: apsw.Connection, records: Sequence[RequestRecord]) -> None:
    if not records:
        return
    if not all(map(is_complete, records)):
        raise NotBatchable
    rows = [encoding.settle_values(record) for record in records]
    ids: list[str] = [row[-1] for row in rows]
    attempts = [
        encoding.attempt_values(attempt, request_id)
        for record, request_id in zip(records, ids, strict=True)
        for attempt in record.attempts
    ]
    before = connection.total_changes()
    connection.executemany(
        sql.SETTLE_COMPLETE, [(*row, len(record.attempts)) for row, record in zip(rows, records, strict=True)]
    )
    connection.executemany(sql.UPSERT_ATTEMPT, attempts)
    # The total includes the changes of the rollup's trigger.
    if connection.total_changes() - before != len(rows) * (1 + rollup.UNITS) + len(attempts):
        raise NotBatchable
    if connection.execute(sql.ANY_HOLD).get:
        for record, request_id in zip(records, ids, strict=True):
            budgets.charge(connection, request_id, cost_nano=encoding.nano(record.actual_cost))


def _insert_outcomes(connection: apsw.Connection, outcomes: Sequence[StoredOutcome]) -> None:
    if outcomes:
        connection.executemany(sql.INSERT_OUTCOME, map(encoding.outcome_values, outcomes))


def is_complete(record: RequestRecord) -> bool:
    """Whether the record has its final status and lists every attempt from number 1 on, each settled."""
    attempts = record.attempts
    return record.status != "open" and all(
        attempt.number == number and attempt.status != "reserved" for number, attempt in enumerate(attempts, start=1)
    )
