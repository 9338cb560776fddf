"""The comparable part of an answer, and the comparison of two."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.completion import ChatRequest
from gateway.routing.comparison.answers import MAX_ANSWER, comparable_part, compare

MESSAGES = [{"role": "user", "content": "Which colour?"}]
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "blue"]}, "reasoning": {"type": "string"}},
    "required": ["colour"],
}
JSON = {"response_format": {"type": "json_schema", "json_schema": {"name": "colour", "schema": SCHEMA}}}
TOOLS = {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]}


def request(**body: Any) -> ChatRequest:
    return ChatRequest(body={"model": "auto", "messages": MESSAGES, **body}, model="auto", messages=MESSAGES)


def said(content: Any, finish_reason: str = "stop", **message: Any) -> list[dict[str, Any]]:
    return [
        {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": content, **message}}
    ]


def called(*calls: tuple[str, Any]) -> list[dict[str, Any]]:
    return said(
        None,
        "tool_calls",
        tool_calls=[{"type": "function", "function": {"name": name, "arguments": args}} for name, args in calls],
    )


def text(content: str) -> object:
    return comparable_part(request(), "text", said(content))


def test_json_answers_agree_in_what_they_answer() -> None:
    """The explanations and the order of members may differ."""
    one = comparable_part(request(**JSON), "json", said('{"reasoning": "warm", "colour": "red"}'))
    other = comparable_part(request(**JSON), "json", said('{"colour": "red", "reasoning": "a fire"}'))
    assert compare(one, other) == "agreed"
    assert compare(one, comparable_part(request(**JSON), "json", said('{"colour": "blue"}'))) == "differed"


@pytest.mark.parametrize("content", ['{"colour": "green"}', "{}", "red", '{"colour": NaN}', None, [{"type": "text"}]])
def test_answer_that_breaks_its_schema_is_none(content: Any) -> None:
    """The schema is checked first: a broken answer agrees with nothing, not even with itself."""
    part = comparable_part(request(**JSON), "json", said(content))
    assert part is None
    assert compare(part, part) == "differed"


@pytest.mark.parametrize(
    "choices",
    [
        said("red", "length"),
        said("red", "content_filter"),
        said("", refusal="I cannot."),
        said("x" * (MAX_ANSWER + 1)),
        [*said("red"), *said("red")],
        [],
    ],
    ids=["cut", "filtered", "refused", "long", "two", "none"],
)
def test_incomplete_answers_are_none(choices: list[dict[str, Any]]) -> None:
    """What was cut short, refuses, or is too long to compare is no answer."""
    assert comparable_part(request(), "text", choices) is None


def test_calls_agree_in_any_order() -> None:
    """The same calls with the same arguments agree; a missing one does not."""
    one = comparable_part(request(**TOOLS), "calls", called(("f", '{"a": 1, "b": 2}'), ("f", '{"a": 2}')))
    other = comparable_part(request(**TOOLS), "calls", called(("f", '{"a":2.0}'), ("f", '{"b":2,"a":1}')))
    assert compare(one, other) == "agreed"
    fewer = comparable_part(request(**TOOLS), "calls", called(("f", '{"a": 1, "b": 2}')))
    assert compare(one, fewer) == "differed"


def test_calls_of_no_function_are_none() -> None:
    """Another kind of call, or one where JSON is expected, cannot be compared."""
    custom = said(None, "tool_calls", tool_calls=[{"type": "custom", "custom": {"name": "f", "input": "x"}}])
    assert comparable_part(request(**TOOLS), "calls", custom) is None
    assert comparable_part(request(), "json", called(("f", "{}"))) is None


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ("Let me think.\nThe final answer is: 1,000", "1000"),
        ("Add them.\n#### 42", "42"),
        ("So\n**Answer:** **Paris**", "paris"),
        (r"Hence $x = \boxed{\frac{1}{2}}$, as asked.", r"\frac{1}{2}"),
        ("Spam", "spam."),
    ],
)
def test_marked_answer_of_a_longer_text_is_compared(content: str, answer: str) -> None:
    """The last line that says so, or a box; otherwise all of a short text."""
    assert text(content) == text(answer) is not None


@pytest.mark.parametrize("content", ["", "word " * 60, "one\ntwo", "\\boxed{" + "1" * 300 + "}"])
def test_prose_is_none(content: str) -> None:
    """A longer text without a marked answer is not compared."""
    assert text(content) is None
