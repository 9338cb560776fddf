"""From a request's bytes to a checked ChatRequest; whatever is wrong with them, the answer is InvalidRequest."""

from __future__ import annotations

from gateway.completion import NO_HINTS, ChatRequest
from gateway.dialects.chat_completions.hints import routing_hints
from gateway.dialects.chat_completions.legacy import rewritten, uses_legacy_form
from gateway.dialects.chat_completions.parameters import check_parameters
from gateway.field_checks import missing
from gateway.json_body import parse_object


def parse_chat_request(raw: bytes) -> ChatRequest:
    """OpenAI's rules on the members we know; other members stay in `body` for the providers to choose from."""
    body = {name: value for name, value in parse_object(raw).items() if value is not None}
    for name in ("model", "messages"):
        if name not in body:
            missing(name)
    hints = routing_hints(body.pop("routing")) if "routing" in body else NO_HINTS
    check_parameters(body)
    # Named functions are answered in the old form; messages of the old form alone do not ask for that.
    legacy_functions = "functions" in body
    if uses_legacy_form(body):
        body = rewritten(body)
    if not body.get("tools"):
        # An empty list and what goes with it mean the same as nothing, which every provider accepts.
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            body.pop(name, None)
    return ChatRequest(
        body=body,
        model=body["model"],
        messages=body["messages"],
        stream=body.get("stream", False),
        include_usage=bool(body.get("stream_options", {}).get("include_usage")),
        hints=hints,
        legacy_functions=legacy_functions,
        size=len(raw),
    )
