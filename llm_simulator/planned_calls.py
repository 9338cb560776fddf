"""Plays a plan of tool calls that the user's text gives: the scripted side of an agent's test.

`[[call:NAME {"argument": 1}]]` is one call. Each turn makes the next call of the plan; after the last one the model answers with
text. Requests without that tool, such as the one for a conversation's title, are answered as usual.
"""

from __future__ import annotations

import json
import re

from llm_simulator.conversation import Task, ToolCall
from llm_simulator.seeded_random import SeededRandom

CALL = re.compile(r"\[\[call:([\w.-]+) (\{.*?\})\]\]", re.DOTALL)


def planned_call(task: Task, *, unique: str) -> ToolCall | None:
    """The next call of the plan; None without a plan, after its end, or where the request does not offer the tool."""
    plan = CALL.findall(task.user_text)
    if task.calls_made >= len(plan) or task.tool_choice == "none":
        return None
    name, written = plan[task.calls_made]
    if name not in {tool.name for tool in task.tools}:
        return None
    try:
        arguments = json.loads(written)
    except ValueError:
        return None
    return ToolCall(SeededRandom("id", unique).token(24), name, arguments)
