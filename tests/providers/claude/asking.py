"""Asking Claude in tests: every body that is built here is held against the types of the official SDK."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import pytest
from anthropic.types import ContentBlockParam, MessageCreateParams
from pydantic import ConfigDict, TypeAdapter

from gateway.completion import ChatRequest, Chunk, UpstreamRequest
from gateway.dialects.chat_completions import parse_chat_request
from gateway.errors import InvalidRequest
from gateway.providers.base import SignatureCache, StreamParser, UpstreamEndpoint
from gateway.providers.claude import Claude
from gateway.sse import SSEDecoder

HAIKU_4_5, SONNET_4_6, OPUS_4_7, OPUS_5 = "claude-haiku-4-5", "claude-sonnet-4-6", "claude-opus-4-7", "claude-opus-5"
SONNET_5, SONNET_5_5, HAIKU_5_5, OPUS_5_5 = (
    "claude-sonnet-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "claude-opus-5-5",
)
FABLE_5, HAIKU_3_5, OPUS_4_1 = "claude-fable-5", "claude-3-5-haiku-latest", "claude-opus-4-1"

KEY = "sk-ant-test-0123456789"
HELLO: list[dict[str, Any]] = [{"role": "user", "content": "Hello"}]
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
# The SDK of today has no types for them, the older models still take them.
_OLD_PARAMETERS = {"temperature", "top_p"}
_PARAMS: TypeAdapter[Any] = TypeAdapter(MessageCreateParams, config=ConfigDict(extra="forbid"))
_BLOCK: TypeAdapter[Any] = TypeAdapter(ContentBlockParam, config=ConfigDict(extra="forbid"))


def claude(signatures: SignatureCache | None = None) -> Claude:
    return Claude(UpstreamEndpoint("https://claude.test", KEY), signatures=signatures)


def asked(messages: Sequence[Mapping[str, Any]] = HELLO, **body: Any) -> ChatRequest:
    return parse_chat_request(orjson.dumps({"model": "auto", "messages": messages, **body}))


def sent(
    messages: Sequence[Mapping[str, Any]] = HELLO,
    *,
    to: str = HAIKU_4_5,
    signatures: SignatureCache | None = None,
    **body: Any,
) -> UpstreamRequest:
    """The request to model `to`, as it is sent."""
    built = claude(signatures).build_request(asked(messages, **body), to)
    assert_documented(built.json)
    return built


def refusal(messages: Sequence[Mapping[str, Any]] = HELLO, *, to: str = HAIKU_4_5, **body: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        claude().build_request(asked(messages, **body), to)
    return caught.value


def assert_documented(body: Mapping[str, Any]) -> None:
    """The SDK knows every field of the body, at every depth."""
    _consume(_PARAMS.validate_python({name: value for name, value in body.items() if name not in _OLD_PARAMETERS}))
    for turn in body["messages"]:
        for block in turn["content"]:
            # As part of a message the SDK would take a block of an answer too, which may have any further member.
            _consume(_BLOCK.validate_python(block))


def _consume(value: object) -> None:
    """Iterables are only checked as they are read."""
    if isinstance(value, Mapping):
        for inner in value.values():
            _consume(inner)
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for inner in value:
            _consume(inner)


def call(id: str, arguments: str = '{"city":"Paris"}', *, name: str = "get_weather") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def called(*calls: dict[str, Any], content: str | None = None, **members: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls), **members}


def result(id: str, content: Any = "sunny") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


def text(*texts: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": each} for each in texts]


def wire(events: Iterable[Mapping[str, Any]]) -> bytes:
    """Events as Anthropic writes them."""
    return b"".join(
        b"event: " + str(event["type"]).encode() + b"\ndata: " + orjson.dumps(event) + b"\n\n" for event in events
    )


def read(parser: StreamParser, pieces: Iterable[bytes]) -> list[Chunk]:
    """The chunks of a whole stream."""
    decoder = SSEDecoder()
    chunks = [chunk for piece in pieces for event in decoder.feed(piece) for chunk in parser.feed(event)]
    chunks += [chunk for event in decoder.close() for chunk in parser.feed(event)]
    return chunks + list(parser.close())


def deltas(chunks: Iterable[Chunk]) -> list[Any]:
    return [choice["delta"] for chunk in chunks for choice in chunk.choices]


def finishes(chunks: Iterable[Chunk]) -> list[str]:
    return [choice["finish_reason"] for chunk in chunks for choice in chunk.choices if choice["finish_reason"]]
