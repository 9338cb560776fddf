"""Requests as wholes: what is kept for the answer, and that asking twice is asking the same."""

from __future__ import annotations

import pytest

from tests.providers.claude.asking import HAIKU_4_5, SONNET_4_6, WEATHER, asked, call, called, claude, result, sent


def test_context_says_only_what_matters() -> None:
    """A plain request needs nothing to read its answer."""
    assert sent(tools=[WEATHER]).context == {}


def test_building_a_request_twice_gives_the_same() -> None:
    """Building a request again gives the same, also after its cache marks were thinned out."""
    mark = {"cache_control": {"type": "ephemeral"}}
    parts = [{"type": "text", "text": str(i), **mark} for i in range(6)]
    request = asked([{"role": "user", "content": parts}], tools=[{**WEATHER, **mark}])
    provider = claude()
    assert provider.build_request(request, HAIKU_4_5) == provider.build_request(request, HAIKU_4_5)
    assert all("cache_control" in part for part in request.messages[0]["content"])


@pytest.mark.parametrize(("top_p", "kept"), [(0.9, False), (0.95, True)])
def test_thinking_raises_top_p_to_its_minimum(top_p: float, kept: bool) -> None:
    """Thinking takes a `top_p` of at least 0.95 only."""
    assert ("top_p" in sent(to=SONNET_4_6, top_p=top_p, reasoning_effort="low").json) is kept


def test_unknown_thinking_turns_manual_thinking_off() -> None:
    """Manual thinking is off for a call in a tool loop whose thinking is unknown, and the rest follows from that."""
    history = [{"role": "user", "content": "1"}, called(call("c1")), result("c1")]
    json = sent(history, tools=[WEATHER], reasoning_effort="high", temperature=0.5).json
    assert "thinking" not in json
    assert json["temperature"] == 0.5


def test_forced_tool_drops_the_prefill() -> None:
    """A forced tool takes no prefill: the API begins the answer itself."""
    history = [{"role": "user", "content": "1"}, {"role": "assistant", "content": "I will"}]
    assert sent(history).json["messages"][-1]["role"] == "assistant"
    assert sent(history, tools=[WEATHER], tool_choice="required").json["messages"][-1]["role"] == "user"
