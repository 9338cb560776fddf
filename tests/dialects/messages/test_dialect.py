"""The parts together."""

from __future__ import annotations

import orjson

from gateway.completion import Completion, text_chunk
from gateway.dialects import MESSAGES, InboundRequest
from gateway.errors import Overloaded
from tests.dialects.messages.parsing import events, head

USAGE = {"prompt_tokens": 1, "completion_tokens": 1}


def test_the_dialect_is_its_parts() -> None:
    """Each part does what the dialect promises."""
    raw = orjson.dumps({"model": "auto", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]})
    assert MESSAGES.parse_request(InboundRequest(raw)).limit_required
    completion = Completion([{"message": {"content": "x"}, "finish_reason": "stop"}], None)
    assert MESSAGES.response_body(completion, head(), usage=USAGE)["content"]
    assert MESSAGES.stream_writer(head()).write(text_chunk("x"))
    assert MESSAGES.error_reply(Overloaded("x"), request_id="r").status == 503
    assert events(MESSAGES.early_error_events(Overloaded("x"), request_id="r"))[0]["type"] == "error"
