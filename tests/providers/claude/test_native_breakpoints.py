"""Cache breakpoints in a Messages request whose client sent none."""

from __future__ import annotations

from typing import Any

from gateway.providers.claude.native_breakpoints import with_breakpoints

MARK = {"type": "ephemeral"}


def marks(body: dict[str, Any]) -> list[str]:
    """Where breakpoints are: `system`, `tools`, or the place of a message."""
    found = [name for name in ("system", "tools") if any("cache_control" in block for block in body.get(name) or ())]
    for number, message in enumerate(body["messages"]):
        content = message["content"]
        if isinstance(content, list) and any("cache_control" in block for block in content):
            found.append(str(number))
    return found


def turn(role: str, *texts: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": text} for text in texts]}


def test_instructions_the_previous_end_and_the_end_are_marked() -> None:
    """Three breakpoints: the next request finds the prefix of this one, however many blocks the answer has."""
    conversation = [
        turn("user", "a"),
        turn("assistant", "b"),
        turn("user", "c"),
        turn("assistant", "d"),
        turn("user", "e", "f"),
    ]
    body = {"system": "Be brief.", "tools": [{"name": "t"}], "messages": conversation}
    marked = with_breakpoints(body)
    assert marks(marked) == ["system", "2", "4"]
    assert marked["system"] == [{"type": "text", "text": "Be brief.", "cache_control": MARK}]
    assert marked["messages"][4]["content"][1]["cache_control"] == MARK
    assert marks(body) == []


def test_without_instructions_the_last_tool_is_marked() -> None:
    """Tools come before the messages in the cache, so the last one stands for all of them."""
    marked = with_breakpoints(
        {"tools": [{"name": "a"}, {"name": "b"}], "messages": [{"role": "user", "content": "Hi"}]}
    )
    assert marked["tools"] == [{"name": "a"}, {"name": "b", "cache_control": MARK}]
    assert marks(marked) == ["tools", "0"]


def test_thinking_and_empty_texts_get_no_mark() -> None:
    """The API refuses breakpoints on them: the block before has it, or none."""
    blocks = [{"type": "text", "text": "x"}, {"type": "text", "text": " "}, {"type": "thinking", "thinking": "hm"}]
    marked = with_breakpoints({"messages": [{"role": "user", "content": blocks}]})
    assert [("cache_control" in block) for block in marked["messages"][0]["content"]] == [True, False, False]
    for nothing in ("", [{"type": "thinking", "thinking": "hm"}]):
        assert (
            with_breakpoints({"messages": [{"role": "user", "content": nothing}]})["messages"][0]["content"] == nothing
        )
