"""Server-sent events: decoding from bytes, and encoding. Lines end at LF, CR LF and CR, never at other Unicode line ends.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import orjson

# Fast path: a complete event with one `data` line and an optional name.
_COMPLETE_EVENT = re.compile(rb"(?:event: ?(.*)\n)?data: ?(.*)\n\n")
# A comment between events, and blank lines.
_COMMENT = re.compile(rb"(?::.*)?\n+")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ServerSentEvent(NamedTuple):
    """One dispatched event. `data` lines are joined with LF and stay bytes, because JSON parsers take bytes."""

    data: bytes
    event: str = ""


class EventTooLarge(ValueError):
    """An event exceeds the decoder's limit."""


class SSEDecoder:
    """Takes bytes cut anywhere and yields complete events. Comments, `id:` and `retry:` are skipped.

    Every byte is inspected a bounded number of times, however the stream is cut: only the new chunk is searched for line
    ends, and an unfinished line is copied once, at its end.
    """

    def __init__(self, *, max_event_bytes: int = 16 * 1024 * 1024) -> None:
        self._max_event_bytes = max_event_bytes
        self._line = bytearray()  # the unfinished line
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._event = ""
        self._partial_mark: bytes | None = b""  # received part of a byte order mark; None once decided
        self._after_cr = False  # a LF at the start of the next chunk belongs to this CR

    @property
    def between(self) -> bool:
        """Whether the decoder is between two events, with nothing buffered."""
        return not (self._line or self._data or self._event or self._partial_mark or self._after_cr)

    def feed(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        """The events that `chunk` completes. Raises EventTooLarge as soon as an event exceeds the limit, complete or not."""
        if self._partial_mark is not None:
            chunk = self._strip_byte_order_mark(chunk)
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        position, size = 0, len(chunk)
        while position < size:
            if not (self._line or self._data or self._event) and size <= self._max_event_bytes:
                while (event_match := _COMPLETE_EVENT.match(chunk, position)) is not None:
                    name, data = event_match.groups()
                    yield ServerSentEvent(data, name.decode("utf-8", "replace") if name else "")
                    position = event_match.end()
                    if position == size:
                        return
                if (skipped := _COMMENT.match(chunk, position)) is not None:
                    position = skipped.end()
                    continue
            end = chunk.find(b"\n", position)
            if end < 0:
                self._buffer(chunk[position:] if position else chunk)
                return
            line = chunk[position:end]
            position = end + 1
            if self._line:
                self._buffer(line)
                line = self._take_line()
            event = self._process_line(line)
            if event is not None:
                yield event

    def close(self) -> Iterator[ServerSentEvent]:
        """The last event, where the stream ended without a blank line, as some servers do."""
        for line in (self._take_line(), b""):
            event = self._process_line(line)
            if event is not None:
                yield event

    def _strip_byte_order_mark(self, chunk: bytes) -> bytes:
        """The first bytes of the stream without a byte order mark; empty while that is undecided."""
        received = (self._partial_mark or b"") + chunk
        if len(received) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(received):
            self._partial_mark = received
            return b""
        self._partial_mark = None
        return received.removeprefix(_BYTE_ORDER_MARK)

    def _buffer(self, chunk: bytes) -> None:
        self._line.extend(chunk)
        if self._data_bytes + len(self._line) > self._max_event_bytes:
            raise self._too_large()

    def _take_line(self) -> bytes:
        line = bytes(self._line)
        self._line = bytearray()
        return line

    def _process_line(self, line: bytes) -> ServerSentEvent | None:
        if not line:
            data, event = self._data, self._event
            self._data, self._event, self._data_bytes = [], "", 0
            return ServerSentEvent(b"\n".join(data) if len(data) != 1 else data[0], event) if data else None
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data_bytes += len(value) + bool(self._data)  # including the joining LF, so that empty lines count
            if self._data_bytes > self._max_event_bytes:
                raise self._too_large()
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        return None

    def _too_large(self) -> EventTooLarge:
        return EventTooLarge(f"a server-sent event is larger than {self._max_event_bytes} bytes")


_LINE_SEPARATOR, _PARAGRAPH_SEPARATOR = "\u2028".encode(), "\u2029".encode()


def one_line(value: object) -> bytes:
    """JSON on one line, also for clients that treat U+2028 and U+2029 as line ends."""
    text = orjson.dumps(value)
    if b"\xe2\x80" in text:
        text = text.replace(_LINE_SEPARATOR, b"\\u2028").replace(_PARAGRAPH_SEPARATOR, b"\\u2029")
    return text


def encode(data: bytes) -> bytes:
    """One `data:` event. `data` is JSON, which contains no raw line end."""
    return b"data: " + data + b"\n\n"


def event(name: str, data: bytes) -> bytes:
    """One event with a name."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


DONE = b"data: [DONE]\n\n"
COMMENT = b": keep-alive\n\n"  # ignored by clients; keeps an idle connection open
