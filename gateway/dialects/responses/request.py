"""Parses and validates a request body into a ChatRequest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gateway.completion import NO_HINTS, ChatRequest, Json, NativeRequest
from gateway.dialects.responses.client_paths import ClientPaths
from gateway.dialects.responses.earlier import (
    EarlierItems,
    is_reference,
    raise_item_not_found,
    raise_previous_not_found,
)
from gateway.dialects.responses.items import MAX_ITEMS, MessageBuilder
from gateway.dialects.responses.parameters import chat_parameters, check_parameters
from gateway.dialects.responses.tools import ToolList, read_tools
from gateway.dialects.routing_hints import routing_hints
from gateway.field_checks import array, invalid, required, string, wrong_type

NAME = "responses"


class ResponsesRequest(NamedTuple):
    """A parsed request: for the proxy, its own input items with references resolved, and the places of its messages."""

    chat: ChatRequest
    items: Sequence[Json]
    paths: ClientPaths


def parse_body(parsed: Mapping[str, Any], earlier: EarlierItems, *, size: int) -> ResponsesRequest:
    """Apply OpenAI's rules to known members; unknown members are left alone. `size` is in bytes, with earlier items.

    Raises InvalidRequest for everything that is wrong with the body, also for references that are not in `earlier`.
    """
    body = {name: value for name, value in parsed.items() if value is not None}
    for name in ("model", "input"):
        required(body, "", name=name)
    hints = routing_hints(body.pop("routing")) if "routing" in body else NO_HINTS
    check_parameters(body)
    if "previous_response_id" in body and not earlier.found:
        raise_previous_not_found(body["previous_response_id"], earlier.kept)
    tools = read_tools(body["tools"]) if "tools" in body else ToolList()
    items = _input_items(body["input"], earlier)
    builder = MessageBuilder(tools.names)
    if body.get("instructions"):
        builder.instructions(body["instructions"])
    for item in earlier.before:
        builder.item(item, "previous_response_id")
    dropped_before = len(builder.dropped)  # the client was told when they were new
    for i, item in enumerate(items):
        builder.item(item, f"input[{i}]")
    builder.close()
    if not builder.messages:
        invalid("input", "Invalid 'input': there is nothing to answer in it.", code="empty_array")
    chat = {"model": body["model"], "messages": builder.messages, **chat_parameters(body, tools)}
    stream = body.get("stream", False)
    request = ChatRequest(
        body={**chat, "stream": True} if stream else chat,
        model=body["model"],
        messages=builder.messages,
        stream=stream,
        hints=hints,
        size=size,
        native=NativeRequest(NAME, body),
        dropped=(*tools.dropped, *builder.dropped[dropped_before:]),
    )
    return ResponsesRequest(request, items, ClientPaths(builder.paths, tools.paths))


def _input_items(value: object, earlier: EarlierItems) -> list[Json]:
    """The items, with those of earlier responses in place of references to them."""
    if isinstance(value, str):
        return [{"type": "message", "role": "user", "content": value}]
    if not isinstance(value, list):
        wrong_type(value, "input", expected="a string or an array of items")
    most = max(0, MAX_ITEMS - len(earlier.before))
    items = array(value, "input", least=1, most=most)
    return [_resolved(item, f"input[{i}]", earlier) if is_reference(item) else item for i, item in enumerate(items)]


def _resolved(item: dict[str, Any], path: str, earlier: EarlierItems) -> Json:
    id = string(item["id"], f"{path}.id", empty=False)
    if (found := earlier.by_id.get(id)) is None:
        raise_item_not_found(id, f"{path}.id", earlier.kept)
    return found
