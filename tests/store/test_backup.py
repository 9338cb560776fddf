"""A backup is the ledger as it stood, complete or not there."""

from __future__ import annotations

import os
import stat
import threading
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from gateway.errors import LedgerUnavailable
from gateway.store import SettleRequest
from gateway.store.backup import back_up
from gateway.store.sqlite import SqliteStore
from tests.store.cases import ended


def count(path: Path) -> int:
    with closing(SqliteStore(path)) as store:
        return int(store.summary(days=3_000)["total_requests"])


def test_backup_beside_a_writer_is_a_snapshot(tmp_path: Path) -> None:
    """While rows are committed the copy is that of one moment, passes the integrity check, and only its owner can read it."""
    source, target = tmp_path / "gateway.db", tmp_path / "copy.db"
    with closing(SqliteStore(source)) as store:
        for number in range(300):
            store.submit(SettleRequest(ended(f"r{number}")))
        store.flush()
        stop = threading.Event()

        def write() -> None:
            number = 1_000
            while not stop.is_set():
                store.submit(SettleRequest(ended(f"r{(number := number + 1)}"))).result()

        writing = threading.Thread(target=write)
        writing.start()
        steps: list[tuple[int, int]] = []
        size = back_up(source, target, progress=lambda done, pages: steps.append((done, pages)))
        stop.set()
        writing.join()
    assert size == target.stat().st_size
    assert steps[-1][0] == steps[-1][1]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert 300 <= count(target) <= count(source)
    assert sorted(each.name for each in tmp_path.iterdir() if "part" in each.name) == []


def test_existing_file_is_not_replaced(tmp_path: Path) -> None:
    """A file that is there, or the rest of another backup, is left alone."""
    SqliteStore(tmp_path / "gateway.db").close()
    (tmp_path / "old").write_text("mine")
    with pytest.raises(LedgerUnavailable, match=r"old exists already: name a new file"):
        back_up(tmp_path / "gateway.db", tmp_path / "old")
    (tmp_path / ".new.part").write_text("theirs")
    with pytest.raises(LedgerUnavailable, match="another backup is being written, or was interrupted"):
        back_up(tmp_path / "gateway.db", tmp_path / "new")
    assert [(tmp_path / name).read_text() for name in ("old", ".new.part")] == ["mine", "theirs"]


def test_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    """A folder that is not there is said in one sentence."""
    SqliteStore(tmp_path / "gateway.db").close()
    with pytest.raises(LedgerUnavailable, match="its directory has to exist"):
        back_up(tmp_path / "gateway.db", tmp_path / "missing" / "copy.db")


def test_failed_backup_leaves_nothing(tmp_path: Path) -> None:
    """When the disk fails half-way no file remains."""
    SqliteStore(tmp_path / "gateway.db").close()

    def fail(done: int, pages: int) -> None:
        raise apsw.FullError("database or disk is full")

    with pytest.raises(LedgerUnavailable, match=r"copy\.db cannot be written: .* disk is full"):
        back_up(tmp_path / "gateway.db", tmp_path / "copy.db", progress=fail)
    assert [name for name in os.listdir(tmp_path) if "copy" in name] == []
