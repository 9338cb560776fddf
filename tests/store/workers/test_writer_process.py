"""The process that commits for all workers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any

import apsw
import pytest

from gateway.accounts.budgets import Budget, Hold
from gateway.errors import BudgetExceeded, LedgerUnavailable, NotFound
from gateway.records import Feedback
from gateway.store import InsertFeedback, InsertOutcome, InsertRequest, SettleRequest, StoredOutcome
from gateway.store.process_lease import ProcessLease
from gateway.store.rows import encode_rows
from gateway.store.sqlite import SqliteStore
from gateway.store.workers import messages
from gateway.store.workers.messages import AGAIN_IN_FULL, MessageConnection, encode_step
from gateway.store.workers.writer_process import PAUSE_SECONDS
from gateway.store.writer import Operation
from tests.store.cases import NOW, begun, ended
from tests.store.workers.running import RunningWriter

OUTCOME = InsertOutcome(StoredOutcome("gemini", "flash", "code", 0.2, timestamp="2026-11-22T10:00:00Z"))
HOLD = Hold("k1", Budget(10_000_000, "day"), (6_000_000,), NOW)


class Worker:
    """A worker that speaks by hand."""

    def __init__(self, writer: RunningWriter, owner: ProcessLease) -> None:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10)
        connection.connect(str(writer.path))
        self.socket = MessageConnection(connection)
        self.owner = owner

    def hello(self) -> bytes:
        self.socket.send(messages.encode_hello(self.owner.acquire()))
        return self.socket.receive()

    def send(self, number: int, operations: Sequence[Operation], *, in_full: bool = False) -> None:
        steps = operations if in_full else encode_rows(operations, owner=self.owner)
        self.socket.send(messages.encode_batch(number, [*map(encode_step, steps)]))

    def ask(self, number: int, operations: Sequence[Operation], *, in_full: bool = False) -> bytes:
        self.send(number, operations, in_full=in_full)
        return self.socket.receive()

    def results(self, number: int, operations: Sequence[Operation], *, in_full: bool = False) -> list[Any]:
        return messages.decode_results(self.ask(number, operations, in_full=in_full))

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def worker(writer: RunningWriter, owner: ProcessLease) -> Iterator[Worker]:
    with closing(Worker(writer, owner)) as worker:
        assert messages.decode_newest(worker.hello()) == 0
        yield worker


def statuses(ledger: SqliteStore) -> dict[str, str]:
    return {row["request_id"]: row["status"] for row in ledger.requests()}


def test_a_batch_sent_again_is_applied_once(writer: RunningWriter, worker: Worker, ledger: SqliteStore) -> None:
    """After the connection broke, the worker is told which batch was applied; sent again, it has the same answer and no effect."""
    hello = [OUTCOME, InsertRequest(begun(), [HOLD])]
    answer = worker.ask(1, hello)
    worker.close()
    writer.stop()
    writer.start()
    with closing(Worker(writer, worker.owner)) as again:
        assert messages.decode_newest(again.hello()) == 1
        assert again.ask(1, hello) == answer
        assert again.results(2, [OUTCOME]) == [2]
    assert len(ledger.outcomes()) == 2
    assert ledger.balance("k1", HOLD.period).held_nano == 6_000_000


def test_refusals_come_back(worker: Worker) -> None:
    """A budget that has no room is refused where it is asked for, without an effect on the rest of the batch."""
    refused, held = (InsertRequest(begun(name), [HOLD]) for name in ("refused", "held"))
    results = worker.results(1, [held, refused, OUTCOME])
    assert (results[0], type(results[1]), results[2]) == (0, BudgetExceeded, 1)


def test_a_row_that_needs_special_handling_is_asked_for_in_full(worker: Worker, ledger: SqliteStore) -> None:
    """A batch with a settlement of an unknown row is wanted again in full; then each step is written as if it were alone."""
    unknown = [
        InsertRequest(begun("a")),
        SettleRequest(ended("unknown")),
        SettleRequest(begun("a")),
        SettleRequest(ended("a")),
    ]
    assert worker.ask(1, unknown[:2]) == AGAIN_IN_FULL
    assert statuses(ledger) == {}
    results = worker.results(2, unknown, in_full=True)
    assert (results[0], results[1], type(results[2]), results[3]) == (0, None, ValueError, None)
    assert statuses(ledger) == {"a": "ok", "unknown": "ok"}
    with closing(apsw.Connection(str(ledger.path))) as connection:
        assert connection.execute("SELECT owner FROM routing_metrics WHERE request_id = 'a'").get == worker.owner.id


class Together:
    """A pause of the writer process that ends when the test says so."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.asked: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        self.over.wait(10)


@pytest.fixture
def together(ledger: SqliteStore) -> Iterator[tuple[Together, Worker, Worker]]:
    """Two workers of a writer process that has just committed and pauses now."""
    pause = Together()
    one, other = ProcessLease(ledger.path), ProcessLease(ledger.path)
    with ExitStack() as stack:
        stack.callback(one.release)
        stack.callback(other.release)
        writer = stack.enter_context(closing(RunningWriter(ledger.path, clock=lambda: 5.0, sleep=pause.sleep)))
        first, second = (stack.enter_context(closing(Worker(writer, owner))) for owner in (one, other))
        assert [messages.decode_newest(worker.hello()) for worker in (first, second)] == [0, 0]
        assert first.results(1, [OUTCOME]) == [1]
        yield pause, first, second
        pause.over.set()


def test_what_arrives_in_the_pause_shares_a_commit(
    together: tuple[Together, Worker, Worker], ledger: SqliteStore
) -> None:
    """Two commits begin a moment after each other; the rows of all workers that arrive meanwhile are one transaction."""
    pause, first, second = together
    seen: list[int] = []
    with closing(apsw.Connection(str(ledger.path))) as connection:
        first.send(2, [InsertRequest(begun("a"))])
        second.send(1, [InsertRequest(begun("b")), InsertFeedback(Feedback("a", 1.0, "2026-11-22T10:01:00Z"))])
        seen.append(connection.execute("SELECT count(*) FROM routing_metrics").get)
        pause.over.set()
        assert messages.decode_results(first.socket.receive()) == [0]
        assert messages.decode_results(second.socket.receive()) == [0, None]
        seen.append(connection.execute("SELECT count(*) FROM routing_metrics").get)
    assert seen == [0, 2]
    assert pause.asked[0] == pytest.approx(PAUSE_SECONDS)


def test_one_worker_fails_no_other(together: tuple[Together, Worker, Worker], ledger: SqliteStore) -> None:
    """Of batches that arrive together, one that cannot be written with others leaves the others alone."""
    pause, first, second = together
    first.send(2, [SettleRequest(ended("unknown"))])
    second.send(1, [InsertRequest(begun("mine")), InsertFeedback(Feedback("nobody", 1.0, "2026-11-22T10:00:00Z"))])
    pause.over.set()
    assert first.socket.receive() == AGAIN_IN_FULL
    results = messages.decode_results(second.socket.receive())
    assert (results[0], type(results[1])) == (0, NotFound)
    assert statuses(ledger) == {"mine": "open"}


def test_a_new_connection_ends_the_worker_s_earlier_one(writer: RunningWriter, worker: Worker) -> None:
    """What a worker sent before it connected again is not applied after it was told its newest batch."""
    with closing(Worker(writer, worker.owner)) as again:
        assert messages.decode_newest(again.hello()) == 0
        with pytest.raises(ConnectionError):
            worker.ask(1, [OUTCOME])
        assert again.results(1, [OUTCOME]) == [1]


def test_a_batch_that_arrives_with_a_new_connection_is_dropped(ledger: SqliteStore, owner: ProcessLease) -> None:
    """A batch on the earlier connection, received together with the hello on the new one, is not applied."""
    pause = Together()
    with ExitStack() as stack:
        writer = stack.enter_context(closing(RunningWriter(ledger.path, clock=lambda: 5.0, sleep=pause.sleep)))
        stack.callback(pause.over.set)
        first = stack.enter_context(closing(Worker(writer, owner)))
        first.hello()
        again = stack.enter_context(closing(Worker(writer, owner)))
        assert first.results(1, [OUTCOME]) == [1]
        first.send(2, [OUTCOME])
        again.socket.send(messages.encode_hello(owner.id))
        pause.over.set()
        assert messages.decode_newest(again.socket.receive()) == 1
    assert ledger.newest_outcome() == 1


@pytest.mark.parametrize("message", [b"[]", b"nonsense", messages.encode_batch(-1, [])])
def test_nonsense_ends_the_connection(
    worker: Worker, message: bytes, caplog: pytest.LogCaptureFixture, writer: RunningWriter
) -> None:
    """A process that sends anything else is told nothing; the log says so, and the others are served."""
    worker.socket.send(message)
    with pytest.raises(ConnectionError):
        worker.socket.receive()
    assert "no batch of changes" in caplog.text
    with closing(Worker(writer, worker.owner)) as again:
        assert messages.decode_newest(again.hello()) == 0


def test_a_database_that_fails_fails_the_batch(ledger: SqliteStore, owner: ProcessLease) -> None:
    """While the file is locked, batches fail with the reason, and so does the first question; later ones succeed."""
    with closing(RunningWriter(ledger.path, busy_timeout=0.05)) as writer, closing(Worker(writer, owner)) as worker:
        worker.hello()
        assert worker.results(1, [OUTCOME]) == [1]
        with closing(apsw.Connection(str(ledger.path))) as connection:
            connection.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerUnavailable, match="holds its lock"):
                worker.results(2, [OUTCOME])
            with closing(Worker(writer, owner)) as again, pytest.raises(LedgerUnavailable, match="holds its lock"):
                messages.decode_newest(again.hello())
        with closing(Worker(writer, owner)) as again:
            assert messages.decode_newest(again.hello()) == 1
            assert again.results(2, [OUTCOME]) == [2]


def test_a_failure_amid_a_batch_undoes_all_of_it(worker: Worker, ledger: SqliteStore) -> None:
    """Where the database fails within a batch, none of its steps is written, and all fail."""
    with closing(apsw.Connection(str(ledger.path))) as connection:
        connection.execute("DROP TABLE outcomes")
    with pytest.raises(LedgerUnavailable, match="no such table"):
        worker.results(1, [InsertRequest(begun("a")), OUTCOME], in_full=True)
    assert statuses(ledger) == {}


def test_a_worker_that_leaves_before_its_answer(together: tuple[Together, Worker, Worker], ledger: SqliteStore) -> None:
    """A batch is applied whether its worker still listens or not, and the others have their answers."""
    pause, first, second = together
    first.send(2, [InsertRequest(begun("a"))])
    first.close()
    second.send(1, [InsertRequest(begun("b"))])
    pause.over.set()
    assert messages.decode_results(second.socket.receive()) == [0]
    assert second.results(2, [OUTCOME]) == [2]
    assert statuses(ledger) == {"a": "open", "b": "open"}


def test_the_process_ends_when_nobody_needs_it(ledger: SqliteStore, owner: ProcessLease) -> None:
    """Without its parent the process serves the workers that are there, and ends with the last of them."""
    needed = [True]
    with closing(RunningWriter(ledger.path, needed=lambda: needed[0])) as writer:
        with closing(Worker(writer, owner)) as worker:
            worker.hello()
            needed.clear()
            needed.append(False)
            assert worker.results(1, [OUTCOME]) == [1]
        writer.join()
