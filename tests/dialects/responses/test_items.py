"""Input items become messages."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.completion import Json
from gateway.dialects.chat_completions.messages import MAX_PARTS
from gateway.dialects.envelope import Envelope, seal
from tests.dialects.responses.bodies import CALL, RESULT, messages, parsed, refused

USER = {"role": "user", "content": "Weather?"}
PNG = "data:image/png;base64,AAAA"


def said(text: str) -> dict[str, Any]:
    return {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }


def reasoning(*details: Json, model: str = "claude/x") -> dict[str, Any]:
    sealed = seal(Envelope(model, list(details)))
    return {"type": "reasoning", "id": "rs_1", "summary": [], "content": None, "encrypted_content": sealed}


def called(id: str = "c1") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}


def test_text_is_one_user_message() -> None:
    """A text is what a user says."""
    assert messages("Hello") == [{"role": "user", "content": "Hello"}]


def test_instructions_come_first() -> None:
    """Instructions are a system message before those of the input."""
    found = messages([{"role": "developer", "content": "B"}, USER], instructions="A")
    assert [(message["role"], message["content"]) for message in found[:2]] == [("system", "A"), ("developer", "B")]


def test_items_of_one_turn_are_one_message() -> None:
    """Reasoning, text and calls that stand together are one assistant message; its results follow."""
    detail = {"type": "reasoning.text", "text": "", "signature": "s", "format": "anthropic-claude-v1"}
    found = messages([USER, reasoning(detail), said("Let me see."), CALL, {**CALL, "call_id": "c2"}, RESULT])
    assert found[1] == {
        "role": "assistant",
        "content": "Let me see.",
        "tool_calls": [called("c1"), called("c2")],
        "reasoning_details": [detail],
    }
    assert found[2] == {"role": "tool", "tool_call_id": "c1", "content": "sunny"}


def test_interleaved_calls_and_results_are_turns() -> None:
    """A call after a result is a new turn."""
    later = [{**CALL, "call_id": "c2"}, {**RESULT, "call_id": "c2"}]
    assert [message["role"] for message in messages([USER, CALL, RESULT, *later])] == [
        *("user", "assistant", "tool", "assistant", "tool")
    ]


def test_results_come_in_any_order() -> None:
    """Results are found by their call, whatever their order."""
    calls = [{**CALL, "call_id": id} for id in ("a", "b")]
    results = [{**RESULT, "call_id": id} for id in ("b", "a")]
    assert [message["tool_call_id"] for message in messages([USER, *calls, *results])[2:]] == ["b", "a"]


def test_signature_of_a_call_returns_to_it() -> None:
    """What an envelope holds of a call goes back to the call, and of unknown calls nowhere."""
    extra = {"google": {"thought_signature": "s"}}
    entries = [{"format": "gateway-call-v1", "id": id, "extra_content": extra} for id in ("c1", "c9")]
    (_, turn, _) = messages([USER, CALL, reasoning(*entries), RESULT])
    assert turn["tool_calls"][0]["extra_content"] == extra
    assert "reasoning_details" not in turn


@pytest.mark.parametrize("value", [None, "x", "gw1.broken", 7])
def test_foreign_reasoning_is_left_out(value: object) -> None:
    """Reasoning that the gateway did not seal is left out, and reasoning alone is no message."""
    item = {"type": "reasoning", "summary": [], "encrypted_content": value}
    assert messages([USER, item]) == [USER]


def test_two_texts_of_a_turn_are_joined() -> None:
    """Texts of one turn become one text."""
    assert messages([USER, said("A"), {"role": "assistant", "content": "B"}])[1]["content"] == "A\n\nB"


def test_refusal_stays_a_refusal() -> None:
    """A refusal is no content."""
    item = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    assert messages([USER, item])[1] == {"role": "assistant", "refusal": "No."}


def test_pictures_of_a_result_follow_it() -> None:
    """Tool messages have only text: pictures and files follow in a user message, after all results."""
    output = [{"type": "input_text", "text": "Look"}, {"type": "input_image", "image_url": PNG}]
    calls = [CALL, {**CALL, "call_id": "c2"}]
    found = messages([USER, *calls, {**RESULT, "output": output}, {**RESULT, "call_id": "c2", "output": output[1:]}])
    assert [message["role"] for message in found] == ["user", "assistant", "tool", "tool", "user"]
    assert found[2]["content"] == [{"type": "text", "text": "Look"}]
    assert found[3]["content"] == "See the next message."
    assert [part["type"] for part in found[4]["content"]] == ["text", "image_url"] * 2


def test_results_with_pictures_are_followed_by_the_next_turn() -> None:
    """The pictures come before what the assistant says next."""
    output = [{"type": "input_image", "image_url": PNG}]
    found = messages([USER, CALL, {**RESULT, "output": output}, said("I see.")])
    assert [message["role"] for message in found[2:]] == ["tool", "user", "assistant"]


def test_custom_calls_are_functions_with_one_string() -> None:
    """A custom call becomes the call of the function that stands for its tool."""
    call = {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "*** Begin"}
    output = {"type": "custom_tool_call_output", "call_id": "c1", "output": "Done"}
    turn = messages([USER, call, output], tools=[{"type": "custom", "name": "apply_patch"}])[1]
    assert turn["tool_calls"][0]["function"] == {"name": "apply_patch", "arguments": '{"input":"*** Begin"}'}


def test_generated_picture_stays_in_its_turn() -> None:
    """A picture that a model made is a picture of its message; base64 without a type is PNG."""
    item = {"type": "image_generation_call", "id": "ig_1", "result": "AAAA"}
    assert messages([USER, item])[1]["images"] == [{"type": "image_url", "image_url": {"url": PNG}}]


def test_records_of_other_services_are_left_out() -> None:
    """Calls of hosted tools are left out, and the request says which."""
    request = parsed([USER, {"type": "web_search_call", "id": "ws_1", "status": "completed"}])
    assert request.chat.dropped == ("input[1]:web_search_call",)
    assert len(request.chat.messages) == 1


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({}, "input[0].type"),
        ({"type": "poem"}, "input[0].type"),
        ({"type": 7}, "input[0].type"),
        ("x", "input[0]"),
        ({"role": "tool", "content": "x"}, "input[0].role"),
        ({"role": "user"}, "input[0].content"),
        ({"role": "user", "content": []}, "input[0].content"),
        ({"role": "user", "content": 7}, "input[0].content"),
        ({"type": "message", "content": "x"}, "input[0].role"),
        ({**CALL, "call_id": ""}, "input[0].call_id"),
        ({**CALL, "call_id": "c" * 70_000}, "input[0].call_id"),
        ({**CALL, "name": ""}, "input[0].name"),
        ({**CALL, "name": "n" * 2000}, "input[0].name"),
        ({**CALL, "namespace": 7}, "input[0].namespace"),
        ({**CALL, "arguments": {}}, "input[0].arguments"),
        ({"type": "custom_tool_call", "call_id": "c", "name": "n"}, "input[0].input"),
        (RESULT, "input[0]"),
        ({**RESULT, "output": 7}, "input[0].output"),
        ({"type": "image_generation_call", "result": ""}, "input[0].result"),
    ],
    ids=str,
)
def test_invalid_item_is_named(item: Any, param: str) -> None:
    """The first wrong member is named by its path."""
    assert refused([item]).param == param


def test_result_without_its_call_is_said_in_openais_words() -> None:
    """A result needs its call in the input or in an earlier response."""
    assert refused([RESULT]).message == "No tool call found for function call output with call_id 'c1'."


def test_parts_are_bounded() -> None:
    """Parts and calls of all items together have a limit."""
    part = {"type": "input_text", "text": "x"}
    assert refused([{"role": "user", "content": [part] * MAX_PARTS}, CALL]).code == "array_above_max_length"


def test_text_parts_of_a_result_stay_in_it() -> None:
    """A result of texts alone needs no further message."""
    output = [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]
    assert len(messages([USER, CALL, {**RESULT, "output": output}])[2]["content"]) == 2


def test_empty_arguments_are_an_empty_object() -> None:
    """Models expect JSON."""
    assert messages([USER, {**CALL, "arguments": ""}])[1]["tool_calls"][0]["function"]["arguments"] == "{}"
