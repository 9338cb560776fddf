"""What workers and the writer process say to each other."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from gateway.errors import LedgerUnavailable
from gateway.store import UpsertAttempt
from gateway.store.process_lease import ProcessLease
from gateway.store.rows import InsertRow, SettleRow, encode_rows
from gateway.store.workers import messages
from gateway.store.workers.messages import MAX_BYTES, MessageConnection, encode_step
from tests.store.workers.cases import BEGUN, ENDED, RETRIED


@pytest.fixture
def pair() -> Iterator[tuple[MessageConnection, MessageConnection]]:
    one, other = map(MessageConnection, socket.socketpair())
    yield one, other
    one.close()
    other.close()


def test_a_batch_comes_back(owner: ProcessLease) -> None:
    """Rows and mutations have the same values in the other process."""
    rows = encode_rows([BEGUN, ENDED, RETRIED], owner=owner)
    batch = messages.decode_batch(messages.encode_batch(7, [*map(encode_step, rows)]), after=6)
    insert, settle, retried = batch.steps
    assert isinstance(insert, InsertRow)
    assert isinstance(settle, SettleRow)
    assert isinstance(retried, UpsertAttempt)
    assert (batch.number, [tuple(insert.values), retried]) == (7, [rows[0].values, RETRIED])  # type: ignore[union-attr]  # a row
    assert (insert.request_id, settle.request_id, settle.cost_nano) == ("r1", "r1", 1_000_000)
    assert batch.operations is None


def test_a_batch_in_full_has_only_mutations() -> None:
    """A batch in full can be written step by step."""
    batch = messages.decode_batch(messages.encode_batch(1, [*map(encode_step, [BEGUN, ENDED])]), after=0)
    assert batch.operations == [BEGUN, ENDED]


@pytest.mark.parametrize(
    "message", [b'[1,[["delete"]]]', b"{}", b"[1,[3]]", b'[1,[["mutation",{"Path":[]}]]]', b"[0,[]]"]
)
def test_other_messages_are_no_batch(message: bytes) -> None:
    """What is no batch, or an old one, is an error and no change."""
    with pytest.raises((ValueError, LookupError, TypeError)):
        messages.decode_batch(message, after=0)


def test_only_mutations_are_sent() -> None:
    """Work that is a function stays in its process."""
    with pytest.raises(TypeError, match="Only mutations"):
        encode_step(lambda connection: connection)


def test_a_failure_is_raised() -> None:
    """The failure of a batch, or of what is asked first, is raised where it is decoded."""
    failure = messages.encode_failure(LedgerUnavailable("full", retry_after=2.0))
    for decode in (messages.decode_results, messages.decode_newest):
        with pytest.raises(LedgerUnavailable, match="full"):
            decode(failure)


def test_messages_arrive_whole(pair: tuple[MessageConnection, MessageConnection]) -> None:
    """However a message is cut on its way, it arrives whole."""
    one, other = pair
    one.send(b"short")
    assert other.receive() == b"short"
    one.socket.sendall(b"\0\0")
    assert other.receive_part() is None
    one.socket.sendall(b"\0\3ab")
    assert other.receive_part() is None
    one.socket.sendall(b"c")
    assert other.receive() == b"abc"


def test_a_message_that_is_too_long_is_refused(pair: tuple[MessageConnection, MessageConnection]) -> None:
    """No message grows a buffer beyond its limit."""
    one, other = pair
    one.socket.sendall((MAX_BYTES + 1).to_bytes(4, "big"))
    with pytest.raises(ConnectionAbortedError):
        other.receive()


def test_the_end_of_a_connection_is_an_error(pair: tuple[MessageConnection, MessageConnection]) -> None:
    """A process that is gone is noticed at once."""
    one, other = pair
    one.close()
    with pytest.raises(ConnectionResetError):
        other.receive()
