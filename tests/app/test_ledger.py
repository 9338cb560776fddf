"""Opening the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from gateway.app import open_ledger, open_worker_ledger, writer_socket
from gateway.errors import LedgerUnavailable
from gateway.settings import load
from gateway.store.sqlite import SqliteStore
from gateway.store.workers import WorkerStore
from tests.postgres import database_of
from tests.store.faulty import faulty_disk

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def test_damaged_ledger_is_renamed_and_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A ledger that cannot be read any more is renamed and named in the log, and a new one takes its place."""
    path = tmp_path / "gateway.db"
    whole = open_ledger(load({"GATEWAY_DB": str(path)}), now=lambda: NOW)
    whole.close()
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 8192)
    store = open_ledger(load({"GATEWAY_DB": str(path)}), now=lambda: NOW)
    assert store.requests() == []
    store.close()
    (renamed,) = tmp_path.glob("gateway.db.damaged-*")
    assert renamed.read_bytes().endswith(b"\xff" * 8192)
    assert str(renamed) in caplog.text


def test_read_only_ledger_refuses_start(tmp_path: Path) -> None:
    """A start is refused, with what to do, where the ledger can be read but no row can be added."""
    settings = load({"GATEWAY_DB": str(tmp_path / "gateway.db")})
    with faulty_disk() as disk:
        other = SqliteStore(settings.db)
        other.probe()
        disk.fails(apsw.FullError)
        with pytest.raises(LedgerUnavailable, match="free some space"):
            open_ledger(settings, now=lambda: NOW)
        disk.is_well()
        open_ledger(settings, now=lambda: NOW).close()
        other.close()


def test_a_worker_s_file_is_written_by_another_process(tmp_path: Path) -> None:
    """Where the ledger is a file, a worker sends its changes to the socket in the shared folder."""
    settings = load({"GATEWAY_DB": str(tmp_path / "gateway.db")})
    assert writer_socket(settings, tmp_path) == tmp_path / "writer"
    store = open_worker_ledger(settings, now=lambda: NOW, shared=tmp_path)
    assert isinstance(store, WorkerStore)
    store.close()


def test_a_worker_writes_postgres_itself(tmp_path: Path) -> None:
    """A database with a server of its own needs no process that writes for all."""
    settings = load({"GATEWAY_DB": database_of(tmp_path)})
    assert writer_socket(settings, tmp_path) is None
    store = open_worker_ledger(settings, now=lambda: NOW, shared=tmp_path)
    assert not isinstance(store, WorkerStore)
    store.close()
