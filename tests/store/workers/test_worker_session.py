"""A worker's connection to the writer process, when that process dies, hangs or comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import LedgerUnavailable
from gateway.store import InsertOutcome, InsertRequest, InsertResponse, SettleRequest, StoredOutcome, StoredResponse
from gateway.store.process_lease import ProcessLease
from gateway.store.workers import listen_for_workers, messages
from gateway.store.workers.messages import AGAIN_IN_FULL, Batch, MessageConnection
from gateway.store.workers.operations import RemoveRequests
from gateway.store.workers.worker_session import RETRY_SECONDS, WAIT_SECONDS, WorkerSession
from tests.store.cases import begun, ended

OUTCOME = InsertOutcome(StoredOutcome("gemini", "flash", "code", 0.2, timestamp="2026-11-22T10:00:00Z"))

# Answers a connection that has said hello; returns the batches that came.
Play = Callable[[MessageConnection], list[Batch]]


class Scripted:
    """A writer process that does what a test says, one play for each connection; then nobody listens any more."""

    def __init__(self, path: Path, *plays: Play) -> None:
        self.path = path
        self.plays = list(plays)
        self.said: list[list[Batch]] = []
        self._listening = listen_for_workers(path)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for play in self.plays:
            connection, _ = self._listening.accept()
            connection.settimeout(10)
            with closing(MessageConnection(connection)) as worker:
                messages.decode_hello(worker.receive())
                self.said.append(play(worker))
                if play is self.plays[-1]:
                    self._listening.close()

    def close(self) -> None:
        self._thread.join(10)


def batch_of(worker: MessageConnection) -> Batch:
    return messages.decode_batch(worker.receive(), after=0)


def answering(*answers: Sequence[object], newest: int = 0) -> Play:
    """Tells the newest batch and answers those that come."""

    def play(worker: MessageConnection) -> list[Batch]:
        worker.send(messages.encode_newest(newest))
        batches: list[Batch] = []
        for answer in answers:
            batches.append(batch_of(worker))
            worker.send(messages.encode_results(answer))
        return batches

    return play


def dying(worker: MessageConnection) -> list[Batch]:
    """Receives a batch and ends without an answer."""
    worker.send(messages.encode_newest(0))
    return [batch_of(worker)]


def failing(worker: MessageConnection) -> list[Batch]:
    """Cannot read the ledger."""
    worker.send(messages.encode_failure(LedgerUnavailable("the disk is full")))
    return []


class Time:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def socket_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("w") / "w"


@pytest.fixture
def session(socket_path: Path, owner: ProcessLease) -> Iterator[WorkerSession]:
    time = Time()
    session = WorkerSession(socket_path, owner, name="gateway.db", clock=time.clock, sleep=time.sleep)
    yield session
    session.disconnect()


def test_a_batch_is_sent_again_to_the_next_process(session: WorkerSession, socket_path: Path) -> None:
    """When the process dies before it answers, the next one gets the same batch under the same number."""
    with closing(Scripted(socket_path, dying, answering([7]))) as writer:
        assert session.write([OUTCOME]) == [7]
    (first,), (second,) = writer.said
    assert first == second
    assert first.number == 1


def test_a_batch_is_sent_in_full_where_that_is_wanted(session: WorkerSession, socket_path: Path) -> None:
    """Rows that cannot be written with others are sent again as mutations, as a further batch."""

    def play(worker: MessageConnection) -> list[Batch]:
        worker.send(messages.encode_newest(0))
        batches = [batch_of(worker)]
        worker.send(AGAIN_IN_FULL)
        batches.append(batch_of(worker))
        worker.send(messages.encode_results([None]))
        return batches

    with closing(Scripted(socket_path, play)) as writer:
        assert session.write([SettleRequest(ended("unknown"))]) == [None]
    ((rows, in_full),) = writer.said
    assert (rows.number, rows.operations) == (1, None)
    assert (in_full.number, [type(step) for step in in_full.operations or ()]) == (2, [SettleRequest])


def test_rows_whose_callers_were_told_otherwise_are_withdrawn(session: WorkerSession, socket_path: Path) -> None:
    """After too long a wait the callers get an error. If the batch turns out to be applied, its new rows are removed first."""
    with closing(Scripted(socket_path, dying)):
        pass_on = [InsertRequest(begun("a")), OUTCOME, InsertRequest(begun("b"))]
        with pytest.raises(LedgerUnavailable, match="does not answer"):
            session.write(pass_on)
    socket_path.unlink()
    with closing(Scripted(socket_path, answering([None], [3], newest=1))) as writer:
        assert session.write([OUTCOME]) == [3]
    ((withdrawal, batch),) = writer.said
    (step,) = withdrawal.steps
    assert isinstance(step, RemoveRequests)
    assert tuple(step.request_ids) == ("a", "b")
    assert (withdrawal.number, batch.number) == (2, 3)


def test_a_batch_that_was_never_applied_needs_no_withdrawal(session: WorkerSession, socket_path: Path) -> None:
    """If the batch turns out to be lost, as its callers were told, nothing is withdrawn."""
    with closing(Scripted(socket_path, dying)), pytest.raises(LedgerUnavailable):
        session.write([InsertRequest(begun("a"))])
    socket_path.unlink()
    with closing(Scripted(socket_path, answering([3], newest=0))) as writer:
        assert session.write([OUTCOME]) == [3]
    assert [batch.number for batches in writer.said for batch in batches] == [2]


def test_the_wait_is_bounded(socket_path: Path, owner: ProcessLease) -> None:
    """The first batch waits for a process that is away for some seconds; while it stays away, later ones fail soon."""
    time = Time()
    session = WorkerSession(socket_path, owner, name="gateway.db", clock=time.clock, sleep=time.sleep)
    with pytest.raises(LedgerUnavailable, match="the log says why"):
        session.write([OUTCOME])
    assert time.now - 100 == pytest.approx(WAIT_SECONDS, abs=0.1)
    with pytest.raises(LedgerUnavailable):
        session.write([OUTCOME])
    assert time.now - 100 == pytest.approx(WAIT_SECONDS + RETRY_SECONDS, abs=0.2)


def test_a_process_that_cannot_read_the_ledger_says_why(session: WorkerSession, socket_path: Path) -> None:
    """Where nothing was sent yet, the reason is raised at once."""

    with closing(Scripted(socket_path, failing)), pytest.raises(LedgerUnavailable, match="the disk is full"):
        session.write([OUTCOME])


def test_a_batch_in_doubt_waits_for_a_ledger_that_cannot_be_read(session: WorkerSession, socket_path: Path) -> None:
    """A batch that may have been applied is asked for again, although the next process cannot read the ledger at first."""

    with closing(Scripted(socket_path, dying, failing, answering([7]))):
        assert session.write([OUTCOME]) == [7]


def test_long_batches_are_cut(session: WorkerSession, socket_path: Path) -> None:
    """Many large changes are several batches; if one of them fails, those before it stand."""
    response = InsertResponse(StoredResponse("r", None, 1.0, 2.0, None, b"{}", b"[]", b"x" * 2_000_000))

    def play(worker: MessageConnection) -> list[Batch]:
        worker.send(messages.encode_newest(0))
        first = batch_of(worker)
        worker.send(messages.encode_results([None, None]))
        second = batch_of(worker)
        worker.send(messages.encode_failure(LedgerUnavailable("the disk is full")))
        return [first, second]

    with closing(Scripted(socket_path, play)) as writer:
        results = session.write([response] * 3)
    assert [len(batch.steps) for batches in writer.said for batch in batches] == [2, 1]
    assert (results[:2], type(results[2])) == ([None, None], LedgerUnavailable)


def test_what_cannot_be_encoded_is_no_fault_of_the_ledger(session: WorkerSession) -> None:
    """An operation that cannot be sent fails alone: the connection stays."""
    with pytest.raises(TypeError) as raised:
        session.transact(lambda session: session.write([lambda connection: connection]))
    assert not session.concerns_database(raised.value)
    assert session.concerns_database(ConnectionResetError())
    assert session.name == "gateway.db"


def test_a_process_that_hangs_is_not_waited_for_for_ever(socket_path: Path, owner: ProcessLease) -> None:
    """A process that was stopped takes connections in, through the system, and answers nothing."""
    session = WorkerSession(socket_path, owner, name="gateway.db", wait_seconds=0.1)
    with closing(listen_for_workers(socket_path)), pytest.raises(LedgerUnavailable, match="timed out"):
        session.write([OUTCOME])
