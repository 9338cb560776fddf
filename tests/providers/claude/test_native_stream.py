"""Claude's own events, and what is read in them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway.completion import UpstreamRequest
from gateway.errors import UpstreamError, UpstreamTruncated
from gateway.providers.base import SignatureCache
from gateway.providers.claude.native_stream import NativeStream
from gateway.providers.claude.stream import ClaudeStream
from gateway.sse import ServerSentEvent

SENT = UpstreamRequest("claude", "claude-x", "https://x.test", {}, {}, stream=True)


@pytest.fixture
def stream() -> NativeStream:
    return NativeStream(ClaudeStream(SENT, signatures=SignatureCache(), provider="claude", key="k"))


def event(kind: str, **data: Any) -> ServerSentEvent:
    return ServerSentEvent(orjson.dumps({"type": kind, **data}), kind)


def delta(text: str) -> ServerSentEvent:
    return event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


START = event("message_start", message={"id": "m", "usage": {"input_tokens": 9, "output_tokens": 1}})
TEXT = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
END = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 7})
STOP = event("message_stop")


def test_every_event_is_one_chunk(stream: NativeStream) -> None:
    """Each event passes once and in order, with the usage and the text that the ledger needs."""
    events = [START, event("ping"), TEXT, delta("Hello"), event("hologram"), END, STOP]
    chunks = [chunk for each in events for chunk in stream.feed(each)]
    assert [chunk.native for chunk in chunks] == events
    assert [chunk.text for chunk in chunks] == [None, None, None, "Hello", None, None, None]
    usages = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert (usages[-1].prompt_tokens, usages[-1].completion_tokens) == (9, 7)
    assert chunks[-1].choices[0]["finish_reason"] == "stop"
    assert not stream.close()


def test_an_event_without_a_name_gets_one(stream: NativeStream) -> None:
    """Clients skip events without a name, which some proxies drop."""
    (chunk,) = stream.feed(START._replace(event=""))
    assert chunk.native == START
    (odd,) = stream.feed(ServerSentEvent(b'{"type":7}'))
    assert odd.native is not None
    assert odd.native.event == ""


def test_the_fast_path_has_the_event_too(stream: NativeStream) -> None:
    """A text delta in one piece is passed on without parsing, byte for byte."""
    for each in (START, TEXT, delta("a"), delta("b")):
        stream.feed(each)
    piece = b"event: content_block_delta\ndata: %b\n\n" % delta("c").data
    chunk = stream.fast_path(piece)
    assert chunk is not None
    assert (chunk.text, chunk.native) == ("c", delta("c"))
    assert stream.fast_path(b"event: ping\ndata: {}\n\n") is None


def test_a_server_tool_is_content(stream: NativeStream) -> None:
    """The call of a tool that Anthropic runs begins the answer, and nothing of it counts as dropped."""
    stream.feed(START)
    block = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    (chunk,) = stream.feed(event("content_block_start", index=0, content_block=block))
    assert any(chunk.choices[0]["delta"].values())
    assert chunk.dropped == ()


def test_several_facts_of_one_event_are_one_chunk(stream: NativeStream) -> None:
    """A call that ends with the message has its arguments and its finish in one chunk."""
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    for each in (START, event("content_block_start", index=0, content_block=block)):
        stream.feed(each)
    (chunk,) = stream.feed(STOP)
    assert [choice["finish_reason"] for choice in chunk.choices] == [None, "tool_calls"]


def test_broken_streams_raise(stream: NativeStream) -> None:
    """An error event and an end without a stop are errors, as in translated streams."""
    with pytest.raises(UpstreamError, match="busy"):
        stream.feed(event("error", error={"type": "overloaded_error", "message": "busy"}))
    with pytest.raises(UpstreamTruncated):
        stream.close()
