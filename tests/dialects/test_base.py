"""The contract of every inbound dialect in the table."""

from __future__ import annotations

import orjson
import pytest

from gateway.completion import Chunk, Completion, Usage, text_chunk
from gateway.dialects import DIALECTS, Dialect, InboundRequest, ResponseHead
from gateway.errors import InvalidRequest, UpstreamTruncated
from gateway.sse import SSEDecoder

REQUESTS = {
    "chat_completions": {"model": "auto", "messages": [{"role": "user", "content": "Hello"}], "stream": True},
    "completions": {"model": "auto", "prompt": "Hello", "stream": True},
    "messages": {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}], "stream": True},
    "responses": {"model": "auto", "input": "Hello", "stream": True},
}
USAGE = Usage(3, 4).openai()
# What tells a client that a stream is complete, in any dialect.
END_MARKS = (b"[DONE]", b"message_stop", b"response.completed", b"response.incomplete")


@pytest.fixture(params=list(DIALECTS.values()), ids=list(DIALECTS))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    chosen: Dialect = request.param
    return chosen


def head(dialect: Dialect, *, include_usage: bool = True) -> ResponseHead:
    request = dialect.parse_request(InboundRequest(orjson.dumps(REQUESTS[dialect.name])))
    return ResponseHead("req_r1", 7, "gemini/x", request._replace(include_usage=include_usage))


def datas(written: bytes) -> list[bytes]:
    decoder = SSEDecoder()
    return [event.data for event in [*decoder.feed(written), *decoder.close()]]


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"{}", b"\xff"])
def test_a_body_that_is_no_request_is_invalid(dialect: Dialect, raw: bytes) -> None:
    """Whatever is wrong with a body, InvalidRequest says it."""
    with pytest.raises(InvalidRequest):
        dialect.parse_request(InboundRequest(raw))


def test_a_request_is_parsed(dialect: Dialect) -> None:
    """The model, the messages and whether to stream are found, and the size is that of the body."""
    raw = orjson.dumps(REQUESTS[dialect.name])
    request = dialect.parse_request(InboundRequest(raw))
    assert (request.model, len(request.messages), request.stream, request.size) == ("auto", 1, True, len(raw))


def test_a_response_has_text_id_and_usage(dialect: Dialect) -> None:
    """The client gets the text, the id and the model in one JSON object."""
    message = {"role": "assistant", "content": "four and four"}
    completion = Completion([{"index": 0, "message": message, "finish_reason": "stop"}], None)
    body = orjson.dumps(dialect.response_body(completion, head(dialect), usage=USAGE))
    assert all(part in body for part in (b"four and four", b'r1"', b"gemini/x", b"usage"))


def test_a_stream_is_whole_events(dialect: Dialect) -> None:
    """Each write is whole events, and what says that the response is complete comes only with the end."""
    writer = dialect.stream_writer(head(dialect))
    assert b"four" in b"".join(datas(writer.write(text_chunk("four"))))
    last = writer.write(Chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}], usage=Usage(3, 4)))
    end = writer.end(USAGE, {"model": "gemini/x"})
    assert datas(end)
    assert not any(mark in last for mark in END_MARKS)
    assert any(mark in end for mark in END_MARKS)


def test_a_stream_is_kept_alive_by_whole_events(dialect: Dialect) -> None:
    """What is sent in a silence does not join the event after it."""
    assert dialect.stream_writer(head(dialect)).keep_alive.endswith(b"\n\n")


def test_an_error_in_a_stream_has_no_end_mark(dialect: Dialect) -> None:
    """An error is told in events, after content or before any, and the response does not look complete."""
    error = UpstreamTruncated("It broke off.")
    writer = dialect.stream_writer(head(dialect))
    writer.write(text_chunk("four"))
    for events in (writer.error(error), dialect.early_error_events(error, request_id="req_r1")):
        assert b"It broke off." in b"".join(datas(events))
        assert not any(mark in events for mark in END_MARKS)


def test_an_error_response_says_why(dialect: Dialect) -> None:
    """An error response has the message and the status of its class."""
    reply = dialect.error_reply(UpstreamTruncated("It broke off."), request_id="req_r1")
    assert b"It broke off." in orjson.dumps(reply.body)
    assert reply.status == UpstreamTruncated.status
