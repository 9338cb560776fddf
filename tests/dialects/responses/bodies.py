"""Requests of `/v1/responses` for its tests."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects.responses import NOTHING_EARLIER, EarlierItems, ResponsesRequest, parse_body
from gateway.errors import InvalidRequest

WEATHER = {"type": "function", "name": "get_weather", "parameters": {"type": "object"}}
CALL = {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": '{"city":"Paris"}'}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "sunny"}


def parsed(input: Any = "Hello", *, earlier: EarlierItems = NOTHING_EARLIER, **members: Any) -> ResponsesRequest:
    return parse_body({"model": "auto", "input": input, **members}, earlier, size=7)


def messages(input: Any, **members: Any) -> list[dict[str, Any]]:
    return [dict(message) for message in parsed(input, **members).chat.messages]


def refused(input: Any = "Hello", **members: Any) -> InvalidRequest:
    """The error for a body."""
    with pytest.raises(InvalidRequest) as caught:
        parsed(input, **members)
    return caught.value
