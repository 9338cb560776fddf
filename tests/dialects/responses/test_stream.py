"""The events of a stream obey OpenAI's grammar: the SDK's own helper reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import omit
from openai._models import construct_type_unchecked  # the SDK builds its events so, without a connection
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent

from gateway.completion import Chunk, Json, Usage, text_chunk
from gateway.dialects import InboundRequest, ResponseHead
from gateway.dialects.responses import Responses
from gateway.dialects.responses.stream import ResponseEventWriter
from gateway.errors import UpstreamTruncated
from gateway.sse import SSEDecoder
from tests.dialects.responses.test_output import call

BODY = {
    "model": "auto",
    "input": "Hello",
    "stream": True,
    "reasoning": {"summary": "auto"},
    "include": ["reasoning.encrypted_content"],
}
USAGE = Usage(3, 4).openai()


def head(**members: Any) -> ResponseHead:
    request = Responses().parse_request(InboundRequest(orjson.dumps({**BODY, **members})))
    return ResponseHead("req_r1", 7, "gemini/x", request)


def writer(**members: Any) -> ResponseEventWriter:
    return Responses(keep=lambda response, items: True, unix_time=lambda: 9).stream_writer(head(**members))


def chunk(delta: Json, finish_reason: str | None = None) -> Chunk:
    return Chunk([{"index": 0, "delta": delta, "finish_reason": finish_reason}])


def events(written: bytes) -> list[dict[str, Any]]:
    decoder = SSEDecoder()
    found = [event for event in [*decoder.feed(written), *decoder.close()] if event.data != b"[DONE]"]
    parsed = [orjson.loads(event.data) for event in found]
    assert [event.event for event in found] == [event["type"] for event in parsed]
    return parsed


def whole(chunks: Sequence[Chunk], **members: Any) -> list[dict[str, Any]]:
    stream = writer(**members)
    return events(b"".join([*map(stream.write, chunks), stream.end(USAGE, {"model": "x"})]))


DELTAS = st.one_of(
    st.builds(lambda text: text_chunk(text), st.text(min_size=1)),
    st.builds(lambda text: chunk({"content": text}), st.text()),
    st.builds(lambda text: chunk({"reasoning_content": text}), st.text()),
    st.builds(lambda text: chunk({"refusal": text}), st.text()),
    st.just(chunk({"reasoning_details": [{"type": "reasoning.text", "index": 0, "signature": "s"}]})),
    st.just(Chunk(usage=Usage(1, 1))),
)
CALLS = st.lists(st.text(max_size=3), max_size=4).map(
    lambda texts: [chunk(call(index, f"c{index}", "f", text)) for index, text in enumerate(texts)]
)


@given(deltas=st.lists(DELTAS, max_size=8), calls=CALLS, reason=st.sampled_from(["stop", "length", "content_filter"]))
def test_any_answer_obeys_the_grammar(deltas: list[Chunk], calls: list[Chunk], reason: str) -> None:
    """Whatever comes: numbers and indexes without gaps, one item open at a time, and an end with the items that were streamed."""
    found = whole([*deltas, *calls, chunk({}, reason)])
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert [event["type"] for event in found[:2]] == ["response.created", "response.in_progress"]
    assert found[-1]["type"] == ("response.completed" if reason == "stop" else "response.incomplete")
    state: ResponseStreamState[None] = ResponseStreamState(input_tools=omit, text_format=omit)
    is_open = False
    for event in found:
        if event["type"].startswith("response.output_item."):
            assert is_open == event["type"].endswith("done")
            is_open = not is_open
        state.handle_event(construct_type_unchecked(value=event, type_=ResponseStreamEvent))  # type: ignore[arg-type]  # a union
    done = [event for event in found if event["type"] == "response.output_item.done"]
    assert [event["output_index"] for event in done] == list(range(len(done)))
    assert found[-1]["response"]["output"] == [event["item"] for event in done]


@given(st.lists(st.text(min_size=1), min_size=1, max_size=6))
def test_fast_path_is_the_same_stream(texts: list[str]) -> None:
    """Texts that take the fast path give the events that other chunks give, with U+2028 escaped."""
    fast = [text_chunk(text) for text in texts]
    slow = [chunk({"content": text}) for text in texts]
    assert whole(fast) == whole(slow)
    assert "\u2028".encode() not in b"".join(map(writer().write, fast))


def test_last_response_has_usage_and_what_was_done() -> None:
    """Usage, the time of the end, who answered, and whether the response is kept."""
    response = whole([text_chunk("four")])[-1]["response"]
    assert response["usage"]["input_tokens"] == 3
    assert (response["completed_at"], response["store"], response["gateway"]) == (9, True, {"model": "x"})


def test_incomplete_response_says_why() -> None:
    """The reason is in the last event, and nothing completed at any time."""
    response = whole([text_chunk("fo"), chunk({}, "length")])[-1]["response"]
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert response["completed_at"] is None
    assert response["output"][0]["status"] == "incomplete"


@pytest.mark.parametrize(
    "chunks", [[], [text_chunk("fo")], [chunk(call(0, "c1", "f", "{"))]], ids=["none", "text", "call"]
)
def test_broken_stream_ends_as_failed(chunks: list[Chunk]) -> None:
    """`response.failed` is the last event, the sequence goes on, and a call that was cut does not look finished."""
    stream = writer()
    found = events(b"".join([*map(stream.write, chunks), stream.error(UpstreamTruncated("It broke off."))]))
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert found[0]["type"] == "response.created"
    response = found[-1]["response"]
    assert (found[-1]["type"], response["error"]["message"]) == ("response.failed", "It broke off.")
    assert (response["output"], response["store"]) == ([], False)
    assert not any(event["type"] == "response.output_item.done" for event in found)


def test_what_is_not_kept_is_said() -> None:
    """The created response says what is planned, the last one what was done."""
    stream = Responses(keep=lambda response, items: False).stream_writer(head())
    found = events(stream.end(USAGE, {}))
    assert [event["response"]["store"] for event in (found[0], found[-1])] == [True, False]
    assert found[-1]["response"]["completed_at"] == 7
