"""Chat completions behind the interface of a dialect."""

from __future__ import annotations

import orjson

from gateway.completion import Completion, Usage, text_chunk
from gateway.dialects import InboundRequest, ResponseHead
from gateway.dialects.chat_completions import ChatCompletions, ChunkWriter, completion_body
from gateway.errors import UpstreamTruncated, error_event
from gateway.sse import DONE, encode

DIALECT = ChatCompletions()
USAGE = Usage(1, 2).openai()
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def head(**body: object) -> ResponseHead:
    raw = orjson.dumps({"model": "auto", "messages": [{"role": "user", "content": "Hello"}], **body})
    return ResponseHead("req_r1", 7, "gemini/x", DIALECT.parse_request(InboundRequest(raw)))


def test_a_response_has_the_form_that_the_request_asks_for() -> None:
    """A request with `functions` is answered in the deprecated form."""
    completion = Completion([{"message": {"content": None, "tool_calls": [CALL]}}], None)
    for request, legacy in (({}, False), ({"functions": [{"name": "f"}]}, True)):
        body = DIALECT.response_body(completion, head(**request), usage=USAGE)
        plain = completion_body(
            completion, id="chatcmpl-r1", created=7, model="gemini/x", usage=USAGE, legacy_functions=legacy
        )
        assert body == plain


def test_a_stream_ends_with_usage_and_done() -> None:
    """The usage chunk comes only where it was asked for, and `[DONE]` is always last."""
    asked = head(stream=True, stream_options={"include_usage": True})
    writer = DIALECT.stream_writer(asked)
    plain = ChunkWriter(id="chatcmpl-r1", created=7, model="gemini/x", include_usage=True, legacy_functions=False)
    assert writer.write(text_chunk("a")) == plain.write(text_chunk("a"))
    assert writer.end(USAGE, {"attempts": 1}) == plain.usage(USAGE, {"attempts": 1}) + DONE
    assert DIALECT.stream_writer(head(stream=True)).end(USAGE, {}) == DONE


def test_errors_are_openais() -> None:
    """An error is OpenAI's error object, in a body and in an event."""
    error = UpstreamTruncated("It broke off.")
    assert DIALECT.error_reply(error, request_id="req_r1") == (error.status, error.body(), {})
    assert DIALECT.stream_writer(head()).error(error) == encode(orjson.dumps(error_event(error)))
