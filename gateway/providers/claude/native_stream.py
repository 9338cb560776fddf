"""Passes on Claude's events to a client of the same API, and reads in them what routing and the ledger need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import orjson

from gateway.completion import Chunk
from gateway.providers.base import StreamParser
from gateway.providers.claude.stream import ClaudeStream
from gateway.sse import ServerSentEvent

# The context of a request that was sent as its client wrote it.
NATIVE: Mapping[str, Any] = MappingProxyType({"native": True})

_DELTA = "content_block_delta"
_DELTA_HEAD = b"event: content_block_delta\ndata: "
_KNOWN_BLOCKS = (b'"text"', b'"thinking"', b'"redacted_thinking"', b'"tool_use"')


class NativeStream(StreamParser):
    """Each event becomes one chunk with the event itself, whatever its type; `translated` reads the same events."""

    def __init__(self, translated: ClaudeStream) -> None:
        self._translated = translated

    def feed(self, event: ServerSentEvent) -> Sequence[Chunk]:
        chunks = self._translated.feed(event)
        named = event if event.event else event._replace(event=_type_of(event.data))
        if len(chunks) == 1 and chunks[0].choices:
            return [chunks[0]._replace(native=named, dropped=())]
        choices = [choice for chunk in chunks for choice in chunk.choices]
        if (
            not choices
            and named.event == "content_block_start"
            and not any(map(event.data.__contains__, _KNOWN_BLOCKS))
        ):
            # A block that chat completions lack, such as the call of a server tool, is content too: the answer has begun.
            choices = [{"index": 0, "delta": {"native": True}, "finish_reason": None}]
        usage = next((chunk.usage for chunk in reversed(chunks) if chunk.usage is not None), None)
        return [Chunk(choices, usage=usage, native=named)]

    def fast_path(self, piece: bytes) -> Chunk | None:
        if not piece.startswith(_DELTA_HEAD) or (text := self._translated.fast_text(piece)) is None:
            return None
        step = {"index": 0, "delta": {"content": text}, "finish_reason": None, "logprobs": None}
        return Chunk([step], text=text, native=ServerSentEvent(piece[len(_DELTA_HEAD) : -2], _DELTA))

    def close(self) -> Sequence[Chunk]:
        return self._translated.close()


def _type_of(data: bytes) -> str:
    """The name of an event that came without one; clients skip events without a name."""
    kind = orjson.loads(data).get("type")
    return kind if isinstance(kind, str) else ""
