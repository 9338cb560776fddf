from __future__ import annotations

from typing import Any

import pytest

from gateway.routing.prompt.user_text import (
    MOST_READ,
    ends_with_tool_result,
    is_assent,
    is_new_turn,
    last_user_text,
    strip_harness_text,
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("  plain ", "plain"),
        ("a < b and b > c", "a < b and b > c"),
        ("<system-reminder>Be careful.</system-reminder>\nFix the bug", "Fix the bug"),
        ("Fix\n<environment_details>\ncwd /tmp\n</environment_details>", "Fix"),
        ('<file_contents path="a.py">x</file_contents>Explain', "Explain"),
        ("<user_query>Rename it</user_query><additional_data>...</additional_data>", "Rename it"),
        ("<task></task>Do <b>it</b>", "<task></task>Do <b>it</b>"),
        ("<system-reminder>only this</system-reminder>", ""),
        ("What does <system-reminder> mean?", "What does <system-reminder> mean?"),
        ("lost </user_query> end", "lost </user_query> end"),
    ],
)
def test_only_the_persons_words_are_left(text: str, said: str) -> None:
    """Elements of a harness go, unclosed and foreign ones stay."""
    assert strip_harness_text(text) == said


def test_many_unclosed_tags_take_linear_time() -> None:
    """A megabyte of opening tags is searched once for the closing one, not once for each."""
    text = "<system-reminder>" * (MOST_READ // 17)

    assert strip_harness_text(text) == text


def test_only_the_ends_of_a_huge_turn_are_looked_through() -> None:
    """What a harness put around a turn of megabytes is taken off its ends; the work does not grow with the middle."""
    filler = "<a> " * 500_000
    text = f"<system-reminder>Careful.</system-reminder>Fix this: {filler} Please.<context>cwd</context>"

    said = strip_harness_text(text)

    assert said.startswith("Fix this: <a>")
    assert said.endswith("<a>  Please.")
    assert len(said) <= MOST_READ + 1
    assert strip_harness_text(f"<context>{filler}</context>Explain it") == "Explain it"
    assert strip_harness_text("word " * 500_000) == ("word " * 500_000).strip()


PLAN = "Analyze the architectural trade-offs between the two storage engines and propose a migration."
REMINDER = "<system-reminder>The todo list is empty.</system-reminder>"


def said(*texts: str) -> list[dict[str, Any]]:
    """A conversation in which each text was answered, but the last."""
    messages: list[dict[str, Any]] = []
    for text in texts:
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "Here is a plan."}]
    return messages[:-1]


@pytest.mark.parametrize(
    "text", ["yes", "Yes, please.", "ok, do it", "go on", "Continue", "1", "b.", "LGTM, proceed", "ja, weiter"]
)
def test_bare_assent_counts_as_the_turn_that_it_answers(text: str) -> None:
    """Who says yes to a plan wants the plan carried out: the task is the one that was planned."""
    assert is_assent(text)
    assert last_user_text(said(PLAN, text)) == PLAN
    assert last_user_text(said(PLAN, text, f"{REMINDER}\n{text}")) == PLAN
    assert not is_new_turn(said(PLAN, text))


@pytest.mark.parametrize(
    "text", ["yes, but use PostgreSQL", "continue with the parser", "ok?", "no", "42", "x" * 50, "!"]
)
def test_answers_with_a_task_of_their_own_count(text: str) -> None:
    """What adds a wish or a question is a turn like any other."""
    assert not is_assent(text)
    assert last_user_text(said(PLAN, text)) == text
    assert is_new_turn(said(PLAN, text))


def test_assent_to_nothing_is_itself() -> None:
    """Where no earlier turn has a task, the newest text is all there is."""
    assert last_user_text(said("yes")) == "yes"
    assert last_user_text([]) == ""
    assert not is_new_turn([])


def test_notes_of_a_harness_are_no_turn() -> None:
    """An interruption and a billing header were not written by a person."""
    assert last_user_text(said(PLAN, "[Request interrupted by user for tool use]")) == PLAN
    assert strip_harness_text("x-anthropic-billing-header: cc_version=2.1; cch=1a2;") == ""


def test_open_tool_loop_ends_with_the_next_turn() -> None:
    """Reminders and pictures behind a result leave the loop open; a person's words and an answer close it."""
    call = [*said(PLAN), {"role": "assistant", "tool_calls": []}, {"role": "tool", "content": "4"}]
    picture = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}
    assert ends_with_tool_result(call)
    assert ends_with_tool_result([*call, picture, {"role": "user", "content": REMINDER}])
    assert not ends_with_tool_result([*call, {"role": "user", "content": "stop"}])
    assert not ends_with_tool_result([*call, {"role": "assistant", "content": "done"}])
    assert not ends_with_tool_result([{"role": "system", "content": "x"}])
