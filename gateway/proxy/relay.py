"""Turns the bytes of an upstream's stream into the bytes of the client's: pure, without a socket, a clock or an await.

    upstream bytes -> ChunkReader (SSE decoder, the dialect's parser) -> chunks -> Relay (totals, writer) -> client bytes

Both have the same three steps, `feed`, `resume` and `close`, and give the same output however the input is cut. A step may
stop early and be `suspended`: the next event is large, so the caller runs `resume` in a thread, or the stream is broken
behind output that has to be delivered first, so `resume` raises. No other step is allowed before `resume`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from gateway.completion import ChatRequest, Chunk, Json, Usage
from gateway.dialects import StreamWriter
from gateway.errors import UpstreamError, UpstreamInvalidResponse
from gateway.providers.base import StreamParser
from gateway.proxy.body_executor import LARGE
from gateway.proxy.settlement import ReceivedAnswer, message_chars
from gateway.routing import AnswerCollector, AnswerFacts
from gateway.sse import EventTooLarge, ServerSentEvent, SSEDecoder

STREAM_LIMIT = 256 * 1024 * 1024  # bytes; the longest answers of today's models take about 40 MB
MAX_DROPPED_KINDS = 16  # reported for one answer


class ChunkReader:
    """Reads one upstream stream of at most `limit` bytes.

    Every step returns the chunks that it completes, and raises UpstreamError where the stream is broken.
    """

    __slots__ = ("_closed", "_decoder", "_events", "_failure", "_large", "_left", "_parser", "_provider", "suspended")

    def __init__(self, parser: StreamParser, *, provider: str, limit: int = STREAM_LIMIT) -> None:
        self._decoder = SSEDecoder()
        self._parser = parser
        self._provider = provider
        self._left = limit
        self._events: Iterator[ServerSentEvent] = iter(())  # the rest of a piece, behind a large event
        self._large: ServerSentEvent | None = None
        self._failure: UpstreamError | None = None
        self._closed = False
        self.suspended = False

    @property
    def pending_bytes(self) -> int:
        """How much `resume` has to parse; 0 if it only raises."""
        return 0 if self._large is None else len(self._large.data)

    def feed(self, piece: bytes) -> Sequence[Chunk]:
        """Read the next bytes, cut anywhere."""
        self._left -= len(piece)
        if self._left >= 0 and self._decoder.between and (chunk := self._parser.fast_path(piece)) is not None:
            return (chunk,)
        return self._read(self._decoder.feed(piece), [], largest=LARGE)

    def resume(self) -> Sequence[Chunk]:
        """Continue after a suspension, with whatever is left of the piece. May take long; safe in a thread."""
        self.suspended = False
        if self._failure is not None:
            raise self._failure
        large, self._large = self._large, None
        chunks = [] if large is None else [*self._parser.feed(large)]
        return self._read(self._events, chunks, largest=None)

    def close(self) -> Sequence[Chunk]:
        """The upstream has ended its body: read what the decoder and the parser held back."""
        self._closed = True
        return self._read(self._decoder.close(), [], largest=LARGE)

    def _read(self, events: Iterator[ServerSentEvent], chunks: list[Chunk], *, largest: int | None) -> Sequence[Chunk]:
        """Parse the events up to one with more than `largest` bytes."""
        try:
            for event in events:
                if largest is not None and len(event.data) > largest:
                    self._large, self._events, self.suspended = event, events, True
                    return chunks
                chunks += self._parser.feed(event)
            if self._closed:
                chunks += self._parser.close()
            if self._left < 0:
                raise UpstreamInvalidResponse(f"{self._provider} did not come to an end.", provider=self._provider)
        except EventTooLarge as error:
            self._failure = UpstreamInvalidResponse(f"{self._provider}: {error}.", provider=self._provider)
        except UpstreamError as error:
            self._failure = error
        if self._failure is not None:
            if not chunks:
                raise self._failure
            self.suspended = True
        return chunks


class ChoiceReader(Protocol):
    """Reads an answer along: to rate it, or to keep it."""

    def add(self, choice: Json) -> None:
        """Takes a choice of a chunk."""


class Relay:
    """Writes the chunks of `reader` for the client, and keeps what the settlement needs to know about them.

    `readers` are given the answer too.
    """

    __slots__ = ("_chars", "_collector", "_dropped", "_reader", "_readers", "_usage", "_writer")

    def __init__(
        self,
        reader: ChunkReader,
        writer: StreamWriter,
        request: ChatRequest,
        *,
        readers: Sequence[ChoiceReader] = (),
    ) -> None:
        self._readers = readers
        self._reader = reader
        self._writer = writer
        self._collector = AnswerCollector(request)
        self._usage: Usage | None = None
        self._chars = 0
        self._dropped: list[str] = []

    def start(self, chunks: Sequence[Chunk]) -> bytes:
        """The bytes of chunks that were read ahead, before there was a relay."""
        return self._written(chunks)

    def feed(self, piece: bytes) -> bytes:
        """The client's bytes for the upstream's next bytes. Raises UpstreamError."""
        return self._written(self._reader.feed(piece))

    def resume(self) -> bytes:
        """Continue after a suspension. Raises UpstreamError."""
        return self._written(self._reader.resume())

    def close(self) -> bytes:
        """The last bytes before the stream's usage. Raises UpstreamError where the answer is not whole."""
        return self._written(self._reader.close())

    @property
    def received(self) -> ReceivedAnswer:
        """What has come so far."""
        return ReceivedAnswer(self._usage, self._chars, self._dropped)

    def answer(self) -> AnswerFacts:
        """Facts of the whole answer, after `close`."""
        return self._collector.answer()

    def _written(self, chunks: Sequence[Chunk]) -> bytes:
        if len(chunks) == 1:
            return self._write(chunks[0])
        return b"".join([self._write(chunk) for chunk in chunks])

    def _write(self, chunk: Chunk) -> bytes:
        if chunk.usage is not None:
            self._usage = chunk.usage
        for kind in chunk.dropped:
            if kind not in self._dropped and len(self._dropped) < MAX_DROPPED_KINDS:
                self._dropped.append(kind)
        for choice in chunk.choices:
            self._chars += len(chunk.text) if chunk.text is not None else message_chars(choice.get("delta") or {})
            self._collector.add(choice)
            for each in self._readers:
                each.add(choice)
        return self._writer.write(chunk)
