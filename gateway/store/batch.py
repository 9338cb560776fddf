"""Applies what waits for one commit to SQLite, with as few statements as possible.

Fast path: the inserts and settlements of a batch are written with `executemany`. If any row needs special handling, the
writer rolls the transaction back and applies each operation on its own (`apply_one`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import apsw

from gateway.errors import GatewayError
from gateway.store import budgets, requests, rollup, sql
from gateway.store.mutations import InsertContent, InsertOutcome, InsertRequest, InsertResponse, SettleRequest
from gateway.store.operations import apply_one
from gateway.store.rows import InsertRow, SettleRow, Step, Values, encode_rows
from gateway.store.writer import Operation

StepT = TypeVar("StepT", bound=Step)


class NotBatchable(Exception):
    """A row of the batch needs special handling."""


def apply_batch(connection: apsw.Connection, batch: Sequence[Operation], *, owner: requests.Owner) -> list[Any]:
    """The results, as if the operations were applied one after the other. Raises NotBatchable, or any other error, if that fails."""
    return apply_rows(connection, encode_rows(batch, owner=owner), owner=owner)


def apply_rows(connection: apsw.Connection, batch: Sequence[Step], *, owner: requests.Owner) -> list[Any]:
    """As `apply_batch`, for operations whose rows are encoded already."""
    results: list[Any] = [None] * len(batch)
    for run in independent_runs(batch):
        settlements = [step for _, step in run if isinstance(step, SettleRow)]
        _settle_requests(connection, settlements)
        _insert_outcomes(connection, [outcome for settlement in settlements for outcome in settlement.outcomes])
        _insert_requests(connection, [step.values for _, step in run if isinstance(step, InsertRow) and not step.holds])
        for index, step in run:
            if isinstance(step, InsertRow):
                results[index] = _insert_with_holds(connection, step) if step.holds else 0
            elif isinstance(step, SettleRequest):
                raise NotBatchable
            elif not isinstance(step, SettleRow):
                results[index] = apply_one(connection, step, owner=owner)
    return results


# A tuple, because evaluating a union for each `isinstance` is slow.
_GROUPABLE = (InsertRow, SettleRow, InsertRequest, SettleRequest, InsertOutcome, InsertResponse, InsertContent)


def independent_runs(batch: Sequence[StepT]) -> Iterator[list[tuple[int, StepT]]]:
    """Sections of the batch, with indexes, in which all settlements may be applied before all inserts.

    So no section inserts and then settles the same row. An operation that may touch any row (feedback, recovery) is a section of
    its own.
    """
    run: list[tuple[int, StepT]] = []
    inserted: set[str | None] = set()
    for index, step in enumerate(batch):
        groupable = isinstance(step, _GROUPABLE)
        if run and (not groupable or _settled(step) in inserted):
            yield run
            run, inserted = [], set()
        if not groupable:
            yield [(index, step)]
            continue
        if (request_id := _inserted(step)) is not None:
            inserted.add(request_id)
        run.append((index, step))
    if run:
        yield run


def _inserted(step: Step) -> str | None:
    if isinstance(step, InsertRow):
        return step.request_id
    return step.record.request_id if isinstance(step, InsertRequest) else None


def _settled(step: Step) -> str | None:
    if isinstance(step, SettleRow):
        return step.request_id
    return step.record.request_id if isinstance(step, SettleRequest) else None


def is_plain(mutation: InsertRequest) -> bool:
    """Whether the row has neither holds nor attempts."""
    return not mutation.holds and not mutation.record.attempts


def _insert_requests(connection: apsw.Connection, rows: Sequence[Values]) -> None:
    if not rows:
        return
    before = connection.total_changes()
    connection.executemany(sql.INSERT_REQUEST, rows)
    if connection.total_changes() - before != len(rows):
        raise NotBatchable


def _insert_with_holds(connection: apsw.Connection, row: InsertRow) -> int | GatewayError:
    """The index of the held amount, or the refusal."""
    try:
        return requests.insert_row(connection, row.values, row.holds)
    except GatewayError as refusal:
        return refusal


def _settle_requests(connection: apsw.Connection, rows: Sequence[SettleRow]) -> None:
    if not rows:
        return
    attempts = [attempt for row in rows for attempt in row.attempts]
    before = connection.total_changes()
    connection.executemany(sql.SETTLE_COMPLETE, [(*row.values, len(row.attempts)) for row in rows])
    connection.executemany(sql.UPSERT_ATTEMPT, attempts)
    # The total includes the changes of the rollup's trigger.
    if connection.total_changes() - before != len(rows) * (1 + rollup.UNITS) + len(attempts):
        raise NotBatchable
    if connection.execute(sql.ANY_HOLD).get:
        for row in rows:
            budgets.charge(connection, row.request_id, cost_nano=row.cost_nano)


def _insert_outcomes(connection: apsw.Connection, outcomes: Sequence[Values]) -> None:
    if outcomes:
        connection.executemany(sql.INSERT_OUTCOME, outcomes)
