"""Which requests have answers that can be compared: decided before any model is called, from the request alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from gateway.completion import ChatRequest
from gateway.routing.sessions.affinity import SessionLookup

AnswerKind = Literal["json", "calls", "text"]

# Tokens. A client that leaves no room for more wants a label, a number or a few words.
SHORT_LIMIT = 64
_JSON_FORMATS = frozenset({"json_schema", "json_object"})


def may_be_compared(request: ChatRequest, session: SessionLookup | None) -> bool:
    """Whether two models may be asked: their answers can be compared, and the request is not a client's call for itself.

    A streamed answer has to wait until it is compared, so the client must have wished that itself, and it is made of a whole one.
    """
    wished = request.hints.cascade == "agree"
    if request.stream and (not wished or (request.native is not None and request.native.untranslatable is not None)):
        return False
    if session is not None and session.auxiliary:
        return False
    return comparable_kind(request, wished=wished) is not None


def comparable_kind(request: ChatRequest, *, wished: bool) -> AnswerKind | None:
    """What the answers to this request are compared as; None where they cannot be.

    Prescribed JSON and required tool calls always can. Free text can where it has to be short, or where the client itself wished
    (`wished`) a comparison for this request. The turns of an agent are never compared unless a single answer is prescribed.
    """
    body = request.body
    if request.choices > 1 or set(body.get("modalities") or ()) - {"text"}:
        return None
    if body.get("tools"):
        return _kind_with_tools(request, wished=wished)
    if request.response_format in _JSON_FORMATS:
        return "json"
    if has_tool_results(request):
        return None
    short = request.output_limit is not None and request.output_limit <= SHORT_LIMIT and not request.limit_required
    return "text" if wished or short else None


def _kind_with_tools(request: ChatRequest, *, wished: bool) -> AnswerKind | None:
    choice = request.body.get("tool_choice")
    if choice == "none":
        return "json" if request.response_format in _JSON_FORMATS else None
    if choice == "required" or isinstance(choice, Mapping):
        return "calls"
    return "calls" if wished and not has_tool_results(request) else None


def has_tool_results(request: ChatRequest) -> bool:
    """Whether the conversation is an agent's: it holds calls of tools or their results."""
    return any(message.get("role") == "tool" or message.get("tool_calls") for message in request.messages)
