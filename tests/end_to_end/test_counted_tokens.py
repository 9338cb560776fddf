"""Counting tokens through the whole gateway."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.conftest import GatewayUnderTest, MakeGateway
from tests.end_to_end.test_messages import BETAS, HEADERS, MODELS, Recorder
from tests.tenants import issue


def counted(gateway: GatewayUnderTest, model: str, **headers: str) -> httpx2.Response:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "tools": []}
    return gateway.client.post("/v1/messages/count_tokens?beta=true", json=body, headers={**HEADERS, **headers})


def count_route(status: int, body: Any) -> Recorder:
    return Recorder(lambda request: httpx2.Response(status, json=body))


def test_claude_counts_its_own_tokens(make_gateway: MakeGateway) -> None:
    """A count goes to Claude as it came, for free; for other models and `auto` the gateway estimates."""
    recorder = count_route(200, {"input_tokens": 77})
    gateway = make_gateway(recorder)
    assert counted(gateway, "claude-haiku-5-5").json() == {"input_tokens": 77}
    assert recorder.requests[-1].url.path.endswith("/v1/messages/count_tokens")
    assert recorder.requests[-1].url.query == b"beta=true"
    assert recorder.requests[-1].headers["anthropic-beta"] == BETAS
    assert recorder.body.keys() == {"model", "messages", "tools"}
    for model in ("auto", "claude-auto", *MODELS[1:]):
        assert counted(gateway, model).json()["input_tokens"] > 0
    assert len(recorder.requests) == 1
    assert gateway.store.requests(limit=5) == []


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (429, {"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}, 429),
        (200, {"tokens": 7}, 502),
        (200, {"input_tokens": -1}, 502),
        (200, [7], 502),
    ],
)
def test_a_failed_count_is_an_error(make_gateway: MakeGateway, status: int, body: Any, told: int) -> None:
    """A client is told that counting failed, so that it estimates by itself."""
    response = counted(make_gateway(count_route(status, body)), "claude-haiku-5-5")
    assert (response.status_code, response.json()["type"]) == (told, "error")


def test_an_unreadable_count_is_an_error(make_gateway: MakeGateway) -> None:
    """Anything but JSON is an upstream's failure."""
    gateway = make_gateway(lambda request: httpx2.Response(200, content=b"<html>"))
    assert counted(gateway, "claude-haiku-5-5").status_code == 502


def test_counting_keeps_to_the_key(make_gateway: MakeGateway) -> None:
    """A model that a key may not use is not counted either."""
    gateway = make_gateway(count_route(200, {"input_tokens": 7}))
    key = issue(gateway, models=("gemini/*",))
    bearer = {"x-api-key": key}
    assert counted(gateway, "claude-haiku-5-5", **bearer).status_code == 403
    assert counted(gateway, "gemini/gemini-3.8-flash", **bearer).status_code == 200


def test_a_provider_that_is_not_enabled_is_not_found(make_gateway: MakeGateway) -> None:
    """A count for a provider without a key says what is missing."""
    response = counted(make_gateway(environment={"GEMINI_API_KEY": "x"}), "claude-haiku-5-5")
    assert (response.status_code, response.json()["error"]["type"]) == (404, "not_found_error")
    assert "not enabled" in response.json()["error"]["message"]
