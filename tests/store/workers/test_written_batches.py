"""The newest batch of each worker, beside what it wrote."""

from __future__ import annotations

import apsw

from gateway.store.connection import DatabaseFile
from gateway.store.sqlite import SqliteStore
from gateway.store.workers import written_batches
from gateway.store.workers.written_batches import WrittenBatch


def test_the_newest_batch_of_each_worker_is_known(ledger: SqliteStore) -> None:
    """A worker's newest batch takes the place of the one before; other workers have their own."""
    connection = DatabaseFile(ledger.path).open()
    assert written_batches.newest(connection, "a") == WrittenBatch(0, b"")
    written_batches.record(connection, "a", WrittenBatch(1, b"one"))
    written_batches.record(connection, "a", WrittenBatch(2, b"two"))
    written_batches.record(connection, "b", WrittenBatch(1, b"other"))
    assert written_batches.newest(connection, "a") == WrittenBatch(2, b"two")
    written_batches.delete_dead(connection, is_alive=lambda worker: worker == "b")
    assert written_batches.newest(connection, "a") == WrittenBatch()
    assert written_batches.newest(connection, "b") == WrittenBatch(1, b"other")
    connection.close()


def test_a_new_file_gets_the_table() -> None:
    """When the ledger was replaced while workers write, the table is made again."""
    connection = apsw.Connection(":memory:")
    written_batches.record(connection, "a", WrittenBatch(3, b""))
    assert written_batches.newest(connection, "a").number == 3
