"""Takes the code fence off an answer that was to be bare JSON; models put one there now and then, whatever they are told."""

from __future__ import annotations

import re

_OPEN = re.compile(r"\s*```[a-zA-Z0-9]*[ \t]*\r?\n")
_MAYBE_OPEN = re.compile(r"\s*(`{0,2}|```[a-zA-Z0-9]*[ \t]*\r?)")
_CLOSE = re.compile(r"\s*```\s*\Z")
_MAYBE_CLOSE = re.compile(r"\s*`{0,3}\s*\Z")


def without_fence(text: str) -> str:
    opened = _OPEN.match(text)
    return _CLOSE.sub("", text[opened.end() :]) if opened else text


class FenceFilter:
    """The same for text that comes in pieces; holds back what may still turn out to be part of a fence."""

    def __init__(self) -> None:
        self._held = ""
        self._fenced: bool | None = None

    def feed(self, piece: str) -> str:
        """The text that can be passed on now."""
        self._held += piece
        if self._fenced is None:
            opened = _OPEN.match(self._held)
            if opened is None and _MAYBE_OPEN.fullmatch(self._held):
                return ""
            self._fenced = opened is not None
            self._held = self._held[opened.end() :] if opened else self._held
        if not self._fenced:
            ready, self._held = self._held, ""
            return ready
        held = _MAYBE_CLOSE.search(self._held)
        at = held.start() if held else len(self._held)
        ready, self._held = self._held[:at], self._held[at:]
        return ready

    def close(self) -> str:
        """What was held back and is no fence."""
        rest, self._held = self._held, ""
        return _CLOSE.sub("", rest) if self._fenced else rest
