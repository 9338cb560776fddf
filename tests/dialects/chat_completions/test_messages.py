"""Messages that are accepted, and messages that are refused with their path."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects.chat_completions.messages import check_messages
from gateway.errors import InvalidRequest
from tests.dialects.chat_completions.refusals import refused_member

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "original"}}


def user(*parts: object) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def calls(*items: object) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": list(items)}


@pytest.mark.parametrize(
    "message",
    [
        {"role": "system", "content": "s"},
        {"role": "developer", "content": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}]},
        {"role": "user", "content": "", "name": "jane"},
        user({"type": "text", "text": ""}, IMAGE),
        user({"type": "image_url", "image_url": {"url": "HTTPS://example.org/a.png"}}),
        user({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}),
        user({"type": "file", "file": {"file_data": "AA==", "filename": "a.pdf"}}),
        user({"type": "file", "file": {"file_id": "file-1", "file_data": None}}),
        {
            "role": "assistant",
            "content": "a",
            "refusal": None,
            "tool_calls": None,
            "function_call": None,
            "audio": None,
        },
        {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "content": None, "refusal": "no"},
        {"role": "assistant", "content": None, "audio": {"id": "a1"}},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "hm",
            "reasoning_details": [{"type": "reasoning.text"}],
        },
        {"role": "assistant", "content": "a", "tool_calls": []},
        {"role": "assistant", "tool_calls": [{**CALL, "extra_content": {"google": {}}}]},
        {"role": "assistant", "tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "f", "input": ""}}]},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}},
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "42"}]},
        {"role": "function", "name": "f", "content": "42"},
        {"role": "function", "name": "f", "content": None},
    ],
)
def test_documented_message_forms_are_accepted(message: object) -> None:
    """Every form that OpenAI documents is accepted, and so are the extensions that answers carry."""
    assert refused_member(check_messages, [message]) is None


@pytest.mark.parametrize(
    ("message", "path"),
    [
        ("text", ""),
        ({}, ".role"),
        ({"role": None}, ".role"),
        ({"role": "robot", "content": "x"}, ".role"),
        ({"role": ["user"], "content": "x"}, ".role"),
        ({"role": "user"}, ".content"),
        ({"role": "user", "content": None}, ".content"),
        ({"role": "user", "content": 7}, ".content"),
        ({"role": "user", "content": {"type": "text"}}, ".content"),
        ({"role": "user", "content": "x", "name": 7}, ".name"),
        (user(), ".content"),
        (user("text"), ".content[0]"),
        (user({"text": "x"}), ".content[0].type"),
        (user({"type": "video"}), ".content[0].type"),
        (user({"type": "refusal", "refusal": "x"}), ".content[0].type"),
        (user({"type": "text"}), ".content[0].text"),
        (user({"type": "text", "text": 1}), ".content[0].text"),
        (user({"type": "text", "text": "x", "cache_control": "yes"}), ".content[0].cache_control"),
        (user({"type": "image_url"}), ".content[0].image_url"),
        (user({"type": "image_url", "image_url": "https://x"}), ".content[0].image_url"),
        (user({"type": "image_url", "image_url": {}}), ".content[0].image_url.url"),
        (user({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}), ".content[0].image_url.url"),
        (
            user(IMAGE, {"type": "image_url", "image_url": {"url": "https://x", "detail": "huge"}}),
            ".content[1].image_url.detail",
        ),
        (user({"type": "input_audio", "input_audio": {"data": "AA=="}}), ".content[0].input_audio.format"),
        (user({"type": "input_audio", "input_audio": {"data": 1, "format": "wav"}}), ".content[0].input_audio.data"),
        (user({"type": "file", "file": {"filename": "a.pdf"}}), ".content[0].file"),
        (user({"type": "file", "file": {"file_id": 7}}), ".content[0].file.file_id"),
        ({"role": "system", "content": [IMAGE]}, ".content[0].type"),
        ({"role": "assistant"}, ".content"),
        ({"role": "assistant", "content": None}, ".content"),
        ({"role": "assistant", "content": None, "tool_calls": []}, ".content"),
        ({"role": "assistant", "content": "x", "refusal": 1}, ".refusal"),
        ({"role": "assistant", "content": "x", "audio": "a1"}, ".audio"),
        ({"role": "assistant", "content": "x", "reasoning_details": ["hm"]}, ".reasoning_details[0]"),
        ({"role": "assistant", "tool_calls": "f"}, ".tool_calls"),
        (calls("f"), ".tool_calls[0]"),
        (calls({**CALL, "id": None}), ".tool_calls[0].id"),
        (calls({**CALL, "id": ""}), ".tool_calls[0].id"),
        (calls({**CALL, "type": None}), ".tool_calls[0].type"),
        (calls({**CALL, "type": "magic"}), ".tool_calls[0].type"),
        (calls({**CALL, "function": None}), ".tool_calls[0].function"),
        (calls({**CALL, "extra_content": "x"}), ".tool_calls[0].extra_content"),
        (calls(CALL, {**CALL, "function": {"name": "f"}}), ".tool_calls[1].function.arguments"),
        (calls({**CALL, "function": {"name": "", "arguments": ""}}), ".tool_calls[0].function.name"),
        (calls({**CALL, "function": {"name": "f", "arguments": {}}}), ".tool_calls[0].function.arguments"),
        (calls({"id": "c", "type": "custom", "custom": {"name": "f"}}), ".tool_calls[0].custom.input"),
        ({"role": "assistant", "function_call": "f"}, ".function_call"),
        ({"role": "assistant", "images": [1]}, ".images[0]"),
        ({"role": "assistant", "images": "x"}, ".images"),
        ({"role": "assistant", "images": [{"type": "image_url"}]}, ".images[0].image_url"),
        ({"role": "tool", "content": "42"}, ".tool_call_id"),
        ({"role": "tool", "tool_call_id": 7, "content": "42"}, ".tool_call_id"),
        ({"role": "tool", "tool_call_id": "c1"}, ".content"),
        ({"role": "function", "content": "42"}, ".name"),
        ({"role": "function", "name": "f", "content": []}, ".content"),
    ],
)
def test_bad_message_is_refused_with_the_path_of_the_member(message: object, path: str) -> None:
    """A message that breaks a rule is refused, and the path leads to the member that does."""
    with pytest.raises(InvalidRequest) as refused:
        check_messages([{"role": "user", "content": "hi"}, message])
    assert refused.value.param == f"messages[1]{path}"


@pytest.mark.parametrize(
    "value", [[], {}, "hi", [{"role": "user", "content": "x"}] * 10_001], ids=["empty", "object", "text", "too many"]
)
def test_number_of_messages_is_bounded(value: object) -> None:
    """There must be 1 to 10,000 messages."""
    with pytest.raises(InvalidRequest) as refused:
        check_messages(value)
    assert refused.value.param == "messages"


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": [{"type": "text", "text": "x"}] * 5_001},
        {"role": "assistant", "content": "x", "reasoning_details": [{}] * 5_001},
        {"role": "assistant", "images": [{"type": "image_url", "image_url": {"url": "https://x.test/"}}] * 5_001},
        calls(*[CALL] * 5_001),
    ],
    ids=["parts", "reasoning", "images", "calls"],
)
def test_number_of_parts_is_bounded(message: dict[str, object]) -> None:
    """All messages together have at most 20,000 parts, calls and pieces of reasoning."""
    check_messages([message] * 3)
    with pytest.raises(InvalidRequest) as refused:
        check_messages([message] * 4)
    assert refused.value.code == "array_above_max_length"
