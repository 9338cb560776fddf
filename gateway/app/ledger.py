"""Opens the ledger that the settings name."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from gateway.errors import LedgerUnavailable
from gateway.settings import Settings
from gateway.store.connection import LedgerDamaged, quarantine
from gateway.store.database_store import DatabaseStore
from gateway.store.lost_keys import LostKeys, may_hold_keys
from gateway.store.opening import open_store
from gateway.store.postgres.address import is_postgres
from gateway.store.workers import WorkerStore

log = logging.getLogger(__name__)


def open_ledger(settings: Settings, *, now: Callable[[], datetime]) -> DatabaseStore:
    """The ledger, checked to be writable. Raises LedgerUnavailable.

    A damaged file is renamed, never deleted, and replaced by a new ledger. If the damaged one may have held keys, the gateway
    of the new one still asks for keys (`lost_keys_of`).
    """
    try:
        store = open_store(settings.db, durability=settings.durability)
    except LedgerDamaged as error:
        lost = lost_keys_of(settings)
        if lost is not None and may_hold_keys(Path(settings.db)):
            lost.set(
                f"The ledger was found damaged at {now():%Y-%m-%dT%H:%M:%S%z} and moved away; it may have had keys."
            )
        renamed = quarantine(Path(settings.db), now=now())
        log.error("%s A new ledger is created; the damaged one is kept as %s.", error.message, renamed)
        store = open_store(settings.db, durability=settings.durability)
    try:
        store.probe()
    except LedgerUnavailable:
        store.close()
        raise
    return store


def open_worker_ledger(settings: Settings, *, now: Callable[[], datetime], shared: Path) -> DatabaseStore:
    """The ledger of one of several workers, which was opened before (`open_ledger`). Raises LedgerUnavailable.

    An SQLite file is written by the process that listens in the folder `shared`.
    """
    writer = writer_socket(settings, shared)
    if writer is None:
        return open_ledger(settings, now=now)
    return WorkerStore(settings.db, writer=writer, durability=settings.durability)


def writer_socket(settings: Settings, shared: Path) -> Path | None:
    """Where the process listens that writes an SQLite ledger for several workers; None for a ledger that is no file."""
    return None if settings.db == ":memory:" or is_postgres(settings.db) else shared / "writer"


def lost_keys_of(settings: Settings) -> LostKeys | None:
    """The marker file beside the ledger that says keys were lost; None for a ledger that is no file."""
    return None if settings.db == ":memory:" or is_postgres(settings.db) else LostKeys(Path(settings.db))
