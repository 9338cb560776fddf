"""Takes the code fence off an answer that was to be bare JSON; models put one there now and then, whatever they are told."""

from __future__ import annotations

import re

# White space that may stand around a fence: more is text like any other, so that a model cannot make us look for ever.
MOST_SPACE = 256

_FENCE = "```"
_OPEN = re.compile(rf"\s{{0,{MOST_SPACE}}}```[a-zA-Z0-9]{{0,32}}[ \t]{{0,32}}\r?\n")
_MAYBE_OPEN = re.compile(rf"\s{{0,{MOST_SPACE}}}(`{{0,2}}|```[a-zA-Z0-9]{{0,32}}[ \t]{{0,32}}\r?)")


def without_fence(text: str) -> str:
    opened = _OPEN.match(text)
    return _unclosed(text[opened.end() :]) if opened else text


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
        at = _maybe_closes_at(self._held)
        ready, self._held = self._held[:at], self._held[at:]
        return ready

    def close(self) -> str:
        """What was held back and is no fence."""
        rest, self._held = self._held, ""
        return _unclosed(rest) if self._fenced else rest


def _unclosed(text: str) -> str:
    """Without the fence at its end, and the white space around that."""
    bare = text.rstrip()
    if not bare.endswith(_FENCE) or len(text) - len(bare) > MOST_SPACE:
        return text
    return text[: _before_space(bare[: -len(_FENCE)])]


def _maybe_closes_at(text: str) -> int:
    """Where what may become a closing fence begins, white space included."""
    bare = text.rstrip()
    space = len(text) - len(bare)
    ticks = len(bare) - len(bare.rstrip("`"))
    whole = ticks >= len(_FENCE) and space <= MOST_SPACE
    if whole or (ticks and not space):
        return _before_space(bare[: len(bare) - min(ticks, len(_FENCE))])
    return _before_space(text)


def _before_space(text: str) -> int:
    """Where the white space at the end of a text begins, as far as it may belong to a fence."""
    return max(len(text.rstrip()), len(text) - MOST_SPACE)
