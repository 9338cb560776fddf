"""Reasoning across turns: what a model needs back travels in the `encrypted_content` of reasoning items, as an envelope.

Beside `reasoning_details` an envelope holds the `extra_content` of tool calls (Gemini's signatures), each with its call's id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.completion import Json
from gateway.dialects.envelope import unseal

_CALL_FORMAT = "gateway-call-v1"
_STREAMED = ("text", "summary", "data", "signature")  # members that arrive in pieces


def call_detail(call_id: str, extra_content: Json) -> Json:
    """An entry that returns a call's `extra_content`."""
    return {"type": "reasoning.encrypted", "format": _CALL_FORMAT, "id": call_id, "extra_content": extra_content}


def merge_details(known: list[dict[str, Any]], entry: Json) -> None:
    """Add an entry of a delta: entries with one index are pieces of one entry."""
    index = entry.get("index")
    for detail in known if index is not None else ():
        if detail.get("index") == index and detail.get("type") == entry.get("type"):
            for name, value in entry.items():
                old = detail.get(name)
                streamed = name in _STREAMED and isinstance(old, str) and isinstance(value, str)
                detail[name] = f"{old}{value}" if streamed else value
            return
    known.append(dict(entry))


def details_of(encrypted: object) -> list[Json]:
    """The entries of a returned envelope; none for anything that the gateway did not make."""
    envelope = unseal(encrypted)
    return [] if envelope is None else list(envelope.details)


def return_details(turn: dict[str, Any], details: Sequence[Json]) -> None:
    """Put the entries into an assistant message: those of calls to their calls, the others as `reasoning_details`."""
    calls = {call["id"]: call for call in turn.get("tool_calls") or ()}
    kept = []
    for detail in details:
        call_id, extra_content = detail.get("id"), detail.get("extra_content")
        if detail.get("format") != _CALL_FORMAT:
            kept.append(detail)
        elif isinstance(call_id, str) and call_id in calls and isinstance(extra_content, dict):
            calls[call_id]["extra_content"] = extra_content
    if kept:
        turn["reasoning_details"] = kept
