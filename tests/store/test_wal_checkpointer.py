"""The log is copied beside the commits and stays short, and no failure of that reaches them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import apsw
import pytest

from gateway.store.connection import DatabaseFile, SqliteConnection
from gateway.store.sqlite import SqliteStore
from gateway.store.wal_checkpointer import TRUNCATE_PAGES, WalCheckpointer
from tests.store.conftest import MakeLedger
from tests.store.faulty import Disk

MEGABYTE = 1_000_000
TRUNCATED = TRUNCATE_PAGES * 4096


def write_megabyte(connection: apsw.Connection) -> None:
    """The log grows by a megabyte, the file only the first time."""
    connection.execute("CREATE TABLE IF NOT EXISTS ballast (id INTEGER PRIMARY KEY, body BLOB)")
    connection.execute("INSERT OR REPLACE INTO ballast VALUES (1, randomblob(?))", (MEGABYTE,))


def in_checkpoint() -> bool:
    return threading.current_thread().name.startswith("checkpoints")


def log_size(path: Path) -> int:
    return os.stat(path.with_name(path.name + "-wal")).st_size


def wait_until(condition: Callable[[], bool]) -> None:
    """Looks every millisecond, for ten seconds at most."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.001)


class Load:
    """A writing connection and its checkpointer, which looks every millisecond and truncates every log by default."""

    def __init__(self, path: Path, *, truncate_pages: int = 1) -> None:
        self._path = path
        source = DatabaseFile(path)
        self.connection: SqliteConnection = source.open()
        self.checkpointer = WalCheckpointer(source, interval=0.001, copy_pages=1, truncate_pages=truncate_pages)
        self.checkpointer.start(self.connection)

    def write(self) -> int:
        """Commit a megabyte; the size of the log afterwards."""
        self.connection.execute("BEGIN IMMEDIATE")
        write_megabyte(self.connection)
        self.connection.execute("COMMIT")
        self.checkpointer.committed(self.connection)
        return log_size(self._path)

    def close(self) -> None:
        self.checkpointer.stop()
        self.connection.close()


@pytest.fixture
def load(path: Path) -> Iterator[Load]:
    with closing(Load(path)) as load:
        yield load


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "gateway.store.wal_checkpointer"]


def written(store: SqliteStore, megabytes: int) -> None:
    """Each in a commit of its own."""
    for _ in range(megabytes):
        future: Future[None] = store.submit(write_megabyte)  # type: ignore[arg-type]  # the writer takes functions too
        future.result(10)


def test_log_is_cut_again_and_again_under_load(path: Path) -> None:
    """A log above 16 MB is cut though commits never pause."""
    sizes = [0]
    deadline = time.monotonic() + 30
    with closing(Load(path, truncate_pages=TRUNCATE_PAGES)) as load:
        while sum(after < before for before, after in pairwise(sizes)) < 3:
            sizes.append(load.write())
            assert time.monotonic() < deadline

    assert all(before > TRUNCATED for before, after in pairwise(sizes) if after < before)


def test_long_log_of_a_store_is_truncated(make_ledger: MakeLedger, path: Path) -> None:
    """A store in use cuts a log above 16 MB, though nothing else is written."""
    store = make_ledger()
    written(store, 20)

    wait_until(lambda: log_size(path) == 0)
    assert log_size(path) == 0


def test_short_log_is_copied_and_kept(path: Path) -> None:
    """A log below the limit is copied into the file, and its space is used again."""
    with closing(Load(path, truncate_pages=TRUNCATE_PAGES)) as load:
        size = load.write()
        wait_until(lambda: path.stat().st_size > MEGABYTE)

        assert log_size(path) == size


def test_stores_on_one_file_share_checkpoints(
    make_ledger: MakeLedger, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When each of two stores on a file does checkpoints, one of them gets the lock, and the log is cut all the same."""
    first, second = make_ledger(), make_ledger()
    for _ in range(15):
        written(first, 1)
        written(second, 1)

    wait_until(lambda: log_size(path) == 0)
    first.check()
    assert warnings(caplog) == []


def test_commits_go_on_while_a_checkpoint_waits_for_the_disk(disk: Disk, load: Load) -> None:
    """A disk that takes its time to synchronize the log keeps no commit waiting."""
    waits, gate = threading.Event(), threading.Event()

    def slow() -> None:
        if in_checkpoint():
            waits.set()
            gate.wait(10)

    disk.syncs = slow
    load.write()
    assert waits.wait(10)
    assert load.connection.execute("PRAGMA wal_autocheckpoint").get == 0

    sizes = [load.write() for _ in range(5)]

    assert not gate.is_set()
    assert sizes == sorted(sizes)
    gate.set()


def test_report_delays_the_truncation_and_no_commit(load: Load, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While a report reads from the log, commits go on and the log grows; afterwards it is cut, though nothing is written."""
    load.checkpointer.stop()
    load.write()
    with closing(DatabaseFile(path).open_reader()) as report:
        report.execute("BEGIN")
        report.execute("SELECT count(*) FROM routing_metrics").fetchall()
        load.write()
        load.checkpointer.start(load.connection)
        wait_until(lambda: path.stat().st_size > MEGABYTE)
        assert [load.write() > number * MEGABYTE for number in range(3, 8)] == [True] * 5
        report.execute("COMMIT")

        wait_until(lambda: log_size(path) == 0)
    assert warnings(caplog) == []


def test_locked_ledger_is_truncated_later(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Another process that writes is no failure: the log is copied beside it, and cut when it has finished."""
    with closing(apsw.Connection(str(path))) as other, closing(Load(path)) as load:
        load.checkpointer.stop()
        load.write()
        other.execute("BEGIN IMMEDIATE")
        load.checkpointer.start(load.connection)
        wait_until(lambda: path.stat().st_size > MEGABYTE)
        assert log_size(path) > MEGABYTE
        other.execute("ROLLBACK")

        wait_until(lambda: log_size(path) == 0)
    assert warnings(caplog) == []


@pytest.mark.parametrize("error", [apsw.IOError, apsw.FullError])
def test_failing_checkpoint_is_logged_once_and_repeated(
    disk: Disk, load: Load, path: Path, error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    """When the disk fails under checkpoints only, commits go on; one line says so, and the log is cut once the disk is well."""
    failures: list[None] = []

    def failing() -> Exception | None:
        if not in_checkpoint():
            return None
        failures.append(None)
        return error("the disk fails")

    disk.writes = disk.syncs = failing
    load.write()
    wait_until(lambda: len(failures) > 3)
    assert load.write() > MEGABYTE
    disk.is_well()

    wait_until(lambda: log_size(path) == 0)
    assert [str(path) in line for line in warnings(caplog)] == [True]


def test_checkpoints_follow_to_a_new_file(make_ledger: MakeLedger, path: Path) -> None:
    """When the file is deleted while its log is copied, the new one is sound, and its log is looked after too."""
    store = make_ledger()
    written(store, 3)
    path.unlink()
    written(store, 20)

    wait_until(lambda: log_size(path) == 0)
    store.check()


def test_without_a_file_sqlite_does_the_checkpoints(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where no second connection is to be had, commits do the checkpoints themselves, and no file is created."""
    with closing(DatabaseFile(path).open()) as writing:
        path.unlink()
        checkpointer = WalCheckpointer(DatabaseFile(path))
        checkpointer.start(writing)
        checkpointer.stop()

        assert writing.execute("PRAGMA wal_autocheckpoint").get == 1000
    assert not path.exists()
    assert len(warnings(caplog)) == 1


def test_without_a_thread_sqlite_does_the_checkpoints(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """When the system gives no thread, commits do the checkpoints themselves, and no connection stays open."""
    before = len(os.listdir("/proc/self/fd"))
    with closing(DatabaseFile(path).open()) as writing:
        checkpointer = WalCheckpointer(DatabaseFile(path))
        usual = threading.stack_size(2**46)
        try:
            checkpointer.start(writing)
        finally:
            threading.stack_size(usual)

        assert writing.execute("PRAGMA wal_autocheckpoint").get == 1000
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(warnings(caplog)) == 1


def test_stop_waits_for_the_running_checkpoint(disk: Disk, path: Path) -> None:
    """The thread has closed its connection when `stop` returns, so that the writer's is the last and cleans up."""
    waits, gate, load = threading.Event(), threading.Event(), Load(path)

    def slow() -> None:
        if in_checkpoint():
            waits.set()
            gate.wait(10)

    disk.syncs = slow
    load.write()
    assert waits.wait(10)
    closing_thread = threading.Thread(target=load.close)
    closing_thread.start()
    closing_thread.join(0.05)
    assert closing_thread.is_alive()
    gate.set()
    closing_thread.join(10)

    assert [file.name for file in path.parent.glob("gateway.db*")] == ["gateway.db"]


def test_closing_leaves_no_log(make_ledger: MakeLedger, path: Path) -> None:
    """A store that is closed in the middle of its load has everything in its file, and leaves no log."""
    store = make_ledger()
    written(store, 20)

    store.close()

    assert [file.name for file in path.parent.glob("gateway.db*")] == ["gateway.db"]
    DatabaseFile(path).check()
