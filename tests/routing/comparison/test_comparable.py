"""Which requests have answers that can be compared."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.completion import ChatRequest
from gateway.routing.comparison.comparable import comparable_kind, has_tool_results

USER = {"role": "user", "content": "Is it spam?"}
CALL = {
    "role": "assistant",
    "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "done"}
TOOLS = {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}
FORCED = {**TOOLS, "tool_choice": "required"}
JSON = {"response_format": {"type": "json_object"}}


def request(*messages: dict[str, Any], limit_required: Any = False, **body: Any) -> ChatRequest:
    conversation = list(messages or [USER])
    return ChatRequest(
        body={"model": "auto", "messages": conversation, **body},
        model="auto",
        messages=conversation,
        limit_required=limit_required,
    )


@pytest.mark.parametrize(
    ("body", "configured", "wished"),
    [
        (JSON, "json", "json"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}, "json", "json"),
        (FORCED, "calls", "calls"),
        ({**TOOLS, "tool_choice": {"type": "function", "function": {"name": "f"}}}, "calls", "calls"),
        (TOOLS, None, "calls"),
        ({**TOOLS, "tool_choice": "none"}, None, None),
        ({**TOOLS, **JSON, "tool_choice": "none"}, "json", "json"),
        ({"max_tokens": 64}, "text", "text"),
        ({"max_tokens": 65}, None, "text"),
        ({}, None, "text"),
        ({**JSON, "n": 2}, None, None),
        ({**JSON, "modalities": ["text", "audio"]}, None, None),
    ],
)
def test_kind_by_what_the_request_prescribes(body: dict[str, Any], configured: str | None, wished: str | None) -> None:
    """JSON and required calls always; free text where it has to be short or the client wished a comparison."""
    assert comparable_kind(request(**body), wished=False) == configured
    assert comparable_kind(request(**body), wished=True) == wished


@pytest.mark.parametrize("messages", [(USER, CALL, RESULT), (USER, CALL)])
def test_turns_of_an_agent_are_not_compared(messages: tuple[dict[str, Any], ...]) -> None:
    """Within an agent's conversation only a single prescribed answer is compared."""
    assert has_tool_results(request(*messages))
    bodies: list[dict[str, Any]] = [{}, TOOLS, {"max_tokens": 5}]
    for body in bodies:
        assert comparable_kind(request(*messages, **body), wished=True) is None
    assert comparable_kind(request(*messages, **JSON), wished=False) == "json"
    assert comparable_kind(request(*messages, **FORCED), wished=False) == "calls"


def test_limit_that_an_api_requires_says_nothing() -> None:
    """A dialect that requires a limit does not make its answers labels."""
    assert comparable_kind(request(limit_required=True, max_tokens=32), wished=False) is None
