"""Conversations: what OpenAI allows is mended until Gemini takes it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.providers.base import SignatureCache
from gateway.providers.gemini.contents import Conversation, arguments, build_conversation, called_names, result
from gateway.providers.gemini.profiles import profile_of
from gateway.providers.gemini.signatures import SENTINEL, ThoughtSignature, detail
from gateway.providers.gemini.tools import build_tools

CONTINUE = {"role": "user", "parts": [{"text": "Continue."}]}


def talk(
    *messages: Any, model: str = "gemini-2.5-flash", signature_cache: SignatureCache | None = None
) -> Conversation:
    tools = build_tools({}, called=called_names(messages))
    return build_conversation(
        messages, tools=tools, profile=profile_of(model), signature_cache=signature_cache or SignatureCache()
    )


def contents(*messages: Any, model: str = "gemini-2.5-flash", signature_cache: SignatureCache | None = None) -> Any:
    return talk(*messages, model=model, signature_cache=signature_cache).contents


def says(role: str, text: Any) -> Any:
    return {"role": role, "content": text}


def calls(*names: str, content: Any = None, **message: Any) -> Any:
    """An assistant's message that calls `f:id` functions."""
    made = [
        {
            "id": name.partition(":")[2],
            "type": "function",
            "function": {"name": name.partition(":")[0], "arguments": ""},
        }
        for name in names
    ]
    return {"role": "assistant", "content": content, "tool_calls": made, **message}


def answer(call_id: str, content: Any) -> Any:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def turn(role: str, *parts: Any) -> Any:
    return {"role": role, "parts": [{"text": part} if isinstance(part, str) else part for part in parts]}


def called(name: str, **part: Any) -> Any:
    return {"functionCall": {"name": name, "args": {}}, **part}


def responded(name: str, response: Any) -> Any:
    return {"functionResponse": {"name": name, "response": response}}


def test_leading_system_messages_become_the_instruction() -> None:
    """The system messages at the start are the instruction, in order, without empty ones."""
    made = talk(
        says("system", "a"), says("developer", [{"type": "text", "text": "b"}]), says("system", ""), says("user", "hi")
    )
    assert (made.system, made.contents) == ([{"text": "a"}, {"text": "b"}], [turn("user", "hi")])


def test_later_system_messages_become_user_text() -> None:
    """System messages further on are folded into the user's turn."""
    made = contents(
        says("user", "a"), says("system", "s"), says("assistant", "b"), says("developer", "d"), says("user", "c")
    )
    assert made == [
        turn("user", "a", "<system>\ns\n</system>"),
        turn("model", "b"),
        turn("user", "<system>\nd\n</system>", "c"),
    ]


def test_only_system_messages_become_the_prompt() -> None:
    """With nothing but system messages, they are what is asked."""
    for model in ("gemini-2.5-flash", "gemini-3.5-flash"):
        assert talk(says("system", "a"), model=model) == Conversation((), [turn("user", "a")])


@pytest.mark.parametrize(
    "messages", [[says("user", "")], [says("system", ""), says("user", ""), says("assistant", None)]]
)
def test_conversation_without_text_is_refused(messages: Any) -> None:
    """A conversation without a word is refused."""
    with pytest.raises(InvalidRequest) as caught:
        talk(*messages)
    assert caught.value.param == "messages"


def test_messages_of_one_role_are_joined() -> None:
    """Messages of one role in a row are one content."""
    made = contents(
        says("user", "a"), says("user", "b"), says("assistant", "c"), says("assistant", "d"), says("user", "e")
    )
    assert made == [turn("user", "a", "b"), turn("model", "c", "d"), turn("user", "e")]


def test_empty_assistant_message_is_left_out() -> None:
    """An assistant's message without a word is left out."""
    assert contents(says("user", "a"), says("assistant", ""), says("user", "b")) == [turn("user", "a", "b")]


def test_trailing_assistant_turn_is_asked_to_go_on() -> None:
    """Gemini answers users: a conversation that ends with the assistant is asked to go on."""
    assert contents(says("user", "a"), says("assistant", "b")) == [turn("user", "a"), turn("model", "b"), CONTINUE]


def test_assistant_may_begin_with_text_but_not_with_a_call() -> None:
    """The assistant may begin with words, but not with a call."""
    assert contents(says("assistant", "a"), says("user", "b")) == [turn("model", "a"), turn("user", "b")]
    for first in ([], [says("assistant", "a")]):
        made = contents(*first, calls("f:1"), answer("1", "x"))
        assert [content["role"] for content in made] == ["user", "model", "user"]


def test_refusal_becomes_assistant_text() -> None:
    """A refusal in the history is what the assistant said, as part or as member."""
    assert contents({"role": "assistant", "refusal": "no"}, says("user", "b"))[0] == turn("model", "no")
    assert contents(says("assistant", [{"type": "refusal", "refusal": "no"}]), says("user", "b"))[0] == turn(
        "model", "no"
    )


def test_results_of_a_step_are_one_content_in_call_order() -> None:
    """All results of a step are one content, in the calls' order, whatever order they came in; user text follows."""
    made = contents(
        says("user", "q"),
        calls("f:1", "g:2", content=""),
        answer("2", '{"b": 1}'),
        says("user", "and?"),
        answer("1", "a"),
    )
    assert made == [
        turn("user", "q"),
        turn("model", called("f"), called("g")),
        turn("user", responded("f", {"result": "a"}), responded("g", {"b": 1}), "and?"),
    ]


def test_unanswered_call_gets_a_result() -> None:
    """A call without a result gets one that says so."""
    made = contents(
        says("user", "q"),
        calls("f:1", "g:2", content="wait"),
        answer("1", "a"),
        says("assistant", "b"),
        says("user", "c"),
    )
    assert made[1:3] == [
        turn("model", "wait", called("f"), called("g")),
        turn("user", responded("f", {"result": "a"}), responded("g", {"result": "(no result)"})),
    ]
    assert contents(says("user", "q"), calls("f:1"))[-1] == turn("user", responded("f", {"result": "(no result)"}))


def test_result_without_a_call_becomes_text() -> None:
    """A result that no open call asked for is told as text."""
    made = contents(
        says("user", "q"),
        answer("9", "late"),
        answer("1", "x"),
        says("assistant", "b"),
        answer("1", ""),
        says("user", "?"),
    )
    assert made == [
        turn("user", "q", "Result of tool call 9:\nlate", "Result of tool call 1:\nx"),
        turn("model", "b"),
        turn("user", "Result of tool call 1:\n", "?"),
    ]


def test_repeated_call_ids_get_their_results_in_turn() -> None:
    """Calls that share an id get their results in turn, and ids of their own where Gemini pairs by id."""
    made = contents(
        says("user", "q"),
        calls("f:1", "f:1"),
        answer("1", "a"),
        answer("1", "b"),
        answer("1", "c"),
        model="gemini-3.5-flash",
    )
    assert [part["functionCall"]["id"] for part in made[1]["parts"]] == ["1", "1_1"]
    assert [part.get("functionResponse") for part in made[2]["parts"]] == [
        {"id": "1", "name": "f", "response": {"result": "a"}},
        {"id": "1_1", "name": "f", "response": {"result": "b"}},
        None,
    ]


@pytest.mark.parametrize(
    ("model", "paired"), [("gemini-3.1-pro-preview", False), ("gemini-3.5-flash", True), ("gemini-2.5-pro", False)]
)
def test_ids_go_where_they_are_known(model: str, paired: bool) -> None:
    """From 3.5 on a response names its call by id and name; before, only by name."""
    made = contents(says("user", "q"), calls("2f:functions.x:0"), answer("functions.x:0", "a"), model=model)
    call, response = made[1]["parts"][0]["functionCall"], made[2]["parts"][0]["functionResponse"]
    assert call["name"] == response["name"] == "_2f"
    assert (call.get("id"), response.get("id")) == (("functions.x:0",) * 2 if paired else (None, None))


def test_custom_call_becomes_a_function_call() -> None:
    """A custom tool's call is a call of the function that stands in for it."""
    call = {"id": "1", "type": "custom", "custom": {"name": "x", "input": "text"}}
    made = contents(says("user", "q"), {"role": "assistant", "tool_calls": [call]}, answer("1", "a"))
    assert made[1] == turn("model", {"functionCall": {"name": "x", "args": {"input": "text"}}})


@pytest.mark.parametrize("call", [{"id": "1", "type": "function"}, {"type": "function", "function": None}])
def test_call_without_function_is_still_a_call(call: Any) -> None:
    """A call that lacks its function is still a call."""
    made = contents(says("user", "q"), {"role": "assistant", "tool_calls": [call]}, model="gemini-3.5-flash")
    assert made[1]["parts"][0]["functionCall"]["name"] == "_"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        ("  ", {}),
        (None, {}),
        ('{"a": [1]}', {"a": [1]}),
        ("[1]", {"_raw": "[1]"}),
        ('{"a": ', {"_raw": '{"a": '}),
        ('{"a": NaN}', {"_raw": '{"a": NaN}'}),
    ],
)
def test_call_arguments_are_always_an_object(text: Any, value: Any) -> None:
    """Arguments are an object: none for an empty string, the text itself where it is no object."""
    assert arguments(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [('{"a": 1}', {"a": 1}), ("[1]", {"result": "[1]"}), ("plain", {"result": "plain"}), ("", {"result": ""})],
)
def test_json_object_result_is_sent_as_such(text: str, value: Any) -> None:
    """A result that is a JSON object is sent as such, any other text under a name."""
    assert result(text) == value


def test_signatures_go_back_on_their_parts() -> None:
    """A step's signatures go back on the parts they came on: echoed by the client, or kept under the call's id."""
    signature_cache = SignatureCache()
    signature_cache.put("2", ThoughtSignature("kept"))
    step = calls("f:1", "g:2", content="hm", reasoning_details=[detail("text", index=0)])
    step["tool_calls"][0]["extra_content"] = {"google": {"thought_signature": "echoed"}}
    made = contents(
        says("user", "q"),
        step,
        answer("1", "a"),
        answer("2", "b"),
        model="gemini-3.1-pro-preview",
        signature_cache=signature_cache,
    )
    assert made[1] == turn(
        "model",
        {"text": "hm", "thoughtSignature": "text"},
        called("f", thoughtSignature="echoed"),
        called("g", thoughtSignature="kept"),
    )


def test_sentinel_signature_marks_first_calls_of_the_current_turn() -> None:
    """Without a signature, the first call of each step of the current turn says to skip the check; earlier turns are not checked."""
    messages = [says("user", "q"), calls("f:1"), answer("1", "a"), says("assistant", "b"), says("user", "r")]
    messages += [calls("f:2", "f:3"), answer("2", "a"), answer("3", "a"), calls("f:4"), answer("4", "a")]
    made = contents(*messages, model="gemini-3-flash-preview")
    signed = [
        [part.get("thoughtSignature") for part in content["parts"]] for content in made if content["role"] == "model"
    ]
    assert signed == [[None], [None], [SENTINEL, None], [SENTINEL]]


def test_sentinel_where_text_stands_beside_results() -> None:
    """User text in the same content as results does not begin a turn in Gemini's eyes."""
    made = contents(says("user", "q"), calls("f:1"), answer("1", "a"), says("user", "r"), model="gemini-4-argon")
    assert made[1]["parts"][0]["thoughtSignature"] == SENTINEL


def test_conversation_without_a_user_turn_is_the_current_turn() -> None:
    """Where no human ever spoke the whole conversation is the current turn."""
    made = contents(says("assistant", "a"), answer("1", "late"), model="gemini-3.5-flash")
    assert made == [turn("model", "a"), turn("user", "Result of tool call 1:\nlate")]
    made = contents(calls("f:1"), answer("1", "a"), calls("f:2"), answer("2", "b"), model="gemini-3.5-flash")
    assert [content["parts"][0].get("thoughtSignature") for content in made if content["role"] == "model"] == [
        SENTINEL
    ] * 2


def test_no_sentinel_before_gemini_3() -> None:
    """Gemini 2.5 asks for no signatures."""
    assert contents(says("user", "q"), calls("f:1"), answer("1", "a"))[1] == turn("model", called("f"))


def test_signature_of_empty_text_is_left_out() -> None:
    """A signature whose text is empty has no part to stand on and is left out."""
    made = contents(
        says("user", "a"), says("assistant", "") | {"reasoning_details": [detail("s", index=0)]}, says("user", "b")
    )
    assert made == [turn("user", "a", "b")]


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (says("function", "x"), "messages[1].role"),
        ({"content": "x"}, "messages[1].role"),
        (says("user", [{"type": "hologram"}]), "messages[1].content[0].type"),
        (says("assistant", [{"type": "image_url"}]), "messages[1].content[0].type"),
        (says("tool", [{"type": "image_url"}]), "messages[1].content[0].type"),
        (says("system", [{"type": "image_url"}]), "messages[1].content[0].type"),
    ],
)
def test_bad_message_is_refused_by_path(message: Any, param: str) -> None:
    """What cannot be sent is refused by path."""
    with pytest.raises(InvalidRequest) as caught:
        talk(says("user", "a"), message)
    assert caught.value.param == param
