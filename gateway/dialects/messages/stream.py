"""Encodes a streamed response as Anthropic's events, or passes on those of Claude.

The grammar: `message_start`, then for each content block `content_block_start`, its deltas and `content_block_stop`, then
`message_delta` with the stop reason, and `message_stop`. Only one block is open at a time. Upstreams may mix the pieces of
parallel calls, so a call waits until the arguments of the open one are whole.
https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

from typing import Any, Literal

import orjson

from gateway.completion import Chunk, Json
from gateway.dialects.base import ResponseHead
from gateway.dialects.messages.errors import error_events
from gateway.dialects.messages.response import (
    STOP_REASONS,
    ToolIds,
    anthropic_usage,
    hides_thinking,
    wants_one_call,
    wants_thinking,
)
from gateway.dialects.messages.thinking import ReasoningCollector
from gateway.errors import GatewayError
from gateway.sse import COMMENT, ServerSentEvent, event, one_line

_PING = event("ping", b'{"type":"ping"}')
_STOP = event("message_stop", b'{"type":"message_stop"}')
_DELTA = b"event: content_block_delta\ndata: "


class _Call:
    """One tool call. `pieces` are its arguments so far, of which `written` were sent."""

    __slots__ = ("id", "name", "pieces", "source", "written")

    def __init__(self, source: Json, *, id: str) -> None:
        self.source = source
        self.id = id
        self.name = (source.get("function") or {}).get("name") or ""
        self.pieces: list[str] = []
        self.written = 0

    @property
    def whole(self) -> bool:
        try:
            orjson.loads("".join(self.pieces))
        except orjson.JSONDecodeError:
            return False
        return True


class MessagesWriter:
    """Encodes one stream. Claude's own events (`Chunk.native`) pass as they came, except for the model's name."""

    def __init__(self, head: ResponseHead) -> None:
        self._head = head
        self._index = -1
        self._open: Literal["text", "thinking", "tool_use"] | None = None
        self._before = b""  # the bytes before the text of a text delta
        self._started = False
        self._finish: str | None = None
        self._reasoning = ReasoningCollector(head.model)
        self._wants_thinking = wants_thinking(head.request)
        self._hides_thinking = hides_thinking(head.request)
        self._one_call = wants_one_call(head.request)
        self._ids = ToolIds()
        self._calls: dict[int, _Call] = {}
        self._queue: list[_Call] = []  # the open call and those that wait for it
        self._held: dict[str, ServerSentEvent] = {}  # Claude's last events, until the row is committed

    @property
    def keep_alive(self) -> bytes:
        return _PING if self._started else COMMENT

    def write(self, chunk: Chunk) -> bytes:
        if (native := chunk.native) is not None:
            if native.event == "content_block_delta":
                return _DELTA + native.data + b"\n\n"
            return self._pass_on(native)
        if chunk.text is not None and self._open == "text":
            return self._before + one_line(chunk.text) + b"}}\n\n"
        pieces = [self._start(chunk)]
        for choice in chunk.choices:
            if choice.get("index", 0) == 0:
                pieces.append(self._delta(choice.get("delta") or {}))
                self._finish = choice.get("finish_reason") or self._finish
        if self._finish is not None:
            pieces.append(self._close_calls())
        return b"".join(pieces)

    def end(self, usage: Json, gateway: Json) -> bytes:
        if self._held:
            return b"".join(event(held.event, held.data) for held in self._held.values())
        pieces = [self._start(Chunk()), self._close_calls()]
        delta = {"stop_reason": STOP_REASONS.get(self._finish or "stop", "end_turn"), "stop_sequence": None}
        last = {"type": "message_delta", "delta": delta, "usage": anthropic_usage(usage)}
        return b"".join((*pieces, _event(last), _STOP))

    def error(self, error: GatewayError) -> bytes:
        return error_events(error)

    def _pass_on(self, native: ServerSentEvent) -> bytes:
        kind = native.event
        if kind == "message_start":
            self._started = True
            start = orjson.loads(native.data)
            return _event({**start, "message": {**start["message"], "model": self._head.model}})
        if kind == "message_stop" or (kind == "message_delta" and _has_stop_reason(native.data)):
            self._held[kind] = native
            return b""
        return event(kind, native.data)

    def _start(self, chunk: Chunk) -> bytes:
        if self._started:
            return b""
        self._started = True
        usage = anthropic_usage(chunk.usage.openai()) if chunk.usage is not None else self._estimated_usage()
        message: Json = {
            "id": self._head.id("msg_"),
            "type": "message",
            "role": "assistant",
            "model": self._head.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        return _event({"type": "message_start", "message": message})

    def _estimated_usage(self) -> Json:
        """What is known at the start; `message_delta` has the counts of the provider."""
        return {"input_tokens": self._head.request.prompt_tokens or 0, "output_tokens": 0}

    def _delta(self, delta: Json) -> bytes:
        pieces: list[bytes] = []
        if self._wants_thinking and (thought := delta.get("reasoning_content")):
            pieces.append(self._think(thought))
        self._reasoning.add(delta.get("reasoning_details") or ())
        if text := delta.get("content") or delta.get("refusal"):
            pieces.append(self._write_text(text))
        pieces += [self._call(piece) for piece in delta.get("tool_calls") or ()]
        return b"".join(pieces)

    def _think(self, text: str) -> bytes:
        opened = b""
        if self._open != "thinking":
            opened = self._close_calls() + self._begin_thinking()
        if self._hides_thinking:
            return opened
        return opened + self._block_delta({"type": "thinking_delta", "thinking": text})

    def _begin_thinking(self) -> bytes:
        return self._begin("thinking", {"type": "thinking", "thinking": "", "signature": ""})

    def _write_text(self, text: str) -> bytes:
        opened = b""
        if self._open != "text":
            opened = self._close() + self._begin("text", {"type": "text", "text": ""})
            self._before = _DELTA + b'{"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":' % (
                self._index
            )
        return opened + self._before + one_line(text) + b"}}\n\n"

    def _call(self, piece: Json) -> bytes:
        """Take a piece of a call: its start, more of its arguments, or both."""
        index = piece.get("index", len(self._calls))
        known = self._calls.get(index)
        if known is None:
            if self._one_call and self._calls:
                return b""
            known = _Call(piece, id=self._ids.new(piece.get("id") or ""))
            self._calls[index] = known
            self._queue.append(known)
        known.pieces.append((piece.get("function") or {}).get("arguments") or "")
        return self._advance(last=False)

    def _advance(self, *, last: bool) -> bytes:
        """Write what is known of the open call, and of those behind it once it is whole; of all of them at the end."""
        pieces: list[bytes] = []
        while self._queue:
            call = self._queue[0]
            if not call.written:
                pieces += [self._close_block(), self._begin_call(call)]
            if arguments := "".join(call.pieces[max(0, call.written - 1) :]):
                pieces.append(self._block_delta({"type": "input_json_delta", "partial_json": arguments}))
            call.written = len(call.pieces) + 1
            if not last and (len(self._queue) == 1 or not call.whole):
                break
            self._queue.pop(0)
        return b"".join(pieces)

    def _begin_call(self, call: _Call) -> bytes:
        """A signature of the call's own, or one that came behind the thinking, goes into a block of its own before the call."""
        self._reasoning.add_call(call.id, call.source)
        block: Json = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        return self._unsealed() + self._begin("tool_use", block)

    def _unsealed(self) -> bytes:
        """A block for reasoning that no thinking block has carried."""
        if not self._reasoning.waiting:
            return b""
        block = {"type": "redacted_thinking", "data": self._reasoning.seal()}
        self._index += 1
        return self._start_event(block) + self._stop_event()

    def _begin(self, kind: Literal["text", "thinking", "tool_use"], block: Json) -> bytes:
        self._index += 1
        self._open = kind
        return self._start_event(block)

    def _close(self) -> bytes:
        """Close what is open; for a client that wants thinking, reasoning that has no block gets one before the next block.

        At the end of an answer it gets none: Claude Code takes the last block for the result.
        """
        closed = self._close_calls()
        return closed + self._unsealed() if self._wants_thinking else closed

    def _close_calls(self) -> bytes:
        """Close what is open, and the calls that wait for it."""
        return self._advance(last=True) + self._close_block()

    def _close_block(self) -> bytes:
        kind, self._open = self._open, None
        if kind is None:
            return b""
        signed = b""
        if kind == "thinking":
            signed = self._block_delta({"type": "signature_delta", "signature": self._reasoning.seal()})
        return signed + self._stop_event()

    def _start_event(self, block: Json) -> bytes:
        return _event({"type": "content_block_start", "index": self._index, "content_block": block})

    def _stop_event(self) -> bytes:
        return _event({"type": "content_block_stop", "index": self._index})

    def _block_delta(self, delta: Json) -> bytes:
        return _event({"type": "content_block_delta", "index": self._index, "delta": delta})


def _event(data: dict[str, Any]) -> bytes:
    return event(data["type"], one_line(data))


def _has_stop_reason(data: bytes) -> bool:
    return (orjson.loads(data).get("delta") or {}).get("stop_reason") is not None
