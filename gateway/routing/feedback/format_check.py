"""Whether a structured answer keeps the form that its request prescribed: tool calls and JSON answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import orjson

from gateway.completion import ChatRequest, Json
from gateway.routing.feedback.json_schema import violation

Validity = Literal["kept", "broken"]

# Such an answer ended early, so its form says nothing about the model.
_CUT_SHORT = frozenset({"length", "content_filter"})
_JSON_FORMATS = frozenset({"json_schema", "json_object"})
# Characters of a streamed answer that are kept for its check.
_MOST_GATHERED = 1_000_000


def prescribes_form(request: ChatRequest) -> bool:
    """Whether any answer to this request can be checked."""
    return bool(request.body.get("tools")) or request.response_format in _JSON_FORMATS


def check_format(request: ChatRequest, choices: Sequence[Json]) -> Validity | None:
    """`broken` when one choice breaks what was prescribed; None when there was nothing to check."""
    calling = [choice for choice in choices if (choice.get("message") or {}).get("tool_calls")]
    if not calling and not prescribes_form(request):
        return None
    found: set[Validity] = set()
    tools = _tools(request.body)
    for choice in choices:
        message = choice.get("message") or {}
        if choice.get("finish_reason") not in _CUT_SHORT and not message.get("refusal"):
            found.update(_forms(message, request, tools=tools))
    if not found:
        return None
    return "broken" if "broken" in found else "kept"


def _forms(message: Json, request: ChatRequest, *, tools: Mapping[str, Any]) -> Iterator[Validity]:
    calls = message.get("tool_calls") or ()
    for call in calls:
        if isinstance(call.get("function"), Mapping):
            yield "kept" if _call_fits(call["function"], tools) else "broken"
    if calls:
        return
    if _must_call(request.body):
        yield "broken"
    elif request.response_format in _JSON_FORMATS:
        yield "kept" if _content_fits(message.get("content"), request.body["response_format"]) else "broken"


def _call_fits(function: Json, tools: Mapping[str, Any]) -> bool:
    if function.get("name") not in tools:
        return False
    try:
        arguments = orjson.loads(function.get("arguments") or "{}")
    except (orjson.JSONDecodeError, TypeError):
        return False
    return isinstance(arguments, dict) and violation(arguments, tools[function["name"]]) is None


def _content_fits(content: Any, answer_format: Json) -> bool:
    try:
        value = orjson.loads(content)
    except (orjson.JSONDecodeError, TypeError):
        return False
    if answer_format["type"] == "json_object":
        return isinstance(value, dict)
    return violation(value, (answer_format.get("json_schema") or {}).get("schema")) is None


def _tools(body: Json) -> dict[str, Any]:
    """The schema of each function's arguments, by its name."""
    functions = (tool.get("function") for tool in body.get("tools") or ())
    return {str(each.get("name")): each.get("parameters") for each in functions if isinstance(each, Mapping)}


def _must_call(body: Json) -> bool:
    choice = body.get("tool_choice")
    return bool(body.get("tools")) and (choice == "required" or isinstance(choice, Mapping))


class AnswerAssembler:
    """Puts a streamed structured answer together again, as far as its check needs it; a very long one is given up."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._wanted = prescribes_form(request)
        self._size = 0
        self._choices: dict[int, dict[str, Any]] = {}

    def add(self, choice: Json) -> None:
        """One choice of a chunk."""
        if not self._wanted:
            return
        whole = self._choices.setdefault(choice.get("index", 0), {"content": [], "calls": {}, "message": {}})
        delta = choice.get("delta") or {}
        if choice.get("finish_reason"):
            whole["finish_reason"] = choice["finish_reason"]
        if delta.get("refusal"):
            whole["message"]["refusal"] = True
        self._text(whole["content"], delta.get("content"))
        for call in delta.get("tool_calls") or ():
            self._call(whole["calls"], call)

    def form(self) -> Validity | None:
        """Of the whole answer, once it has ended."""
        if not self._wanted or self._size > _MOST_GATHERED:
            return None
        return check_format(self._request, [_joined(choice) for choice in self._choices.values()])

    def _call(self, calls: dict[int, dict[str, Any]], call: Json) -> None:
        function = call.get("function")
        if not isinstance(function, Mapping):
            return
        whole = calls.setdefault(call.get("index", 0), {"name": None, "arguments": []})
        whole["name"] = function.get("name") or whole["name"]
        self._text(whole["arguments"], function.get("arguments"))

    def _text(self, parts: list[str], text: str | None) -> None:
        if text:
            self._size += len(text)
            if self._size <= _MOST_GATHERED:
                parts.append(text)


def _joined(choice: Mapping[str, Any]) -> dict[str, Any]:
    calls = [
        {"function": {"name": call["name"], "arguments": "".join(call["arguments"])}}
        for call in choice["calls"].values()
    ]
    message = {**choice["message"], "content": "".join(choice["content"]), "tool_calls": calls}
    return {"finish_reason": choice.get("finish_reason"), "message": message}
