"""Most events of a stream differ from the one before in their text alone; such an event need not be parsed as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

_PROBE = "probe"
_PROBE_TOKEN = orjson.dumps(_PROBE)
# An upstream whose events differ in more (a time, padding) is not learned from for ever.
_TRIES = 3


class TextTemplate:
    """The bytes around the text of one event. `text_in` finds the text in a parsed event.

    That any other text between the same bytes is the same event but for its text is not guessed: it is tried with one.
    """

    __slots__ = ("_head", "_known", "_tail", "_text_in", "_tries")

    def __init__(self, text_in: Callable[[Mapping[str, Any]], object]) -> None:
        self._text_in = text_in
        self._head = b""
        self._tail = b""
        self._known = False
        self._tries = _TRIES

    def learn(self, data: bytes, text: str) -> bool:
        """From an event that says `text` and nothing else; whether this event is the one that is known now."""
        if not self._tries:
            return False
        self._tries -= 1
        head, found, tail = data.rpartition(orjson.dumps(text))
        if not found or text == _PROBE or not self._tried(head + _PROBE_TOKEN + tail):
            return False
        self._head, self._tail, self._known = head, tail, True
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
        if not self._known or not data.startswith(self._head) or not data.endswith(self._tail):
            return None
        try:
            text = orjson.loads(data[len(self._head) : len(data) - len(self._tail)])
        except orjson.JSONDecodeError:
            return None
        return text if type(text) is str else None
