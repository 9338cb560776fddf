"""Tools beyond the wire cases: strict ones, and names that take turns."""

from __future__ import annotations

from typing import Any

from gateway.providers.claude.tools import MAX_STRICT_TOOLS, ToolCallIds, ToolCalls
from tests.providers.claude.asking import HAIKU_4_5, OPUS_4_1, sent

CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
OPEN = {"type": "object", "properties": {"a": {"type": "string", "minLength": 1}, "m": {"type": "object"}}}


def strict(name: str, parameters: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "strict": True, "parameters": parameters}}


def test_strict_tool_keeps_the_guarantee_where_expressible() -> None:
    """A strict tool keeps to its schema in the subset; one that the subset cannot say goes without the guarantee."""
    tools = sent(tools=[strict("a", {**CLOSED, "additionalProperties": True}), strict("b", OPEN)]).json["tools"]
    assert tools == [{"name": "a", "input_schema": CLOSED, "strict": True}, {"name": "b", "input_schema": OPEN}]


def test_more_than_twenty_strict_tools_are_not_strict() -> None:
    """Beyond twenty strict tools, and on models that know none, there are no strict ones."""
    many = [strict(f"t{i}", CLOSED) for i in range(MAX_STRICT_TOOLS + 1)]
    assert not any("strict" in tool for tool in sent(tools=many, to=HAIKU_4_5).json["tools"])
    assert not any("strict" in tool for tool in sent(tools=many[:1], to=OPUS_4_1).json["tools"])


def test_changed_tool_names_are_unique_and_stable() -> None:
    """A changed name never meets another one, and a name is changed to the same each time."""
    calls = ToolCalls()
    names = ["a.b", "a_b", "a:b", "", "x" * 200, "a.b"]
    given = [calls.name(name) for name in names]
    assert len(set(given)) == len(set(names))
    assert given[0] == given[-1]


def test_every_call_id_is_used_once() -> None:
    """Every id is given once."""
    ids = ToolCallIds()
    assert [ids.new(id) for id in ("a", "a", "a_2", "a:", "a_", "")] == ["a", "a_2", "a_2_2", "a_", "a__2", "call"]
