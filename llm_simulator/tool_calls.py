"""Decides whether a simulated model calls tools: which one, how often, and with which arguments."""

from __future__ import annotations

import re

from llm_simulator import schema_values
from llm_simulator.conversation import Task, Tool, ToolCall
from llm_simulator.planned_calls import planned_call
from llm_simulator.seeded_random import SeededRandom

WORDS = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}|\d+")
STOP_WORDS_TEXT = "get set the and for with from that this what use tool tools function call current info data list find look are you can how"
STOP_WORDS = frozenset(STOP_WORDS_TEXT.split())
SEVERAL = re.compile(r"\b(both|each|respectively|every one|all of)\b", re.IGNORECASE)
JOINED = re.compile(r"\band\b|,|;")
ASKED = re.compile(r"\b(use|call|invoke|run)\b.{0,40}\b(tool|function)s?\b", re.IGNORECASE | re.DOTALL)
MAX_CALLS = 4


def key_terms(text: str) -> set[str]:
    """The content words of a text or an identifier, without plural endings."""
    terms = {word.lower().rstrip("s") for word in WORDS.findall(text[:8000])}
    return terms - STOP_WORDS


def choose_tool(task: Task) -> Tool | None:
    """The tool to call for this prompt; None for a text reply."""
    if not task.tools or task.tool_choice == "none" or (task.results and task.tool_choice == "auto"):
        return None
    if task.tool_choice.startswith("tool:"):
        tool_name = task.tool_choice.removeprefix("tool:")
        return next((tool for tool in task.tools if tool.name == tool_name), None)
    prompt_terms = key_terms(task.prompt)
    scores = [(match_score(tool, task.prompt, prompt_terms), tool) for tool in task.tools]
    score, best = max(scores, key=lambda entry: entry[0])
    is_requested = task.tool_choice == "any" or ASKED.search(task.prompt)
    return best if is_requested or score >= 2 else None


def match_score(tool: Tool, prompt: str, prompt_terms: set[str]) -> int:
    """The score of a tool for a prompt: its full name counts most, then words of its name, then of its description."""
    is_named = re.search(rf"\b{re.escape(tool.name)}\b", prompt, re.IGNORECASE)
    return (
        100 * bool(is_named)
        + 2 * len(prompt_terms & key_terms(tool.name))
        + len(prompt_terms & key_terms(tool.description))
    )


def calls(task: Task, *, key: str, unique: str) -> tuple[ToolCall, ...]:
    """The calls of one turn; several where the prompt names several things and parallel calls are allowed."""
    planned = planned_call(task, unique=f"{unique}:0")
    if planned is not None:
        return (planned,)
    tool = choose_tool(task)
    if tool is None:
        return ()
    subjects = schema_values.names_in(task.prompt)[:MAX_CALLS]
    several = SEVERAL.search(task.prompt) or (len(subjects) > 1 and JOINED.search(task.prompt))
    if not several or not task.parallel_tools:
        return (one_call(tool, task.prompt, key=f"{key}:0", unique=f"{unique}:0"),)
    subjects = [*subjects, task.prompt, task.prompt][: max(2, len(subjects))]
    return tuple(
        one_call(tool, subject, key=f"{key}:{n}", unique=f"{unique}:{n}") for n, subject in enumerate(subjects)
    )


def one_call(tool: Tool, prompt: str, *, key: str, unique: str) -> ToolCall:
    built = schema_values.build_value({"type": "object", **tool.schema}, prompt=prompt, rng=SeededRandom("call", key))
    return ToolCall(
        id=SeededRandom("id", unique).token(24), name=tool.name, arguments=built if isinstance(built, dict) else {}
    )
