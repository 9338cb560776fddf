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
from gateway.store import Begin, Learn, Settle, StoredOutcome, Try, changes, rows, spending, sql
from gateway.store.owner import Owner

Change = Begin | Settle | Try | Learn | Callable[[apsw.Connection], Any]


class Unusual(Exception):
    """A change needs a closer look than it gets among many."""


def alone(connection: apsw.Connection, change: Change, *, owner: Owner) -> Any:
    """What a change answers; a refusal (unknown, repeated) is an answer too and was decided before anything was written."""
    try:
        match change:
            case Begin():
                return changes.begin(connection, change, owner=owner)
            case Settle(record, outcomes):
                changes.settle(connection, record)
                _learn(connection, outcomes)
                return None
            case Try(request_id, attempt):
                return changes.attempt(connection, request_id, attempt)
            case Learn(outcome):
                return changes.add_outcome(connection, outcome)
            case _:
                return change(connection)
    except LedgerUnavailable:
        raise
    except GatewayError as refusal:
        return refusal


def together(connection: apsw.Connection, batch: Sequence[Change], *, owner: Owner) -> list[Any]:
    """What each of them answers, as if they were done one after the other; Unusual, or any other error, when they cannot be."""
    answers: list[Any] = [None] * len(batch)
    for run in runs(batch):
        settles = [change for _, change in run if isinstance(change, Settle)]
        _settle(connection, [change.record for change in settles])
        _learn(connection, [outcome for change in settles for outcome in change.outcomes])
        _begin(
            connection, [change.record for _, change in run if isinstance(change, Begin) and _is_plain(change)], owner
        )
        for place, change in run:
            if isinstance(change, Begin) and _is_plain(change):
                answers[place] = 0
            elif not isinstance(change, Settle):
                answers[place] = alone(connection, change, owner=owner)
    return answers


Run = list[tuple[int, Change]]


def runs(batch: Sequence[Change]) -> Iterator[Run]:
    """Stretches, with everyone's place, within which the settled rows may be written first, then the begun ones.

    So no row is begun and settled in one stretch, and what may be about any row (feedback, recovery) is one by itself.
    """
    run: Run = []
    begun: set[str] = set()
    for place, change in enumerate(batch):
        usual = isinstance(change, Begin | Settle | Learn)
        if run and (not usual or (isinstance(change, Settle) and change.record.request_id in begun)):
            yield run
            run, begun = [], set()
        if not usual:
            yield [(place, change)]
            continue
        if isinstance(change, Begin):
            begun.add(change.record.request_id)
        run.append((place, change))
    if run:
        yield run


def _is_plain(change: Begin) -> bool:
    """Whether nothing is held for it, and nobody was called yet."""
    return not change.holds and not change.record.attempts


def _begin(connection: apsw.Connection, records: Sequence[RequestRecord], owner: Owner) -> None:
    if not records:
        return
    before = connection.total_changes()
    connection.executemany(sql.BEGIN, [rows.begun_row(record, owner=owner.claim()) for record in records])
    if connection.total_changes() - before != len(records):
        raise Unusual


def _settle(connection: apsw.Connection, records: Sequence[RequestRecord]) -> None:
    if not records:
        return
    if not all(map(_is_whole, records)):
        raise Unusual
    settled = [rows.settled_row(record) for record in records]
    ids: list[str] = [row[-1] for row in settled]
    attempts = [
        rows.attempt_row(attempt, request_id)
        for record, request_id in zip(records, ids, strict=True)
        for attempt in record.attempts
    ]
    before = connection.total_changes()
    known = [(*row, len(record.attempts)) for row, record in zip(settled, records, strict=True)]
    connection.executemany(sql.SETTLE_COUNTED, known)
    connection.executemany(sql.ATTEMPT, attempts)
    if connection.total_changes() - before != len(settled) + len(attempts):
        raise Unusual
    _count(connection, ids)
    if connection.execute(sql.ANY_HOLD).get:
        for record, request_id in zip(records, ids, strict=True):
            spending.charge(connection, request_id, cost_nano=rows.nano(record.actual_cost))


def _learn(connection: apsw.Connection, outcomes: Sequence[StoredOutcome]) -> None:
    if outcomes:
        connection.executemany(sql.OUTCOME, map(rows.outcome_row, outcomes))


def _count(connection: apsw.Connection, ids: Sequence[str]) -> None:
    """Add what was settled to the sums of its hours and days."""
    for hour, *facts in sql.tuples(connection, sql.FACTS, (rows.dumps(ids),)):
        connection.execute(sql.ADD, ("hour", hour, *facts))
        connection.execute(sql.ADD, ("day", hour[:10], *facts))


def _is_whole(record: RequestRecord) -> bool:
    """Whether it has ended and says of each attempt, from the first on, how that ended."""
    attempts = record.attempts
    return record.status != "open" and all(
        attempt.number == number and attempt.status != "reserved" for number, attempt in enumerate(attempts, start=1)
    )
