"""Applies what waits for one commit to PostgreSQL: one statement for all inserts of a batch, one for all settlements.

A commit of new rows without holds does not wait for the disk: if the database crashes before the next commit that does, the
settlement of such a row inserts it again. Permits come after what locks budgets, by key, so that no two batches wait for each
other. Outcomes come last and under a lock, so that their ids are committed in order: who follows `id > last` misses none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gateway.records import RequestRecord
from gateway.store import encoding, operations, sql
from gateway.store.batch import NotBatchable, independent_runs, is_plain
from gateway.store.mutations import InsertFeedback, InsertOutcome, InsertRequest, SettleRequest, StoredOutcome
from gateway.store.postgres import budgets
from gateway.store.postgres.connection import PostgresConnection
from gateway.store.postgres.leases import DatabaseLease
from gateway.store.postgres.permits import PermitRequest
from gateway.store.postgres.schema import OUTCOMES_LOCK, array_types
from gateway.store.rows import is_complete
from gateway.store.writer import Operation


def _arrays(table: str, columns: Sequence[str], *, first: int = 1) -> str:
    types = array_types(table)
    return ", ".join(f"${number}::{types[column]}" for number, column in enumerate(columns, start=first))


_INSERTED = ", ".join(encoding.INSERT_COLUMNS)
INSERT_REQUESTS = f"""
INSERT INTO routing_metrics ({_INSERTED}, status)
SELECT {_INSERTED}, 'open' FROM unnest({_arrays("routing_metrics", encoding.INSERT_COLUMNS)}) AS new ({_INSERTED})
ON CONFLICT (request_id) DO NOTHING"""  # noqa: S608 - constants

_SETTLED = (*encoding.SETTLE_COLUMNS, "request_id")
# `listed` is the number of attempts that the record lists; the ledger may know no others.
SETTLE_REQUESTS = f"""
UPDATE routing_metrics AS stored SET {", ".join(f"{column} = new.{column}" for column in encoding.SETTLE_COLUMNS)}
FROM unnest({_arrays("routing_metrics", _SETTLED)}, ${len(_SETTLED) + 1}::bigint[]) AS new ({", ".join(_SETTLED)}, listed)
WHERE stored.request_id = new.request_id AND stored.status = 'open' AND stored.attempts <= new.listed"""  # noqa: S608 - constants

_ATTEMPT = (*encoding.ATTEMPT_COLUMNS, "id", "request_id", "number")
UPSERT_ATTEMPTS = f"""
INSERT INTO attempts ({", ".join(_ATTEMPT)}) SELECT * FROM unnest({_arrays("attempts", _ATTEMPT)})
ON CONFLICT (id) DO UPDATE SET {", ".join(f"{column} = excluded.{column}" for column in encoding.ATTEMPT_COLUMNS)}
WHERE attempts.status = 'reserved'"""  # noqa: S608 - constants

_LOCK_OUTCOMES = f"SELECT pg_advisory_xact_lock({OUTCOMES_LOCK})"
# The lock is taken before the first row gets its id.
INSERT_OUTCOMES = f"""
INSERT INTO outcomes ({", ".join(encoding.OUTCOME_COLUMNS)})
SELECT {", ".join(encoding.OUTCOME_COLUMNS)} FROM (SELECT pg_advisory_xact_lock({OUTCOMES_LOCK}) OFFSET 0) AS lock
CROSS JOIN unnest({_arrays("outcomes", encoding.OUTCOME_COLUMNS)}) WITH ORDINALITY
    AS new ({", ".join(encoding.OUTCOME_COLUMNS)}, place)
ORDER BY place RETURNING id"""  # noqa: S608 - constants

# A row that was closed although its process was alive, only stopped for a while, gets its real end. What its hold was charged stays.
_REOPEN = """
UPDATE routing_metrics SET status = 'open', estimated = 0, error_code = NULL, recovered_at = NULL
WHERE request_id = ? AND owner = ? AND status = 'interrupted' AND recovered_at IS NOT NULL"""
_REOPEN_ATTEMPTS = "UPDATE attempts SET status = 'reserved' WHERE request_id = ? AND status = 'orphaned'"


def apply_one(connection: PostgresConnection, operation: Operation, *, owner: DatabaseLease) -> Any:
    """As `operations.apply_one`."""
    if isinstance(operation, InsertFeedback | InsertOutcome | SettleRequest):
        connection.execute(_LOCK_OUTCOMES)
    if isinstance(operation, SettleRequest):
        request_id = encoding.text(operation.record.request_id)
        if sql.changed(connection, _REOPEN, (request_id, owner.id)):
            connection.execute(_REOPEN_ATTEMPTS, (request_id,))
    result = operations.apply_one(connection, operation, owner=owner)
    if isinstance(operation, InsertRequest) and not isinstance(result, Exception):
        connection.inserted.append(encoding.text(operation.record.request_id))
    return result


def apply_batch(connection: PostgresConnection, batch: Sequence[Operation], *, owner: DatabaseLease) -> list[Any]:
    """The results, as if the operations were applied one after the other. Raises NotBatchable, or any other error, if that fails."""
    results: list[Any] = [None] * len(batch)
    connection.waits_for_disk = not all(
        isinstance(operation, InsertRequest) and is_plain(operation) for operation in batch
    )
    taking = [(index, operation) for index, operation in enumerate(batch) if isinstance(operation, PermitRequest)]
    outcomes: list[StoredOutcome] = []
    places: dict[int, int] = {}  # of the outcome that an operation waits for
    for run in independent_runs(batch):
        settlements = [operation for _, operation in run if isinstance(operation, SettleRequest)]
        _settle_requests(connection, [settlement.record for settlement in settlements])
        results_of_inserts = _insert_requests(
            connection, [operation for _, operation in run if isinstance(operation, InsertRequest)], owner.acquire()
        )
        for index, operation in run:
            if isinstance(operation, SettleRequest):
                outcomes += operation.stored_outcomes
            elif isinstance(operation, InsertOutcome):
                places[index] = len(outcomes)
                outcomes.append(operation.outcome)
            elif isinstance(operation, InsertRequest):
                results[index] = next(results_of_inserts)
            elif not isinstance(operation, PermitRequest):
                results[index] = apply_one(connection, operation, owner=owner)
    for index, request in sorted(taking, key=lambda each: each[1].key_id):
        results[index] = request(connection)
    if outcomes:
        ids = sorted(
            number for (number,) in connection.bulk(INSERT_OUTCOMES, [*map(encoding.outcome_values, outcomes)])
        )
        for index, place in places.items():
            results[index] = ids[place]
    return results


def _insert_requests(connection: PostgresConnection, mutations: Sequence[InsertRequest], owner: str) -> Iterator[Any]:
    """The result of each insert: the index of the held amount, or the refusal."""
    if any(mutation.record.attempts for mutation in mutations):
        raise NotBatchable
    holding = [mutation for mutation in mutations if mutation.holds]
    held = iter(budgets.place_holds(connection, holding) if holding else ())
    results = [next(held) if mutation.holds else 0 for mutation in mutations]
    rows = [
        encoding.insert_values(mutation.record, owner=owner)
        for mutation, result in zip(mutations, results, strict=True)
        if isinstance(result, int)
    ]
    if rows:
        connection.bulk(INSERT_REQUESTS, rows)
        if connection.changes() != len(rows):
            raise NotBatchable
        connection.inserted += [row[0] for row in rows]
    return iter(results)


def _settle_requests(connection: PostgresConnection, records: Sequence[RequestRecord]) -> None:
    if not records:
        return
    if not all(map(is_complete, records)):
        raise NotBatchable
    rows = [(*encoding.settle_values(record), len(record.attempts)) for record in records]
    connection.bulk(SETTLE_REQUESTS, rows)
    if connection.changes() != len(rows):
        raise NotBatchable
    attempts = [
        encoding.attempt_values(attempt, row[-2])
        for record, row in zip(records, rows, strict=True)
        for attempt in record.attempts
    ]
    if attempts:
        connection.bulk(UPSERT_ATTEMPTS, attempts)
        if connection.changes() != len(attempts):
            raise NotBatchable
    costs = {row[-2]: encoding.nano(record.actual_cost) for record, row in zip(records, rows, strict=True)}
    budgets.charge(connection, costs)
