"""A marker file beside the ledger after its keys were lost, so that a restart does not open the gateway to everybody."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import apsw

from gateway.errors import LedgerUnavailable

SUFFIX = ".keys-lost"
_COUNTS = {
    "virtual_keys": "SELECT count(*) FROM virtual_keys",
    "admin_key": "SELECT count(*) FROM admin_key",
}


class LostKeys:
    """The marker of the ledger at `path`. It is written before the ledger is moved away, and only the operator removes it."""

    def __init__(self, path: Path) -> None:
        path = path.absolute()
        self.path = path.with_name(path.name + SUFFIX)

    @property
    def is_set(self) -> bool:
        """True also when the file cannot be examined."""
        try:
            os.stat(self.path)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def set(self, reason: str) -> None:
        """Write the marker durably (fsync). Idempotent. Raises LedgerUnavailable."""
        if self.is_set:
            return
        try:
            with open(self.path, "w", encoding="utf-8") as file:
                file.write(f"{reason}\nThe gateway asks for a key until it is started with --accept-lost-keys.\n")
                file.flush()
                os.fsync(file.fileno())
            _sync(self.path.parent)
        except OSError as error:
            raise LedgerUnavailable(
                f"{self.path} cannot be written ({error}): make its directory writable for this user."
            ) from error

    def clear(self) -> bool:
        """Remove the marker; returns whether there was one. Raises LedgerUnavailable."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise LedgerUnavailable(f"{self.path} cannot be removed ({error}): remove it by hand.") from error
        return True


def may_hold_keys(path: Path) -> bool:
    """Whether a damaged ledger may have had keys: False only if its key tables are intact and empty."""
    try:
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as connection:
            connection.execute("PRAGMA query_only = 1")
            return not all(_is_empty(connection, table) for table in _COUNTS)
    except apsw.Error:
        return True


def _is_empty(connection: apsw.Connection, table: str) -> bool:
    """Whether a table is intact and empty, or missing because the schema is older."""
    exists = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = ?", (table,)).get
    if not exists:
        return True
    intact = connection.execute(f"PRAGMA quick_check({table})").get == "ok"
    return intact and not connection.execute(_COUNTS[table]).get


def _sync(folder: Path) -> None:
    """Make a new directory entry durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
