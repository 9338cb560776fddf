"""The decision without the call."""

from __future__ import annotations

import pytest

from tests.conftest import MakeGateway

MESSAGES = [{"role": "user", "content": "Hello"}]


def test_route_preview_calls_no_upstream_and_writes_no_row(make_gateway: MakeGateway) -> None:
    """The decision comes with its candidates and reason; no upstream is called and no row is written."""
    gateway = make_gateway(lambda request: pytest.fail("nobody may be called"))
    decision = gateway.client.post("/v1/route", json={"model": "auto", "messages": MESSAGES}).json()
    assert decision["reasoning"]
    assert decision["candidates"][0]["model"] in decision["model"]
    assert decision["baseline_model"] == "gemini/gemini-3.8-flash"
    assert gateway.rows == []


def test_named_model_is_its_own_decision(make_gateway: MakeGateway) -> None:
    """A named model is its own decision."""
    decision = make_gateway().client.post("/v1/route", json={"model": "claude-haiku-5-5", "messages": MESSAGES}).json()
    assert (decision["model"], decision["strategy_used"], decision["confidence"]) == (
        "claude/claude-haiku-5-5",
        "pinned",
        None,
    )
