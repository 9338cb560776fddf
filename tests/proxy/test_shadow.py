"""Shadow mode: the router looks on."""

from __future__ import annotations

import pytest

from tests.conftest import MakeGateway
from tests.upstreams import answer

OPUS = "claude/claude-opus-5-5"
SHADOW = "/v1/chat/completions?auto_route=shadow"


def test_a_named_model_answers(make_gateway: MakeGateway) -> None:
    """The row is a pinned one and notes what `auto` would have chosen, priced on the same usage."""
    gateway = make_gateway(answer(prompt_tokens=1000, completion_tokens=500))
    assert gateway.ask("Hello", model=OPUS, path=SHADOW).json()["model"] == OPUS
    (row,) = gateway.rows
    assert row["strategy_used"] == "pinned"
    assert row["pattern_detected"] is row["complexity_score"] is row["confidence"] is None
    assert row["shadow_model"] not in (None, "claude-opus-5-5")
    assert 0 < row["shadow_cost"] < row["actual_cost"]
    assert row["candidates"]
    assert gateway.store.outcomes()[0].source == "served"


@pytest.mark.parametrize("path", [SHADOW, "/v1/chat/completions", "/v1/chat/completions?auto_route=true"])
def test_the_baseline_answers_for_auto(make_gateway: MakeGateway, path: str) -> None:
    """With `mode: shadow` every request is one to look on at, and the configured baseline answers for `auto`."""
    gateway = make_gateway(config=f"mode: shadow\nbaseline: {OPUS}\n")
    assert gateway.ask("Hello", path=path).json()["model"] == OPUS
    (row,) = gateway.rows
    assert row["strategy_used"] == "complexity"
    assert "Shadow mode" in row["reasoning"]
    assert row["cost_savings"] == 0
    assert row["shadow_cost"] is not None
    assert row["auto_route"] is False


def test_complexity_answers_without_a_baseline(make_gateway: MakeGateway) -> None:
    """Without a configured baseline it is complexity's choice; `?auto_route=false` is not looked on at."""
    gateway = make_gateway(config="mode: shadow\n")
    gateway.ask("Hello")
    gateway.ask("Hello", path="/v1/chat/completions?auto_route=false")
    first, second = gateway.rows
    assert first["selected_model"] == second["selected_model"] == "gemini-3.8-flash"
    assert first["shadow_model"] is not None
    assert second["shadow_model"] is None


def test_a_baseline_that_cannot(make_gateway: MakeGateway) -> None:
    """A baseline that may not serve the request leaves it to the usual choice."""
    gateway = make_gateway(config=f"mode: shadow\nbaseline: {OPUS}\n")
    response = gateway.ask("Hello", routing={"providers": ["gemini"]})
    assert response.json()["model"] == "gemini/gemini-3.8-flash"


def test_what_auto_could_not_serve(make_gateway: MakeGateway) -> None:
    """Where no candidate would have done, the named model answers all the same and nothing is noted."""
    gateway = make_gateway()
    response = gateway.ask("Hello", model=OPUS, path=SHADOW, routing={"providers": ["nobody"]})
    assert response.status_code == 200, response.text
    assert gateway.rows[0]["shadow_model"] is None


def test_the_same_choice_costs_the_same(make_gateway: MakeGateway) -> None:
    """When `auto` agrees, its cost is the answer's own, also where the provider counted it."""
    gateway = make_gateway()
    model = "openrouter/qwen/qwen3.8-flash"
    gateway.ask("Hello", model=model, path=SHADOW, routing={"models": [model]})
    (row,) = gateway.rows
    assert row["shadow_cost"] == row["actual_cost"] == 0.000125


def test_what_it_comes_to(make_gateway: MakeGateway) -> None:
    """The store sums up requests, agreement and money, in all and by the model that would have answered."""
    gateway = make_gateway()
    for prompt in ("Hello", "Hi there"):
        gateway.ask(prompt, model=OPUS, path=SHADOW)
    gateway.ask("Hello", model="claude/unheard-of", path=SHADOW)
    gateway.ask("Hello")
    told = gateway.store.shadow(days=1)
    assert (told["shadow_requests"], told["same_choice"], told["unpriced_requests"]) == (3, 0, 1)
    assert told["total_would_save"] == pytest.approx(told["total_cost"] - told["total_shadow_cost"])
    assert told["would_save_pct"] > 50
    assert sum(each["shadow_requests"] for each in told["by_model"]) == 3
