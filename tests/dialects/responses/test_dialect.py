"""The dialect: responses that are not streamed, and errors."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from openai.types.responses import Response

from gateway.completion import ChatRequest, Completion, Json, Usage
from gateway.dialects import ResponseHead
from gateway.dialects.responses import Responses
from gateway.dialects.responses.client_paths import ClientPaths
from gateway.errors import InvalidRequest, UpstreamTruncated
from tests.dialects.responses.test_stream import events, head

USAGE = {**Usage(3, 4).openai(), "cost": 0.1, "cost_details": {}}


def completion(message: Json, finish_reason: str = "stop") -> Completion:
    return Completion([{"index": 0, "message": message, "finish_reason": finish_reason}], None)


def test_response_is_one_that_the_sdk_accepts() -> None:
    """The SDK's types accept it strictly, and text, usage and cost are where clients look."""
    kept: list[Any] = []

    def keep(response: Json, items: list[Json]) -> bool:
        kept.append((response, items))
        return True

    dialect = Responses(keep=keep)
    body = dialect.response_body(completion({"content": "four", "reasoning_content": "Hm."}), head(), usage=USAGE)
    response = Response.model_validate(orjson.loads(orjson.dumps(body)))
    assert (response.id, response.output_text, response.status) == ("resp_r1", "four", "completed")
    assert (body["store"], body["completed_at"], body["usage"]["cost"]) == (True, 7, 0.1)
    ((stored, items),) = kept
    assert "output" not in stored
    assert [item["type"] for item in items] == ["reasoning", "message"]


@pytest.mark.parametrize(("reason", "status"), [("length", "incomplete"), ("content_filter", "incomplete")])
def test_cut_response_is_incomplete(reason: str, status: str) -> None:
    """It did not complete, and says why."""
    body = Responses().response_body(completion({"content": "fo"}, reason), head(), usage=USAGE)
    assert (body["status"], body["completed_at"], body["store"]) == (status, None, False)


def test_response_without_choices_is_an_empty_message() -> None:
    """A head without a body, and an answer without a choice, are possible and harmless."""
    bare = ResponseHead("req_r1", 7, "x", ChatRequest({}, "x", []))
    assert Responses().response_body(Completion([], None), bare, usage=USAGE)["output"][0]["type"] == "message"


def test_error_names_the_clients_member() -> None:
    """An error about a message is one about the item that it came from."""
    dialect = Responses(paths=ClientPaths(["input[3]"]))
    error = InvalidRequest("Invalid 'messages[0].content'.", param="messages[0].content", code="c")
    assert dialect.error_reply(error, request_id="req_r1").body == {
        "error": {"message": "Invalid 'input[3]'.", "type": "invalid_request_error", "param": "input[3]", "code": "c"}
    }


def test_early_error_is_a_failed_response() -> None:
    """A stream that has no response yet creates one that fails, because clients expect it to be created first."""
    found = events(Responses().early_error_events(UpstreamTruncated("It broke off."), request_id="req_r1"))
    assert [event["type"] for event in found] == ["response.created", "response.failed"]
    assert [event["response"]["id"] for event in found] == ["resp_r1"] * 2
    assert found[1]["response"]["status"] == "failed"
