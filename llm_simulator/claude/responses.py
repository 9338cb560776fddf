"""Encodes Claude's responses: a message, or its stream events."""

from __future__ import annotations

import json
from typing import Any

from llm_simulator.answers import pieces
from llm_simulator.claude.signatures import sign
from llm_simulator.conversation import Finish, Reply
from llm_simulator.seeded_random import SeededRandom
from llm_simulator.vendor import Body, Event, ParsedRequest

STOP_REASONS: dict[Finish, str] = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tools": "tool_use",
    "refusal": "refusal",
    "blocked": "refusal",
    "recitation": "refusal",
    "pause_turn": "pause_turn",
    "context_window": "model_context_window_exceeded",
    "malformed_call": "quantum_flux",
    "unknown_finish": "quantum_flux",
}


def message(call: ParsedRequest, reply: Reply) -> Body:
    return {
        "id": f"msg_{SeededRandom('message', reply.key).token(24)}",
        "type": "message",
        "role": "assistant",
        "model": call.model,
        "content": blocks(call, reply),
        "stop_reason": STOP_REASONS[reply.finish],
        "stop_sequence": reply.stop_sequence,
        "stop_details": stop_details(reply),
        "usage": usage(call, reply),
    }


def stop_details(reply: Reply) -> Body | None:
    if STOP_REASONS[reply.finish] != "refusal":
        return None
    return {
        "type": "refusal",
        "category": "general_harms",
        "explanation": "The request was declined by a safety system.",
    }


def blocks(call: ParsedRequest, reply: Reply) -> list[Body]:
    """The content blocks: thinking, perhaps redacted thinking, text, tool calls."""
    built: list[Body] = []
    if reply.reasoning:
        shown = bool(call.options["shown"])
        signature = sign(reply.reasoning, call.model, shown=shown)
        built.append({"type": "thinking", "thinking": reply.reasoning if shown else "", "signature": signature})
        if "[[redacted]]" in call.task.prompt:
            built.append({"type": "redacted_thinking", "data": sign("hidden", call.model, shown=False)})
    if call.unknown_block:
        built.append({"type": "hologram", "hologram": {"depth": 3}})
    if reply.text:
        built.append({"type": "text", "text": reply.text})
    built += [
        {
            "type": "tool_use",
            "id": f"toolu_{tool.id}",
            "name": tool.name,
            "input": tool.arguments,
            "caller": {"type": "direct"},
        }
        for tool in reply.calls
    ]
    return built


def usage(call: ParsedRequest, reply: Reply) -> Body:
    tokens = call.tokens
    written = tokens.cache_write_5m + tokens.cache_write_1h
    return {
        "input_tokens": max(0, tokens.total - tokens.cache_read - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": tokens.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.cache_write_5m,
            "ephemeral_1h_input_tokens": tokens.cache_write_1h,
        },
        "output_tokens": reply.reasoning_tokens + reply.text_tokens,
        "output_tokens_details": {"thinking_tokens": reply.reasoning_tokens},
        "service_tier": call.options["service_tier"],
        "inference_geo": "global",
    }


def events(call: ParsedRequest, reply: Reply) -> list[Event]:
    """message_start, the blocks (a ping after the first start), message_delta, message_stop."""
    full_message = message(call, reply)
    started = {**full_message["usage"], "output_tokens": 1, "output_tokens_details": None}
    start = full_message | {
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": started,
    }
    built = [_event("message_start", message=start)]
    for index, block in enumerate(full_message["content"]):
        built += block_events(block, index)
        if index == 0:
            built.insert(2, _event("ping"))
    counts = (
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "output_tokens",
        "output_tokens_details",
    )
    delta = {key: full_message[key] for key in ("stop_reason", "stop_sequence", "stop_details")}
    built.append(_event("message_delta", delta=delta, usage={key: full_message["usage"][key] for key in counts}))
    return [*built, _event("message_stop")]


def block_events(block: Body, index: int) -> list[Event]:
    kind = block["type"]
    started, deltas = block, []
    if kind == "text":
        started = {**block, "text": ""}
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
    elif kind == "thinking":
        started = {**block, "thinking": "", "signature": ""}
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    elif kind == "tool_use":
        started = {**block, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in json_pieces(block["input"])]
    middle = [_event("content_block_delta", index=index, delta=delta) for delta in deltas]
    stop = _event("content_block_stop", index=index)
    return [_event("content_block_start", index=index, content_block=started), *middle, stop]


def json_pieces(arguments: Body) -> list[str]:
    """Arguments in small pieces, the first one empty; none for a call without arguments."""
    if not arguments:
        return []
    return ["", *pieces(json.dumps(arguments, ensure_ascii=False), size=9)]


def _event(kind: str, **members: Any) -> Event:
    return Event(name=kind, data={"type": kind, **members})
