"""Opening the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from gateway.app import open_ledger
from gateway.errors import LedgerUnavailable
from gateway.settings import load
from gateway.store.sqlite import SqliteStore
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
