"""The writer's connection to an SQLite file, and what happens when the file is deleted or replaced meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import apsw

from gateway.errors import LedgerUnavailable
from gateway.store.connection import DatabaseFile, FileId, SqliteConnection
from gateway.store.wal_checkpointer import WalCheckpointer

T = TypeVar("T")

# Errors of a single operation's values; all other database errors concern the file.
_VALUE_ERRORS = (apsw.ConstraintError, apsw.MismatchError, apsw.TooBigError, apsw.BindingsError)


class FileSession:
    """`gateway.store.writer.WriteSession` on a file. While it is connected, another thread checkpoints the write-ahead log."""

    def __init__(self, source: DatabaseFile) -> None:
        self._source = source
        self._checkpointer = WalCheckpointer(source)
        self._connection: SqliteConnection | None = None
        self._identity: FileId = None
        self._wal: FileId = None

    @property
    def name(self) -> str:
        return self._source.path.name

    def transact(self, apply: Callable[[apsw.Connection], T]) -> T:
        """Run one transaction. If the file was deleted or replaced meanwhile, the commit is lost: repeat it in the new file."""
        while True:
            connection = self._connect()
            try:
                connection.execute("BEGIN IMMEDIATE")
                result = apply(connection)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            if self._source.identity() == self._identity:
                self._checkpointer.committed(connection)
                return result
            self.disconnect()
            self._source.drop_wal(self._wal)

    def concerns_database(self, error: Exception) -> bool:
        return isinstance(error, apsw.Error | OSError | LedgerUnavailable) and not isinstance(error, _VALUE_ERRORS)

    def unavailable(self, error: Exception) -> LedgerUnavailable:
        return self._source.unavailable(error)

    def disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            self._checkpointer.stop()
            connection.close()

    def _connect(self) -> apsw.Connection:
        if self._connection is None:
            self._connection = self._source.open()
            self._identity, self._wal = self._source.identity(), self._source.wal()
            self._checkpointer.start(self._connection)
        return self._connection
