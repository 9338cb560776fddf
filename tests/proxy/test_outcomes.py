"""What a gateway learns from its traffic without asking anyone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.app import Environment
from llm_simulator.simulation import Simulation
from tests.conftest import GatewayUnderTest, MakeGateway
from tests.proxy.simulated import simulated
from tests.upstreams import Upstream, failing

PROMPT = "Explain how HTTP caches decide what is stale."


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with simulated(Simulation(seed=1)) as upstream:
        yield upstream


def labels(gateway: GatewayUnderTest) -> list[str]:
    """The sources of what was judged, without the one in sixteen."""
    stored = gateway.store.outcomes()
    return [each.source for each in stored if each.quality is not None and each.source != "unremarkable"]


FAULTS = [("empty_answer", "empty"), ("refusal", "refused"), ("context_window", "truncated")]


@pytest.mark.parametrize(("fault", "source"), FAULTS)
@pytest.mark.parametrize("stream", [False, True])
def test_answers_that_are_no_answers(
    make_gateway: MakeGateway, upstream: Upstream, fault: str, source: str, stream: bool
) -> None:
    """Silence, refusals and cuts are stored with their source and weight; the answer is given as it came."""
    gateway = make_gateway(upstream)
    response = gateway.ask(f"{PROMPT} [[fault:{fault}]]", stream=stream)
    assert response.status_code == 200, response.text
    assert labels(gateway) == [source]
    (label,) = [each for each in gateway.store.outcomes() if each.source == source]
    (row,) = gateway.rows
    assert (label.request_id, label.model) == (row["request_id"], row["selected_model"])
    assert 0 < label.weight < 1
    assert label.features == row["features"]
    assert label.cost is label.input_tokens is None


def test_upstream_errors(make_gateway: MakeGateway) -> None:
    """A model that breaks on a request is labelled, though another one answered; a refused key says nothing of it."""
    gateway = make_gateway(failing(500, "claude", "gemini"))
    gateway.ask(PROMPT, path="/v1/chat/completions?auto_route=false")
    (row,) = gateway.rows
    broke = [(each.provider, each.model) for each in gateway.store.outcomes() if each.source == "upstream_error"]
    assert broke == [(each["provider"], each["model"]) for each in row["attempts"][:-1]]
    assert broke

    gateway = make_gateway(failing(401, "claude", "gemini"))
    gateway.ask(PROMPT, path="/v1/chat/completions?auto_route=false")
    assert labels(gateway)[len(broke) :] == []


def test_the_same_again(make_gateway: MakeGateway) -> None:
    """A prompt that is sent again judges its first answer; a repeated request of an SDK does not."""
    gateway = make_gateway()
    gateway.ask(PROMPT)
    body = {"model": "auto", "messages": [{"role": "user", "content": PROMPT}]}
    gateway.client.post("/v1/chat/completions", json=body, headers={"x-stainless-retry-count": "1"})
    assert labels(gateway) == []
    gateway.ask(PROMPT)
    (label,) = [each for each in gateway.store.outcomes() if each.source == "resent"]
    assert label.request_id == gateway.rows[1]["request_id"]


def test_a_stronger_model_is_named(make_gateway: MakeGateway) -> None:
    """Who goes on with a stronger model says something of the answer before; who names a model at first does not."""
    gateway = make_gateway(config="tradeoffs: {cheap: 0.0}\n")
    gateway.ask("Is it going to rain today?", model="claude/claude-opus-5-5")
    gateway.ask(PROMPT, model="auto:cheap")
    gateway.ask(PROMPT, model="claude/claude-opus-5-5")
    gateway.ask(PROMPT, model="claude/unheard-of")
    assert labels(gateway) == ["overridden"]


def test_who_has_said_it(make_gateway: MakeGateway) -> None:
    """After feedback nothing is guessed of that answer."""
    gateway = make_gateway()
    request_id = gateway.ask(PROMPT).headers["x-request-id"]
    gateway.client.post("/v1/feedback", json={"request_id": request_id, "rating": "up"})
    gateway.ask(PROMPT)
    assert labels(gateway) == ["feedback"]


def test_answers_with_nothing_wrong(make_gateway: MakeGateway) -> None:
    """One in sixteen counts as what is expected of its tier."""
    ids = itertools.count()  # which requests count is told by their ids
    gateway = make_gateway(app_environment=Environment(new_request_id=lambda: f"req_{next(ids)}"))
    for number in range(60):
        gateway.ask(f"{PROMPT} {number}")
    found = [each for each in gateway.store.outcomes() if each.source == "unremarkable"]
    assert [each.request_id for each in found] == ["req_6", "req_9", "req_10"]
    assert {each.weight for each in found} == {0.1}


def test_unlisted_and_pinned_models_teach_nothing(make_gateway: MakeGateway) -> None:
    """Where the router saw nothing there is nothing to learn."""
    gateway = make_gateway()
    gateway.ask(PROMPT, model="claude/unheard-of")
    gateway.ask(PROMPT, model="claude/claude-opus-5-5")
    assert list(gateway.store.outcomes()) == []


def conversation(*, system: str, turns: int) -> list[dict[str, Any]]:
    said = [{"role": "system", "content": system}]
    for number in range(turns):
        said += [{"role": "user", "content": f"Hello number {number}"}, {"role": "assistant", "content": "Hi"}]
    return [*said[:-1]]


def post(gateway: GatewayUnderTest, messages: list[dict[str, Any]], **body: Any) -> dict[str, Any]:
    response = gateway.client.post("/v1/chat/completions", json={"model": "auto", "messages": messages, **body})
    assert response.status_code == 200, response.text
    return gateway.rows[-1]


LONG = "You know this manual by heart. " + "It says a lot about very little. " * 2000
SONNET, FLASH = "claude/claude-sonnet-5-5", "gemini/gemini-3.8-flash"


def test_a_long_conversation_keeps_its_model(make_gateway: MakeGateway) -> None:
    """A cheaper model for an easy turn is not worth the cached prefix; the row shows what the change would have cost."""
    with simulated(Simulation(seed=1)) as upstream:
        gateway = make_gateway(upstream)
        first = post(gateway, conversation(system=LONG, turns=2), routing={"models": [SONNET]})
        assert (first["session_kept"], first["switch_penalty"]) == (None, None)
        models = [SONNET, "claude/claude-opus-5-5"]
        second = post(gateway, conversation(system=LONG, turns=3), routing={"models": models})
    assert second["session_id"] == first["session_id"]
    assert second["session_kept"] is True
    assert second["selected_model"] == first["selected_model"]
    assert second["switch_penalty"] > 0


def test_a_conversation_can_move(make_gateway: MakeGateway) -> None:
    """When the holder may not answer, another one does, and the session is with that one from then on."""
    with simulated(Simulation(seed=1)) as upstream:
        gateway = make_gateway(upstream)
        post(gateway, conversation(system=LONG, turns=2), routing={"models": [SONNET]})
        moved = post(gateway, conversation(system=LONG, turns=3), routing={"models": [FLASH]})
        stayed = post(gateway, conversation(system=LONG, turns=4), routing={"models": [FLASH, SONNET]})
    assert moved["session_kept"] is False
    assert moved["selected_model"] == "gemini-3.8-flash"
    assert moved["switch_penalty"] > 0
    assert (stayed["session_kept"], stayed["selected_model"]) == (True, "gemini-3.8-flash")


def test_failover_moves_a_conversation(make_gateway: MakeGateway) -> None:
    """The session follows who answered in the end."""
    gateway = make_gateway(failing(500, "claude"))
    messages = conversation(system="Be brief.", turns=1)
    first = post(gateway, messages, routing={"models": [SONNET, FLASH], "session_id": "mine"}, model="auto:quality")
    assert first["selected_model"] == "gemini-3.8-flash"
    second = post(gateway, messages, routing={"models": [SONNET, FLASH], "session_id": "mine"}, model="auto:cheap")
    assert (second["session_id"], second["session_kept"]) == ("mine", True)


def test_tool_results_stay_with_their_model(make_gateway: MakeGateway) -> None:
    """Between a tool call and its result the model does not change, whatever a turn would be worth."""
    gateway = make_gateway()
    opening = [{"role": "user", "content": "Hello"}]
    post(gateway, opening, routing={"models": [SONNET]})
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    loop: list[dict[str, Any]] = [
        *opening,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
    ]
    row = post(gateway, loop, model="auto:cheap", tools=[{"type": "function", "function": {"name": "f"}}])
    assert (row["session_kept"], row["selected_model"]) == (True, "claude-sonnet-5-5")


def test_titles_leave_the_conversation_where_it_is(make_gateway: MakeGateway) -> None:
    """The client's own calls are answered by whom they may, without moving the session."""
    gateway = make_gateway()
    hint = {"session_id": "mine"}
    post(gateway, [{"role": "user", "content": "Hello"}], routing={**hint, "models": [SONNET]})
    title = "Generate a concise, 3-5 word title for this conversation."
    row = post(gateway, [{"role": "user", "content": title}], routing={**hint, "models": [FLASH]})
    assert row["selected_model"] == "gemini-3.8-flash"
    back = post(gateway, [{"role": "user", "content": "Hello again"}], routing={**hint, "models": [SONNET]})
    assert back["session_kept"] is True


def test_named_models_are_untouched(make_gateway: MakeGateway) -> None:
    """A pinned request neither has a session nor changes one."""
    gateway = make_gateway()
    hint = {"session_id": "mine"}
    post(gateway, [{"role": "user", "content": "Hello"}], routing={**hint, "models": [SONNET]})
    row = post(gateway, [{"role": "user", "content": "Hello"}], routing=hint, model=FLASH)
    assert (row["session_id"], row["session_kept"], row["selected_model"]) == ("mine", None, "gemini-3.8-flash")
    back = post(gateway, [{"role": "user", "content": "Hello"}], routing={**hint, "models": [SONNET]})
    assert back["session_kept"] is True
