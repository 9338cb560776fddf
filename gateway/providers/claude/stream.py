"""Parses Claude's server-sent events into chunks.

https://platform.claude.com/docs/en/build-with-claude/streaming: message_start, then for each content block start, deltas and
stop, then message_delta (stop reason, cumulative usage) and message_stop. Pings and unknown events are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.completion import Chunk, UpstreamRequest, text_chunk
from gateway.errors import UpstreamInvalidResponse, UpstreamTruncated
from gateway.json_body import parse_answer, parse_embedded
from gateway.providers.base import SignatureCache, StreamParser
from gateway.providers.claude.code_fence import FenceFilter
from gateway.providers.claude.errors import parse_error_event
from gateway.providers.claude.response import (
    ResponseContext,
    extra_of,
    finish_reason,
    parse_usage,
    refusal_of,
    store_thinking,
)
from gateway.providers.claude.sources import Sources
from gateway.providers.claude.thinking import thinking_detail
from gateway.providers.text_fast_path import TextDeltaFastPath
from gateway.sse import ServerSentEvent


@dataclass(slots=True)
class _Call:
    """An open `tool_use` block. `index` is OpenAI's; `tool_input` is an input that came with the start of the block."""

    id: str
    tool: str
    index: int
    tool_input: Any
    pieces: list[str] = field(default_factory=list)


class ClaudeStream(StreamParser):
    """Parses one response. Keeps the open tool calls, the usage so far and the thinking blocks."""

    def __init__(self, sent: UpstreamRequest, *, signatures: SignatureCache, provider: str, key: str) -> None:
        self._context = ResponseContext.of(sent)
        self._model = sent.model
        self._signatures = signatures
        self._provider = provider
        self._key = key
        self._started = False
        self._done = False
        self._reason: Any = None
        self._usage: dict[str, Any] = {}
        self._calls: list[str] = []
        self._open: dict[int, _Call] = {}
        self._id: str | None = None
        self._sources = Sources()
        self._details: list[dict[str, Any]] = []
        self._thinking: dict[int, dict[str, Any]] = {}
        self._fence = FenceFilter() if self._context.bare_json else None
        self._fast_path = TextDeltaFastPath(_delta_text)

    def feed(self, event: ServerSentEvent) -> Sequence[Chunk]:
        if self._done:
            return ()
        try:
            data = parse_answer(event.data)
        except orjson.JSONDecodeError:
            raise self._invalid("an event is not JSON") from None
        if not isinstance(data, dict):
            raise self._invalid("an event is not an object")
        kind = data.get("type")
        if kind == "error":
            raise parse_error_event(data, provider=self._provider, key=self._key)
        handler = _HANDLERS.get(kind) if isinstance(kind, str) else None
        chunks = handler(self, data) if handler else ()
        if self._fence is None and len(chunks) == 1 and (text := chunks[0].text) is not None:
            self._fast_path.learn(event, text)
        return chunks

    def fast_path(self, piece: bytes) -> Chunk | None:
        text = self.fast_text(piece)
        return None if text is None else text_chunk(text)

    def fast_text(self, piece: bytes) -> str | None:
        """The text of bytes that are one complete text delta, where known without decoding."""
        text = None if self._done else self._fast_path.match(piece)
        if not text:
            return None
        self._sources.text(text)
        return text

    def close(self) -> Sequence[Chunk]:
        if not self._done:
            raise UpstreamTruncated(
                "The answer ended before it was complete.", provider=self._provider, upstream_status=200
            )
        return ()

    def _invalid(self, problem: str) -> UpstreamInvalidResponse:
        return UpstreamInvalidResponse(f"Not a Claude stream: {problem}.", provider=self._provider, upstream_status=200)

    def _message_start(self, data: Mapping[str, Any]) -> Sequence[Chunk]:
        message = _as_object(data.get("message"))
        self._check_message_id(message.get("id"))
        self._merge_usage(message.get("usage"))
        if self._started:
            return ()
        return [Chunk([self._choice({"content": ""})], usage=parse_usage(self._usage), extra=extra_of(self._usage))]

    def _check_message_id(self, id: Any) -> None:
        """Raises UpstreamInvalidResponse when another message begins within this one, as when two streams were mixed up."""
        if not isinstance(id, str) or not id:
            return
        if self._id is not None and id != self._id:
            raise self._invalid("another message begins within the answer")
        self._id = id

    def _block_start(self, data: Mapping[str, Any]) -> Sequence[Chunk]:
        block, block_index = _as_object(data.get("content_block")), _block_index(data)
        kind = block.get("type")
        self._sources.begin(block)
        if kind == "text":
            return self._text_chunks(_text(block.get("text")))
        if kind == "tool_use":
            return self._call(block, block_index)
        detail = thinking_detail(block, index=len(self._details), model=self._model, calls=len(self._calls))
        if detail is None:
            return self._dropped_chunks()
        self._details.append(detail)
        self._thinking[block_index] = detail
        return self._thinking_chunks(
            _text(detail.get("text")), {name: value for name, value in detail.items() if value != ""}
        )

    def _call(self, block: Mapping[str, Any], block_index: int) -> Sequence[Chunk]:
        tool, id = _text(block.get("name")), _text(block.get("id"))
        self._open[block_index] = call = _Call(id, tool, len(self._calls), block.get("input"))
        if self._context.is_answer_tool(tool):
            return ()
        self._calls.append(id)
        if self._context.needs_complete_input(tool):
            return ()
        function = {"name": self._context.renamed.get(tool, tool), "arguments": ""}
        return self._delta({"tool_calls": [{"index": call.index, "id": id, "type": "function", "function": function}]})

    def _block_delta(self, data: Mapping[str, Any]) -> Sequence[Chunk]:
        delta, block_index = _as_object(data.get("delta")), _block_index(data)
        kind = delta.get("type")
        if kind == "text_delta":
            return self._text_chunks(_text(delta.get("text")))
        if kind == "input_json_delta" and block_index in self._open:
            return self._input_chunks(self._open[block_index], _text(delta.get("partial_json")))
        if kind == "citations_delta":
            return self._citation_chunks(delta.get("citation"))
        detail = self._thinking.get(block_index)
        if detail is None:
            return ()
        head = {"index": detail["index"], "type": detail["type"]}
        if kind == "thinking_delta":
            text = _text(delta.get("thinking"))
            detail["text"] += text
            return self._thinking_chunks(text, {**head, "text": text}) if text else ()
        if kind == "signature_delta":
            detail["signature"] += _text(delta.get("signature"))
            return self._thinking_chunks("", {**head, "signature": _text(delta.get("signature"))})
        return ()

    def _citation_chunks(self, citation: Any) -> Sequence[Chunk]:
        first = len(self._sources.annotations)
        added = self._sources.cite(citation)
        if not added or self._fence is not None:
            return self._dropped_chunks()
        return self._delta({"annotations": [{"index": first + i, **annotation} for i, annotation in enumerate(added)]})

    def _dropped_chunks(self) -> Sequence[Chunk]:
        kinds, self._sources.dropped = self._sources.dropped, []
        return [Chunk(dropped=kinds)] if kinds else ()

    def _input_chunks(self, call: _Call, piece: str) -> Sequence[Chunk]:
        if not piece:
            return ()
        call.pieces.append(piece)
        if self._context.needs_complete_input(call.tool):
            return ()
        if self._context.is_answer_tool(call.tool):
            return self._delta({"content": piece})
        return self._delta({"tool_calls": [{"index": call.index, "function": {"arguments": piece}}]})

    def _block_stop(self, data: Mapping[str, Any]) -> Sequence[Chunk]:
        call = self._open.pop(_block_index(data), None)
        return self._last_input_chunks(call) if call else ()

    def _last_input_chunks(self, call: _Call) -> Sequence[Chunk]:
        """What is still to be sent of a call: all of it where the input must be complete, `{}` where no input came."""
        needs_complete = self._context.needs_complete_input(call.tool)
        if call.pieces and not needs_complete:
            return ()
        tool_input = self._parse_input("".join(call.pieces)) if call.pieces else call.tool_input or {}
        if self._context.is_answer_tool(call.tool):
            return self._delta({"content": self._context.arguments(call.tool, tool_input)})
        if needs_complete:
            return self._delta(
                {"tool_calls": [{"index": call.index, **self._context.call(call.id, call.tool, tool_input)}]}
            )
        arguments = self._context.arguments(call.tool, tool_input)
        return self._delta({"tool_calls": [{"index": call.index, "function": {"arguments": arguments}}]})

    def _parse_input(self, text: str) -> Any:
        """The parsed input. An input cut off by `max_tokens` is not JSON and stays text."""
        try:
            return parse_embedded(text)
        except orjson.JSONDecodeError:
            return text

    def _message_delta(self, data: Mapping[str, Any]) -> Sequence[Chunk]:
        delta = _as_object(data.get("delta"))
        self._reason = delta.get("stop_reason") or self._reason
        self._merge_usage(data.get("usage"))
        usage, refusal = parse_usage(self._usage), refusal_of(delta)
        if refusal:
            return [Chunk([self._choice({"refusal": refusal})], usage=usage)]
        return [Chunk(usage=usage)] if usage else ()

    def _message_stop(self, data: Mapping[str, Any]) -> Sequence[Chunk]:
        self._done = True
        chunks = [chunk for call in self._open.values() for chunk in self._last_input_chunks(call)]
        if self._fence is not None:
            remaining = self._fence.close()
            chunks += self._delta({"content": remaining}) if remaining else ()
        store_thinking(self._signatures, calls=self._calls, details=self._details)
        end = {**self._choice({}), "finish_reason": finish_reason(self._reason, calls=bool(self._calls))}
        return [*chunks, Chunk([end])]

    def _merge_usage(self, usage: Any) -> None:
        """Counts are cumulative: a later value replaces an earlier one, an absent one leaves it."""
        self._usage = {**self._usage, **{name: value for name, value in _as_object(usage).items() if value is not None}}

    def _text_chunks(self, text: str) -> Sequence[Chunk]:
        self._sources.text(text)
        ready = self._fence.feed(text) if self._fence is not None else text
        if not ready:
            return ()
        return [text_chunk(ready)] if self._started else self._delta({"content": ready})

    def _thinking_chunks(self, text: str, detail: Mapping[str, Any]) -> Sequence[Chunk]:
        if self._context.hide_reasoning:
            return ()
        content = {"reasoning_content": text} if text else {}
        return self._delta({**content, "reasoning_details": [detail]})

    def _delta(self, delta: Mapping[str, Any]) -> Sequence[Chunk]:
        return [Chunk([self._choice(delta)])]

    def _choice(self, delta: Mapping[str, Any]) -> dict[str, Any]:
        """A choice with this delta; the first one of a response also has the role."""
        if not self._started:
            self._started = True
            delta = {"role": "assistant", **delta}
        return {"index": 0, "delta": delta, "finish_reason": None, "logprobs": None}


def _as_object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _block_index(data: Mapping[str, Any]) -> int:
    """The index of the content block that an event belongs to; -1 without one."""
    index = data.get("index")
    return index if isinstance(index, int) else -1


def _delta_text(data: Mapping[str, Any]) -> object:
    """The text of a text delta; None for any other event."""
    delta = _as_object(data.get("delta"))
    return delta.get("text") if delta.get("type") == "text_delta" else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


_HANDLERS = {
    "message_start": ClaudeStream._message_start,
    "content_block_start": ClaudeStream._block_start,
    "content_block_delta": ClaudeStream._block_delta,
    "content_block_stop": ClaudeStream._block_stop,
    "message_delta": ClaudeStream._message_delta,
    "message_stop": ClaudeStream._message_stop,
}
