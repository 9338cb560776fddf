"""What only workers with one writer process ask of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.store import budgets, operations, requests, sql
from gateway.store.mutations import Mutation
from gateway.store.process_lease import ProcessLease
from gateway.store.sql import Connection
from gateway.store.workers import written_batches
from gateway.store.writer import Operation


@dataclass(frozen=True, slots=True)
class Probe(Mutation[None]):
    """Write one row, to find out whether the ledger accepts writes."""


@dataclass(frozen=True, slots=True)
class CloseOrphans(Mutation[int]):
    """As `gateway.store.Store.close_orphans`."""

    now: str


@dataclass(frozen=True, slots=True)
class RemoveRequests(Mutation[None]):
    """Remove open rows of `owner`, and release what is held for them: their inserts were reported as failed, and were not."""

    owner: str
    request_ids: Sequence[str]


_REMOVE = "DELETE FROM routing_metrics WHERE request_id = ? AND owner = ? AND status = 'open'"


def apply_one(connection: Connection, operation: Operation, *, owner: requests.Owner, lease: ProcessLease) -> Any:
    """As `gateway.store.operations.apply_one`; `lease` can tell which owners of rows are alive."""
    match operation:
        case Probe():
            return requests.probe(connection)
        case CloseOrphans(now):
            written_batches.delete_dead(connection, is_alive=lease.is_alive)
            return requests.close_orphans(connection, owner=lease, now=now)
        case RemoveRequests(of, request_ids):
            for request_id in request_ids:
                if sql.changed(connection, _REMOVE, (request_id, of)):
                    budgets.release(connection, request_id)
            return None
        case _:
            return operations.apply_one(connection, operation, owner=owner)
