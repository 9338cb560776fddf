from __future__ import annotations

from typing import Any

import pytest

from gateway.completion import ChatRequest, RoutingHints
from gateway.routing.prompt.context import context_of, prompt_tokens_of, with_prompt_tokens
from gateway.routing.prompt.features import PromptFeatures, extract, prompt_facts
from gateway.routing.prompt.user_text import last_user_text


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def request(*messages: dict[str, Any], hints: RoutingHints | None = None, **members: Any) -> ChatRequest:
    body = {"model": "auto", "messages": list(messages), **members}
    return ChatRequest(body=body, model="auto", messages=list(messages), hints=hints or RoutingHints())


def prompt_tokens(body: dict[str, Any], messages: list[dict[str, Any]]) -> int:
    return prompt_tokens_of(request(*messages, **body))


CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}


@pytest.mark.parametrize(
    ("messages", "turn"),
    [
        ([{"role": "system", "content": "Analyze everything"}, user("Hi")], "Hi"),
        ([user("Fix it"), CALL, {"role": "tool", "tool_call_id": "1", "content": "long log"}], "Fix it"),
        ([user("Fix it"), user("<system-reminder>x</system-reminder>")], "Fix it"),
        ([user([{"type": "text", "text": "One"}, {"type": "text", "text": "two"}])], "One\ntwo"),
        ([user([{"type": "image_url", "image_url": {"url": "data:"}}])], ""),
        ([{"role": "system", "content": "Only this"}], "Only this"),
        ([user("<system-reminder>x</system-reminder>")], "<system-reminder>x</system-reminder>"),
        ([CALL], ""),
    ],
    ids=["system", "tool result", "envelope", "parts", "image", "system alone", "envelope alone", "call alone"],
)
def test_prompt_is_the_newest_human_turn(messages: list[dict[str, Any]], turn: str) -> None:
    """System prompts, tool results and harness envelopes do not make a request look complex."""
    assert last_user_text(messages) == turn


@pytest.mark.parametrize(
    ("members", "parts", "needs"),
    [
        ({}, [], set()),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, [], {"tools"}),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, [], {"json_schema"}),
        ({"response_format": {"type": "json_object"}, "n": 1, "logprobs": False}, [], set()),
        ({"n": 2, "logprobs": True}, [], {"n", "logprobs"}),
        ({"reasoning_effort": "high"}, [], {"reasoning"}),
        ({"modalities": ["text", "audio"]}, [], {"audio_output"}),
        ({"modalities": ["text"], "audio": None}, [], set()),
        ({"audio": {"voice": "a", "format": "wav"}}, [], {"audio_output"}),
        ({"modalities": ["image", "text"]}, [], {"image_output"}),
        ({"reasoning_effort": "none"}, [], set()),
        ({"reasoning": {"effort": "low"}}, [], {"reasoning"}),
        ({}, [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}], {"vision"}),
        ({}, [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}], {"audio"}),
        ({}, [{"type": "file", "file": {"file_data": "data:application/pdf;base64,AA"}}], {"pdf"}),
        ({}, [{"type": "file", "file": {"file_data": "data:text/plain;base64,AA"}}], set()),
    ],
)
def test_needs_are_what_the_request_asks_of_a_model(
    members: dict[str, Any], parts: list[dict[str, Any]], needs: set[str]
) -> None:
    """Tools, schemas, media, several choices, log probabilities and reasoning each have to be possible."""
    asked = request(user([{"type": "text", "text": "Hi"}, *parts]), **members)

    assert context_of(asked, available_providers=["claude"]).needs == needs


def test_a_long_search_for_a_persons_words_is_given_up() -> None:
    """Among the newest user turns the last with words of its own counts; when eight have none, the newest text does."""
    harness = user("<context>x</context>")

    assert last_user_text([user("Hi"), *[harness] * 7]) == "Hi"
    assert last_user_text([user("Hi"), *[harness] * 8]) == "<context>x</context>"


def test_size_of_huge_schemas_is_told_by_their_bytes() -> None:
    """Tools of very many values are not counted one by one, and not taken for smaller than those that are."""

    def tokens(properties: int) -> int:
        schema = {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(properties)}}
        return prompt_tokens({"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]}, [])

    assert tokens(40_000) > 20 * tokens(2_000) * 0.9


def test_context_carries_hints_sizes_and_cooling() -> None:
    """What the client wished and what the gateway knows both reach the strategies."""
    hints = RoutingHints(max_cost=0.01, min_quality=0.5, models=("x",), session_id="s")
    asked = request(user("One"), user("Two"), hints=hints, max_tokens=5, max_completion_tokens=7)

    context = context_of(
        asked, available_providers=("claude",), cooling=frozenset({("claude", None)}), tradeoff=0.2, user_id="key"
    )

    assert (context.max_cost, context.min_quality, context.models, context.session_id) == (0.01, 0.5, ("x",), "s")
    assert (context.max_tokens, context.turns, context.tradeoff, context.user_id) == (7, 2, 0.2, "key")
    assert context.cooling == {("claude", None)}
    assert context.available_providers == ["claude"]


def test_prompt_tokens_count_everything_but_media_bytes() -> None:
    """Texts, tools, calls and schemas count by their length, an image about the same whatever its bytes."""
    small = prompt_tokens({}, [user("word " * 100)])
    image = user([{"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10_000_000}}])
    pdf = user([{"type": "file", "file": {"file_data": "A" * 600_000}}])
    tools = {"tools": [{"type": "function", "function": {"name": "f", "description": "d" * 4000, "strict": True}}]}

    assert 100 <= small <= 160
    assert prompt_tokens({}, [image]) < 2_000
    drawn = {"role": "assistant", "content": None, "images": [{"type": "image_url", "image_url": {"url": "data:"}}]}
    assert 1_000 < prompt_tokens({}, [drawn]) < 2_000
    assert prompt_tokens({}, [pdf]) == pytest.approx(10_000, rel=0.01)
    assert prompt_tokens(tools, [user("x")]) > 1_000
    assert prompt_tokens({}, [user("x"), CALL]) > prompt_tokens({}, [user("x")]) + 8


def test_prompt_tokens_are_estimated_once() -> None:
    """A request that carries its estimate is not measured again."""
    measured = with_prompt_tokens(request(user("word " * 100)))
    assert measured.prompt_tokens == prompt_tokens({}, [user("word " * 100)])
    assert with_prompt_tokens(measured) is measured
    assert prompt_tokens_of(measured._replace(prompt_tokens=7)) == 7


def test_context_carries_the_facts_of_its_prompt() -> None:
    """The facts are those of the prompt in its request, whoever reads the prompt; a given session replaces the client's name."""
    read: list[str] = []

    def recorded(prompt: str) -> PromptFeatures:
        read.append(prompt)
        return extract(prompt)

    asked = request(user("Explain TCP"), {"role": "assistant", "content": "Yes."}, user("word " * 50))
    context = context_of(asked, available_providers=["claude"], session_id="s", read=recorded)

    assert (context.session_id, read) == ("s", [context.prompt])
    assert context.facts == prompt_facts(context.prompt, context)
    assert context.facts.features["history"] > 0
