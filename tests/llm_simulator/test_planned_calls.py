"""Plans of tool calls in the user's text."""

from __future__ import annotations

import pytest

from llm_simulator.conversation import Task, Tool
from llm_simulator.tool_calls import calls

PLAN = 'Do it. [[call:bash {"command": "ls"}]] then [[call:read {"file": {"path": "a"}}]] and say done.'
TOOLS = (Tool("bash", {}), Tool("read", {}))


def called(made: int, *, text: str = PLAN, tools: tuple[Tool, ...] = TOOLS, choice: str = "auto") -> object:
    task = Task("m", "Do it.", "", tools=tools, tool_choice=choice, user_text=text, calls_made=made)
    return [(call.name, call.arguments) for call in calls(task, key="k", unique="u")]


def test_each_turn_makes_the_next_call_of_the_plan() -> None:
    """The calls come one by one in their order; after the last one there is none."""
    assert called(0) == [("bash", {"command": "ls"})]
    assert called(1) == [("read", {"file": {"path": "a"}})]
    assert called(2) == []


@pytest.mark.parametrize(
    ("text", "tools", "choice"),
    [(PLAN, (), "auto"), (PLAN, TOOLS, "none"), ("[[call:bash {no}]]", TOOLS, "auto"), ("Hello", TOOLS, "auto")],
)
def test_without_tool_or_plan_there_is_no_planned_call(text: str, tools: tuple[Tool, ...], choice: str) -> None:
    """A request without the tool, with tools forbidden, or with a broken plan is answered with text."""
    assert called(0, text=text, tools=tools, choice=choice) == []
