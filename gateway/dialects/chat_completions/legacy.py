"""Rewrites the deprecated function-calling form (`functions`, `function_call`, role `function`) as tools.

The deprecated form has no call ids: a call in message `i` gets the id `call_legacy_<i>`, and a `function` message answers the
newest open call of its name. A result without a call gets an id of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.completion import Json


def uses_legacy_form(body: Mapping[str, Any]) -> bool:
    if "functions" in body or "function_call" in body:
        return True
    for message in body["messages"]:  # a loop, because it runs for every request and is faster than any()
        if message["role"] == "function" or message.get("function_call") is not None:
            return True
    return False


def rewrite_as_tools(body: Mapping[str, Any]) -> dict[str, Any]:
    """A new body in the current form; unchanged members are shared with `body`, which is not changed."""
    modern = {name: value for name, value in body.items() if name not in ("functions", "function_call")}
    if "functions" in body:
        modern["tools"] = [{"type": "function", "function": function} for function in body["functions"]]
        # The deprecated form can carry one call per response.
        modern["parallel_tool_calls"] = False
        if "function_call" in body:
            modern["tool_choice"] = _tool_choice(body["function_call"])
    modern["messages"] = _messages(body["messages"])
    return modern


def _tool_choice(function_call: str | Mapping[str, Any]) -> str | dict[str, Any]:
    if isinstance(function_call, str):
        return function_call
    return {"type": "function", "function": {"name": function_call["name"]}}


def _messages(messages: Sequence[Json]) -> list[Json]:
    modern: list[Json] = []
    open_calls: dict[str, list[str]] = {}  # ids by the function's name, the newest last
    for i, message in enumerate(messages):
        call = message.get("function_call")
        if message["role"] == "function":
            modern.append(_result(message, _take_open_call(open_calls, message["name"]) or f"call_legacy_{i}"))
        elif "function_call" not in message:
            modern.append(message)
        else:
            without_call = {name: value for name, value in message.items() if name != "function_call"}
            if call is not None and message["role"] == "assistant" and not message.get("tool_calls"):
                open_calls.setdefault(call["name"], []).append(f"call_legacy_{i}")
                without_call["tool_calls"] = [{"id": f"call_legacy_{i}", "type": "function", "function": call}]
            modern.append(without_call)
    return modern


def _take_open_call(open_calls: dict[str, list[str]], name: str) -> str | None:
    """Remove the newest open call of that name and return its id."""
    calls = open_calls.get(name)
    return calls.pop() if calls else None


def _result(message: Json, call_id: str) -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": message.get("content") or ""}
