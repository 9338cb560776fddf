"""Whether, which and how often a tool is called."""

from __future__ import annotations

import pytest

from llm_simulator.conversation import Task, Tool, ToolResult
from llm_simulator.tool_calls import calls

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = (Tool("get_weather", CITY, "Weather of a city"), Tool("searchFlights", CITY, "Find flights"), Tool("x", {}))


def called(prompt: str, **fields: object) -> list[tuple[str, object]]:
    task = Task(model="m", prompt=prompt, transcript=prompt, **{"tools": TOOLS, **fields})  # type: ignore[arg-type]  # any field
    return [(call.name, call.arguments.get("city")) for call in calls(task, key="k", unique="u")]


CASES: list[tuple[str, dict[str, object], list[tuple[str, object]]]] = [
    ("Weather in Paris?", {}, [("get_weather", "Paris")]),
    ("Search flights to Rome", {}, [("searchFlights", "Rome")]),
    ("Hello there", {}, []),
    ("Use the x tool", {}, [("x", None)]),
    ("Hello", {"tool_choice": "any"}, [("get_weather", "Hello")]),
    ("Hello", {"tool_choice": "tool:x"}, [("x", None)]),
    ("Hello", {"tool_choice": "tool:unknown"}, []),
    ("Weather in Paris?", {"tool_choice": "none"}, []),
    ("Weather in Paris?", {"tools": ()}, []),
    ("Weather in Paris?", {"results": (ToolResult("", "ok"),)}, []),
    ("Weather in Paris and Rome?", {}, [("get_weather", "Paris"), ("get_weather", "Rome")]),
    ("Weather in Paris and Rome?", {"parallel_tools": False}, [("get_weather", "Paris")]),
]


@pytest.mark.parametrize(("prompt", "fields", "expected"), CASES)
def test_tool_is_called_once_for_each_named_thing(
    prompt: str, fields: dict[str, object], expected: list[tuple[str, object]]
) -> None:
    """A tool is called when it fits or is forced; once for each thing that is named."""
    assert called(prompt, **fields) == expected


def test_both_without_names() -> None:
    """`both` makes two calls even when nothing is named."""
    assert len(called("get the weather for both")) == 2


def test_parallel_calls_have_different_ids() -> None:
    """Parallel calls of one tool have ids of their own."""
    task = Task(model="m", prompt="Weather in Paris and Rome", transcript="", tools=TOOLS)
    assert len({call.id for call in calls(task, key="k", unique="u")}) == 2
