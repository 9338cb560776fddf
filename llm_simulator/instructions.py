"""What a system prompt orders about the form of the answer; a simulated model obeys, as real ones mostly do."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from llm_simulator.conversation import Task

BARE_JSON = re.compile(r"\b(?:only|one|bare)\b[^.\n]{0,20}\bJSON\b", re.IGNORECASE)
SCHEMA = re.compile(r"\bJSON schema:\s*(?=\{)", re.IGNORECASE)
CALL = re.compile(r"\bmust call\b", re.IGNORECASE)


def obedient(task: Task, told: str) -> Task:
    """The task with what the system prompt `told` asks for, where the request's own fields do not say it."""
    if CALL.search(told) and task.tool_choice == "auto" and not task.results:
        task = replace(task, tool_choice="any")
    if task.schema is not None or not BARE_JSON.search(told):
        return task
    return replace(task, json_only=True, schema=_schema(told))


def _schema(told: str) -> dict[str, object] | None:
    found = SCHEMA.search(told)
    if found is None:
        return None
    try:
        schema, _ = json.JSONDecoder().raw_decode(told, found.end())
    except ValueError:
        return None
    return schema if isinstance(schema, dict) else None
