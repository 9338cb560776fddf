"""The other gateways on a PostgreSQL ledger: the implementation of `gateway.store.replicas.Replicas`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from gateway.store.database_store import BatchWriter
from gateway.store.postgres import permits
from gateway.store.postgres.connection import PostgresSource
from gateway.store.postgres.job_leases import JobLeases
from gateway.store.postgres.listener import NotificationListener
from gateway.store.postgres.readers import LoopThread
from gateway.store.postgres.schema import KEYS_CHANNEL
from gateway.store.replicas import EndedPermits, Permits


class PostgresReplicas:
    """Permits are written by the store's writer, with what else waits for a commit. `thread` keeps a connection for notifications."""

    def __init__(self, source: PostgresSource, thread: LoopThread, *, writer: BatchWriter, jobs: JobLeases) -> None:
        self._source = source
        self._thread = thread
        self._writer = writer
        self._jobs = jobs

    def leads(self, job: str) -> bool:
        return self._jobs.leads(job)

    def watch_keys(self, changed: Callable[[], None]) -> None:
        self._thread.start(NotificationListener(self._source, KEYS_CHANNEL, notified=changed).run())

    def take_permits(self, key_id: str, *, rpm: int, wanted: int) -> asyncio.Future[Permits]:
        return self._writer.write(permits.PermitRequest(key_id, rpm, wanted))

    def end_permits(self, ended: Sequence[EndedPermits]) -> asyncio.Future[None]:
        return self._writer.write(partial(permits.end_permits, ended=ended))
