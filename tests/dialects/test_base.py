"""The contract of every inbound dialect in the table."""

from __future__ import annotations

import orjson
import pytest

from gateway.completion import Chunk, Completion, Usage, text_chunk
from gateway.dialects import DIALECTS, Dialect, ResponseHead
from gateway.errors import InvalidRequest, UpstreamTruncated
from gateway.sse import SSEDecoder

REQUESTS = {
    "chat_completions": {"model": "auto", "messages": [{"role": "user", "content": "Hello"}], "stream": True},
}
USAGE = Usage(3, 4).openai()


@pytest.fixture(params=list(DIALECTS.values()), ids=list(DIALECTS))
def dialect(request: pytest.FixtureRequest) -> Dialect:
    chosen: Dialect = request.param
    return chosen


def head(dialect: Dialect, *, include_usage: bool = True) -> ResponseHead:
    request = dialect.parse_request(orjson.dumps(REQUESTS[dialect.name]))
    return ResponseHead("r1", 7, "gemini/x", request._replace(include_usage=include_usage))


def datas(written: bytes) -> list[bytes]:
    decoder = SSEDecoder()
    return [event.data for event in [*decoder.feed(written), *decoder.close()]]


def test_the_table_has_each_dialect_under_its_name(dialect: Dialect) -> None:
    """A dialect's name is its key."""
    assert DIALECTS[dialect.name] is dialect


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"{}", b"\xff"])
def test_a_body_that_is_no_request_is_invalid(dialect: Dialect, raw: bytes) -> None:
    """Whatever is wrong with a body, InvalidRequest says it."""
    with pytest.raises(InvalidRequest):
        dialect.parse_request(raw)


def test_a_request_is_parsed(dialect: Dialect) -> None:
    """The model, the messages and whether to stream are found, and the size is that of the body."""
    raw = orjson.dumps(REQUESTS[dialect.name])
    request = dialect.parse_request(raw)
    assert (request.model, len(request.messages), request.stream, request.size) == ("auto", 1, True, len(raw))


def test_a_response_has_text_id_and_usage(dialect: Dialect) -> None:
    """The client gets the text, the id and the model in one JSON object."""
    message = {"role": "assistant", "content": "four and four"}
    completion = Completion([{"index": 0, "message": message, "finish_reason": "stop"}], None)
    body = orjson.dumps(dialect.response_body(completion, head(dialect), usage=USAGE))
    assert all(part in body for part in (b"four and four", b'"r1"', b"gemini/x", b"usage"))


@pytest.mark.parametrize("include_usage", [True, False])
def test_a_stream_is_whole_events(dialect: Dialect, include_usage: bool) -> None:
    """Each write is whole events; a chunk without choices is none; usage comes only where it was asked for."""
    writer = dialect.stream_writer(head(dialect, include_usage=include_usage))
    assert b"four" in b"".join(datas(writer.write(text_chunk("four"))))
    assert writer.write(Chunk(usage=Usage(3, 4))) == b""
    end = datas(writer.end(USAGE, {"model": "gemini/x"}))
    assert end
    assert any(b'"total_tokens":7' in data for data in end) is include_usage


def test_an_error_in_a_stream_is_one_event(dialect: Dialect) -> None:
    """An error after the first byte is one event with its message and code, and no end mark."""
    (data,) = datas(dialect.stream_writer(head(dialect)).error(UpstreamTruncated("It broke off.")))
    assert b"It broke off." in data
    assert b"upstream_truncated" in data


def test_an_error_response_says_why(dialect: Dialect) -> None:
    """An error response has the message."""
    assert b"It broke off." in orjson.dumps(dialect.error_body(UpstreamTruncated("It broke off.")))
