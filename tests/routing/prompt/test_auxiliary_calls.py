"""Calls that clients make for themselves."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.routing.prompt.auxiliary_calls import is_auxiliary_call, is_trivial_opening, is_warm_up

OWN = [
    "Analyze if this message indicates a new conversation topic. If it does, extract a 2-3 word title.",
    "### Task:\nGenerate a concise, 3-5 word title with an emoji summarizing the chat history.",
    "Generate 1-3 broad tags categorizing the main themes of the chat history",
    "You are a title generator. Output a brief title for the thread, nothing else.",
    "You are a helpful AI assistant tasked with summarizing conversations.",
    "Please write a 5-10 word title for the following conversation:",
    "Your task is to create a detailed summary of the conversation so far.",
    "Suggest 3-5 relevant follow-up questions based on the chat history, as the user in this conversation",
    "Summarize this coding conversation in under 50 characters.",
    "Generate a short title for this session.",
    "You are performing a CONTEXT CHECKPOINT COMPACTION. Create a handoff summary for another LLM.",
    "You are the component that summarizes internal chat history into a given structure.",
    "Extract any file paths that this command reads or modifies.",
    "Your task is to determine the prefix of the command that an agent wants to run, by the user's policy.",
    "[SUGGESTION MODE: Suggest what the user might naturally type next into Claude Code.]",
]
PEOPLES = [
    "Suggest a title for my novel about bees.",
    "Summarize the attached report in ten lines.",
    "Write a function that generates tags for blog posts.",
    "What did we say about titles in German law?",
    "",
]


@pytest.mark.parametrize("text", OWN)
@pytest.mark.parametrize("role", ["system", "developer", "user"])
def test_recognised(text: str, role: str) -> None:
    """By the wording of its instructions, in the system prompt or in the newest turn, before or behind the conversation."""
    last = [] if role == "user" else [{"role": "user", "content": "Hello there"}]
    assert is_auxiliary_call([{"role": role, "content": text}, *last])
    assert is_auxiliary_call([{"role": role, "content": "x " * 3000 + text}, *last])
    assert is_auxiliary_call(
        [{"role": role, "content": [{"type": "text", "text": text}, {"type": "image_url"}]}, *last]
    )


@pytest.mark.parametrize("text", PEOPLES)
def test_what_people_ask(text: str) -> None:
    """Tasks that sound alike are tasks."""
    assert not is_auxiliary_call([{"role": "user", "content": text}])


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "user", "content": OWN[1]}, {"role": "tool", "content": OWN[1]}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": []}],
    ],
)
def test_what_stands_elsewhere(messages: list[dict[str, Any]]) -> None:
    """Older turns and tools' results do not say what the call is for."""
    assert not is_auxiliary_call(messages)


@pytest.mark.parametrize(
    ("text", "trivial"), [("hi", True), ("Warmup", True), ("", True), ("Rename the method in a.py", False)]
)
def test_trivial_openings(text: str, trivial: bool) -> None:
    """A greeting says nothing about the task; the same words later in a conversation are no opening."""
    opening = [{"role": "user", "content": text}]
    assert is_trivial_opening(opening) is trivial
    assert not is_trivial_opening([*opening, {"role": "assistant", "content": "Hello"}, *opening])


def test_warm_up_asks_for_one_token() -> None:
    """Whatever it says."""
    assert [is_warm_up(limit) for limit in (None, 1, 2)] == [False, True, False]
