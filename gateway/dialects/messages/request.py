"""Parses a Messages request: the client's own object for Claude, and a chat request for all other upstreams and for routing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.completion import NO_HINTS, ChatRequest, Json, NativeRequest
from gateway.dialects.base import InboundRequest
from gateway.dialects.messages.content import TurnTranslator
from gateway.dialects.messages.native_only import NativeOnly
from gateway.dialects.messages.parameters import chat_parameters
from gateway.dialects.messages.thinking import is_own
from gateway.dialects.routing_hints import routing_hints
from gateway.field_checks import boolean, invalid, missing, string
from gateway.json_body import parse_object

NAME = "messages"
# The client's headers that belong to the API; a lost beta makes Anthropic refuse the members that it allows.
HEADERS = ("anthropic-version", "anthropic-beta")
_OWN_PARAMETERS = ("auto_route",)
_QUERY = re.compile(r"[!-~]{0,2000}")  # printable ASCII; the rest of the URL is the provider's
_LONG_CONTEXT = "[1m]"  # Claude Code's suffix for a context of a million tokens
AUTO_ALIAS = "claude-auto"  # for clients that accept only names that begin with `claude`


def parse_messages_request(inbound: InboundRequest) -> ChatRequest:
    """Raises InvalidRequest for what is wrong with a member that the gateway knows. Unknown members are passed on to Claude."""
    return _parse(inbound, parse_object(inbound.body))


def parse_count_request(inbound: InboundRequest) -> ChatRequest:
    """The same for `count_tokens`, whose body has no `max_tokens`."""
    body = parse_object(inbound.body)
    counted = _parse(inbound, {**body, "max_tokens": 1})
    native = counted.native and counted.native._replace(body=_native_body(body))
    return counted._replace(native=native)


def _parse(inbound: InboundRequest, body: dict[str, Any]) -> ChatRequest:
    for name in ("model", "messages"):
        if body.get(name) is None:
            missing(name)
    model = model_name(string(body["model"], "model", empty=False))
    stream = body.get("stream") is not None and boolean(body["stream"], "stream")
    hints = routing_hints(body["routing"]) if body.get("routing") is not None else NO_HINTS
    features = NativeOnly()
    parameters = chat_parameters(body, native=features)
    messages = TurnTranslator(features).messages(body)
    native = NativeRequest(
        NAME,
        _native_body(body),
        headers=_headers(inbound.headers),
        query=_query(inbound.query),
        untranslatable=features.untranslatable,
        unpriced=features.unpriced,
    )
    return ChatRequest(
        body={"model": model, "messages": messages, "stream": stream, **parameters},
        model=model,
        messages=messages,
        stream=stream,
        hints=hints,
        size=len(inbound.body),
        native=native,
        limit_required=True,
        bare_provider="claude" if model.startswith("claude-") else None,
    )


def model_name(name: str) -> str:
    """`auto`, a full name or a bare one, as the catalogue knows it."""
    name = name.removesuffix(_LONG_CONTEXT)
    return "auto" if name == AUTO_ALIAS else name


def _native_body(body: Json) -> Json:
    """The client's object without what is the gateway's: `routing`, and thinking blocks that Anthropic did not sign."""
    native = {name: value for name, value in body.items() if name != "routing"}
    native["messages"] = [turn for message in body["messages"] if (turn := _without_own_thinking(message)) is not None]
    return native


def _without_own_thinking(turn: Json) -> Json | None:
    """The turn itself where nothing is removed; None where nothing else is left of it."""
    content = turn.get("content")
    if turn.get("role") != "assistant" or not isinstance(content, list) or not any(map(is_own, content)):
        return turn
    kept = [block for block in content if not is_own(block)]
    return {**turn, "content": kept} if kept else None


def _headers(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    found = {name: headers[name.encode()].decode("latin-1") for name in HEADERS if headers.get(name.encode())}
    for name, value in found.items():
        if not (value.isascii() and value.isprintable()):
            invalid(name, f"Invalid header '{name}': it holds characters that are not printable ASCII.")
    return found


def _query(query: bytes) -> str:
    """The client's parameters, for Claude; those of the gateway are left out."""
    text = query.decode("latin-1")
    if not text or "#" in text or not _QUERY.fullmatch(text):
        return ""
    return "&".join(pair for pair in text.split("&") if pair.partition("=")[0] not in _OWN_PARAMETERS)
