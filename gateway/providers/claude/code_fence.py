"""Removes the code fence around a response that should be bare JSON; models sometimes add one despite the instruction."""

from __future__ import annotations

import re

# Maximum white space around a fence. More is ordinary text, so that the search stays bounded.
MAX_SPACE = 256

_FENCE = "```"
_OPEN = re.compile(rf"\s{{0,{MAX_SPACE}}}```[a-zA-Z0-9]{{0,32}}[ \t]{{0,32}}\r?\n")
_MAYBE_OPEN = re.compile(rf"\s{{0,{MAX_SPACE}}}(`{{0,2}}|```[a-zA-Z0-9]{{0,32}}[ \t]{{0,32}}\r?)")


def strip_code_fence(text: str) -> str:
    opened = _OPEN.match(text)
    return _unclosed(text[opened.end() :]) if opened else text


class FenceFilter:
    """Removes the fence from streamed text; holds back what may still become part of a fence."""

    def __init__(self) -> None:
        self._pending = ""
        self._fenced: bool | None = None

    def feed(self, piece: str) -> str:
        """The text that can be passed on now."""
        self._pending += piece
        if self._fenced is None:
            opened = _OPEN.match(self._pending)
            if opened is None and _MAYBE_OPEN.fullmatch(self._pending):
                return ""
            self._fenced = opened is not None
            self._pending = self._pending[opened.end() :] if opened else self._pending
        if not self._fenced:
            ready, self._pending = self._pending, ""
            return ready
        position = _maybe_closes_at(self._pending)
        ready, self._pending = self._pending[:position], self._pending[position:]
        return ready

    def close(self) -> str:
        """The text that was held back and is not a fence."""
        remaining, self._pending = self._pending, ""
        return _unclosed(remaining) if self._fenced else remaining


def _unclosed(text: str) -> str:
    """Text without the fence at its end and the white space around it."""
    bare = text.rstrip()
    if not bare.endswith(_FENCE) or len(text) - len(bare) > MAX_SPACE:
        return text
    return text[: _before_space(bare[: -len(_FENCE)])]


def _maybe_closes_at(text: str) -> int:
    """The position where a possible closing fence begins, white space included."""
    bare = text.rstrip()
    space = len(text) - len(bare)
    ticks = len(bare) - len(bare.rstrip("`"))
    is_complete = ticks >= len(_FENCE) and space <= MAX_SPACE
    if is_complete or (ticks and not space):
        return _before_space(bare[: len(bare) - min(ticks, len(_FENCE))])
    return _before_space(text)


def _before_space(text: str) -> int:
    """The position where trailing white space begins, at most MAX_SPACE from the end."""
    return max(len(text.rstrip()), len(text) - MAX_SPACE)
