"""Opening one SQLite file, and saying what is wrong with it."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from gateway.errors import LedgerUnavailable
from gateway.store.connection import START_CHECK_BYTES, BusyRetry, DatabaseFile, LedgerDamaged, ReaderPool, quarantine
from tests.store.cases import NOW


def damaged(path: Path) -> None:
    """A ledger whose pages of `routing_metrics` and its indexes were overwritten."""
    roots = "SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'routing_metrics' AND rootpage > 0"
    with closing(DatabaseFile(path).open()) as connection:
        connection.executemany("INSERT INTO routing_metrics (request_id) VALUES (?)", [(str(n),) for n in range(500)])
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        pages = [page for (page,) in connection.execute(roots)]
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * 4096)
            file.write(b"\xff" * 4096)


def test_open_uses_wal_and_the_durability(path: Path) -> None:
    """A ledger is in WAL mode; `full` waits for the disk at each commit, `normal` at checkpoints."""
    with closing(DatabaseFile(path).open()) as normal, closing(DatabaseFile(path, durability="full").open()) as full:
        assert normal.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert normal.execute("PRAGMA synchronous").fetchone() == (1,)
        assert full.execute("PRAGMA synchronous").fetchone() == (2,)
        assert normal.execute("PRAGMA mmap_size").fetchone() == (0,)


def test_missing_directory_is_named(tmp_path: Path) -> None:
    """A directory that is not there is named, with what to do."""
    with pytest.raises(LedgerUnavailable, match=r"nowhere/gateway\.db .*directory has to exist"):
        DatabaseFile(tmp_path / "nowhere" / "gateway.db").open()


def test_a_directory_is_no_ledger(tmp_path: Path) -> None:
    """A path that is a directory is refused."""
    with pytest.raises(LedgerUnavailable, match="cannot be opened"):
        DatabaseFile(tmp_path).open()


def test_file_that_is_no_database_is_left_alone(path: Path) -> None:
    """A file that is no database is left alone."""
    path.write_text("precious notes\n" * 100)

    with pytest.raises(LedgerUnavailable, match=r"not an SQLite database: name another file"):
        DatabaseFile(path).open()

    assert path.read_text().startswith("precious")


def test_read_only_ledger_is_reported_as_such(path: Path) -> None:
    """A ledger that cannot be written is told as such."""
    DatabaseFile(path).open().close()
    with (
        closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection,
        pytest.raises(apsw.ReadOnlyError) as caught,
    ):
        connection.execute("DELETE FROM routing_metrics")

    assert "make the file and its directory writable" in str(DatabaseFile(path).unavailable(caught.value))


@pytest.mark.parametrize(
    ("failure", "words"), [(apsw.IOError, "disk reports an error"), (apsw.FullError, "free some space")]
)
def test_disk_failures_are_explained(path: Path, failure: type[Exception], words: str) -> None:
    """Each kind of failure says what to do about it."""
    assert words in str(DatabaseFile(path).unavailable(failure("as SQLite says it")))


def test_unknown_failure_is_passed_on(path: Path) -> None:
    """A failure without advice is told in its own words."""
    assert "odd" in str(DatabaseFile(path).unavailable(RuntimeError("odd")))


def test_locked_while_opening(path: Path) -> None:
    """A ledger that another process holds exclusively is refused after the busy timeout."""
    with closing(apsw.Connection(str(path))) as other:
        other.execute("CREATE TABLE something (x)")
        other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(LedgerUnavailable, match="another process holds its lock"):
            DatabaseFile(path, busy_timeout=0.05).open()


def test_check_finds_damage(path: Path) -> None:
    """A damaged ledger is found at the check, and the message says how to go on."""
    damaged(path)

    with pytest.raises(LedgerDamaged, match="move it away"):
        DatabaseFile(path).check()


def test_check_of_what_is_no_database(path: Path) -> None:
    """A file that cannot even be read as a database fails the check as well."""
    path.write_bytes(b"x" * 8192)

    with pytest.raises(LedgerUnavailable, match="not an SQLite database"):
        DatabaseFile(path).check()


def test_check_of_a_sound_ledger_finds_nothing(path: Path) -> None:
    """A sound ledger passes."""
    DatabaseFile(path).open().close()

    DatabaseFile(path).check()


def test_start_checks_small_ledgers(path: Path) -> None:
    """A start reads a small ledger whole; a large one, here a sparse file, would take too long."""
    path.write_bytes(b"x" * 8192)
    with pytest.raises(LedgerUnavailable):
        DatabaseFile(path).check_at_start()

    os.truncate(path, START_CHECK_BYTES + 1)

    DatabaseFile(path).check_at_start()


def test_drop_wal_removes_only_the_stale_one(path: Path) -> None:
    """Only the log that was seen beside the old file is removed; another one belongs to the new file."""
    log, source = path.with_name("gateway.db-wal"), DatabaseFile(path)
    log.write_text("old")
    source.drop_wal(None)
    source.drop_wal((0, 0))
    assert log.exists()

    source.drop_wal(source.wal())

    assert not log.exists()


def test_damaged_ledger_is_moved_aside_with_its_side_files(path: Path) -> None:
    """A damaged ledger is moved away with its side files, and nothing is deleted."""
    path.write_text("ledger")
    path.with_name("gateway.db-wal").write_text("wal")

    kept = quarantine(path, now=NOW)

    assert kept.name == "gateway.db.damaged-20261122T103000"
    assert kept.read_text() == "ledger"
    assert kept.with_name(kept.name + "-wal").read_text() == "wal"
    assert not path.exists()


def test_readers_cannot_write(path: Path) -> None:
    """A reading connection refuses to write."""
    DatabaseFile(path).open().close()
    readers = ReaderPool(DatabaseFile(path))

    with pytest.raises(LedgerUnavailable, match="cannot be written"), readers.reading() as connection:
        connection.execute("DELETE FROM routing_metrics")


def test_readers_are_reused(path: Path) -> None:
    """A connection that served one report serves the next; only a few are kept."""
    DatabaseFile(path).open().close()
    readers = ReaderPool(DatabaseFile(path))
    with readers.reading() as first:
        pass
    with readers.reading() as second:
        assert second is first
        held = [readers.reading() for _ in range(5)]
        for report in held:
            report.__enter__()
        for report in held:
            report.__exit__(None, None, None)

    readers.close()
    with readers.reading() as third:
        assert third is not first
    readers.close()


def test_a_report_without_end_is_ended(path: Path) -> None:
    """A query that takes too long is ended, says so, and holds nobody up: the next report is read as ever."""
    DatabaseFile(path).open().close()
    readers = ReaderPool(DatabaseFile(path), seconds=0)
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(LedgerUnavailable, match="took too long"), readers.reading() as connection:
        connection.execute(endless).fetchall()
    with readers.reading() as connection:
        assert connection.execute("SELECT count(*) FROM routing_metrics").get == 0
    readers.close()


def test_readers_notice_another_file(path: Path) -> None:
    """A report never comes from a file that was replaced."""
    DatabaseFile(path).open().close()
    readers = ReaderPool(DatabaseFile(path))
    with readers.reading() as connection:
        assert connection.execute("SELECT count(*) FROM routing_metrics").get == 0
    other = path.with_name("other.db")
    with closing(DatabaseFile(other).open()) as connection:
        connection.execute("INSERT INTO routing_metrics (request_id) VALUES ('new')")
    os.replace(other, path)

    with readers.reading() as connection:
        assert connection.execute("SELECT count(*) FROM routing_metrics").get == 1
    readers.close()


def test_reading_a_deleted_ledger_makes_no_file(path: Path) -> None:
    """A deleted ledger cannot be read, and reading does not make an empty one."""
    DatabaseFile(path).open().close()
    readers = ReaderPool(DatabaseFile(path))
    path.unlink()

    with pytest.raises(LedgerUnavailable), readers.reading():
        pass

    assert not path.exists()


def test_locked_ledger_is_retried_every_millisecond() -> None:
    """Who waits for another writer looks again every millisecond, for as long as the timeout says, each time anew."""
    moments = iter([0.0, 0.5, 0.9, 1.0, 7.0, 7.9, 8.0])
    pauses: list[float] = []
    busy_retry = BusyRetry(1.0, clock=lambda: next(moments), sleep=pauses.append)
    assert [busy_retry(tries) for tries in range(4)] == [True, True, True, False]
    assert [busy_retry(tries) for tries in range(3)] == [True, True, False]
    assert pauses == [0.001] * 5
