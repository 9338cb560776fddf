"""Mutations as column values, which statements take as they are. Encoding needs no connection, so it may happen in another process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gateway.accounts.budgets import Hold
from gateway.records import RequestRecord
from gateway.store import encoding
from gateway.store.mutations import InsertRequest, SettleRequest
from gateway.store.requests import Owner
from gateway.store.writer import Operation

Values = Sequence[Any]

_COST_NANO = encoding.SETTLE_COLUMNS.index("actual_cost_nano")


class InsertRow(NamedTuple):
    """A new row without attempts: `values` in the order of `encoding.INSERT_COLUMNS`, and what is held for it."""

    values: Values
    holds: Sequence[Hold] = ()

    @property
    def request_id(self) -> str:
        request_id: str = self.values[0]
        return request_id


class SettleRow(NamedTuple):
    """A settlement that lists every attempt: `values` in the order of `encoding.SETTLE_COLUMNS`, then the request id.

    `attempts` and `outcomes` are in the orders of `encoding.attempt_values` and `encoding.OUTCOME_COLUMNS`.
    """

    values: Values
    attempts: Sequence[Values]
    outcomes: Sequence[Values]

    @property
    def request_id(self) -> str:
        request_id: str = self.values[-1]
        return request_id

    @property
    def cost_nano(self) -> int | None:
        """What the request cost, in nano-dollars."""
        cost: int | None = self.values[_COST_NANO]
        return cost


# What a batch consists of.
Step = InsertRow | SettleRow | Operation


def encode_rows(batch: Sequence[Operation], *, owner: Owner) -> list[Step]:
    """The batch with its inserts and settlements as rows. What needs special handling stays as it is."""
    return [_encoded(operation, owner) for operation in batch]


def _encoded(operation: Operation, owner: Owner) -> Step:
    if isinstance(operation, InsertRequest) and not operation.record.attempts:
        return InsertRow(encoding.insert_values(operation.record, owner=owner.acquire()), operation.holds)
    if isinstance(operation, SettleRequest) and is_complete(operation.record):
        values = encoding.settle_values(operation.record)
        attempts = [encoding.attempt_values(attempt, values[-1]) for attempt in operation.record.attempts]
        return SettleRow(values, attempts, [*map(encoding.outcome_values, operation.stored_outcomes)])
    return operation


def is_complete(record: RequestRecord) -> bool:
    """Whether the record has its final status and lists every attempt from number 1 on, each settled."""
    attempts = record.attempts
    return record.status != "open" and all(
        attempt.number == number and attempt.status != "reserved" for number, attempt in enumerate(attempts, start=1)
    )
