"""What Claude refuses among the turns of a conversation."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import Response

Ask = Callable[..., Response]
Messages = list[dict[str, Any]]

USER = {"role": "user", "content": "Hello"}
USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "ok"}
TEXT = {"type": "text", "text": "Hi"}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


REFUSED: list[tuple[str, str, Messages, str]] = [
    ("assistant first", "claude-haiku-4-5", [assistant(TEXT), USER], 'first message must use the "user" role'),
    ("no content", "claude-haiku-4-5", [user()], "user messages must have non-empty content"),
    ("empty string", "claude-haiku-4-5", [{"role": "user", "content": ""}], "must have non-empty content"),
    ("empty text", "claude-haiku-4-5", [user({"type": "text", "text": ""})], "text content blocks must be non-empty"),
    ("blank text", "claude-haiku-4-5", [user({"type": "text", "text": " \n"})], "must contain non-whitespace text"),
    ("empty middle", "claude-haiku-4-5", [USER, assistant(), USER], "all messages must have non-empty content"),
    (
        "cached empty",
        "claude-haiku-4-5",
        [user({"type": "text", "text": "", "cache_control": {"type": "ephemeral"}})],
        "cache_control cannot be set for empty text blocks",
    ),
    ("image of assistant", "claude-haiku-4-5", [USER, assistant(RESULT), USER], "can not be in `assistant` messages"),
    (
        "no result",
        "claude-haiku-4-5",
        [USER, assistant(USE), user(TEXT)],
        "without `tool_result` blocks immediately after: t1",
    ),
    ("open call", "claude-haiku-4-5", [USER, assistant(USE)], "without `tool_result` blocks immediately after: t1"),
    ("late result", "claude-haiku-4-5", [USER, assistant(USE), user(TEXT, RESULT)], "without `tool_result` blocks"),
    ("orphan", "claude-haiku-4-5", [USER, assistant(TEXT), user(RESULT)], "unexpected `tool_use_id` found"),
    ("two results", "claude-haiku-4-5", [USER, assistant(USE), user(RESULT, RESULT)], "must have a single result"),
    ("same id", "claude-haiku-4-5", [USER, assistant(USE, USE), user(RESULT)], "`tool_use` ids must be unique"),
    ("prefill", "claude-sonnet-4-6", [USER, assistant(TEXT)], "does not support assistant message prefill"),
    ("trailing space", "claude-haiku-4-5", [USER, assistant({"type": "text", "text": "a "})], "trailing whitespace"),
    ("system turn", "claude-opus-4-7", [USER, {"role": "system", "content": "x"}], "role 'system' is not supported"),
    (
        "system first",
        "claude-opus-5",
        [{"role": "system", "content": "x"}, USER],
        "must directly follow a 'user' message",
    ),
    ("foreign id", "claude-haiku-4-5", [USER, assistant({**USE, "id": "a:b"}), USER], "String should match pattern"),
    (
        "forged",
        "claude-sonnet-4-6",
        [USER, assistant({"type": "thinking", "thinking": "a", "signature": "Zm9v"}, TEXT), USER],
        "Invalid `signature` in `thinking` block",
    ),
    (
        "forged data",
        "claude-sonnet-4-6",
        [USER, assistant({"type": "redacted_thinking", "data": "Zm9v"}, TEXT), USER],
        "Invalid `data` in `redacted_thinking` block",
    ),
]


@pytest.mark.parametrize(
    ("model", "messages", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_bad_conversation_is_a_400_that_says_where(claude: Ask, model: str, messages: Messages, message: str) -> None:
    """A conversation that Anthropic does not take is a 400 that says where."""
    response = claude(messages, model=model)
    assert response.status_code == 400
    assert message in response.json()["error"]["message"]


ACCEPTED: list[tuple[str, str, Messages]] = [
    ("users merged", "claude-sonnet-5", [USER, USER]),
    ("results in two messages", "claude-sonnet-5", [USER, assistant(USE), user(RESULT), user(TEXT)]),
    ("result, then text", "claude-sonnet-5", [USER, assistant(USE), user(RESULT, TEXT)]),
    ("prefill on 4.5", "claude-haiku-4-5", [USER, assistant(TEXT)]),
    ("system turn", "claude-opus-4-8", [USER, {"role": "system", "content": "x"}]),
    ("result with blocks", "claude-sonnet-5", [USER, assistant(USE), user({**RESULT, "content": [TEXT]})]),
    (
        "result without content",
        "claude-sonnet-5",
        [USER, assistant(USE), user({"type": "tool_result", "tool_use_id": "t1"})],
    ),
]


@pytest.mark.parametrize(("model", "messages"), [row[1:] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_documented_conversation_is_answered(claude: Ask, model: str, messages: Messages) -> None:
    """A conversation as Anthropic documents it is answered."""
    response = claude(messages, model=model)
    assert response.status_code == 200, response.text


def test_system_blocks_are_checked_too(claude: Ask) -> None:
    """An empty system block is refused."""
    response = claude(system=[{"type": "text", "text": ""}])
    assert "system: text content blocks must be non-empty" in response.json()["error"]["message"]


def test_manual_thinking_keeps_its_block(claude: Ask) -> None:
    """With manual thinking an open tool loop must begin with the thinking that came with the call."""
    thinking = {"type": "enabled", "budget_tokens": 1024}
    tools = [{"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]
    first = claude("What is the weather in Paris?", thinking=thinking, tools=tools, model="claude-haiku-4-5").json()
    use = first["content"][-1]
    question = {"role": "user", "content": "What is the weather in Paris?"}
    result = user({"type": "tool_result", "tool_use_id": use["id"], "content": "sunny"})

    kept = claude(
        [question, {"role": "assistant", "content": first["content"]}, result],
        thinking=thinking,
        tools=tools,
        model="claude-haiku-4-5",
    )
    lost = claude([question, assistant(use), result], thinking=thinking, tools=tools, model="claude-haiku-4-5")
    fresh = claude([question], thinking=thinking, tools=tools, model="claude-haiku-4-5")

    assert kept.status_code == fresh.status_code == 200
    assert "sunny" in kept.json()["content"][-1]["text"]
    assert "Expected `thinking` or `redacted_thinking`, but found `tool_use`" in lost.json()["error"]["message"]


def test_changed_thinking_is_refused(claude: Ask) -> None:
    """A thinking block whose text was changed does not fit its signature."""
    thinking = {"type": "enabled", "budget_tokens": 1024}
    content = claude(thinking=thinking).json()["content"]
    good = claude([USER, {"role": "assistant", "content": content}, USER])
    content[0]["thinking"] += "!"
    assert good.status_code == 200
    assert claude([USER, {"role": "assistant", "content": content}, USER]).status_code == 400


def test_tampered_signature_is_refused(claude: Ask) -> None:
    """A signature that was opened and changed is refused."""
    thinking = {"type": "enabled", "budget_tokens": 1024}
    content = claude(thinking=thinking).json()["content"]
    sealed, seal = json.loads(base64.b64decode(content[0]["signature"]))
    forged = json.dumps([sealed | {"model": "claude-opus-5-5"}, seal]).encode()
    content[0]["signature"] = base64.b64encode(forged).decode()
    assert claude([USER, {"role": "assistant", "content": content}, USER]).status_code == 400


def test_thinking_may_be_dropped_between_turns(claude: Ask) -> None:
    """Outside a tool loop the thinking of earlier turns may be left out."""
    thinking = {"type": "enabled", "budget_tokens": 1024}
    assert claude([USER, assistant(TEXT), USER], thinking=thinking).status_code == 200


def test_thinking_is_bound_to_the_model(claude: Ask) -> None:
    """Models that always think take only their own thinking blocks."""
    content = claude(model="claude-sonnet-5").json()["content"]
    history = [USER, {"role": "assistant", "content": content}, USER]
    assert claude(history, model="claude-sonnet-5").status_code == 200
    assert claude(history, model="claude-opus-5-5").status_code == 400
