"""Thinking in each generation's terms, and the way of a thinking block through a conversation."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.providers.base import SignatureCache
from tests.providers.claude.asking import (
    FABLE_5,
    HAIKU_3_5,
    HAIKU_4_5,
    HAIKU_5_5,
    OPUS_4_7,
    OPUS_5,
    OPUS_5_5,
    SONNET_4_6,
    SONNET_5_5,
    WEATHER,
    call,
    called,
    claude,
    result,
    sent,
)

ADAPTIVE, SHOWN, OFF = {"type": "adaptive"}, {"type": "adaptive", "display": "summarized"}, {"type": "disabled"}


def manual(budget: int) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": budget}


def fields(model: str, **body: Any) -> tuple[Any, Any]:
    """`thinking` and effort as they are sent."""
    json = sent(to=model, **body).json
    return json.get("thinking"), json.get("output_config", {}).get("effort")


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (HAIKU_3_5, dict.fromkeys(("none", "low", "max"), (None, None))),
        (
            HAIKU_4_5,
            {
                "none": (None, None),
                "minimal": (None, None),
                "low": (manual(1024), None),
                "medium": (manual(2048), None),
                "high": (manual(8192), None),
                "xhigh": (manual(8192), None),
                "max": (manual(8192), None),
            },
        ),
        (
            SONNET_4_6,
            {
                "none": (None, None),
                "minimal": (ADAPTIVE, "low"),
                "medium": (ADAPTIVE, "medium"),
                "xhigh": (ADAPTIVE, "high"),
                "max": (ADAPTIVE, "max"),
            },
        ),
        (OPUS_4_7, {"none": (OFF, None), "minimal": (SHOWN, "low"), "xhigh": (SHOWN, "xhigh"), "max": (SHOWN, "max")}),
        (OPUS_5, {"none": (OFF, None), "low": (SHOWN, "low")}),
        (SONNET_5_5, {"none": ({"type": "between_tools"}, None), "high": (SHOWN, "high")}),
        (HAIKU_5_5, {"none": (None, "low"), "medium": (SHOWN, "medium")}),
        (OPUS_5_5, {"none": (None, "low"), "max": (SHOWN, "max")}),
        (FABLE_5, {"none": (None, "low")}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_effort_is_mapped_for_every_generation(model: str, told: dict[str, tuple[Any, Any]]) -> None:
    """Every effort has its meaning in every generation."""
    assert {effort: fields(model, reasoning_effort=effort) for effort in told} == told


@pytest.mark.parametrize(
    ("reasoning", "manually", "adaptively"),
    [
        ({}, (None, None), (None, None)),
        ({"enabled": True}, (manual(2048), None), (SHOWN, "medium")),
        ({"enabled": False}, (None, None), (OFF, None)),
        ({"effort": "low"}, (manual(1024), None), (SHOWN, "low")),
        ({"max_tokens": 5000}, (manual(5000), None), (SHOWN, None)),
        ({"max_tokens": 5}, (manual(1024), None), (SHOWN, None)),
        ({"max_tokens": 0}, (None, None), (OFF, None)),
        ({"effort": "high", "exclude": True}, (manual(8192), None), (ADAPTIVE, "high")),
    ],
)
def test_reasoning_object_sets_effort_budget_and_display(reasoning: Any, manually: Any, adaptively: Any) -> None:
    """OpenRouter's `reasoning` says it too: by effort, by budget, on or off, not to be shown."""
    assert fields(HAIKU_4_5, reasoning=reasoning) == manually
    assert fields(OPUS_5, reasoning=reasoning) == adaptively


@pytest.mark.parametrize(
    ("limit", "thinking"), [(1024, None), (1025, manual(1024)), (3000, manual(2999)), (50_000, manual(8192))]
)
def test_thinking_budget_stays_below_the_token_limit(limit: int, thinking: Any) -> None:
    """A budget stays below the limit of the whole answer; where that is too little there is no thinking."""
    assert fields(HAIKU_4_5, reasoning_effort="high", max_tokens=limit) == (thinking, None)


def test_forced_tool_without_a_switch() -> None:
    """Where nothing switches thinking off, a forced tool goes with the least effort if no thinking was asked for."""
    forced = {"tools": [WEATHER], "tool_choice": "required"}
    assert fields(FABLE_5, **forced) == (None, None)
    assert fields(FABLE_5, reasoning_effort="none", **forced) == (None, "low")


SIGNED = {"type": "reasoning.text", "text": "Hm.", "signature": "s1", "index": 0}
BLOCK = {"type": "thinking", "thinking": "Hm.", "signature": "s1"}
LATER = {**SIGNED, "signature": "s2", "after_tool_calls": 1}
LATER_BLOCK = {**BLOCK, "signature": "s2"}
USE, USE_2 = ({"type": "tool_use", "id": id, "name": "get_weather", "input": {"city": "Paris"}} for id in ("c1", "c2"))


def loop(*details: Any, model: str = OPUS_5_5, **body: Any) -> tuple[Any, list[Any]]:
    """`thinking`, and the assistant's blocks, of a tool loop whose call came with these details."""
    calls = called(call("c1"), call("c2"), reasoning_details=list(details))
    messages = [{"role": "user", "content": "1"}, calls, result("c1"), result("c2")]
    json = sent(messages, to=model, tools=[WEATHER], **body).json
    return json.get("thinking"), json["messages"][1]["content"]


@pytest.mark.parametrize(
    ("detail", "block"),
    [
        (SIGNED, BLOCK),
        ({**SIGNED, "format": "anthropic-claude-v1", "model": OPUS_5_5}, BLOCK),
        ({**SIGNED, "text": None}, {**BLOCK, "thinking": ""}),
        ({**SIGNED, "after_tool_calls": "x"}, BLOCK),
        ({"type": "reasoning.encrypted", "data": "xyz"}, {"type": "redacted_thinking", "data": "xyz"}),
        ({**SIGNED, "format": "google-gemini-v1"}, None),
        ({**SIGNED, "model": "claude-opus-5"}, None),
        ({**SIGNED, "signature": ""}, None),
        ({"type": "reasoning.encrypted", "data": None}, None),
        ({"type": "reasoning.summary", "summary": "Hm."}, None),
    ],
    ids=["bare", "own", "hidden", "odd", "redacted", "gemini", "other model", "unsigned", "no data", "summary"],
)
def test_echoed_thinking_goes_back_to_its_own_model_only(detail: Any, block: Any) -> None:
    """A block comes back as it was; one of another vendor or another model does not."""
    assert loop(detail) == (None, [*([block] if block else []), USE, USE_2])


def test_thinking_block_keeps_its_place_between_calls() -> None:
    """A block that came between two calls comes back between them."""
    assert loop(SIGNED, LATER) == (None, [BLOCK, USE, LATER_BLOCK, USE_2])


def test_not_while_thinking_is_off() -> None:
    """With thinking switched off none comes back; between tools it does."""
    assert loop(SIGNED, model=OPUS_5, reasoning_effort="none") == (OFF, [USE, USE_2])
    assert loop(SIGNED, model=OPUS_4_7) == (None, [USE, USE_2])
    assert loop(SIGNED, model=SONNET_5_5, reasoning_effort="none") == ({"type": "between_tools"}, [BLOCK, USE, USE_2])


def test_manual_thinking_continues_only_with_known_thinking() -> None:
    """Manual thinking goes on in a tool loop only while the thinking before its calls is known."""
    assert loop(SIGNED, model=HAIKU_4_5, reasoning_effort="low") == (manual(1024), [BLOCK, USE, USE_2])
    assert loop(LATER, model=HAIKU_4_5, reasoning_effort="low") == (None, [USE, USE_2])
    assert loop(model=HAIKU_4_5, reasoning_effort="low") == (None, [USE, USE_2])


@pytest.mark.parametrize(
    ("messages", "thinks"),
    [
        ([{"role": "user", "content": "1"}, called(call("c1")), result("c1"), {"role": "assistant", "content": "2"}, {"role": "user", "content": "3"}], True),
        ([{"role": "user", "content": "1"}, called(call("c1")), result("c1"), {"role": "user", "content": "2"}], False),
        ([{"role": "user", "content": "1"}, called(call("c1"), reasoning_details=[SIGNED]), result("c1"), called(call("c2")), result("c2")], False),
        ([called(call("c1"), reasoning_details=[SIGNED]), result("c1")], True),
    ],
    ids=["closed", "open behind a message", "half known", "without a beginning"],
)  # fmt: skip
def test_open_loop_is_the_one_the_messages_end_in(messages: list[dict[str, Any]], thinks: bool) -> None:
    """The loop that counts is the one that the messages end in, all of it."""
    json = sent(messages, tools=[WEATHER], reasoning_effort="low").json
    assert ("thinking" in json) is thinks


def test_echoed_call_id_brings_its_thinking_back() -> None:
    """A client that sends back the calls alone gets its thinking back by the id of the call; a wrong memory is no harm."""
    signatures = SignatureCache()
    asked = sent(to=OPUS_5, tools=[WEATHER])
    content = [BLOCK, {"type": "tool_use", "id": "c1", "name": "get_weather", "input": {"city": "Paris"}}]
    usage = {"input_tokens": 1, "output_tokens": 1}
    claude(signatures).parse_response({"content": content, "stop_reason": "tool_use", "usage": usage}, asked)
    signatures.put("c9", "another provider's")
    signatures.put("c8", ["and another's"])
    for id, block in (("c1", [BLOCK]), ("c2", []), ("c8", []), ("c9", [])):
        unsigned = called(call(id), reasoning_details=[{"type": "reasoning.text", "text": "Hm."}])
        messages = [{"role": "user", "content": "1"}, unsigned, result(id)]
        json = sent(messages, to=OPUS_5, tools=[WEATHER], signatures=signatures).json
        assert json["messages"][1]["content"] == [*block, {**USE, "id": id}]
