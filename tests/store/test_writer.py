"""The thread that commits: in groups, never acknowledging what was not committed."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from pathlib import Path

import apsw
import pytest

from gateway.errors import Conflict, LedgerUnavailable
from gateway.store import batch, operations, requests
from gateway.store.connection import DatabaseFile
from gateway.store.file_session import FileSession
from gateway.store.process_lease import ProcessLease
from gateway.store.writer import LoopWaiter, Writer, resolve

MakeWriter = Callable[..., Writer[apsw.Connection]]


@pytest.fixture
def make_writer(path: Path) -> Iterator[MakeWriter]:
    DatabaseFile(path).open().close()
    made: list[Writer[apsw.Connection]] = []

    def make(
        *, on_close: Callable[[], None] = lambda: None, busy_timeout: float = 5.0, queue_size: int = 100
    ) -> Writer[apsw.Connection]:
        source = DatabaseFile(path, busy_timeout=busy_timeout)
        apply_batch = partial(batch.apply_batch, owner=ProcessLease(path))
        apply_one = partial(operations.apply_one, owner=ProcessLease(path))
        made.append(
            Writer(
                FileSession(source),
                apply_batch=apply_batch,
                apply_one=apply_one,
                clock=lambda: 7.0,
                on_close=on_close,
                queue_size=queue_size,
            )
        )
        return made[-1]

    yield make
    for writer in made:
        writer.close()


def insert(request_id: str) -> Callable[[apsw.Connection], None]:
    def change(connection: apsw.Connection) -> None:
        connection.execute("INSERT INTO routing_metrics (request_id) VALUES (?)", (request_id,))

    return change


def held(gate: threading.Event, entered: threading.Event) -> Callable[[apsw.Connection], None]:
    """A change that keeps the writer busy until the gate opens, so that others wait behind it."""

    def change(_: apsw.Connection) -> None:
        entered.set()
        gate.wait(10)

    return change


def ids(path: Path) -> list[str]:
    with closing(apsw.Connection(str(path))) as connection:
        return [row[0] for row in connection.execute("SELECT request_id FROM routing_metrics ORDER BY id")]


def committed_together(writer: Writer[apsw.Connection], *changes: Callable[[apsw.Connection], object]) -> list[object]:
    """What comes of changes that waited together: their results or errors."""
    gate, entered = threading.Event(), threading.Event()
    first = writer.submit(held(gate, entered))
    assert entered.wait(10)
    futures = [writer.submit(change) for change in changes]
    gate.set()
    first.result(10)
    return [future.exception(10) or future.result(10) for future in futures]


def test_nothing_runs_before_the_first_write(make_writer: MakeWriter) -> None:
    """A writer that is never used starts no thread, and ends all the same."""
    before = threading.active_count()
    ended: list[bool] = []
    writer = make_writer(on_close=lambda: ended.append(True))

    assert threading.active_count() == before
    writer.close()
    writer.close()
    assert ended == [True]


def test_changes_that_wait_share_a_commit(make_writer: MakeWriter, path: Path) -> None:
    """What queued up behind a commit is one transaction, and each change gets its own answer."""
    writer = make_writer()
    changes_before: list[bool] = []

    def look(connection: apsw.Connection) -> int:
        """Sees what the change before it wrote, while another connection does not."""
        changes_before.append(ids(path) == [])
        return int(connection.execute("SELECT count(*) FROM routing_metrics").get)

    assert committed_together(writer, insert("a"), insert("b"), look) == [None, None, 2]
    assert changes_before == [True]
    assert ids(path) == ["a", "b"]
    assert writer.last_commit == 7.0


def test_long_queues_are_cut_into_batches(make_writer: MakeWriter, path: Path) -> None:
    """However many changes wait, all are committed, in order."""
    writer = make_writer(queue_size=2000)
    names = [str(number) for number in range(1200)]

    assert committed_together(writer, *(insert(name) for name in names)) == [None] * 1200
    assert ids(path) == names


def test_a_change_at_fault_fails_alone(make_writer: MakeWriter, path: Path) -> None:
    """A change that cannot be written fails; those beside it are committed."""
    writer = make_writer()

    def broken(connection: apsw.Connection) -> None:
        insert("half")(connection)
        raise ValueError("no row")

    results = committed_together(writer, insert("a"), insert("a"), broken, insert("b"))

    assert results[0] is results[3] is None
    assert isinstance(results[1], apsw.ConstraintError)
    assert isinstance(results[2], ValueError)
    assert ids(path) == ["a", "b"]


def test_refused_mutation_disturbs_no_other(make_writer: MakeWriter, path: Path) -> None:
    """What a change refuses (unknown, repeated) is told to its caller and disturbs no other."""
    writer = make_writer()

    def refuse(_: apsw.Connection) -> None:
        raise Conflict("again")

    results = committed_together(writer, insert("a"), refuse)

    assert isinstance(results[1], Conflict)
    assert ids(path) == ["a"]


def test_full_queue_refuses_at_once(make_writer: MakeWriter) -> None:
    """When too much waits, the next change is refused without waiting, and what waited is written."""
    writer = make_writer(queue_size=2)
    gate, entered = threading.Event(), threading.Event()
    first = writer.submit(held(gate, entered))
    assert entered.wait(10)
    accepted = [writer.submit(insert("a")), writer.submit(insert("b"))]
    refused = writer.submit(insert("c"))

    assert isinstance(refused.exception(0), LedgerUnavailable)
    gate.set()
    for future in (first, *accepted):
        assert future.result(10) is None


def test_a_locked_ledger_fails_the_batch_and_recovers(make_writer: MakeWriter, path: Path) -> None:
    """While another process holds the lock, nothing is acknowledged; afterwards writing goes on by itself."""
    writer = make_writer(busy_timeout=0.05)
    with closing(apsw.Connection(str(path))) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = writer.submit(insert("a")).exception(10)
        assert isinstance(refused, LedgerUnavailable)
        assert "another process holds its lock" in str(refused)
        assert writer.last_commit is None
        other.execute("ROLLBACK")

    writer.submit(insert("b")).result(10)
    assert ids(path) == ["b"]


def test_damage_fails_the_batch(make_writer: MakeWriter, path: Path) -> None:
    """When SQLite finds the file damaged, the change is not acknowledged."""
    writer = make_writer()

    def damaged(_: apsw.Connection) -> None:
        raise apsw.CorruptError("database disk image is malformed")

    assert all(isinstance(result, LedgerUnavailable) for result in committed_together(writer, insert("a"), damaged))
    assert ids(path) == []


def test_mutation_may_fail_with_ledger_unavailable(make_writer: MakeWriter) -> None:
    """A change that finds the ledger unusable fails with just that."""

    def lost(_: apsw.Connection) -> None:
        raise LedgerUnavailable("no lock file")

    assert str(make_writer().submit(lost).exception(10)) == "no lock file"


@pytest.mark.parametrize("files", ["gateway.db", "gateway.db*"])
def test_a_deleted_file_is_begun_anew(make_writer: MakeWriter, path: Path, files: str) -> None:
    """A row whose file was deleted under the writer is written to the file that is there now."""
    writer = make_writer()
    writer.submit(insert("a")).result(10)
    for file in path.parent.glob(files):
        file.unlink()

    writer.submit(insert("b")).result(10)

    assert ids(path) == ["b"]


def test_a_replaced_file_is_taken_up(make_writer: MakeWriter, path: Path, tmp_path: Path) -> None:
    """A ledger that was replaced by another goes on in that other one."""
    writer = make_writer()
    writer.submit(insert("a")).result(10)
    with closing(DatabaseFile(tmp_path / "restored.db").open()) as restored:
        insert("old")(restored)
    os.replace(tmp_path / "restored.db", path)

    writer.submit(insert("b")).result(10)

    assert ids(path) == ["old", "b"]
    DatabaseFile(path).check()


def test_lost_directory_refuses_writes_until_it_is_back(make_writer: MakeWriter, path: Path, tmp_path: Path) -> None:
    """When the directory is gone, writes are refused; when it is back, they go on."""
    writer = make_writer()
    writer.submit(insert("a")).result(10)
    moved = tmp_path.rename(tmp_path.with_name(tmp_path.name + "-moved"))

    assert isinstance(writer.submit(insert("b")).exception(10), LedgerUnavailable)
    moved.rename(tmp_path)
    writer.submit(insert("c")).result(10)
    assert ids(path)[-1] == "c"


def test_cancelled_caller_keeps_its_row(make_writer: MakeWriter, path: Path) -> None:
    """A caller that goes away does not take its row with it."""
    writer = make_writer()
    future = writer.submit(insert("a"))

    assert not future.cancel()
    future.result(10)
    assert ids(path) == ["a"]


def test_no_thread_to_be_had(make_writer: MakeWriter, path: Path) -> None:
    """When the system gives no thread, the change is refused, and the next one tries again."""
    writer = make_writer()
    usual = threading.stack_size(2**46)
    try:
        refused = writer.submit(insert("a"))
    finally:
        threading.stack_size(usual)

    assert isinstance(refused.exception(0), LedgerUnavailable)
    writer.submit(insert("b")).result(10)
    assert ids(path) == ["b"]


def test_close_commits_accepted_mutations(make_writer: MakeWriter, path: Path) -> None:
    """Close waits for what was accepted; afterwards nothing is."""
    ended: list[bool] = []
    writer = make_writer(on_close=lambda: ended.append(True))
    futures = [writer.submit(insert(str(number))) for number in range(50)]

    writer.close()
    writer.close()

    assert all(future.done() for future in futures)
    assert len(ids(path)) == 50
    assert ended == [True]
    assert "closed" in str(writer.submit(insert("late")).exception(0))


def test_commit_callback_may_close_the_store(make_writer: MakeWriter) -> None:
    """A callback of a commit may close the ledger without waiting for its own thread."""
    writer = make_writer()
    closed = threading.Event()

    def close(_: object) -> None:
        writer.close()
        closed.set()

    writer.submit(requests.probe).add_done_callback(close)

    assert closed.wait(10)


def waiter() -> LoopWaiter:
    return LoopWaiter(asyncio.get_running_loop().create_future(), None)


async def test_answers_arrive_in_order() -> None:
    """What one commit completed in another thread arrives in its order."""
    waiters = [waiter() for _ in range(3)]

    await asyncio.to_thread(resolve, [(each, number) for number, each in enumerate(waiters)])

    assert await asyncio.gather(*(each.future for each in waiters)) == [0, 1, 2]


async def test_refused_mutation_raises_where_it_is_awaited() -> None:
    """A change that failed raises where it is waited for."""
    refused = waiter()

    await asyncio.to_thread(resolve, [(refused, LedgerUnavailable("The disk is full."))])

    with pytest.raises(LedgerUnavailable):
        await refused.future


async def test_who_leaves_is_not_missed() -> None:
    """Who stops waiting takes nothing back: the listener hears of the change, and others get theirs."""
    heard: list[BaseException | None] = []
    left = waiter()._replace(then=heard.append)
    left.future.cancel()
    stayed = waiter()._replace(then=heard.append)
    refusal = LedgerUnavailable("The disk is full.")

    resolve([(left, refusal), (stayed, 1)])

    assert await stayed.future == 1
    assert heard == [refusal, None]


def test_future_without_a_loop_is_resolved_at_once() -> None:
    """A future of a thread gets its answer or its error at once."""
    good: Future[int] = Future()
    bad: Future[int] = Future()

    resolve([(good, 7), (bad, LedgerUnavailable("The disk is full."))])

    assert good.result(0) == 7
    assert isinstance(bad.exception(0), LedgerUnavailable)


def test_notification_for_a_closed_loop_is_dropped() -> None:
    """What arrives for a loop that has been closed is dropped; others get theirs."""

    async def leave() -> LoopWaiter:
        return waiter()

    late = asyncio.run(leave())
    other: Future[int] = Future()

    resolve([(late, 1), (other, 2)])

    assert other.result(0) == 2
    assert not late.future.done()
