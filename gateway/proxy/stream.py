"""Serves one streamed answer: the upstream's bytes go through the relay to the client, and the end settles the row.

The path of a token: four calls from the upstream's socket to the client's, all in one event-loop callback:

    Http1Connection.data_received -> _deliver -> ChatStream._on_bytes (Relay.feed) -> DirectRequest.send_nowait -> write

`_on_bytes` refuses more where the client does not read or the relay is suspended. Then the transport stops reading the
upstream and returns to `_forward`, which waits for the client or for the thread and asks for more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from gateway.dialects import StreamWriter
from gateway.errors import GatewayError, UpstreamError
from gateway.proxy.body_executor import BodyExecutor
from gateway.proxy.judge import Judge
from gateway.proxy.relay import Relay
from gateway.proxy.request_end import End
from gateway.proxy.response_fields import answered_by, openai_usage
from gateway.proxy.transaction import RequestTransaction
from gateway.proxy.upstream import UpstreamStream
from gateway.resilience import AttemptSequence


class EventSink(Protocol):
    """The client's side of a stream."""

    def send_nowait(self, piece: bytes) -> bool:
        """Write whole events. False, and nothing is written, while the client does not read."""

    async def send(self, piece: bytes) -> None:
        """Write whole events, after a wait while the client does not read."""


class ChatStream:
    """An open streamed answer. The owner calls `send_to` once and `aclose` in any case.

    `record` is the row as it is known, `sent_at` the event loop's time of the last event.
    """

    __slots__ = (
        "_attempts",
        "_before_end",
        "_client",
        "_judge",
        "_relay",
        "_time",
        "_transaction",
        "_transcript",
        "_unsent",
        "_upstream",
        "_worker",
        "_writer",
        "record",
        "sent_at",
    )
    _client: EventSink  # from send_to on

    def __init__(
        self,
        transaction: RequestTransaction,
        upstream: UpstreamStream,
        attempts: AttemptSequence,
        *,
        writer: StreamWriter,
        worker: BodyExecutor,
        before_end: Callable[[], Awaitable[None]] | None = None,
        judge: Judge | None = None,
    ) -> None:
        self.record = transaction.record
        self.sent_at = 0.0
        self._transaction = transaction
        self._upstream = upstream
        self._attempts = attempts
        self._worker = worker
        self._before_end = before_end
        self._time = asyncio.get_running_loop().time
        self._unsent = b""
        self._writer = writer
        self._judge = judge
        self._transcript = None if judge is None else judge.transcript(transaction.record)
        readers = [each for each in (self._transcript, transaction.content) if each is not None]
        self._relay = Relay(upstream.reader, writer, transaction.request, readers=readers)
        transaction.receive_from(self._relay)

    async def send_to(self, client: EventSink) -> None:
        """Send all events; usage and [DONE] follow after the row is committed. Raises ChatError where the upstream breaks."""
        self._client = client
        async with self._transaction:
            try:
                await self._forward()
            except UpstreamError as error:
                self._attempts.failed(error)
                raise
            self.record = await self._transaction.finish(End.completed(self._relay.received, self._relay.answer()))
        end = self._writer.end(openai_usage(self.record), answered_by(self.record))
        if self._before_end is not None:
            await self._before_end()
        await client.send(end)
        if self._judge is not None and self._transcript is not None:
            self._judge.rate_later(self._transaction.plan, self._transaction.request, self.record, self._transcript)

    @property
    def keep_alive(self) -> bytes:
        """What to send a client that has been sent nothing for some seconds."""
        return self._writer.keep_alive

    def error_events(self, error: GatewayError) -> bytes:
        """The events that end a stream after an error."""
        return self._writer.error(error)

    async def _forward(self) -> None:
        """Pass on the stream to its end."""
        upstream, relay = self._upstream, self._relay
        chunks, upstream.read_ahead = upstream.read_ahead, []
        events = await self._worker.run(upstream.read_ahead_bytes, partial(relay.start, chunks))
        while True:
            if events:
                self.sent_at = self._time()
                await self._client.send(events)
            if upstream.reader.suspended:
                events = await self._worker.run(upstream.reader.pending_bytes, relay.resume)
            elif upstream.ended:
                return
            elif await upstream.response.stream_into(self._on_bytes):
                events, self._unsent = self._unsent, b""
            else:
                upstream.ended = True
                events = relay.close()

    def _on_bytes(self, piece: bytes) -> bool:
        """Pass on a piece of the upstream's body; whether to read the next one."""
        events = self._relay.feed(piece)
        if events:
            self.sent_at = self._time()
            if not self._client.send_nowait(events):
                self._unsent = events
                return False
        return not self._upstream.reader.suspended

    async def aclose(self) -> None:
        """Close the upstream's answer; a row that is not settled yet is settled as cancelled."""
        self._transaction.abandon()
        await self._upstream.aclose()
