"""Short forms for tests of Messages requests."""

from __future__ import annotations

from typing import Any

import orjson

from gateway.completion import ChatRequest, NativeRequest
from gateway.dialects import InboundRequest, ResponseHead
from gateway.dialects.messages import parse_messages_request
from gateway.sse import ServerSentEvent, SSEDecoder


def parse(
    messages: Any = "Hello", *, headers: dict[bytes, bytes] | None = None, query: bytes = b"", **body: Any
) -> ChatRequest:
    """A request with these members; a text is one user turn."""
    turns = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    whole = {"model": "auto", "max_tokens": 100, "messages": turns, **body}
    return parse_messages_request(InboundRequest(orjson.dumps(whole), headers or {}, query))


def native(request: ChatRequest) -> NativeRequest:
    assert request.native is not None
    return request.native


def head(**body: Any) -> ResponseHead:
    return ResponseHead("req_r1", 7, "openrouter/v/m", parse(**body))


def events(written: bytes) -> list[dict[str, Any]]:
    """The events' JSON; each has the name of its type."""
    decoder = SSEDecoder()
    decoded: list[ServerSentEvent] = [*decoder.feed(written), *decoder.close()]
    parsed = [orjson.loads(event.data) for event in decoded]
    assert [event.event for event in decoded] == [data["type"] for data in parsed]
    return parsed


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def text(value: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": value, **more}


def tool_use(id: str = "t1", name: str = "f", **given: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": name, "input": given}
