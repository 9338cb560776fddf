"""Completions through the whole gateway: the same decision, row and cost as the chat that they become."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.conftest import GatewayUnderTest, MakeGateway
from tests.upstreams import answer, failing

DECIDED = (
    "strategy_used", "selected_provider", "selected_model", "baseline_model", "actual_cost", "baseline_cost",
    "prompt_tokens", "completion_tokens", "complexity_score", "pattern_detected", "features", "status",
)  # fmt: skip


def complete(gateway: GatewayUnderTest, prompt: Any = "2+2?", **members: Any) -> httpx2.Response:
    return gateway.client.post("/v1/completions", json={"model": "auto", "prompt": prompt, **members})


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["auto", "claude/claude-haiku-5-5"])
def test_the_same_call_costs_and_decides_the_same(make_gateway: MakeGateway, model: str, stream: bool) -> None:
    """A completion and the chat that it becomes have the same row but for the endpoint."""
    gateway = make_gateway(answer("four"))
    assert gateway.ask(model=model, max_tokens=16, stream=stream).status_code == 200
    response = complete(gateway, model=model, stream=stream)
    assert response.status_code == 200
    assert "four" in response.text
    chat, completion = gateway.rows
    assert [chat[name] for name in DECIDED] == [completion[name] for name in DECIDED]
    assert (chat["endpoint"], completion["endpoint"]) == ("chat_completions", "completions")


def test_a_wrong_member_is_answered_in_openais_shape(make_gateway: MakeGateway) -> None:
    """A refusal names the member, and nothing is recorded."""
    gateway = make_gateway()
    response = complete(gateway, ["a", "b"])
    assert (response.status_code, response.json()["error"]["param"]) == (400, "prompt")
    assert gateway.rows == []


def test_an_upstreams_failure_keeps_its_class(make_gateway: MakeGateway) -> None:
    """A named model's failure is the client's error, streamed or not."""
    gateway = make_gateway(failing(429, "claude"))
    for stream in (False, True):
        response = complete(gateway, model="claude/claude-haiku-5-5", stream=stream)
        assert response.status_code == 429
        assert response.json()["error"]["code"] == "rate_limit_exceeded"
