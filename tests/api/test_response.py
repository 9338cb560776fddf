"""What goes back to the client: pieces, comments in between, and errors wherever they happen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from gateway.api import client as web
from gateway.api.response import KeepAlive, ResponseWriter
from gateway.dialects import CHAT_COMPLETIONS
from gateway.dialects.chat_completions import error_events
from gateway.errors import GatewayError, Overloaded
from gateway.proxy import ChatResult, ChatStream, EventSink
from gateway.records import RequestRecord
from gateway.sse import COMMENT

RECORD = RequestRecord(
    request_id="req_1",
    timestamp="2026-11-22T10:00:00Z",
    strategy_used="pinned",
    selected_provider="gemini",
    selected_model="m",
    baseline_provider="gemini",
    baseline_model="m",
)


class Client:
    """Keeps what it gets; `reads` can be cleared, then nothing more gets through. It takes offers once `offered` is no longer None."""

    def __init__(self) -> None:
        self.status = 0
        self.head = b""
        self.body = b""
        self.offered: bytes | None = None
        self.whole = False
        self.reads = asyncio.Event()
        self.reads.set()
        self.got = asyncio.Event()

    async def respond(self, status: int, head: bytes, body: bytes) -> None:
        await self._get(body)
        self.status, self.head, self.whole = status, head, True

    async def begin(self, head: bytes) -> None:
        await self._get(b"")
        self.status, self.head = 200, head

    async def send(self, piece: bytes) -> None:
        await self._get(piece)

    def send_nowait(self, piece: bytes) -> bool:
        if self.offered is None:
            return False
        self.offered += piece
        return True

    async def end(self) -> None:
        await self._get(b"")
        self.whole = True

    async def next(self) -> None:
        self.got.clear()
        await self.got.wait()

    async def _get(self, piece: bytes) -> None:
        await self.reads.wait()
        self.body += piece
        self.got.set()


class Stream:
    """A stream of pieces that go on when they are released."""

    record = RECORD
    keep_alive = COMMENT

    def __init__(self, *pieces: bytes, failure: Exception | None = None) -> None:
        self.released = asyncio.Semaphore(0)
        self.closed = 0
        self.sent_at = 0.0
        self._pieces = list(pieces)
        self._failure = failure

    def error_events(self, error: GatewayError) -> bytes:
        return error_events(error)

    async def send_to(self, client: EventSink) -> None:
        while self._pieces:
            await self.released.acquire()
            piece = self._pieces.pop(0)
            if not client.send_nowait(piece):
                await client.send(piece)
        if self._failure is not None:
            raise self._failure

    async def aclose(self) -> None:
        self.closed += 1


def answer_to(client: Client, *, keep_alive: float = 60) -> ResponseWriter:
    return ResponseWriter(cast(web.RawRequest, client), "req_1", dialect=CHAT_COMPLETIONS, keep_alive=keep_alive)


def answering(client: Client, stream: Stream, *, keep_alive: float = 60) -> tuple[ResponseWriter, asyncio.Task[None]]:
    answer = answer_to(client, keep_alive=keep_alive)
    return answer, asyncio.create_task(answer.send(cast(ChatStream, stream)))


async def test_whole_answer_has_length_cost_and_request_id() -> None:
    """An answer has its length, its cost and the request's id."""
    client = Client()
    answer = answer_to(client)
    await answer.send(ChatResult(b"{}", RECORD))
    assert (client.status, client.body, client.whole, answer.finishing) == (200, b"{}", True, True)
    assert client.head.startswith(b"x-request-id: req_1\r\nx-gateway-provider: gemini\r\n")
    assert b"\r\nx-gateway-cost: unknown\r\n" in client.head
    assert client.head.endswith(b"\r\ncontent-type: application/json\r\n")


async def test_stream_is_sent_piece_by_piece_and_closed() -> None:
    """A stream's pieces go out one by one, and it is closed at its end."""
    client, stream = Client(), Stream(b"a", b"b")
    answer, giving = answering(client, stream)
    await client.next()
    assert (client.body, answer.finishing) == (b"", False)
    for _ in range(2):
        stream.released.release()
    await giving
    assert (client.body, client.whole, answer.finishing, stream.closed) == (b"ab", True, True, 1)


async def test_writable_pieces_skip_the_serving_task() -> None:
    """What the client can take at once does not come through the task that serves it."""
    client, stream = Client(), Stream(b"a", b"b")
    client.offered = b""
    _, giving = answering(client, stream)
    for _ in range(2):
        stream.released.release()
    await giving
    assert (client.offered, client.body, client.whole) == (b"ab", b"", True)


async def test_silent_stream_gets_keep_alive_comments() -> None:
    """While the upstream is silent the client gets comments, and the pending piece comes through all the same."""
    client, stream = Client(), Stream(b"data: 1\n\n")
    _, giving = answering(client, stream, keep_alive=0.001)
    while client.body.count(b": keep-alive\n\n") < 2:
        await client.next()
    stream.released.release()
    await giving
    assert client.body.replace(b": keep-alive\n\n", b"") == b"data: 1\n\n"
    assert client.whole


class Clock:
    """An event loop's timers, which go off when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self.create_task = asyncio.get_running_loop().create_task

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, action: Callable[[], None]) -> asyncio.Handle:
        self.waits.append(seconds)
        self.action = action
        return asyncio.Handle(action, (), asyncio.get_running_loop())


async def test_pieces_are_signs_of_life() -> None:
    """The time of silence runs from the last event or comment: while events keep coming there are no comments."""
    client, clock, stream = Client(), Clock(), Stream()
    ticker = KeepAlive(cast(web.RawRequest, client), interval=15, loop=cast(asyncio.AbstractEventLoop, clock))
    ticker.watch(stream)
    stream.sent_at = 10
    for clock.now in (15, 25):
        clock.action()
        await asyncio.sleep(0)
    assert (clock.waits, client.body) == ([15, 10, 15], b": keep-alive\n\n")
    clock.now = stream.sent_at = 36
    clock.now = 40
    clock.action()
    await asyncio.sleep(0)
    assert (clock.waits, client.body) == ([15, 10, 15, 11], b": keep-alive\n\n")
    ticker.stop()


async def test_blocked_client_gets_one_comment_at_a_time() -> None:
    """A client that does not read is not sent comment after comment; when the stream ends the last one is forgotten."""
    client = Client()
    client.reads.clear()
    ticker = KeepAlive(cast(web.RawRequest, client), interval=0)
    before = len(asyncio.all_tasks())
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before + 1
    ticker.stop()
    client.reads.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert client.body == b""
    assert len(asyncio.all_tasks()) == before


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def waiting(client: Client) -> tuple[ResponseWriter, Clock]:
    """A streamed answer that has waited for content for as long as it should, at the moment at which its timer goes off."""
    answer = answer_to(client, keep_alive=10)
    clock = Clock()
    answer.on_routed(RECORD, loop=cast(asyncio.AbstractEventLoop, clock))
    clock.now = 10
    clock.action()
    return answer, clock


async def test_waiting_stream_sends_its_head_before_content() -> None:
    """A stream that waits begins with the head that is known; the content follows, without another head."""
    client, stream = Client(), Stream(b"data: 1\n\n")
    answer, _ = await waiting(client)
    await turns()
    assert (client.status, client.body) == (200, b": keep-alive\n\n")
    assert b"x-gateway-strategy: pinned" in client.head
    assert b"x-gateway-provider" not in client.head
    early = client.head
    stream.released.release()
    await answer.send(cast(ChatStream, stream))
    answer.close()
    assert (client.head, client.body, client.whole) == (early, b": keep-alive\n\ndata: 1\n\n", True)


async def test_content_at_the_end_of_the_wait_gets_one_head() -> None:
    """Content that comes at the very moment gets its whole head, once, and no comment before it."""
    client, stream = Client(), Stream(b"data: 1\n\n")
    answer, _ = await waiting(client)
    stream.released.release()
    await answer.send(cast(ChatStream, stream))
    await turns()
    assert b"x-gateway-provider" in client.head
    assert (client.body, client.whole) == (b"data: 1\n\n", True)


async def test_silence_after_content_in_time() -> None:
    """A stream that had its content in time is kept alive from its first silence on."""
    client, stream = Client(), Stream(b"data: 1\n\n", b"data: 2\n\n")
    answer, clock = answer_to(client, keep_alive=10), Clock()
    answer.on_routed(RECORD, loop=cast(asyncio.AbstractEventLoop, clock))
    stream.released.release()
    giving = asyncio.create_task(answer.send(cast(ChatStream, stream)))
    await turns()
    clock.now = 10
    clock.action()
    await turns()
    assert client.body == b"data: 1\n\n: keep-alive\n\n"
    stream.released.release()
    await giving


async def test_error_at_the_end_of_the_wait_is_an_answer() -> None:
    """An error at the very moment is an answer of its own, and nothing follows it."""
    client = Client()
    answer, _ = await waiting(client)
    await answer.send_error(Overloaded("Full."))
    await turns()
    answer.close()
    assert (client.status, client.whole) == (503, True)
    assert b"keep-alive" not in client.body


async def test_error_after_an_early_head_is_the_last_event() -> None:
    """An error waits for the head that is on its way, and is then the stream's last event."""
    client = Client()
    client.reads.clear()
    answer, _ = await waiting(client)
    await turns()
    failing = asyncio.create_task(answer.send_error(Overloaded("Full.")))
    await turns()
    client.reads.set()
    await failing
    assert client.status == 200
    assert client.body.startswith(b': keep-alive\n\ndata: {"error"')
    assert client.whole


async def test_error_before_the_first_byte_is_an_answer() -> None:
    """An error that comes first is an answer of its own, with the headers that are known by then."""
    client = Client()
    answer = answer_to(client)
    await answer.send_error(Overloaded("Full."), "x-gateway-attempts: 1\r\n")
    assert (client.status, client.whole) == (503, True)
    assert client.head.startswith(b"x-request-id: req_1\r\nx-gateway-attempts: 1\r\n")
    assert b"\r\nretry-after: 1\r\n" in client.head
    assert b"content-length" not in client.head


async def test_error_within_a_stream_is_its_last_event() -> None:
    """An error after the first byte is the stream's last event; the stream is closed and properly ended."""
    client, stream = Client(), Stream(b"data: 1\n\n", failure=GatewayError("Broken."))
    answer, giving = answering(client, stream)
    stream.released.release()
    with pytest.raises(GatewayError) as raised:
        await giving
    await answer.send_error(raised.value)
    assert client.body.startswith(b'data: 1\n\ndata: {"error":{"message":"Broken."')
    assert client.body.endswith(b"\n\n")
    assert b"[DONE]" not in client.body
    assert (client.whole, stream.closed) == (True, 1)


async def test_error_within_a_whole_answer_closes_the_connection() -> None:
    """Once a whole answer's head is out nothing can be told: it stays cut, and the server closes the connection."""
    client = Client()
    answer = answer_to(client)
    giving = asyncio.create_task(answer.send(ChatResult(b"{}", RECORD)))
    client.reads.clear()
    await asyncio.sleep(0)
    giving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await giving
    client.reads.set()
    await answer.send_error(GatewayError("Broken."))
    assert (client.status, client.body) == (0, b"")
