"""Server-sent events, from bytes: split at LF, CR LF and CR only, never at other line ends that Unicode knows.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# What nearly all pieces are made of: whole events of one `data` line, perhaps named.
_WHOLE = re.compile(rb"(?:event: ?(.*)\n)?data: ?(.*)\n\n")
# A comment between events, and blank lines.
_SKIPPED = re.compile(rb"(?::.*)?\n+")
_MARK = b"\xef\xbb\xbf"


class ServerSentEvent(NamedTuple):
    """One dispatched event; `data` lines joined with LF, still bytes because JSON parsers take bytes."""

    data: bytes
    event: str = ""


class EventTooLarge(ValueError):
    """One event grew past the decoder's limit."""


class SSEDecoder:
    """Feed it bytes as they come, cut anywhere; it yields whole events. Comments, `id:` and `retry:` are skipped.

    Every byte is looked at a bounded number of times, however the bytes are cut: only the new piece is searched for line
    ends, and it is added to the unfinished line, which is copied once, when its end comes.
    """

    def __init__(self, *, max_event_bytes: int = 16 * 1024 * 1024) -> None:
        self._max = max_event_bytes
        self._line = bytearray()  # the unfinished line
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._event = ""
        self._mark: bytes | None = b""  # what came of a byte order mark; None once that is decided
        self._after_cr = False  # a LF that comes first belongs to the CR before it

    @property
    def between(self) -> bool:
        """Whether what came so far ends with an event's end."""
        return not (self._line or self._data or self._event or self._mark or self._after_cr)

    def feed(self, piece: bytes) -> Iterator[ServerSentEvent]:
        """The events completed by `piece`. Raises EventTooLarge as soon as an event has passed the limit, finished or not."""
        if self._mark is not None:
            piece = self._without_mark(piece)
        if self._after_cr and piece:
            self._after_cr = False
            piece = piece.removeprefix(b"\n")
        if b"\r" in piece:
            self._after_cr = piece.endswith(b"\r")
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        at, size = 0, len(piece)
        while at < size:
            if not (self._line or self._data or self._event) and size <= self._max:
                while (whole := _WHOLE.match(piece, at)) is not None:
                    name, data = whole.groups()
                    yield ServerSentEvent(data, name.decode("utf-8", "replace") if name else "")
                    at = whole.end()
                    if at == size:
                        return
                if (skipped := _SKIPPED.match(piece, at)) is not None:
                    at = skipped.end()
                    continue
            end = piece.find(b"\n", at)
            if end < 0:
                self._hold(piece[at:] if at else piece)
                return
            line = piece[at:end]
            at = end + 1
            if self._line:
                self._hold(line)
                line = self._whole_line()
            event = self._read(line)
            if event is not None:
                yield event

    def close(self) -> Iterator[ServerSentEvent]:
        """The last event if the stream ended without its blank line, as some servers do."""
        for line in (self._whole_line(), b""):
            event = self._read(line)
            if event is not None:
                yield event

    def _without_mark(self, piece: bytes) -> bytes:
        """What is left of the stream's first bytes without a byte order mark; nothing while that is undecided."""
        begun = (self._mark or b"") + piece
        if len(begun) < len(_MARK) and _MARK.startswith(begun):
            self._mark = begun
            return b""
        self._mark = None
        return begun.removeprefix(_MARK)

    def _hold(self, piece: bytes) -> None:
        self._line.extend(piece)
        if self._data_bytes + len(self._line) > self._max:
            raise self._too_large()

    def _whole_line(self) -> bytes:
        line = bytes(self._line)
        self._line = bytearray()
        return line

    def _read(self, line: bytes) -> ServerSentEvent | None:
        if not line:
            data, event = self._data, self._event
            self._data, self._event, self._data_bytes = [], "", 0
            return ServerSentEvent(b"\n".join(data) if len(data) != 1 else data[0], event) if data else None
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data_bytes += len(value) + bool(self._data)  # with the LF that joins them: empty lines count, too
            if self._data_bytes > self._max:
                raise self._too_large()
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        return None

    def _too_large(self) -> EventTooLarge:
        return EventTooLarge(f"a server-sent event is larger than {self._max} bytes")


def encode(data: bytes) -> bytes:
    """One `data:` event; `data` is JSON, so it holds no raw line end."""
    return b"data: " + data + b"\n\n"


DONE = b"data: [DONE]\n\n"
