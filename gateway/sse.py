"""Server-sent events, from bytes: split at LF, CR LF and CR only, never at other line ends that Unicode knows.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# What nearly all pieces are made of: whole events of one `data` line, perhaps named.
_WHOLE = re.compile(rb"(?:event: (.*)\n)?data: (.*)\n\n")


class ServerSentEvent(NamedTuple):
    """One dispatched event; `data` lines joined with LF, still bytes because JSON parsers take bytes."""

    data: bytes
    event: str = ""


class EventTooLarge(ValueError):
    """One event grew past the decoder's limit."""


class SSEDecoder:
    """Feed it bytes as they come, cut anywhere; it yields whole events. Comments, `id:` and `retry:` are passed over."""

    def __init__(self, *, max_event_bytes: int = 16 * 1024 * 1024) -> None:
        self._max = max_event_bytes
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0
        self._event = ""
        self._began = False

    @property
    def between(self) -> bool:
        """Whether what came so far ends with an event's end."""
        return not (self._rest or self._data or self._event)

    def feed(self, piece: bytes) -> Iterator[ServerSentEvent]:
        """The events completed by `piece`. Raises EventTooLarge."""
        buffer = self._rest + piece if self._rest else piece
        if not self._began:
            if len(buffer) < 3 and b"\xef\xbb\xbf".startswith(buffer):
                self._rest = buffer
                return
            self._began = True
            buffer = buffer.removeprefix(b"\xef\xbb\xbf")
        if b"\r" in buffer:
            # A CR at the very end may be half of a CR LF: keep it for the next piece.
            held = b"\r" if buffer.endswith(b"\r") else b""
            buffer = buffer[: len(buffer) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        else:
            held = b""
        at = 0
        if not self._data and not self._event and len(buffer) <= self._max:
            while (whole := _WHOLE.match(buffer, at)) is not None:
                name, data = whole.groups()
                yield ServerSentEvent(data, name.decode("utf-8", "replace") if name else "")
                at = whole.end()
                if at == len(buffer):
                    self._rest = held
                    return
        lines = buffer[at:].split(b"\n")
        self._rest = lines.pop() + held
        if self._size + len(self._rest) > self._max:
            raise EventTooLarge(f"a server-sent event is larger than {self._max} bytes")
        for line in lines:
            event = self._line(line)
            if event is not None:
                yield event

    def close(self) -> Iterator[ServerSentEvent]:
        """The last event if the stream ended without its blank line, as some servers do."""
        rest, self._rest = self._rest, b""
        for line in (*rest.replace(b"\r", b"\n").split(b"\n"), b""):
            event = self._line(line)
            if event is not None:
                yield event

    def _line(self, line: bytes) -> ServerSentEvent | None:
        if not line:
            data, event = self._data, self._event
            self._data, self._event, self._size = [], "", 0
            return ServerSentEvent(b"\n".join(data) if len(data) != 1 else data[0], event) if data else None
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._size += len(value)
            if self._size > self._max:
                raise EventTooLarge(f"a server-sent event is larger than {self._max} bytes")
            self._data.append(value)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        return None


def encode(data: bytes) -> bytes:
    """One `data:` event; `data` is JSON, so it holds no raw line end."""
    return b"data: " + data + b"\n\n"


DONE = b"data: [DONE]\n\n"
