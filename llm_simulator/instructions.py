"""Applies instructions of the system prompt about the response format, as real models mostly do."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from llm_simulator.conversation import Task

BARE_JSON = re.compile(r"\b(?:only|one|bare)\b[^.\n]{0,20}\bJSON\b", re.IGNORECASE)
SCHEMA = re.compile(r"\bJSON schema:\s*(?=\{)", re.IGNORECASE)
CALL = re.compile(r"\bmust call\b", re.IGNORECASE)


def apply_instructions(task: Task, system_text: str) -> Task:
    """The task with the instructions of the system prompt; fields of the request have priority."""
    if CALL.search(system_text) and task.tool_choice == "auto" and not task.results:
        task = replace(task, tool_choice="any")
    if task.schema is not None or not BARE_JSON.search(system_text):
        return task
    return replace(task, json_only=True, schema=_schema(system_text))


def _schema(system_text: str) -> dict[str, object] | None:
    match = SCHEMA.search(system_text)
    if match is None:
        return None
    try:
        schema, _ = json.JSONDecoder().raw_decode(system_text, match.end())
    except ValueError:
        return None
    return schema if isinstance(schema, dict) else None
