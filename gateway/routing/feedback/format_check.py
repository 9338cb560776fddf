"""Checks a structured answer against the format that its request prescribes: tool calls and JSON answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import orjson

from gateway.completion import ChatRequest, Json
from gateway.routing.feedback.json_schema import violation

Validity = Literal["valid", "invalid"]

# Finish reasons of incomplete answers, whose format says nothing about the model.
_INCOMPLETE = frozenset({"length", "content_filter"})
_JSON_FORMATS = frozenset({"json_schema", "json_object"})
# Characters of a streamed answer that are kept for the check. A longer answer is not checked.
_MAX_CHARACTERS = 1_000_000


def prescribes_format(request: ChatRequest) -> bool:
    """Whether answers to this request can be checked."""
    return bool(request.body.get("tools")) or request.response_format in _JSON_FORMATS


def check_format(request: ChatRequest, choices: Sequence[Json]) -> Validity | None:
    """`invalid` if any choice violates the prescribed format; None if there is nothing to check."""
    any_calls = any((choice.get("message") or {}).get("tool_calls") for choice in choices)
    if not any_calls and not prescribes_format(request):
        return None
    results: set[Validity] = set()
    tools = _parameters_by_tool(request.body)
    for choice in choices:
        message = choice.get("message") or {}
        if choice.get("finish_reason") not in _INCOMPLETE and not message.get("refusal"):
            results.update(_check_message(message, request, tools=tools))
    if not results:
        return None
    return "invalid" if "invalid" in results else "valid"


def _check_message(message: Json, request: ChatRequest, *, tools: Mapping[str, Any]) -> Iterator[Validity]:
    calls = message.get("tool_calls") or ()
    for call in calls:
        if isinstance(call.get("function"), Mapping):
            yield "valid" if _is_valid_call(call["function"], tools) else "invalid"
    if calls:
        return
    if _requires_call(request.body):
        yield "invalid"
    elif request.response_format in _JSON_FORMATS:
        yield "valid" if _is_valid_content(message.get("content"), request.body["response_format"]) else "invalid"


def _is_valid_call(function: Json, tools: Mapping[str, Any]) -> bool:
    if function.get("name") not in tools:
        return False
    try:
        arguments = orjson.loads(function.get("arguments") or "{}")
    except (orjson.JSONDecodeError, TypeError):
        return False
    return isinstance(arguments, dict) and violation(arguments, tools[function["name"]]) is None


def _is_valid_content(content: Any, response_format: Json) -> bool:
    try:
        value = orjson.loads(content)
    except (orjson.JSONDecodeError, TypeError):
        return False
    if response_format["type"] == "json_object":
        return isinstance(value, dict)
    return violation(value, (response_format.get("json_schema") or {}).get("schema")) is None


def _parameters_by_tool(body: Json) -> dict[str, Any]:
    """The schema of each function's arguments, by its name."""
    functions = (tool.get("function") for tool in body.get("tools") or ())
    return {str(each.get("name")): each.get("parameters") for each in functions if isinstance(each, Mapping)}


def _requires_call(body: Json) -> bool:
    choice = body.get("tool_choice")
    return bool(body.get("tools")) and (choice == "required" or isinstance(choice, Mapping))


class AnswerAssembler:
    """Assembles a streamed structured answer for its check. Keeps nothing of answers without a prescribed format."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._checked = prescribes_format(request)
        self._size = 0
        self._choices: dict[int, dict[str, Any]] = {}

    def add(self, choice: Json) -> None:
        """Takes one choice of a chunk."""
        if not self._checked:
            return
        partial = self._choices.setdefault(choice.get("index", 0), {"content": [], "calls": {}, "message": {}})
        delta = choice.get("delta") or {}
        if choice.get("finish_reason"):
            partial["finish_reason"] = choice["finish_reason"]
        if delta.get("refusal"):
            partial["message"]["refusal"] = True
        self._add_text(partial["content"], delta.get("content"))
        for call in delta.get("tool_calls") or ():
            self._add_call(partial["calls"], call)

    def validity(self) -> Validity | None:
        """The result of `check_format` for the whole answer, after the end of the stream."""
        if not self._checked or self._size > _MAX_CHARACTERS:
            return None
        return check_format(self._request, [_assembled(choice) for choice in self._choices.values()])

    def _add_call(self, calls: dict[int, dict[str, Any]], call: Json) -> None:
        function = call.get("function")
        if not isinstance(function, Mapping):
            return
        partial = calls.setdefault(call.get("index", 0), {"name": None, "arguments": []})
        partial["name"] = function.get("name") or partial["name"]
        self._add_text(partial["arguments"], function.get("arguments"))

    def _add_text(self, parts: list[str], text: str | None) -> None:
        if text:
            self._size += len(text)
            if self._size <= _MAX_CHARACTERS:
                parts.append(text)


def _assembled(choice: Mapping[str, Any]) -> dict[str, Any]:
    calls = [
        {"function": {"name": call["name"], "arguments": "".join(call["arguments"])}}
        for call in choice["calls"].values()
    ]
    message = {**choice["message"], "content": "".join(choice["content"]), "tool_calls": calls}
    return {"finish_reason": choice.get("finish_reason"), "message": message}
