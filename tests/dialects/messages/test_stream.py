"""Streamed responses."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gateway.completion import Chunk, Usage, text_chunk
from gateway.dialects.envelope import unseal
from gateway.dialects.messages.stream import MessagesWriter
from gateway.errors import Overloaded
from gateway.sse import COMMENT, ServerSentEvent
from tests.dialects.messages.parsing import events, head

USAGE = Usage(3, 4).openai()
THINKING: Any = {"thinking": {"type": "adaptive"}}
ONE_CALL: Any = {
    "tools": [{"name": "f", "input_schema": {}}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
}


def delta(finish: str | None = None, index: int = 0, **delta: Any) -> Chunk:
    return Chunk([{"index": index, "delta": delta, "finish_reason": finish}])


def call(index: int, arguments: str | None = None, id: str | None = None, **more: Any) -> dict[str, Any]:
    function: dict[str, Any] = {} if id is None else {"name": "f"}
    function |= {} if arguments is None else {"arguments": arguments}
    return {"index": index, "function": function, **({"id": id} if id else {}), **more}


def written(*chunks: Chunk, end: bool = True, **request: Any) -> list[dict[str, Any]]:
    """The events of a stream, in one list."""
    writer = MessagesWriter(head(**request))
    pieces = [writer.write(chunk) for chunk in chunks]
    return events(b"".join(pieces) + (writer.end(USAGE, {}) if end else b""))


def blocks(stream: list[dict[str, Any]]) -> list[Any]:
    """The content as a client assembles it, with the grammar checked: one block open at a time, numbered from 0."""
    found: list[Any] = []
    open_block = False
    for event in stream:
        kind = event["type"]
        if kind == "content_block_start":
            assert not open_block
            assert event["index"] == len(found)
            found.append(dict(event["content_block"]))
            open_block = True
        elif kind == "content_block_delta":
            assert open_block
            assert event["index"] == len(found) - 1
            block = found[-1]
            for name, member in (("text", "text"), ("thinking", "thinking"), ("signature", "signature")):
                block[member] = (
                    block.get(member, "") + event["delta"][name] if name in event["delta"] else block.get(member)
                )
            block["json"] = block.get("json", "") + event["delta"].get("partial_json", "")
        elif kind == "content_block_stop":
            assert open_block
            open_block = False
    assert not open_block
    return found


def test_a_text_stream() -> None:
    """The events of a text in their order; the stop reason, the usage and the end come only with the end."""
    stream = written(delta(role="assistant", content=""), text_chunk("Hel"), text_chunk("lo\u2028"), delta("stop"))
    assert [event["type"] for event in stream] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert stream[0]["message"] == {
        "id": "msg_r1",
        "type": "message",
        "role": "assistant",
        "model": "openrouter/v/m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }
    assert blocks(stream)[0]["text"] == "Hello\u2028"
    assert stream[-2]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert stream[-2]["usage"]["output_tokens"] == 4


def test_usage_that_comes_first_is_in_the_start() -> None:
    """Some providers tell the prompt's size at once."""
    stream = written(delta(content="x")._replace(usage=Usage(9, 0)))
    assert stream[0]["message"]["usage"]["input_tokens"] == 9


def test_an_empty_stream_is_a_message() -> None:
    """An answer without content has a start and an end."""
    assert [event["type"] for event in written()] == ["message_start", "message_delta", "message_stop"]


def test_thinking_is_one_block_with_one_signature() -> None:
    """Pieces of thinking are one block; its signature is the envelope of the details that came with them."""
    stream = written(
        delta(reasoning_content="H", reasoning_details=[{"index": 0, "type": "reasoning.text", "text": "H"}]),
        delta(reasoning_content="m", reasoning_details=[{"index": 0, "type": "reasoning.text", "text": "m"}]),
        text_chunk("x"),
        delta("stop"),
        **THINKING,
    )
    thinking, words = blocks(stream)
    assert (thinking["thinking"], words["text"]) == ("Hm", "x")
    envelope = unseal(thinking["signature"])
    assert envelope is not None
    assert envelope.details == [{"index": 0, "type": "reasoning.text", "text": "Hm"}]
    assert [event["delta"]["type"] for event in stream if event["type"] == "content_block_delta"] == [
        "thinking_delta",
        "thinking_delta",
        "signature_delta",
        "text_delta",
    ]


def test_hidden_thinking_sends_only_the_signature() -> None:
    """With `display: omitted` the block has no text."""
    hidden: Any = {"thinking": {"type": "adaptive", "display": "omitted"}}
    (thinking,) = blocks(written(delta(reasoning_content="Hm"), delta("stop"), **hidden))
    assert thinking["thinking"] in ("", None)
    assert thinking["signature"]


def test_unasked_thinking_is_not_sent() -> None:
    """A client that did not ask gets only what its calls need."""
    details = [{"index": 0, "signature": "s"}]
    assert [
        block["type"]
        for block in blocks(written(delta(reasoning_content="Hm", reasoning_details=details), text_chunk("x")))
    ] == ["text"]
    kinds = blocks(written(delta(reasoning_details=details), delta("tool_calls", tool_calls=[call(0, "{}", "t1")])))
    assert [block["type"] for block in kinds] == ["redacted_thinking", "tool_use"]


def test_details_before_the_text_are_kept_for_those_who_think() -> None:
    """A signature without text has a block of its own before the text."""
    stream = written(delta(reasoning_details=[{"signature": "s"}]), text_chunk("x"), delta("stop"), **THINKING)
    assert [block["type"] for block in blocks(stream)] == ["redacted_thinking", "text"]


def test_the_text_is_the_last_block() -> None:
    """A signature at the end of an answer is left out, because Claude Code takes the last block for the result."""
    stream = written(text_chunk("x"), delta("stop", reasoning_details=[{"signature": "s"}]), **THINKING)
    assert [block["type"] for block in blocks(stream)] == ["text"]


def test_a_calls_signature_comes_before_the_call() -> None:
    """Gemini signs a call; the envelope knows the id that the client gets."""
    extra = {"google": {"thought_signature": "s"}}
    stream = written(text_chunk("Look."), delta("tool_calls", tool_calls=[call(0, "{}", "t:1", extra_content=extra)]))
    _, redacted, used = blocks(stream)
    assert used["id"] == "t_1"
    envelope = unseal(redacted["data"])
    assert envelope is not None
    assert envelope.details == [{"type": "tool_call", "id": "t_1", "extra_content": extra}]
    assert stream[-2]["delta"]["stop_reason"] == "tool_use"


def test_calls_in_a_row_are_streamed() -> None:
    """Each piece of the open call goes out at once; a call ends where the next one begins."""
    writer = MessagesWriter(head())
    first = writer.write(delta(tool_calls=[call(0, "", "t1")]))
    second = writer.write(delta(tool_calls=[call(0, '{"a":')]))
    third = writer.write(delta(tool_calls=[call(0, "1}")]))
    fourth = writer.write(delta(tool_calls=[call(1, "{}", "t2")]))
    assert b'"t1"' in first
    assert b"partial_json" in second
    assert b"partial_json" in third
    assert b'"t2"' in fourth
    found = blocks(events(first + second + third + fourth + writer.write(delta("tool_calls")) + writer.end(USAGE, {})))
    assert [(block["id"], block["json"]) for block in found] == [("t1", '{"a":1}'), ("t2", "{}")]


def test_mixed_calls_are_put_in_order() -> None:
    """Where the pieces of parallel calls come mixed, the second waits until the first is whole."""
    stream = written(
        delta(tool_calls=[call(0, '{"a":', "t1"), call(1, '{"b":', "t2")]),
        delta(tool_calls=[call(1, "2}"), call(0, "1}")]),
        delta("tool_calls"),
    )
    assert [(block["id"], block["json"]) for block in blocks(stream)] == [("t1", '{"a":1}'), ("t2", '{"b":2}')]


def test_a_call_that_was_cut_off_ends_with_the_stream() -> None:
    """Arguments that never became whole are passed on as they are, and so are the calls behind them."""
    stream = written(delta(tool_calls=[call(0, '{"a', "t1"), call(1, "{}", "t2")]), delta("length"))
    assert [block["json"] for block in blocks(stream)] == ['{"a', "{}"]
    assert stream[-2]["delta"]["stop_reason"] == "max_tokens"


def test_text_after_a_call_is_a_block_of_its_own() -> None:
    """A call without arguments has no delta, and text closes it."""
    stream = written(delta(tool_calls=[call(0, None, "t1")]), delta(content="then"), delta("tool_calls"))
    assert [block["type"] for block in blocks(stream)] == ["tool_use", "text"]


def test_one_call_at_a_time() -> None:
    """With `disable_parallel_tool_use` only the first call is passed on."""
    chunks = [
        delta(tool_calls=[call(0, "{}", "t1"), call(1, "{}", "t2")]),
        delta(tool_calls=[call(1, "")]),
        delta("tool_calls"),
    ]
    assert len(blocks(written(*chunks, **ONE_CALL))) == 1


def test_a_refusal_is_text() -> None:
    """The words of a refusal are shown, and further choices are not."""
    stream = written(delta(refusal="No."), delta(index=1, content="other"), delta("content_filter"))
    assert [block["text"] for block in blocks(stream)] == ["No."]
    assert stream[-2]["delta"]["stop_reason"] == "refusal"


@given(st.lists(st.sampled_from(["text", "thinking", "details", "call0", "call1", "empty"]), max_size=12))
def test_every_order_keeps_the_grammar(kinds: list[str]) -> None:
    """Whatever an upstream mixes, one block is open at a time."""
    made = {
        "text": delta(content="x"),
        "thinking": delta(reasoning_content="t"),
        "details": delta(reasoning_details=[{"signature": "s"}]),
        "call0": delta(tool_calls=[call(0, "[", "a")]),
        "call1": delta(tool_calls=[call(1, "{}", "b")]),
        "empty": Chunk(usage=Usage(1, 1)),
    }
    stream = written(*(made[kind] for kind in kinds), delta("stop"), **THINKING)
    blocks(stream)
    assert [event["type"] for event in stream][-2:] == ["message_delta", "message_stop"]


def test_a_silence_is_a_ping_once_the_message_has_begun() -> None:
    """Before `message_start` clients take no event, so it is a comment."""
    writer = MessagesWriter(head())
    assert writer.keep_alive == COMMENT
    writer.write(text_chunk("x"))
    assert writer.keep_alive == b'event: ping\ndata: {"type":"ping"}\n\n'


def test_an_error_ends_the_stream() -> None:
    """No stop reason and no end follow it."""
    writer = MessagesWriter(head())
    writer.write(text_chunk("x"))
    assert [event["type"] for event in events(writer.error(Overloaded("full")))] == ["error"]


def native(kind: str, **data: Any) -> Chunk:
    return Chunk(native=ServerSentEvent(orjson.dumps({"type": kind, **data}), kind))


def test_claudes_events_pass() -> None:
    """Unknown events, blocks and deltas pass byte for byte; only the model's name in the start is replaced."""
    odd = [native("hologram", x=1), native("content_block_delta", index=0, delta={"type": "odd"}), native("ping")]
    writer = MessagesWriter(head())
    start = events(writer.write(native("message_start", message={"id": "m", "model": "claude-x", "odd": 1})))
    assert start == [{"type": "message_start", "message": {"id": "m", "model": "openrouter/v/m", "odd": 1}}]
    for chunk in odd:
        assert chunk.native is not None
        assert writer.write(chunk) == b"event: %b\ndata: %b\n\n" % (chunk.native.event.encode(), chunk.native.data)
    assert writer.keep_alive != COMMENT


def test_claudes_end_waits_for_the_row() -> None:
    """The stop reason and the end go out with `end`, the last of repeated ones; a delta without a stop reason passes."""
    writer = MessagesWriter(head())
    assert writer.write(native("message_delta", delta={"stop_reason": None}))
    first = native("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 1})
    last = native("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 2})
    assert not b"".join(writer.write(chunk) for chunk in (first, last, native("message_stop")))
    assert [event.get("delta") for event in events(writer.end(USAGE, {}))] == [{"stop_reason": "end_turn"}, None]
