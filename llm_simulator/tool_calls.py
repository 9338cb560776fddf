"""Whether a simulated model calls a tool, which one, how often and with what arguments."""

from __future__ import annotations

import re

from llm_simulator import schema_values
from llm_simulator.conversation import Task, Tool, ToolCall
from llm_simulator.seeded_random import SeededRandom

WORDS = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}|\d+")
DULL_TEXT = "get set the and for with from that this what use tool tools function call current info data list find look are you can how"
DULL = frozenset(DULL_TEXT.split())
SEVERAL = re.compile(r"\b(both|each|respectively|every one|all of)\b", re.IGNORECASE)
JOINED = re.compile(r"\band\b|,|;")
ASKED = re.compile(r"\b(use|call|invoke|run)\b.{0,40}\b(tool|function)s?\b", re.IGNORECASE | re.DOTALL)
MOST_CALLS = 4


def words(text: str) -> set[str]:
    """The telling words of a text or an identifier, without plurals."""
    found = {word.lower().rstrip("s") for word in WORDS.findall(text[:8000])}
    return found - DULL


def choose(task: Task) -> Tool | None:
    """The tool that is called for this prompt, or None for an answer in text."""
    if not task.tools or task.tool_choice == "none" or (task.results and task.tool_choice == "auto"):
        return None
    if task.tool_choice.startswith("tool:"):
        wanted = task.tool_choice.removeprefix("tool:")
        return next((tool for tool in task.tools if tool.name == wanted), None)
    spoken = words(task.prompt)
    scores = [(fit(tool, task.prompt, spoken), tool) for tool in task.tools]
    score, best = max(scores, key=lambda entry: entry[0])
    asked = task.tool_choice == "any" or ASKED.search(task.prompt)
    return best if asked or score >= 2 else None


def fit(tool: Tool, prompt: str, spoken: set[str]) -> int:
    """How well a tool fits a prompt: its full name counts most, then the words of its name, then its description."""
    named = re.search(rf"\b{re.escape(tool.name)}\b", prompt, re.IGNORECASE)
    return 100 * bool(named) + 2 * len(spoken & words(tool.name)) + len(spoken & words(tool.description))


def calls(task: Task, *, key: str, unique: str) -> tuple[ToolCall, ...]:
    """The calls of one turn: several when the prompt names several things and parallel calls are allowed."""
    tool = choose(task)
    if tool is None:
        return ()
    subjects = schema_values.names_in(task.prompt)[:MOST_CALLS]
    several = SEVERAL.search(task.prompt) or (len(subjects) > 1 and JOINED.search(task.prompt))
    if not several or not task.parallel_tools:
        return (one_call(tool, task.prompt, key=f"{key}:0", unique=f"{unique}:0"),)
    subjects = [*subjects, task.prompt, task.prompt][: max(2, len(subjects))]
    return tuple(
        one_call(tool, subject, key=f"{key}:{n}", unique=f"{unique}:{n}") for n, subject in enumerate(subjects)
    )


def one_call(tool: Tool, prompt: str, *, key: str, unique: str) -> ToolCall:
    built = schema_values.instance({"type": "object", **tool.schema}, prompt=prompt, dice=SeededRandom("call", key))
    return ToolCall(
        id=SeededRandom("id", unique).token(24), name=tool.name, arguments=built if isinstance(built, dict) else {}
    )
