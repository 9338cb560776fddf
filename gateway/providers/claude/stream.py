"""Claude's server-sent events as chunks.

https://platform.claude.com/docs/en/build-with-claude/streaming: message_start, then for each content block start, deltas and
stop, then message_delta (the reason, the whole usage) and message_stop. Pings and what is not known are passed over.
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
from gateway.providers.claude.errors import told_failure
from gateway.providers.claude.response import (
    ResponseContext,
    extra_of,
    finish_reason,
    keep_thinking,
    refusal_of,
    usage_of,
)
from gateway.providers.claude.sources import Sources
from gateway.providers.claude.thinking import thinking_detail
from gateway.providers.text_fast_path import TextDeltaFastPath
from gateway.sse import ServerSentEvent


@dataclass(slots=True)
class _Call:
    """A `tool_use` block that is open: `index` is OpenAI's, `given` an input that came whole with its start."""

    id: str
    tool: str
    index: int
    given: Any
    pieces: list[str] = field(default_factory=list)


class ClaudeStream(StreamParser):
    """One answer; remembers the open block, the usage so far and the thinking, for the history."""

    def __init__(self, sent: UpstreamRequest, *, signatures: SignatureCache, provider: str, key: str) -> None:
        self._reading = ResponseContext.of(sent)
        self._model = sent.model
        self._signatures = signatures
        self._provider = provider
        self._key = key
        self._begun = False
        self._done = False
        self._reason: Any = None
        self._usage: dict[str, Any] = {}
        self._calls: list[str] = []
        self._open: dict[int, _Call] = {}
        self._id: str | None = None
        self._sources = Sources()
        self._details: list[dict[str, Any]] = []
        self._thinking: dict[int, dict[str, Any]] = {}
        self._fence = FenceFilter() if self._reading.bare_json else None
        self._template = TextDeltaFastPath(_said)

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
            raise told_failure(data, provider=self._provider, key=self._key)
        read = _EVENTS.get(kind) if isinstance(kind, str) else None
        chunks = read(self, data) if read else ()
        if self._fence is None and len(chunks) == 1 and (text := chunks[0].text) is not None:
            self._template.learn(event, text)
        return chunks

    def fast_path(self, piece: bytes) -> Chunk | None:
        text = None if self._done else self._template.match(piece)
        if not text:
            return None
        self._sources.text(text)
        return text_chunk(text)

    def close(self) -> Sequence[Chunk]:
        if not self._done:
            raise UpstreamTruncated(
                "The answer ended before it was complete.", provider=self._provider, upstream_status=200
            )
        return ()

    def _invalid(self, problem: str) -> UpstreamInvalidResponse:
        return UpstreamInvalidResponse(f"Not a Claude stream: {problem}.", provider=self._provider, upstream_status=200)

    def _message_start(self, data: Mapping[str, Any]) -> Sequence[Chunk]:
        message = _object(data.get("message"))
        self._same_answer(message.get("id"))
        self._count(message.get("usage"))
        if self._begun:
            return ()
        return [Chunk([self._choice({"content": ""})], usage=usage_of(self._usage), extra=extra_of(self._usage))]

    def _same_answer(self, id: Any) -> None:
        """Raises UpstreamInvalidResponse when another message begins within this one, as where two streams were mixed up."""
        if not isinstance(id, str) or not id:
            return
        if self._id is not None and id != self._id:
            raise self._invalid("another message begins within the answer")
        self._id = id

    def _block_start(self, data: Mapping[str, Any]) -> Sequence[Chunk]:
        block, at = _object(data.get("content_block")), _place(data)
        kind = block.get("type")
        self._sources.begin(block)
        if kind == "text":
            return self._say(_text(block.get("text")))
        if kind == "tool_use":
            return self._call(block, at)
        detail = thinking_detail(block, index=len(self._details), model=self._model, calls=len(self._calls))
        if detail is None:
            return self._dropped()
        self._details.append(detail)
        self._thinking[at] = detail
        return self._think(_text(detail.get("text")), {name: value for name, value in detail.items() if value != ""})

    def _call(self, block: Mapping[str, Any], at: int) -> Sequence[Chunk]:
        tool, id = _text(block.get("name")), _text(block.get("id"))
        self._open[at] = call = _Call(id, tool, len(self._calls), block.get("input"))
        if self._reading.is_answer(tool):
            return ()
        self._calls.append(id)
        if self._reading.takes_whole_input(tool):
            return ()
        function = {"name": self._reading.renamed.get(tool, tool), "arguments": ""}
        return self._delta({"tool_calls": [{"index": call.index, "id": id, "type": "function", "function": function}]})

    def _block_delta(self, data: Mapping[str, Any]) -> Sequence[Chunk]:
        delta, at = _object(data.get("delta")), _place(data)
        kind = delta.get("type")
        if kind == "text_delta":
            return self._say(_text(delta.get("text")))
        if kind == "input_json_delta" and at in self._open:
            return self._more_input(self._open[at], _text(delta.get("partial_json")))
        if kind == "citations_delta":
            return self._cite(delta.get("citation"))
        detail = self._thinking.get(at)
        if detail is None:
            return ()
        head = {"index": detail["index"], "type": detail["type"]}
        if kind == "thinking_delta":
            text = _text(delta.get("thinking"))
            detail["text"] += text
            return self._think(text, {**head, "text": text}) if text else ()
        if kind == "signature_delta":
            detail["signature"] += _text(delta.get("signature"))
            return self._think("", {**head, "signature": _text(delta.get("signature"))})
        return ()

    def _cite(self, citation: Any) -> Sequence[Chunk]:
        first = len(self._sources.annotations)
        found = self._sources.cite(citation)
        if not found or self._fence is not None:
            return self._dropped()
        return self._delta({"annotations": [{"index": first + at, **note} for at, note in enumerate(found)]})

    def _dropped(self) -> Sequence[Chunk]:
        kinds, self._sources.dropped = self._sources.dropped, []
        return [Chunk(dropped=kinds)] if kinds else ()

    def _more_input(self, call: _Call, piece: str) -> Sequence[Chunk]:
        if not piece:
            return ()
        call.pieces.append(piece)
        if self._reading.takes_whole_input(call.tool):
            return ()
        if self._reading.is_answer(call.tool):
            return self._delta({"content": piece})
        return self._delta({"tool_calls": [{"index": call.index, "function": {"arguments": piece}}]})

    def _block_stop(self, data: Mapping[str, Any]) -> Sequence[Chunk]:
        call = self._open.pop(_place(data), None)
        return self._end_input(call) if call else ()

    def _end_input(self, call: _Call) -> Sequence[Chunk]:
        """What is still to be told of a call: all of it where it had to be whole, `{}` where no input came."""
        whole = self._reading.takes_whole_input(call.tool)
        if call.pieces and not whole:
            return ()
        given = self._parsed("".join(call.pieces)) if call.pieces else call.given or {}
        if self._reading.is_answer(call.tool):
            return self._delta({"content": self._reading.arguments(call.tool, given)})
        if whole:
            return self._delta({"tool_calls": [{"index": call.index, **self._reading.call(call.id, call.tool, given)}]})
        arguments = self._reading.arguments(call.tool, given)
        return self._delta({"tool_calls": [{"index": call.index, "function": {"arguments": arguments}}]})

    def _parsed(self, text: str) -> Any:
        """An input cut short by `max_tokens` is no JSON; it is told as the text it is."""
        try:
            return parse_embedded(text)
        except orjson.JSONDecodeError:
            return text

    def _message_delta(self, data: Mapping[str, Any]) -> Sequence[Chunk]:
        delta = _object(data.get("delta"))
        self._reason = delta.get("stop_reason") or self._reason
        self._count(data.get("usage"))
        usage, refusal = usage_of(self._usage), refusal_of(delta)
        if refusal:
            return [Chunk([self._choice({"refusal": refusal})], usage=usage)]
        return [Chunk(usage=usage)] if usage else ()

    def _message_stop(self, data: Mapping[str, Any]) -> Sequence[Chunk]:
        self._done = True
        chunks = [chunk for call in self._open.values() for chunk in self._end_input(call)]
        if self._fence is not None:
            rest = self._fence.close()
            chunks += self._delta({"content": rest}) if rest else ()
        keep_thinking(self._signatures, calls=self._calls, details=self._details)
        end = {**self._choice({}), "finish_reason": finish_reason(self._reason, calls=bool(self._calls))}
        return [*chunks, Chunk([end])]

    def _count(self, usage: Any) -> None:
        """The counts are cumulative: a later one replaces an earlier one, an absent one leaves it."""
        self._usage = {**self._usage, **{name: value for name, value in _object(usage).items() if value is not None}}

    def _say(self, text: str) -> Sequence[Chunk]:
        self._sources.text(text)
        ready = self._fence.feed(text) if self._fence is not None else text
        if not ready:
            return ()
        return [text_chunk(ready)] if self._begun else self._delta({"content": ready})

    def _think(self, text: str, detail: Mapping[str, Any]) -> Sequence[Chunk]:
        if self._reading.hide_reasoning:
            return ()
        told = {"reasoning_content": text} if text else {}
        return self._delta({**told, "reasoning_details": [detail]})

    def _delta(self, delta: Mapping[str, Any]) -> Sequence[Chunk]:
        return [Chunk([self._choice(delta)])]

    def _choice(self, delta: Mapping[str, Any]) -> dict[str, Any]:
        """A choice with this delta; the first of an answer also says the role."""
        if not self._begun:
            self._begun = True
            delta = {"role": "assistant", **delta}
        return {"index": 0, "delta": delta, "finish_reason": None, "logprobs": None}


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _place(data: Mapping[str, Any]) -> int:
    """Which block of the message an event is about."""
    index = data.get("index")
    return index if isinstance(index, int) else -1


def _said(data: Mapping[str, Any]) -> object:
    """The text of a delta that is more of a text."""
    delta = _object(data.get("delta"))
    return delta.get("text") if delta.get("type") == "text_delta" else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


_EVENTS = {
    "message_start": ClaudeStream._message_start,
    "content_block_start": ClaudeStream._block_start,
    "content_block_delta": ClaudeStream._block_delta,
    "content_block_stop": ClaudeStream._block_stop,
    "message_delta": ClaudeStream._message_delta,
    "message_stop": ClaudeStream._message_stop,
}
