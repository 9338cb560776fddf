"""Parses streamed text deltas without decoding the whole event: most events differ from the previous one only in the text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from gateway.sse import ServerSentEvent

_PROBE = "probe"
_PROBE_TOKEN = orjson.dumps(_PROBE)
# Events of some upstreams differ in more than the text (a time, padding); then learning stops.
_MAX_ATTEMPTS = 3


class TextDeltaFastPath:
    """A template: the bytes before and after the text of one event. `find_text` extracts the text of a parsed event.

    The template is verified once: a probe text is substituted and the result parsed.
    """

    __slots__ = (
        "_attempts_left",
        "_data_prefix",
        "_data_suffix",
        "_find_text",
        "_learned",
        "_wire_prefix",
        "_wire_suffix",
    )

    def __init__(self, find_text: Callable[[Mapping[str, Any]], object]) -> None:
        self._find_text = find_text
        self._data_prefix = self._data_suffix = b""
        self._wire_prefix = self._wire_suffix = b""
        self._learned = False
        self._attempts_left = _MAX_ATTEMPTS

    def learn(self, event: ServerSentEvent, text: str) -> bool:
        """Learn the template from an event with `text` and nothing else. Returns whether it was learned."""
        if not self._attempts_left:
            return False
        self._attempts_left -= 1
        head, separator, tail = event.data.rpartition(orjson.dumps(text))
        if not separator or text == _PROBE or not self._is_template(head + _PROBE_TOKEN + tail):
            return False
        self._data_prefix, self._data_suffix, self._learned = head, tail, True
        name_line = b"event: %b\n" % event.event.encode() if event.event else b""
        self._wire_prefix, self._wire_suffix = b"%bdata: %b" % (name_line, head), tail + b"\n\n"
        return True

    def forget(self) -> None:
        self._learned = False

    def _is_template(self, data: bytes) -> bool:
        try:
            return self._find_text(orjson.loads(data)) == _PROBE
        except orjson.JSONDecodeError:
            return False

    def match_data(self, data: bytes) -> str | None:
        """The text of an event's data where it matches the template, else None."""
        return self._between(self._data_prefix, self._data_suffix, data) if self._learned else None

    def match(self, piece: bytes) -> str | None:
        """The text of one complete event, as bytes on the wire, where it matches the template, else None."""
        return self._between(self._wire_prefix, self._wire_suffix, piece) if self._learned else None

    def _between(self, head: bytes, tail: bytes, data: bytes) -> str | None:
        if not data.startswith(head) or not data.endswith(tail):
            return None
        try:
            text = orjson.loads(data[len(head) : len(data) - len(tail)])
        except orjson.JSONDecodeError:
            return None
        return text if type(text) is str else None
