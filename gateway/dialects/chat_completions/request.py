"""Parses and validates a request body into a ChatRequest."""

from __future__ import annotations

from gateway.completion import NO_HINTS, ChatRequest
from gateway.dialects.chat_completions.legacy import rewrite_as_tools, uses_legacy_form
from gateway.dialects.chat_completions.parameters import check_parameters
from gateway.dialects.routing_hints import routing_hints
from gateway.field_checks import missing
from gateway.json_body import parse_object


def parse_chat_request(raw: bytes) -> ChatRequest:
    """Apply OpenAI's rules to known members; unknown members stay in `body`, and providers decide about them.

    Raises InvalidRequest for everything that is wrong with the body.
    """
    body = {name: value for name, value in parse_object(raw).items() if value is not None}
    for name in ("model", "messages"):
        if name not in body:
            missing(name)
    hints = routing_hints(body.pop("routing")) if "routing" in body else NO_HINTS
    check_parameters(body)
    # `functions` requires a response in the deprecated form; messages in that form alone do not.
    legacy_functions = "functions" in body
    if uses_legacy_form(body):
        body = rewrite_as_tools(body)
    if not body.get("tools"):
        # An empty list of tools means the same as no tools, which every provider accepts.
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            body.pop(name, None)
    return ChatRequest.of_checked(body, hints=hints, size=len(raw), legacy_functions=legacy_functions)
