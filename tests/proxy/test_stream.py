"""A streamed answer on its way to the client."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from gateway.dialects import CHAT_COMPLETIONS
from gateway.proxy import ChatError
from gateway.proxy.body_executor import BodyExecutor
from gateway.proxy.response_fields import response_head
from gateway.proxy.stream import ChatStream
from gateway.proxy.transaction import RequestTransaction
from gateway.resilience import FailoverPolicy, UpstreamHealth
from gateway.store.sqlite import SqliteStore
from tests.proxy.test_relay import DONE, ERROR, EVENT, LONG, content
from tests.proxy.test_upstream import Pieces, stream_of
from tests.proxy.transactions import HAIKU, transaction_on
from tests.resilience.clocks import Clock

STOP = EVENT.replace(b'{"content":"x"},"finish_reason":null', b'{},"finish_reason":"stop"')


class Client:
    """`waited` has what was taken from the upstream whenever the client had to be waited for."""

    def __init__(self, *, reads: bool = True) -> None:
        self.reads = reads
        self.body = b""
        self.waited: list[int] = []
        self.callers: list[str] = []
        self.response: Pieces | None = None

    def send_nowait(self, piece: bytes) -> bool:
        if not self.reads:
            return False
        self.callers = [frame.function for frame in inspect.stack()[1:3]]
        self.body += piece
        return True

    async def send(self, piece: bytes) -> None:
        self.waited.append(self.response.taken if self.response is not None else 0)
        self.body += piece


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "gateway.db")) as store:
        yield store


async def opened(store: SqliteStore, client: Client, pieces: Sequence[bytes]) -> tuple[ChatStream, RequestTransaction]:
    """A stream whose first content was read."""
    transaction = transaction_on(store, stream=True)
    await transaction.begin()
    await transaction.call(HAIKU)
    client.response = Pieces(iter(pieces))
    upstream = stream_of(client.response)
    await upstream.peek()
    transaction.first_byte(upstream.first)
    clock = Clock()
    attempts = FailoverPolicy(UpstreamHealth(clock), clock=clock, uniform=lambda low, high: high).begin(
        [HAIKU], pinned=False
    )
    attempts.next()
    writer = CHAT_COMPLETIONS.stream_writer(response_head(transaction.record, transaction.request, created=1))
    return ChatStream(transaction, upstream, attempts, writer=writer, worker=BodyExecutor()), transaction


async def test_one_frame_between_upstream_and_client(store: SqliteStore) -> None:
    """A token passes through one function of the proxy: the transport calls it, and it calls the client's write."""
    client = Client()
    stream, _ = await opened(store, client, [EVENT, EVENT, STOP, DONE])
    await stream.send_to(client)
    assert client.callers == ["_on_bytes", "stream_into"]
    assert client.body.count(b'"content":"x"') == 2
    assert client.body.endswith(DONE)


async def test_a_client_that_does_not_read_stops_the_upstream(store: SqliteStore) -> None:
    """While the client has to read, no further piece is taken from the upstream."""
    client = Client(reads=False)
    stream, _ = await opened(store, client, [EVENT, EVENT, EVENT, STOP, DONE])
    await stream.send_to(client)
    assert client.waited[:3] == [len(EVENT), 2 * len(EVENT), 3 * len(EVENT)]
    assert client.body.count(b'"content":"x"') == 3


async def test_large_events_stay_in_order(store: SqliteStore) -> None:
    """A large event is written in a thread, and what follows waits for it."""
    client = Client()
    wire = content("a") + content("b" * LONG) + content("c") + STOP + DONE
    stream, transaction = await opened(store, client, [wire])
    await stream.send_to(client)
    assert client.body.index(b'"a"') < client.body.index(b"bbb") < client.body.index(b'"c"')
    assert transaction.record.status == "ok"


async def test_a_break_is_an_error_after_what_came(store: SqliteStore) -> None:
    """What came before the break is sent; the row is settled as an error, and so is the response."""
    client = Client()
    stream, _ = await opened(store, client, [EVENT, EVENT + ERROR])
    with pytest.raises(ChatError) as raised:
        await stream.send_to(client)
    assert client.body.count(b'"content":"x"') == 2
    assert (raised.value.record.status, raised.value.record.http_status) == ("error", 200)


async def test_a_stream_that_nobody_reads_is_cancelled(store: SqliteStore) -> None:
    """A stream that is closed before its end is settled as cancelled."""
    stream, transaction = await opened(store, Client(), [EVENT, DONE])
    await stream.aclose()
    assert (transaction.record.status, transaction.record.http_status) == ("cancelled", 499)
