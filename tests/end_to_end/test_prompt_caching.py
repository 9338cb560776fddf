"""Cache breakpoints, from the client's body to the bytes that a provider gets and back to the row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import orjson
import pytest

from llm_simulator.simulation import Simulation
from tests.conftest import GatewayUnderTest, MakeGateway
from tests.proxy.simulated import simulated
from tests.upstreams import Upstream, answer

MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
MODELS = {
    "claude": "claude/claude-haiku-4-5",
    "openrouter": "openrouter/anthropic/claude-haiku-4.5",
    "gemini": "gemini/gemini-3.8-flash",
}
USER = {"role": "user", "content": "Hello"}
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "found"}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def part(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text, "cache_control": MARK}]


def paths(value: Any, path: str = "") -> Iterator[str]:
    """Where cache marks stand in a body."""
    if isinstance(value, dict):
        if value.get("cache_control"):
            yield path or "top"
        for name, member in value.items():
            yield from paths(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from paths(member, f"{path}.{index}")


# What the client sends, and where the mark stands in what Claude and OpenRouter get.
PLACES: dict[str, tuple[dict[str, Any], list[str], list[str]]] = {
    "message": (
        {"messages": [{**USER, "cache_control": MARK}]},
        ["messages.0.content.0"],
        ["messages.0.content.0"],
    ),
    "part": (
        {"messages": [{"role": "user", "content": part("Hello")}]},
        ["messages.0.content.0"],
        ["messages.0.content.0"],
    ),
    "last of the message's parts": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}] * 2, "cache_control": MARK}]},
        ["messages.0.content.1"],
        ["messages.0.content.1"],
    ),
    "OpenAI's mark on a part": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}]}]},
        ["messages.0.content.0"],
        ["messages.0.content.0"],
    ),
    "top": ({"messages": [USER], "cache_control": MARK}, ["top"], ["top"]),
    "tool message": (
        {"messages": [USER, CALLED, {**RESULT, "cache_control": MARK}], "tools": [TOOL]},
        ["messages.2.content.0"],
        ["messages.2.content.0"],
    ),
    "tool part": (
        {"messages": [USER, CALLED, {**RESULT, "content": part("found")}], "tools": [TOOL]},
        ["messages.2.content.0"],
        ["messages.2.content.0"],
    ),
    "assistant message": (
        {"messages": [USER, {"role": "assistant", "content": "Hi", "cache_control": MARK}, USER]},
        ["messages.1.content.0"],
        ["messages.1.content.0"],
    ),
    "message of calls": (
        {"messages": [USER, {**CALLED, "cache_control": MARK}, RESULT], "tools": [TOOL]},
        ["messages.1.content.0"],
        [],  # a call has no place for it there
    ),
    "tool definition": (
        {"messages": [USER], "tools": [{**TOOL, "cache_control": MARK}]},
        ["tools.0"],
        ["tools.0"],
    ),
    "function of a tool": (
        {"messages": [USER], "tools": [{**TOOL, "function": {**TOOL["function"], "cache_control": MARK}}]},
        ["tools.0"],
        ["tools.0"],
    ),
    "system message": (
        {"messages": [{"role": "system", "content": "Be brief.", "cache_control": MARK}, USER]},
        ["system.0"],
        ["messages.0.content.0"],
    ),
    "system part": (
        {"messages": [{"role": "system", "content": part("Be brief.")}, USER]},
        ["system.0"],
        ["messages.0.content.0"],
    ),
    "developer message": (
        {"messages": [{"role": "developer", "content": "Be brief.", "cache_control": MARK}, USER]},
        ["system.0"],
        ["messages.0.content.0"],
    ),
    "later system message": (
        {"messages": [USER, {"role": "assistant", "content": "Hi"}, USER, {"role": "system", "content": "Be brief.", "cache_control": MARK}]},
        ["messages.2.content.1"],
        ["messages.3.content.0"],
    ),
}  # fmt: skip


class Recorder:
    """An upstream that keeps the bodies it got."""

    def __init__(self, upstream: Upstream | None = None) -> None:
        self.bodies: list[dict[str, Any]] = []
        self._upstream = upstream or answer()

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.bodies.append(orjson.loads(request.content))
        return self._upstream(request)


@pytest.mark.parametrize("provider", MODELS)
@pytest.mark.parametrize("place", PLACES)
def test_marks_reach_the_provider_wherever_they_stand(make_gateway: MakeGateway, provider: str, place: str) -> None:
    """One mark stays one mark, at the end of what it marked; Gemini, which caches by itself, gets none."""
    body, claude, openrouter = PLACES[place]
    upstream = Recorder()
    gateway = make_gateway(upstream)
    sent = gateway.client.post("/v1/chat/completions", json={"model": MODELS[provider], **body})
    assert sent.status_code == 200, sent.text
    (got,) = upstream.bodies
    assert list(paths(got)) == {"claude": claude, "openrouter": openrouter, "gemini": []}[provider]
    assert gateway.rows[0]["cache_marks"] == "client"


@pytest.mark.parametrize("body", [body for body, _, _ in PLACES.values()], ids=PLACES)
def test_vendors_accept_the_marks(make_gateway: MakeGateway, body: dict[str, Any]) -> None:
    """Each vendor's strict checks pass."""
    with simulated(Simulation()) as upstream:
        gateway = make_gateway(upstream)
        for model in MODELS.values():
            sent = gateway.client.post("/v1/chat/completions", json={"model": model, **body})
            assert sent.status_code == 200, sent.text


@pytest.mark.parametrize(
    "broken",
    [
        {"messages": [{**USER, "cache_control": "yes"}]},
        {"messages": [USER], "cache_control": True},
        {"messages": [USER], "tools": [{**TOOL, "cache_control": 1}]},
    ],
)
def test_malformed_cache_mark_is_a_400(make_gateway: MakeGateway, broken: dict[str, Any]) -> None:
    """A mark that is no object is a 400 that names it."""
    sent = make_gateway().client.post("/v1/chat/completions", json={"model": "auto", **broken})
    assert (sent.status_code, sent.json()["error"]["param"].endswith("cache_control")) == (400, True)


MANUAL = "You know this manual by heart. " + "It says a lot about very little. " * 600
SONNET = "claude/claude-sonnet-5-5"


def agent(turns: int, **members: Any) -> dict[str, Any]:
    """A coding agent's request after so many calls: instructions, tools, no marks."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": MANUAL},
        {"role": "user", "content": "Fix the bug."},
    ]
    for turn in range(turns):
        call = {"id": f"c{turn}", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{turn}", "content": f"result {turn} " * 50},
        ]
    return {"model": "auto", "messages": messages, "tools": [TOOL], "routing": {"models": [SONNET]}} | members


def ask(gateway: GatewayUnderTest, body: dict[str, Any]) -> dict[str, Any]:
    sent = gateway.client.post("/v1/chat/completions", json=body)
    assert sent.status_code == 200, sent.text
    return gateway.rows[-1]


def test_an_agent_without_marks_reads_its_prompt_from_the_cache(make_gateway: MakeGateway) -> None:
    """The first request writes the prompt, the next ones read it and write what is new; the rows say so."""
    with simulated(Simulation()) as vendors:
        upstream = Recorder(vendors)
        gateway = make_gateway(upstream)
        first, second, third = (ask(gateway, agent(turns)) for turns in range(3))
    assert [list(paths(body)) for body in upstream.bodies] == [
        ["system.0", "messages.0.content.0"],
        ["system.0", "messages.0.content.0", "messages.2.content.0"],
        ["system.0", "messages.2.content.0", "messages.4.content.0"],
    ]
    assert {row["cache_marks"] for row in (first, second, third)} == {"gateway"}
    assert (first["cached_tokens"], first["cache_write_tokens"] > 4000) == (0, True)
    assert second["cached_tokens"] >= first["cache_write_tokens"]
    assert 0 < second["cache_write_tokens"] < 1000
    assert third["cached_tokens"] > second["cached_tokens"]
    assert third["actual_cost"] < first["actual_cost"] / 2
    assert third["usage"]["cache_read_input_tokens"] == third["cached_tokens"]


def test_the_expected_cost_counts_the_cache(make_gateway: MakeGateway) -> None:
    """Over the turns that follow, the cache saves more than its write costs; for a request alone (`max_cost`) the first one pays."""
    costs: dict[str, list[float]] = {}
    limits: dict[str, Any] = {"over turns": {}, "alone": {"routing": {"models": [SONNET], "max_cost": 1}}}
    for name, members in limits.items():
        for mode in ("auto", "off"):
            with simulated(Simulation()) as upstream:
                gateway = make_gateway(upstream, config=f"prompt_caching: {mode}\n")
                rows = [ask(gateway, agent(turns, **members)) for turns in range(2)]
                costs[f"{name}, {mode}"] = [row["candidates"][0]["cost"] for row in rows]
                gateway.client.close()
    assert costs["over turns, auto"][0] < costs["over turns, off"][0]
    assert costs["alone, auto"][0] > costs["alone, off"][0]
    assert costs["alone, auto"][1] < costs["alone, off"][1]


UNMARKED = {
    "off": ("prompt_caching: off\n", agent(1)),
    "the client's own mark": ("", agent(1, cache_control=MARK)),
    "a single question": ("", {**agent(0), "tools": []}),
    "one structured answer": ("", agent(0, tool_choice="required")),
    "a named model": ("", agent(1, model=SONNET)),
    "a short prompt": ("", {**agent(1), "messages": agent(1)["messages"][1:]}),
    "a title": ("", agent(0, messages=[{"role": "system", "content": "Generate a short title for this conversation." + MANUAL}, USER])),
    "shadow": ("mode: shadow\nbaseline: claude/claude-sonnet-5-5\n", agent(1)),
}  # fmt: skip


@pytest.mark.parametrize("case", UNMARKED)
def test_no_breakpoints_are_placed_where_they_would_not_pay(make_gateway: MakeGateway, case: str) -> None:
    """Nothing is added where it is switched off, would not pay, is not the gateway's to decide, or is done by the client."""
    config, body = UNMARKED[case]
    upstream = Recorder()
    row = ask(make_gateway(upstream, config=config or None), body)
    marked = case == "the client's own mark"
    assert list(paths(upstream.bodies[0])) == (["top"] if marked else [])
    assert row["cache_marks"] == ("client" if marked else None)


def test_always_places_breakpoints_for_named_models_too(make_gateway: MakeGateway) -> None:
    """With `always` a request that names its model gets breakpoints by the same rule, through OpenRouter as well."""
    upstream = Recorder()
    gateway = make_gateway(upstream, config="prompt_caching: always\n")
    for model in (SONNET, "openrouter/anthropic/claude-sonnet-5.5", "gemini/gemini-3.8-flash"):
        ask(gateway, agent(1, model=model))
    ask(gateway, {**agent(0, model=SONNET), "tools": []})
    ask(gateway, {**agent(1, model=SONNET), "messages": agent(1)["messages"][1:]})
    assert [list(paths(body)) for body in upstream.bodies] == [
        ["system.0", "messages.0.content.0", "messages.2.content.0"],
        ["messages.0.content.0", "messages.1.content.0", "messages.3.content.0"],
        [],
        [],
        [],
    ]
    assert [row["cache_marks"] for row in gateway.rows] == ["gateway", "gateway", None, None, None]


def test_failover_has_its_own_marks(make_gateway: MakeGateway) -> None:
    """Only the Claude candidate gets breakpoints; the row tells of the one that answered."""

    def upstream(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(500) if "anthropic" in request.url.host else answer()(request)

    recorder = Recorder(upstream)
    body = agent(1, model="auto:quality", routing={"models": [SONNET, "gemini/gemini-3.8-flash"]})
    row = ask(make_gateway(recorder), body)
    assert [bool(list(paths(each))) for each in recorder.bodies] == [True, False]
    assert (row["selected_provider"], row["cache_marks"]) == ("gemini", None)


def test_a_discount_is_not_learned_twice(make_gateway: MakeGateway) -> None:
    """What the decision counted for the conversation's cache is left out of the cost that is learned."""
    with simulated(Simulation()) as upstream:
        gateway = make_gateway(upstream)
        rows = [ask(gateway, agent(turns)) for turns in range(3)]
    listed = [row["prompt_tokens"] * 2e-6 + row["completion_tokens"] * 10e-6 for row in rows]
    learned = [each.cost for each in gateway.store.outcomes() if each.source == "served"]
    assert rows[2]["actual_cost"] < listed[2] / 2
    assert learned == [pytest.approx(cost, rel=0.1) for cost in listed]


def test_the_preview_tells_of_breakpoints(make_gateway: MakeGateway) -> None:
    """`/v1/route` says who would place them."""
    gateway = make_gateway()
    told = [
        gateway.client.post("/v1/route", json=agent(1, **members)).json() for members in ({}, {"cache_control": MARK})
    ]
    assert [each["cache_marks"] for each in told] == ["gateway", "client"]
