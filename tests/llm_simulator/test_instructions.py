"""Obeying a system prompt."""

from __future__ import annotations

import pytest

from llm_simulator.conversation import Task, Tool, ToolResult
from llm_simulator.instructions import apply_instructions

TASK = Task("claude-haiku-5-5", "Hi", "Hi", tools=(Tool("f", {}),))


@pytest.mark.parametrize(
    ("system_text", "json_only", "schema"),
    [
        ("Be brief.", False, None),
        ("Answer with one JSON object and nothing else.", True, None),
        ('One JSON object. It must match this JSON schema:\n{"type": "object"} Thanks.', True, {"type": "object"}),
        ("One JSON object. It must match this JSON schema:\n{oops", True, None),
        ('It must match this JSON schema:\n{"type": "object"}', False, None),
    ],
)
def test_instruction_for_json_is_followed_by_its_schema(system_text: str, json_only: bool, schema: object) -> None:
    """Who is told to answer in JSON does, by the schema that stands there."""
    task = apply_instructions(TASK, system_text)
    assert (task.json_only, task.schema) == (json_only, schema)


def test_a_schema_of_the_request_wins() -> None:
    """The request's own schema is not replaced."""
    task = Task("m", "Hi", "Hi", schema={"type": "string"})
    assert apply_instructions(task, 'Only JSON. JSON schema: {"type": "object"}') is task


@pytest.mark.parametrize(
    ("choice", "results", "made"),
    [("auto", (), "any"), ("none", (), "none"), ("auto", (ToolResult("f", "1"),), "auto")],
)
def test_forced_tool_is_called_once(choice: str, results: tuple[ToolResult, ...], made: str) -> None:
    """Who must call a tool does, once."""
    task = Task("m", "Hi", "Hi", tool_choice=choice, results=results)
    assert apply_instructions(task, "You must call the tool `f` now.").tool_choice == made
