"""What a ledger makes of a disk that fails: every acknowledged row stays, and writing goes on once the disk does."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from gateway.errors import LedgerUnavailable
from gateway.store import InsertRequest, SettleRequest
from gateway.store.connection import Durability
from gateway.store.sqlite import SqliteStore
from tests.store.cases import begun, ended
from tests.store.conftest import MakeLedger
from tests.store.faulty import Disk


def now_and_then(error: type[Exception], *, seed: int) -> Callable[[], Exception | None]:
    """One time in twenty."""
    uniform = random.Random(seed).random
    return lambda: error("now and then") if uniform() < 0.05 else None


def settled(store: SqliteStore, count: int, *, first: int = 0) -> set[str]:
    """The rows that were acknowledged."""
    rows = {str(number): store.submit(SettleRequest(ended(str(number)))) for number in range(first, first + count)}
    errors = {name: change.exception(10) for name, change in rows.items()}
    assert all(error is None or isinstance(error, LedgerUnavailable) for error in errors.values())
    return {name for name, error in errors.items() if error is None}


def one_by_one(store: SqliteStore, count: int) -> set[str]:
    """Each row in a commit of its own."""
    return {name for number in range(count) for name in settled(store, 1, first=number)}


def found(store: SqliteStore) -> set[str]:
    return {row["request_id"] for row in store.requests(limit=1000)}


@pytest.mark.parametrize("durability", ["normal", "full"])
@pytest.mark.parametrize("error", [apsw.IOError, apsw.FullError])
def test_failing_writes_lose_no_acknowledged_row(
    disk: Disk, path: Path, error: type[Exception], durability: Durability
) -> None:
    """When writes fail now and then, exactly the acknowledged rows are there, and the file is sound."""
    store = SqliteStore(path, durability=durability)
    disk.writes = now_and_then(error, seed=1)
    acknowledged = one_by_one(store, 300)
    disk.is_well()

    assert 10 < len(acknowledged) < 290
    assert found(store) == acknowledged
    store.check()
    store.close()


def test_failing_sync_acknowledges_nothing(disk: Disk, path: Path) -> None:
    """When the disk does not confirm what was written, nothing is acknowledged; what was is there."""
    store = SqliteStore(path, durability="full")
    disk.syncs = now_and_then(apsw.IOError, seed=1)
    acknowledged = one_by_one(store, 300)
    disk.is_well()

    assert 200 < len(acknowledged) < 300
    assert found(store) >= acknowledged
    store.check()
    store.close()


@pytest.mark.parametrize("error", [apsw.IOError, apsw.FullError])
def test_writing_resumes_after_a_disk_failure(disk: Disk, make_ledger: MakeLedger, error: type[Exception]) -> None:
    """While nothing can be written rows are refused and reports go on; afterwards writing goes on by itself."""
    store = make_ledger(clock=iter(range(0, 10_000, 10)).__next__)
    before = settled(store, 10)
    disk.fails(error)

    assert settled(store, 10, first=10) == set()
    assert isinstance(store.submit(InsertRequest(begun("new"))).exception(10), LedgerUnavailable)
    assert not store.writable()
    assert found(store) == before
    disk.is_well()
    assert store.writable()
    after = settled(store, 10, first=20)
    assert len(after) == 10
    assert found(store) == before | after


def test_read_only_disk_refuses_the_ledger(disk: Disk, make_ledger: MakeLedger, path: Path) -> None:
    """A ledger that can only be read is not opened, and says what to do."""
    make_ledger().close()
    disk.read_only = True

    with pytest.raises(LedgerUnavailable, match="its directory has to exist and be writable"):
        make_ledger()
    assert path.exists()


def test_disk_turned_read_only_refuses_rows_and_serves_reports(disk: Disk, make_ledger: MakeLedger) -> None:
    """A ledger that can no longer be written takes no rows, and says what to do; those that are there can be read."""
    first = make_ledger()
    before = settled(first, 3)
    disk.read_only = True
    second = make_ledger()

    assert "make the file and its directory writable" in str(second.submit(SettleRequest(ended("new"))).exception(10))
    with pytest.raises(LedgerUnavailable, match="make the file"):
        second.probe()
    assert not second.writable()
    assert found(second) == before


def test_closing_on_a_failing_disk_keeps_every_row(disk: Disk, path: Path) -> None:
    """A ledger can be closed though nothing can be tidied up; the next start finds every row."""
    store = SqliteStore(path)
    acknowledged = settled(store, 20)
    disk.fails(apsw.FullError)
    store.close()
    disk.is_well()

    again = SqliteStore(path)
    assert found(again) == acknowledged
    again.close()


@pytest.mark.parametrize("durability", ["normal", "full"])
def test_power_cut_keeps_acknowledged_rows_with_full_durability(
    disk: Disk, path: Path, tmp_path: Path, durability: Durability
) -> None:
    """Of what was not synchronised nothing is left: `full` has every acknowledged row, `normal` a sound file."""
    disk.platter = tmp_path / "platter"
    disk.platter.mkdir()
    store = SqliteStore(path, durability=durability)
    acknowledged = one_by_one(store, 50)
    disk.platter = None

    left = SqliteStore(tmp_path / "platter" / path.name)
    left.check()
    assert len(acknowledged) == 50
    assert found(left) == acknowledged if durability == "full" else found(left) <= acknowledged
    left.close()
    store.close()
