"""Opens a ledger by its address: the path of an SQLite file, or the URL of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from gateway.errors import LedgerUnavailable
from gateway.store.connection import READ_TIMEOUT, Durability
from gateway.store.database_store import DatabaseStore
from gateway.store.postgres.address import PostgresAddress, is_postgres
from gateway.store.read_only import ReadOnlyStore
from gateway.store.sqlite import SqliteStore

_MISSING_EXTRA = (
    "The ledger {name} needs the PostgreSQL driver, which is not installed: `pip install 'auto-gateway[postgres]'`."
)


def open_store(
    db: str | Path, *, durability: Durability = "normal", now: Callable[[], datetime] | None = None
) -> DatabaseStore:
    """The ledger, opened for writing; a new one is created. `durability` concerns SQLite. Raises LedgerUnavailable."""
    if not is_postgres(db):
        return SqliteStore(db, durability=durability, now=now or (lambda: datetime.now(UTC)))
    address = PostgresAddress.parse(str(db))
    try:
        from gateway.store.postgres.store import PostgresStore
    except ModuleNotFoundError as error:
        raise _without_driver(error, address) from None
    return PostgresStore(address, now=now)


def open_read_only(db: str | Path, *, read_timeout: float = READ_TIMEOUT) -> DatabaseStore:
    """The ledger, opened so that nothing can be written. A query takes at most `read_timeout` seconds. Raises LedgerUnavailable, also when there is none."""
    if not is_postgres(db):
        return ReadOnlyStore(db, read_timeout=read_timeout)
    address = PostgresAddress.parse(str(db))
    try:
        from gateway.store.postgres.read_only import ReadOnlyPostgresStore
    except ModuleNotFoundError as error:
        raise _without_driver(error, address) from None
    return ReadOnlyPostgresStore(address, read_timeout=read_timeout)


def ledger_name(db: str | Path) -> str:
    """The address for people, without a password; a URL that cannot be read is not shown."""
    if not is_postgres(db):
        return str(db)
    try:
        return PostgresAddress.parse(str(db)).name
    except LedgerUnavailable:
        return "an unreadable URL"


def _without_driver(error: ModuleNotFoundError, address: PostgresAddress) -> LedgerUnavailable | ModuleNotFoundError:
    return LedgerUnavailable(_MISSING_EXTRA.format(name=address.name)) if error.name == "asyncpg" else error
