"""A streamed answer that had to be whole before it could be sent: it was compared with another one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from gateway.completion import ChatRequest, Chunk, Completion, Json
from gateway.dialects import StreamWriter
from gateway.errors import GatewayError
from gateway.proxy.response_fields import answered_by, openai_usage
from gateway.proxy.stream import EventSink
from gateway.records import RequestRecord


class BufferedStream:
    """The events of a settled answer. `record` is its row, `sent_at` the event loop's time of the last event."""

    def __init__(
        self,
        completion: Completion,
        record: RequestRecord,
        *,
        writer: StreamWriter,
        before_end: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.record = record
        self.sent_at = 0.0
        self._completion = completion
        self._writer = writer
        self._before_end = before_end

    async def send_to(self, client: EventSink) -> None:
        """Send all events."""
        for chunk in chunks_of(self._completion):
            if events := self._writer.write(chunk):
                self.sent_at = asyncio.get_running_loop().time()
                await client.send(events)
        end = self._writer.end(openai_usage(self.record), answered_by(self.record))
        if self._before_end is not None:
            await self._before_end()
        await client.send(end)

    @property
    def keep_alive(self) -> bytes:
        """What to send a client that has been sent nothing for some seconds."""
        return self._writer.keep_alive

    def error_events(self, error: GatewayError) -> bytes:
        """The events that end a stream after an error."""
        return self._writer.error(error)

    async def aclose(self) -> None:
        """Nothing is open."""


def unstreamed(request: ChatRequest) -> ChatRequest:
    """The request for a whole answer. The client's own dialect is left out: its events cannot be made of a whole answer."""
    body = {name: value for name, value in request.body.items() if name not in ("stream", "stream_options")}
    return request._replace(stream=False, body=body, native=None)


def chunks_of(completion: Completion) -> Iterator[Chunk]:
    """A whole answer as the steps of a stream."""
    for place, choice in enumerate(completion.choices):
        index = choice.get("index", place)
        yield Chunk([_step(index, _delta(choice.get("message") or {}), None)], extra=completion.extra)
        yield Chunk([_step(index, {}, choice.get("finish_reason"))])


def _step(index: int, delta: Json, finish_reason: str | None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": finish_reason, "logprobs": None}


def _delta(message: Json) -> dict[str, Any]:
    delta = {name: value for name, value in message.items() if value is not None}
    if calls := message.get("tool_calls"):
        delta["tool_calls"] = [{"index": number, **call} for number, call in enumerate(calls)]
    return delta
