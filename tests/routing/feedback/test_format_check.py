"""Whether structured answers keep their form."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.completion import ChatRequest
from gateway.routing.feedback.format_check import AnswerAssembler, check_format, prescribes_format

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = {"tools": [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}, {"type": "custom"}]}
ANY_TOOL = {"tools": [{"type": "function", "function": {"name": "ping"}}]}
JSON = {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}}
OBJECT = {"response_format": {"type": "json_object"}}


def asking(**body: Any) -> ChatRequest:
    return ChatRequest(body=body, model="auto", messages=[{"role": "user", "content": "Weather in Bonn?"}])


def call(arguments: str | None = '{"city": "Bonn"}', name: str = "weather") -> dict[str, Any]:
    return {"message": {"tool_calls": [{"id": "c", "function": {"name": name, "arguments": arguments}}]}}


def text(content: str | None, **choice: Any) -> dict[str, Any]:
    return {"message": {"content": content}, **choice}


CASES: list[tuple[dict[str, Any], list[dict[str, Any]], str | None]] = [
    ({}, [text("anything")], None),
    (TOOLS, [text("no tool was needed")], None),
    (TOOLS, [call()], "valid"),
    (TOOLS, [call('{"town": "Bonn"}')], "invalid"),
    (TOOLS, [call("not JSON")], "invalid"),
    (TOOLS, [call('"text"')], "invalid"),
    (TOOLS, [call(name="unheard_of")], "invalid"),
    (TOOLS, [{"message": {"tool_calls": [{"type": "custom", "custom": {"input": "x"}}]}}], None),
    (ANY_TOOL, [call("", "ping")], "valid"),
    (ANY_TOOL, [call(None, "ping")], "valid"),
    ({**TOOLS, "tool_choice": "required"}, [text("no")], "invalid"),
    ({**TOOLS, "tool_choice": {"type": "function"}}, [text("no")], "invalid"),
    (JSON, [text('{"city": "Bonn"}')], "valid"),
    (JSON, [text('{"city": 1}')], "invalid"),
    (JSON, [text("Bonn")], "invalid"),
    (JSON, [text(None)], "invalid"),
    (JSON, [text('{"ci', finish_reason="length")], None),
    (JSON, [{"message": {"refusal": "No."}}], None),
    (JSON, [text('{"city": "Bonn"}'), text("Bonn")], "invalid"),
    (OBJECT, [text("{}")], "valid"),
    (OBJECT, [text("[]")], "invalid"),
    ({"response_format": {"type": "json_schema"}}, [text("1")], "valid"),
    ({"response_format": {"type": "text"}}, [text("1")], None),
]


@pytest.mark.parametrize(("body", "choices", "expected"), CASES)
def test_forms(body: dict[str, Any], choices: list[dict[str, Any]], expected: str | None) -> None:
    """Tool calls and JSON answers are checked by their schemas; what was cut short or prescribes nothing is not."""
    assert check_format(asking(**body), choices) == expected


def test_what_prescribes_a_form() -> None:
    """Tools and JSON formats do."""
    assert [
        prescribes_format(asking(**body)) for body in (TOOLS, JSON, OBJECT, {}, {"response_format": {"type": "text"}})
    ] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_streams_are_put_together() -> None:
    """A streamed call or text is checked as the whole that it was cut from, choice by choice."""
    gathered = AnswerAssembler(asking(**TOOLS))
    for function in ({"name": "weather", "arguments": ""}, {"arguments": '{"ci'}, {"arguments": 'ty": "Bonn"}'}):
        gathered.add({"index": 0, "delta": {"tool_calls": [{"index": 0, "function": function}, {"index": 1}]}})
    gathered.add({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
    assert gathered.validity() == "valid"

    gathered = AnswerAssembler(asking(**JSON))
    for piece in ('{"ci', 'ty": 1}'):
        gathered.add({"delta": {"content": piece}})
    assert gathered.validity() == "invalid"

    refused = AnswerAssembler(asking(**JSON))
    refused.add({"delta": {"refusal": "No."}})
    assert refused.validity() is None


def test_streams_that_are_not_gathered() -> None:
    """Nothing is kept of a stream whose form is free, and a huge one is not kept to its end."""
    free = AnswerAssembler(asking())
    free.add({"delta": {"content": "x"}})
    assert free.validity() is None
    huge = AnswerAssembler(asking(**JSON))
    for _ in range(3):
        huge.add({"delta": {"content": "x" * 500_000}})
    assert huge.validity() is None
