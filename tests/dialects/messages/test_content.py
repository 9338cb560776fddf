"""Turns become messages of chat completions."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects.messages.content import TurnTranslator
from gateway.dialects.messages.native_only import NativeOnly
from gateway.errors import InvalidRequest
from tests.dialects.messages.parsing import assistant, native, parse, text, tool_use, user

MARK = {"type": "ephemeral"}
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}}
IMAGE_PART = {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}


def messages(*turns: Any, system: Any = None) -> list[dict[str, Any]]:
    body = {"messages": list(turns)} | ({} if system is None else {"system": system})
    return TurnTranslator(NativeOnly()).messages(body)


def test_plain_turns_stay_texts() -> None:
    """A turn of one text is a message of one text."""
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
    assert messages(*turns) == turns


def test_system_comes_first_with_its_marks() -> None:
    """The system prompt is the first message; cache breakpoints stay, and the client's billing header does not."""
    system = [text("x-anthropic-billing-header: cc_version=2"), text("Be brief.", cache_control=MARK)]
    (first, _) = messages({"role": "user", "content": "Hi"}, system=system)
    assert first == {"role": "system", "content": [text("Be brief.", cache_control=MARK)]}


@pytest.mark.parametrize("system", ["", [], [text("x-anthropic-billing-header: x")]], ids=["text", "blocks", "header"])
def test_an_empty_system_prompt_is_none(system: Any) -> None:
    """No message is made of a system prompt without words."""
    assert messages({"role": "user", "content": "Hi"}, system=system) == [{"role": "user", "content": "Hi"}]


def test_a_system_text_is_a_message() -> None:
    """A system prompt may be a text."""
    assert messages({"role": "user", "content": "Hi"}, system="Be brief.")[0] == {
        "role": "system",
        "content": "Be brief.",
    }


@pytest.mark.parametrize("content", ["It is late.", [text("It is late.")]], ids=["text", "blocks"])
@pytest.mark.parametrize("before", ["Hi", [text("Hi")]], ids=["text", "blocks"])
def test_a_later_system_turn_joins_the_user_turn_before_it(before: Any, content: Any) -> None:
    """A system turn keeps its place in the conversation, as a reminder in the user's turn."""
    turns = messages({"role": "user", "content": before}, {"role": "system", "content": content})
    assert turns == [user(text("Hi"), text("<system-reminder>\nIt is late.\n</system-reminder>"))]


def test_a_system_turn_after_the_assistant_is_a_user_turn() -> None:
    """Where no user turn is before it, it is one itself; without words it is nothing."""
    turns = messages(
        {"role": "assistant", "content": "Ho"},
        {"role": "system", "content": "Late."},
        {"role": "system", "content": ""},
    )
    assert turns[1:] == [user(text("<system-reminder>\nLate.\n</system-reminder>"))]
    assert messages({"role": "assistant", "content": "Ho"}, {"role": "system", "content": ""})[1:] == []


def test_results_come_before_the_rest_of_their_turn() -> None:
    """Each tool result is a message of its own, all of them ahead of the text, with marks and errors told."""
    turns = messages(
        assistant(text("Look."), tool_use("t1"), tool_use("t2", cache_control={"x": 1})),
        user(
            {"type": "tool_result", "tool_use_id": "t1", "content": [text("a"), text("b")], "cache_control": MARK},
            text("Go on."),
            {"type": "tool_result", "tool_use_id": "t2", "content": "boom", "is_error": True},
            {"type": "tool_result", "tool_use_id": "t3", "is_error": False},
        ),
    )
    assert turns[1:] == [
        {"role": "tool", "tool_call_id": "t1", "content": "a\nb", "cache_control": MARK},
        {"role": "tool", "tool_call_id": "t2", "content": "Error: boom"},
        {"role": "tool", "tool_call_id": "t3", "content": ""},
        user(text("Go on.")),
    ]


def test_a_picture_of_a_result_follows_it() -> None:
    """A tool message holds only text, so a picture goes into the user message behind it and is not lost."""
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [text("See."), IMAGE]}
    _, tool, after = messages(assistant(tool_use()), user(result))
    assert tool["content"] == "See."
    assert after == user(text("<tool_result>Attached to the result of t1:</tool_result>"), IMAGE_PART)


def test_calls_have_arguments_as_text() -> None:
    """A tool call keeps its id and name; its mark is that of the message."""
    (message,) = messages(assistant({**tool_use("t1", "f", city="Rome"), "cache_control": MARK}))
    assert message == {
        "role": "assistant",
        "content": None,
        "cache_control": MARK,
        "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"city":"Rome"}'}}],
    }


def test_texts_of_an_assistant_turn_stay_parts() -> None:
    """Several texts are parts; one with a mark keeps it."""
    (several, marked) = messages(assistant(text("a"), text("b")), assistant(text("c", cache_control=MARK)))
    assert several["content"] == [text("a"), text("b")]
    assert marked["content"] == [text("c", cache_control=MARK)]


def test_thinking_of_anthropic_is_left_out() -> None:
    """Another model is not shown thinking that it did not sign; a turn of nothing else is left out."""
    thinking = [{"type": "thinking", "thinking": "Hm", "signature": "EqQB"}, {"type": "redacted_thinking", "data": "x"}]
    assert messages(user(text("Hi")), assistant(*thinking, text("Ho")), assistant(*thinking))[1:] == [
        {"role": "assistant", "content": "Ho"}
    ]


def test_blocks_of_server_tools_are_text() -> None:
    """What Anthropic's own tools did is readable for the next model, without what only Anthropic can read."""
    used = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}}
    found = {"type": "web_search_result", "url": "https://x.test", "encrypted_content": "E"}
    result = {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [found]}
    (message,) = messages(assistant(used, result, text("Found.")))
    assert [part["text"] for part in message["content"]] == [
        '[server_tool_use] {"id":"s1","name":"web_search","input":{"query":"x"}}',
        '[web_search_tool_result] {"tool_use_id":"s1","content":[{"url":"https://x.test"}]}',
        "Found.",
    ]


def test_parts_keep_their_order() -> None:
    """Pictures and texts of a user turn stay in order; an empty text is left out."""
    assert messages(user(text("a"), IMAGE, text(""), text("b"))) == [user(text("a"), IMAGE_PART, text("b"))]


def test_a_document_of_a_turn_is_a_part() -> None:
    """A document's text is a part of the turn, with the mark of its block."""
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}}
    assert messages(user({**document, "cache_control": MARK})) == [user(text("words", cache_control=MARK))]


def test_a_search_result_is_text() -> None:
    """A search result is its title, its source and its texts."""
    block = {"type": "search_result", "source": "s", "title": "T", "content": [text("one"), text("two")]}
    assert messages(user(block)) == [user(text("T (s)\none\ntwo"))]


def test_an_unknown_block_is_left_to_anthropic() -> None:
    """A block that the gateway does not know is no error, but only Claude can take it."""
    request = parse([user(text("Hi"), {"type": "hologram"})])
    assert native(request).untranslatable is not None
    assert "messages[0].content[1].type" in native(request).untranslatable.path  # type: ignore[union-attr]
    assert native(parse([user(text("Hi"))], system=[text("a"), {"type": "hologram"}])).untranslatable is not None


@pytest.mark.parametrize(
    ("turn", "path"),
    [
        (7, "messages[0]"),
        ({"content": "x"}, "messages[0].role"),
        ({"role": "tool", "content": "x"}, "messages[0].role"),
        ({"role": "user"}, "messages[0].content"),
        ({"role": "user", "content": 7}, "messages[0].content"),
        (user({"text": "x"}), "messages[0].content[0].type"),
        (user({"type": "text"}), "messages[0].content[0].text"),
        (user({"type": "text", "text": 7}), "messages[0].content[0].text"),
        (user({"type": "text", "text": "x", "cache_control": 7}), "messages[0].content[0].cache_control"),
        (user({"type": "tool_result"}), "messages[0].content[0].tool_use_id"),
        (user({"type": "tool_result", "tool_use_id": "t", "content": 7}), "messages[0].content[0].content"),
        (user({"type": "tool_result", "tool_use_id": "t", "is_error": "no"}), "messages[0].content[0].is_error"),
        (assistant({"type": "tool_use", "id": "t", "name": "f"}), "messages[0].content[0].input"),
        (assistant({"type": "tool_use", "id": "t", "name": "f", "input": "x"}), "messages[0].content[0].input"),
        (user({"type": "search_result", "source": "s", "title": "t"}), "messages[0].content[0].content"),
        (user(), "messages"),
    ],
)
def test_a_wrong_member_is_named(turn: Any, path: str) -> None:
    """A member that the gateway knows is checked, and the error has its path."""
    with pytest.raises(InvalidRequest) as refused:
        messages(turn)
    assert refused.value.param == path


def test_blocks_are_bounded() -> None:
    """The number of blocks is bounded, because translating one takes longer than its size suggests."""
    with pytest.raises(InvalidRequest, match="blocks"):
        messages(user(*[text("")] * 20_001))
