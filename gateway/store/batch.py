"""What waits for one commit, written in as few calls as it can be.

Nearly every change begins a row or settles one that was begun here, and is like the others. Those are written kind by kind, and
added to the sums once. Whatever turns out not to be like that undoes the whole batch, and each change is then done by itself, in
`changes`, which knows every case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apsw

from gateway.errors import GatewayError, LedgerUnavailable
from gateway.records import RequestRecord
from gateway.store import (
    InsertOutcome,
    InsertRequest,
    SettleRequest,
    StoredOutcome,
    UpsertAttempt,
    budgets,
    encoding,
    mutations,
    sql,
)
from gateway.store.process_lease import ProcessLease

Mutation = InsertRequest | SettleRequest | UpsertAttempt | InsertOutcome | Callable[[apsw.Connection], Any]


class NotBatchable(Exception):
    """A change needs a closer look than it gets among many."""


def apply_one(connection: apsw.Connection, change: Mutation, *, owner: ProcessLease) -> Any:
    """What a change answers; a refusal (unknown, repeated) is an answer too and was decided before anything was written."""
    try:
        match change:
            case InsertRequest():
                return mutations.begin(connection, change, owner=owner)
            case SettleRequest(record, outcomes):
                mutations.settle(connection, record)
                _learn(connection, outcomes)
                return None
            case UpsertAttempt(request_id, attempt):
                return mutations.attempt(connection, request_id, attempt)
            case InsertOutcome(outcome):
                return mutations.add_outcome(connection, outcome)
            case _:
                return change(connection)
    except LedgerUnavailable:
        raise
    except GatewayError as refusal:
        return refusal


def apply_batch(connection: apsw.Connection, batch: Sequence[Mutation], *, owner: ProcessLease) -> list[Any]:
    """What each of them answers, as if they were done one after the other; Unusual, or any other error, when they cannot be."""
    answers: list[Any] = [None] * len(batch)
    for run in independent_runs(batch):
        settles = [change for _, change in run if isinstance(change, SettleRequest)]
        _settle(connection, [change.record for change in settles])
        _learn(connection, [outcome for change in settles for outcome in change.outcomes])
        _begin(
            connection,
            [change.record for _, change in run if isinstance(change, InsertRequest) and _is_plain(change)],
            owner,
        )
        for place, change in run:
            if isinstance(change, InsertRequest) and _is_plain(change):
                answers[place] = 0
            elif not isinstance(change, SettleRequest):
                answers[place] = apply_one(connection, change, owner=owner)
    return answers


Run = list[tuple[int, Mutation]]


def independent_runs(batch: Sequence[Mutation]) -> Iterator[Run]:
    """Stretches, with everyone's place, within which the settled rows may be written first, then the begun ones.

    So no row is begun and settled in one stretch, and what may be about any row (feedback, recovery) is one by itself.
    """
    run: Run = []
    begun: set[str] = set()
    for place, change in enumerate(batch):
        usual = isinstance(change, InsertRequest | SettleRequest | InsertOutcome)
        if run and (not usual or (isinstance(change, SettleRequest) and change.record.request_id in begun)):
            yield run
            run, begun = [], set()
        if not usual:
            yield [(place, change)]
            continue
        if isinstance(change, InsertRequest):
            begun.add(change.record.request_id)
        run.append((place, change))
    if run:
        yield run


def _is_plain(change: InsertRequest) -> bool:
    """Whether nothing is held for it, and nobody was called yet."""
    return not change.holds and not change.record.attempts


def _begin(connection: apsw.Connection, records: Sequence[RequestRecord], owner: ProcessLease) -> None:
    if not records:
        return
    before = connection.total_changes()
    connection.executemany(sql.BEGIN, [encoding.begun_row(record, owner=owner.acquire()) for record in records])
    if connection.total_changes() - before != len(records):
        raise NotBatchable


def _settle(connection: apsw.Connection, records: Sequence[RequestRecord]) -> None:
    if not records:
        return
    if not all(map(_is_whole, records)):
        raise NotBatchable
    settled = [encoding.settled_row(record) for record in records]
    ids: list[str] = [row[-1] for row in settled]
    attempts = [
        encoding.attempt_row(attempt, request_id)
        for record, request_id in zip(records, ids, strict=True)
        for attempt in record.attempts
    ]
    before = connection.total_changes()
    known = [(*row, len(record.attempts)) for row, record in zip(settled, records, strict=True)]
    connection.executemany(sql.SETTLE_COUNTED, known)
    connection.executemany(sql.ATTEMPT, attempts)
    if connection.total_changes() - before != len(settled) + len(attempts):
        raise NotBatchable
    _count(connection, ids)
    if connection.execute(sql.ANY_HOLD).get:
        for record, request_id in zip(records, ids, strict=True):
            budgets.charge(connection, request_id, cost_nano=encoding.nano(record.actual_cost))


def _learn(connection: apsw.Connection, outcomes: Sequence[StoredOutcome]) -> None:
    if outcomes:
        connection.executemany(sql.OUTCOME, map(encoding.outcome_row, outcomes))


def _count(connection: apsw.Connection, ids: Sequence[str]) -> None:
    """Add what was settled to the sums of its hours and days."""
    for hour, *facts in sql.tuples(connection, sql.FACTS, (encoding.dumps(ids),)):
        connection.execute(sql.ADD, ("hour", hour, *facts))
        connection.execute(sql.ADD, ("day", hour[:10], *facts))


def _is_whole(record: RequestRecord) -> bool:
    """Whether it has ended and says of each attempt, from the first on, how that ended."""
    attempts = record.attempts
    return record.status != "open" and all(
        attempt.number == number and attempt.status != "reserved" for number, attempt in enumerate(attempts, start=1)
    )
