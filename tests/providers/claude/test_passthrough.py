"""The client's own object, with as few changes as possible."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from gateway.completion import ChatRequest, NativeRequest
from gateway.providers.base import SignatureCache
from gateway.providers.claude.passthrough import native_body, native_count_body
from gateway.providers.claude.thinking import store_signatures
from tests.dialects.messages.parsing import assistant, native, parse, text, tool_use, user

NAMED = "claude/claude-haiku-4-5"
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "r"}
THOUGHT = {"type": "thinking", "thinking": "Hm", "signature": "EqQB"}
TOOLS = [{"name": "f", "input_schema": {"type": "object"}}]


def sent(request: ChatRequest, model: str, signatures: SignatureCache | None = None) -> dict[str, Any]:
    """What goes to Claude; the client's object stays as it is."""
    before = copy.deepcopy(native(request).body)
    body = native_body(request, native(request), model, signatures=signatures or SignatureCache())
    assert native(request).body == before
    return body


def routed(messages: Any = "Hello", *, model: str, **body: Any) -> dict[str, Any]:
    """What goes to a model that the gateway chose."""
    return sent(parse(messages, **body), model)


def test_only_the_name_changes() -> None:
    """Members keep their order and their values, unknown ones too."""
    request = parse(model=NAMED, unknown={"a": [1]}, speed="fast", temperature=0.5, thinking={"type": "odd"})
    body = sent(request, "claude-haiku-4-5")
    assert list(body.items()) == list({**native(request).body, "model": "claude-haiku-4-5"}.items())


def test_a_lower_limit_of_a_budget_is_kept() -> None:
    """A budget may lower the limit, and the thinking with it; it never raises one."""
    thinking = {"type": "enabled", "budget_tokens": 9000}
    request = parse(model=NAMED, max_tokens=10_000, thinking=thinking)
    assert sent(request.limited(20_000), "claude-haiku-4-5")["max_tokens"] == 10_000
    lowered = sent(request.limited(4_096), "claude-haiku-4-5")
    assert (lowered["max_tokens"], lowered["thinking"]["budget_tokens"]) == (4_096, 4_095)
    assert "thinking" not in sent(request.limited(256), "claude-haiku-4-5")
    assert sent(parse(model=NAMED).limited(50), "claude-haiku-4-5")["max_tokens"] == 50


def test_the_gateways_breakpoints_are_in_the_clients_object() -> None:
    """Where the gateway wants the prompt cached, the last block is marked; the client's own object stays as it is."""
    request = parse(model=NAMED)
    marked = request._replace(native=native(request)._replace(caches=True))
    content = sent(marked, "claude-haiku-4-5")["messages"][-1]["content"]
    assert content[-1]["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in str(native(request).body)


def test_thinking_of_another_model_is_left_out() -> None:
    """A signature is valid only for its model; one that the gateway never saw is Claude's to judge."""
    signatures = SignatureCache()
    store_signatures(signatures, [{"signature": "EqQB", "model": "claude-opus-5-5"}, {"model": "claude-opus-5-5"}])
    unknown = {"type": "redacted_thinking", "data": "x"}
    last = user(text("Go on."))
    turns = [user(text("Hi")), assistant(THOUGHT, text("Ho")), assistant(THOUGHT), assistant(unknown, text("Ha")), last]
    request = parse(turns, model="claude-haiku-5-5")
    assert sent(request, "claude-haiku-5-5", signatures)["messages"] == [
        turns[0],
        assistant(text("Ho")),
        turns[3],
        last,
    ]
    assert sent(request, "claude-opus-5-5", signatures)["messages"] == turns


def test_a_count_has_no_limit() -> None:
    """Counting sends the prompt alone."""
    original = NativeRequest("messages", {"model": "auto", "messages": [{"role": "user", "content": "x"}]})
    assert native_count_body(original, "claude-x", signatures=SignatureCache()).keys() == {"model", "messages"}


@pytest.mark.parametrize(
    ("model", "thinking", "effort"),
    [
        ("claude-haiku-4-5", {"type": "enabled", "budget_tokens": 8192, "display": "omitted"}, None),
        ("claude-sonnet-4-6", {"type": "adaptive", "display": "omitted"}, "high"),
        ("claude-opus-5-5", {"type": "adaptive", "display": "omitted"}, "high"),
        ("claude-3-5-haiku", None, None),
    ],
)
def test_a_chosen_model_gets_its_own_way_of_thinking(model: str, thinking: Any, effort: str | None) -> None:
    """What an agent asks of the newest model is written as the chosen one takes it; the format of the answer stays."""
    schema = {"type": "json_schema", "schema": {"type": "object"}}
    body = routed(
        model=model,
        max_tokens=128_000,
        thinking={"type": "adaptive", "display": "omitted"},
        output_config={"effort": "high", "format": schema},
        context_management={"edits": []},
    )
    assert body.get("thinking") == thinking
    assert body["output_config"] == {"format": schema} | ({"effort": effort} if effort else {})
    assert ("context_management" in body) == (thinking is not None)
    assert body["max_tokens"] in (128_000, 64_000, 8_192)


def test_a_chosen_model_that_cannot_stop_thinking() -> None:
    """Thinking that is switched off is switched off in the model's own words."""
    assert routed(model="claude-sonnet-5-5", thinking={"type": "disabled"})["thinking"] == {"type": "between_tools"}
    body = routed(model="claude-opus-5-5", thinking={"type": "disabled"})
    assert "thinking" not in body
    assert body["output_config"] == {"effort": "low"}
    assert "output_config" not in routed(model="claude-haiku-4-5")


def test_an_unsigned_tool_loop_is_continued_without_thinking() -> None:
    """A model that thinks with a budget wants thinking at the start of each turn of the loop, and another model began this one."""
    thinking = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}, "max_tokens": 9000}
    unsigned = [user(text("Hi")), assistant(tool_use("t1")), user(RESULT)]
    signed = [user(text("Hi")), assistant(THOUGHT, tool_use("t1")), user(RESULT)]
    assert "thinking" not in routed(unsigned, model="claude-haiku-4-5", **thinking)
    assert "thinking" in routed(signed, model="claude-haiku-4-5", **thinking)
    assert "thinking" in routed(unsigned, model="claude-haiku-5-5", **thinking)
    assert "thinking" in routed([*unsigned, user(text("New."))], model="claude-haiku-4-5", **thinking)


def test_sampling_that_a_chosen_model_rejects_is_left_out() -> None:
    """Newer models take no sampling parameters, thinking ones neither, and the 4.5 family only one of them."""
    sampling = {"temperature": 0.5, "top_p": 0.9, "top_k": 5}
    assert sampling.keys().isdisjoint(routed(model="claude-opus-5-5", **sampling))
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 5000}
    assert sampling.keys().isdisjoint(routed(model="claude-haiku-4-5", **sampling, **thinking))
    assert "top_p" not in routed(model="claude-haiku-4-5", **sampling)
    assert routed(model="claude-3-7-sonnet", **sampling)["top_p"] == 0.9
    assert routed(model="claude-haiku-4-5", top_p=0.9)["top_p"] == 0.9


def test_system_turns_are_reminders_for_models_without_them() -> None:
    """An older model knows instructions only at the top."""
    turns = [
        user(text("Hi")),
        {"role": "system", "content": "Late."},
        {"role": "system", "content": [text("x"), {"type": "odd"}]},
    ]
    folded = routed(turns, model="claude-haiku-4-5")["messages"]
    assert [turn["role"] for turn in folded] == ["user", "user", "user"]
    assert folded[1]["content"] == [text("<system-reminder>\nLate.\n</system-reminder>")]
    assert folded[2]["content"][1] == {"type": "odd"}
    assert routed(turns, model="claude-opus-5-5")["messages"] == turns


def test_a_conversation_that_ends_with_the_assistant_is_continued() -> None:
    """Newer models reject a prefilled answer."""
    turns = [user(text("Hi")), assistant(text("Ho"))]
    assert routed(turns, model="claude-opus-5-5")["messages"][-1] == {"role": "user", "content": "Continue."}
    assert routed(turns, model="claude-haiku-4-5")["messages"] == turns


@pytest.mark.parametrize("system", [None, "Be brief.", [text("Be brief.")]])
@pytest.mark.parametrize(
    ("choice", "words"), [({"type": "tool", "name": "f"}, "the tool `f`"), ({"type": "any"}, "one of the given tools")]
)
def test_a_model_that_cannot_be_forced_is_told(system: Any, choice: Any, words: str) -> None:
    """A forced tool becomes an instruction, after those of the client."""
    body = routed(
        model="claude-opus-5-5", tools=TOOLS, tool_choice={**choice, "disable_parallel_tool_use": True}, system=system
    )
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert words in body["system"][-1]["text"]
    assert len(body["system"]) == (1 if system is None else 2)
