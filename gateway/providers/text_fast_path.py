"""Most events of a stream differ from the one before in their text alone; such an event need not be decoded and parsed as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from gateway.sse import ServerSentEvent

_PROBE = "probe"
_PROBE_TOKEN = orjson.dumps(_PROBE)
# An upstream whose events differ in more (a time, padding) is not learned from for ever.
_TRIES = 3


class TextDeltaFastPath:
    """The bytes around the text of one event. `text_in` finds the text in a parsed event.

    That any other text between the same bytes is the same event but for its text is not guessed: it is tried with one.
    """

    __slots__ = ("_end", "_head", "_known", "_start", "_tail", "_text_in", "_tries")

    def __init__(self, text_in: Callable[[Mapping[str, Any]], object]) -> None:
        self._text_in = text_in
        self._head = self._tail = b""
        self._start = self._end = b""
        self._known = False
        self._tries = _TRIES

    def learn(self, event: ServerSentEvent, text: str) -> bool:
        """From an event that says `text` and nothing else; whether this event is the one that is known now."""
        if not self._tries:
            return False
        self._tries -= 1
        head, found, tail = event.data.rpartition(orjson.dumps(text))
        if not found or text == _PROBE or not self._tried(head + _PROBE_TOKEN + tail):
            return False
        self._head, self._tail, self._known = head, tail, True
        named = b"event: %b\n" % event.event.encode() if event.event else b""
        self._start, self._end = b"%bdata: %b" % (named, head), tail + b"\n\n"
        return True

    def forget(self) -> None:
        self._known = False

    def _tried(self, data: bytes) -> bool:
        try:
            return self._text_in(orjson.loads(data)) == _PROBE
        except orjson.JSONDecodeError:
            return False

    def text(self, data: bytes) -> str | None:
        """What an event says that is the learned one but for its text; None for any other event."""
        return self._between(self._head, self._tail, data) if self._known else None

    def match(self, piece: bytes) -> str | None:
        """The same of an event as it is on the wire, by itself and framed as usual."""
        return self._between(self._start, self._end, piece) if self._known else None

    def _between(self, head: bytes, tail: bytes, data: bytes) -> str | None:
        if not data.startswith(head) or not data.endswith(tail):
            return None
        try:
            text = orjson.loads(data[len(head) : len(data) - len(tail)])
        except orjson.JSONDecodeError:
            return None
        return text if type(text) is str else None
