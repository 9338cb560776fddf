"""The other gateways on a PostgreSQL ledger: the implementation of `gateway.store.replicas.Replicas`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from gateway.store.database_store import BatchWriter
from gateway.store.postgres import permits
from gateway.store.replicas import EndedPermits, Permits


class PostgresReplicas:
    """What is agreed on is written by the store's writer, with what else waits for a commit."""

    def __init__(self, writer: BatchWriter) -> None:
        self._writer = writer

    def take_permits(self, key_id: str, *, rpm: int, wanted: int) -> asyncio.Future[Permits]:
        return self._writer.write(permits.PermitRequest(key_id, rpm, wanted))

    def end_permits(self, ended: Sequence[EndedPermits]) -> asyncio.Future[None]:
        return self._writer.write(partial(permits.end_permits, ended=ended))
