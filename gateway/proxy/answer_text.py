"""The text of messages, for the judge: what is said and which functions are called."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.completion import Json

ANSWER_CHARS = 8_000  # that are kept of one answer


class Transcript:
    """The beginning of an answer, as it is sent."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._left = ANSWER_CHARS

    def add(self, choice: Json) -> None:
        """Takes a choice of an answer or of a chunk."""
        if self._left > 0:
            for text in texts_of(choice.get("message") or choice.get("delta") or {}):
                self._pieces.append(text[: self._left])
                self._left = max(0, self._left - len(text))

    @property
    def text(self) -> str:
        return "".join(self._pieces)


def texts_of(message: Json) -> Iterator[str]:
    """The texts of a message or delta, and its calls."""
    content = message.get("content")
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        yield from (part["text"] for part in content if isinstance(part.get("text"), str))
    for call in message.get("tool_calls") or ():
        function = call.get("function") or {}
        yield f"{function.get('name') or ''}{function.get('arguments') or ''}"
