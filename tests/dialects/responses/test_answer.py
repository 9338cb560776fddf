"""The response object has every member that clients expect."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.responses import Response

from gateway.completion import Usage
from gateway.dialects.responses.answer import echoed, response_error, response_head, status_of, visible_items
from gateway.errors import BudgetExceeded, ContextLengthExceeded, GatewayError, UpstreamRateLimited, UpstreamTruncated
from tests.dialects.responses.bodies import WEATHER

# https://www.openresponses.org: the required members of ResponseResource.
REQUIRED = """
background completed_at created_at error frequency_penalty id incomplete_details instructions max_output_tokens
max_tool_calls metadata model object output parallel_tool_calls presence_penalty previous_response_id prompt_cache_key
reasoning safety_identifier service_tier status store temperature text tool_choice tools top_logprobs top_p truncation usage
"""
REASONING = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gw1.x"}


def test_all_members_are_there_and_valid() -> None:
    """Every required member is there, also of the tools, and the SDK's types accept them strictly."""
    head = response_head("resp_1", 1, "gemini/x", status="completed", usage=Usage(3, 4, cached_tokens=2).openai())
    response = {**head, **echoed({"tools": [WEATHER]}), "store": True, "output": []}
    assert set(REQUIRED.split()) - response.keys() == set()
    assert response["tools"][0].keys() >= {"name", "description", "parameters", "strict"}
    parsed = Response.model_validate(response)
    assert parsed.usage is not None
    assert parsed.usage.input_tokens_details.cached_tokens == 2


def test_request_is_echoed() -> None:
    """What the client asked for is in the response; other tools stay as they are."""
    custom = {"type": "custom", "name": "x"}
    body = {"instructions": "i", "temperature": 0, "tools": [custom], "reasoning": {"effort": "low"}, "text": {}}
    echo = echoed(body)
    assert (echo["instructions"], echo["temperature"], echo["tools"]) == ("i", 0, [custom])
    assert echo["reasoning"] == {"effort": "low", "summary": None}


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("stop", ("completed", None)),
        ("tool_calls", ("completed", None)),
        (None, ("completed", None)),
        ("length", ("incomplete", "max_output_tokens")),
        ("content_filter", ("incomplete", "content_filter")),
    ],
)
def test_status_of_a_finish_reason(reason: str | None, status: tuple[str, str | None]) -> None:
    """Cut and filtered answers are incomplete."""
    assert status_of(reason) == status


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UpstreamRateLimited("x"), "rate_limit_exceeded"),
        (ContextLengthExceeded("x"), "context_length_exceeded"),
        (BudgetExceeded("x"), "insufficient_quota"),
        (UpstreamTruncated("x"), "server_error"),
        (GatewayError("x"), "server_error"),
    ],
)
def test_error_has_a_code_that_clients_know(error: GatewayError, code: str) -> None:
    """Clients decide by the code whether to try again."""
    assert response_error(error) == {"code": code, "message": "x"}


def test_reasoning_that_was_not_asked_for_is_hidden() -> None:
    """The opaque string is shown only on request, and reasoning that has nothing else is not an item then."""
    summary = [{"type": "summary_text", "text": "t"}]
    items: list[dict[str, Any]] = [REASONING, {**REASONING, "summary": summary}, {"id": "msg_1", "type": "message"}]
    assert visible_items(items, encrypted=True) == items
    assert visible_items(items, encrypted=False) == [{"id": "rs_1", "type": "reasoning", "summary": summary}, items[2]]
