"""Structured answers that break their form, from the simulator, under `auto`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from llm_simulator.simulation import Simulation
from tests.conftest import GatewayUnderTest, MakeGateway
from tests.proxy.simulated import simulated
from tests.upstreams import Upstream

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
JSON = {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}}
TOOLS = {
    "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}],
    "tool_choice": "required",
}
ROUTING = {"models": ["gemini/gemini-2.5-flash-lite", "claude/claude-haiku-5-5", "claude/claude-sonnet-5-5"]}
CHEAPEST = "tradeoffs: {cheap: 0.0}\n"
PROMPT = "What is the weather in Bonn?"


@pytest.fixture
def simulation() -> Simulation:
    return Simulation(seed=1)


@pytest.fixture
def upstream(simulation: Simulation) -> Iterator[Upstream]:
    with simulated(simulation) as upstream:
        yield upstream


def ask(gateway: GatewayUnderTest, **body: Any) -> dict[str, Any]:
    """The ledger's row of one request to the cheapest of three tiers."""
    response = gateway.ask(PROMPT, **{"model": "auto:cheap", "routing": ROUTING, **body})
    assert response.status_code == 200, response.text
    return gateway.rows[-1]


def labels(gateway: GatewayUnderTest) -> list[tuple[str, str]]:
    return [(each.source, each.model) for each in gateway.store.outcomes() if each.quality is not None]


def weak(simulation: Simulation, model: str = "gemini-2.5-flash-lite") -> None:
    """From here on the model breaks every schema."""
    simulation.faults.add("bad_schema", model=model, times=None)


@pytest.mark.parametrize("body", [JSON, TOOLS], ids=["json", "tools"])
def test_escalates_once(
    make_gateway: MakeGateway, simulation: Simulation, upstream: Upstream, body: dict[str, Any]
) -> None:
    """A model of the next tier answers; both tries are paid for and in the row, and each has its label."""
    weak(simulation)
    gateway = make_gateway(upstream, config=CHEAPEST)
    row = ask(gateway, **body)
    first, second = row["attempts"]
    assert (first["model"], first["status"], first["error"]) == (
        "gemini-2.5-flash-lite",
        "settled",
        "failed_validation",
    )
    assert (second["model"], second["status"], second["error"]) == ("claude-haiku-5-5", "settled", None)
    assert (row["selected_model"], row["status"]) == ("claude-haiku-5-5", "ok")
    assert row["actual_cost"] == pytest.approx(first["cost"] + second["cost"])
    assert first["cost"] > 0
    assert row["fallback_used"] is True
    assert row["fallback_reason"] == "upstream: gemini/gemini-2.5-flash-lite failed_validation"
    assert labels(gateway) == [
        ("failed_validation", "gemini-2.5-flash-lite"),
        ("passed_validation", "claude-haiku-5-5"),
    ]


def test_a_good_answer_is_passed_on(make_gateway: MakeGateway, upstream: Upstream) -> None:
    """What keeps its form costs one call."""
    gateway = make_gateway(upstream, config=CHEAPEST)
    row = ask(gateway, **JSON)
    assert (len(row["attempts"]), row["selected_model"], row["fallback_used"]) == (1, "gemini-2.5-flash-lite", False)
    assert labels(gateway) == [("passed_validation", "gemini-2.5-flash-lite")]


def test_only_once(make_gateway: MakeGateway, simulation: Simulation, upstream: Upstream) -> None:
    """When the next tier breaks it too, its answer is the one that is given."""
    weak(simulation)
    weak(simulation, "claude-haiku-5-5")
    gateway = make_gateway(upstream, config=CHEAPEST)
    row = ask(gateway, **TOOLS)
    assert [attempt["model"] for attempt in row["attempts"]] == ["gemini-2.5-flash-lite", "claude-haiku-5-5"]
    assert labels(gateway) == [
        ("failed_validation", "gemini-2.5-flash-lite"),
        ("failed_validation", "claude-haiku-5-5"),
    ]


def test_no_better_model_is_a_candidate(make_gateway: MakeGateway, simulation: Simulation, upstream: Upstream) -> None:
    """When no candidate is of a higher tier, the answer is given as it came, with its label."""
    weak(simulation)
    gateway = make_gateway(upstream, config=CHEAPEST)
    row = ask(gateway, **TOOLS, routing={"models": ["gemini/gemini-2.5-flash-lite"]})
    assert (len(row["attempts"]), row["selected_model"]) == (1, "gemini-2.5-flash-lite")
    assert labels(gateway) == [("failed_validation", "gemini-2.5-flash-lite")]


def test_nobody_better_answers(make_gateway: MakeGateway, simulation: Simulation, upstream: Upstream) -> None:
    """When the next tier is down, the first answer is better than none, and the row names who gave it."""
    weak(simulation)
    simulation.faults.add("unauthorized", provider="claude", times=None)
    gateway = make_gateway(upstream, config=CHEAPEST)
    row = ask(gateway, **TOOLS)
    assert (row["selected_model"], row["status"]) == ("gemini-2.5-flash-lite", "ok")
    assert [attempt["error"] for attempt in row["attempts"]] == ["failed_validation", "upstream_auth"]
    assert row["actual_cost"] == pytest.approx(row["attempts"][0]["cost"])
    assert labels(gateway) == [("failed_validation", "gemini-2.5-flash-lite")]


@pytest.mark.parametrize(
    ("path", "config", "body"),
    [
        ("", "cascade: off\n", {}),
        ("", "", {"stream": True}),
        ("", "", {"model": "gemini/gemini-2.5-flash-lite", "routing": {}}),
        ("?auto_route=shadow", "baseline: gemini/gemini-2.5-flash-lite\n", {}),
    ],
    ids=["off", "streamed", "pinned", "shadow"],
)
def test_passed_on_as_it_is(
    make_gateway: MakeGateway,
    simulation: Simulation,
    upstream: Upstream,
    path: str,
    config: str,
    body: dict[str, Any],
) -> None:
    """Switched off, streamed, from a named model or in shadow mode, a broken answer is given as it came."""
    weak(simulation)
    gateway = make_gateway(upstream, config=CHEAPEST + config)
    asked = {"model": "auto:cheap", "routing": ROUTING, **TOOLS, **body}
    response = gateway.ask(PROMPT, path=f"/v1/chat/completions{path}", **asked)
    assert response.status_code == 200, response.text
    (row,) = gateway.rows
    assert (len(row["attempts"]), row["selected_model"]) == (1, "gemini-2.5-flash-lite")


def test_streams_are_labelled(make_gateway: MakeGateway, simulation: Simulation, upstream: Upstream) -> None:
    """A streamed answer is not held back, but its form is noted."""
    weak(simulation)
    gateway = make_gateway(upstream, config=CHEAPEST)
    ask(gateway, **TOOLS, stream=True)
    assert labels(gateway) == [("failed_validation", "gemini-2.5-flash-lite")]
