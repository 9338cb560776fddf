"""Thinking: request parameters for each generation, and thinking blocks across turns.

A thinking block reaches the client as an entry of `reasoning_details` (OpenRouter's format), with the signature that Anthropic
expects back unchanged. The gateway adds two members: `model`, because a block is valid only for the model that made it, and
`after_tool_calls`, the number of tool calls before it. For clients that keep only the id of a call, the blocks are cached in
`SignatureCache` under that id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import takewhile
from typing import Any, NamedTuple

from gateway.completion import Json
from gateway.providers.base import SignatureCache
from gateway.providers.claude.profiles import ClaudeProfile
from gateway.providers.reasoning import Reasoning

FORMAT = "anthropic-claude-v1"
MIN_BUDGET = 1_024

_BUDGETS: Mapping[str, int] = {"low": 1_024, "medium": 2_048, "high": 8_192, "xhigh": 8_192, "max": 8_192}
_NEAREST: Mapping[str, str] = {"minimal": "low", "xhigh": "high", "max": "high"}


class ThinkingFields(NamedTuple):
    """`thinking` and `output_config.effort` of one request. `on`: thinking blocks are accepted in its history."""

    thinking: Json | None = None
    effort: str | None = None
    on: bool = False

    @property
    def enabled(self) -> bool:
        """Whether the request enables thinking explicitly, which restricts other parameters."""
        return self.thinking is not None and self.thinking["type"] in ("enabled", "adaptive")


def thinking_fields(
    profile: ClaudeProfile, requested: Reasoning | None, *, max_tokens: int, forced_tool: bool
) -> ThinkingFields:
    """The thinking fields of a request. A forced tool has priority, because the API accepts only one of the two."""
    if profile.thinking == "none":
        return ThinkingFields()
    if forced_tool:
        return _forced(profile, requested)
    if requested is None:
        return ThinkingFields(on=profile.thinks_unasked)
    if requested.off:
        return thinking_off(profile)
    if profile.thinking == "manual":
        return _manual(requested, max_tokens=max_tokens)
    hidden = profile.hides_thinking and requested.shown
    thinking = {"type": "adaptive", "display": "summarized"} if hidden else {"type": "adaptive"}
    return ThinkingFields(thinking, effort=_effort(profile, requested), on=True)


def thinking_off(profile: ClaudeProfile) -> ThinkingFields:
    """The fields that disable thinking, or reduce it as far as the model allows."""
    if profile.thinking_off == "omit":
        return ThinkingFields()
    if profile.thinking_off == "least":
        return ThinkingFields(effort="low", on=True)
    return ThinkingFields({"type": profile.thinking_off}, on=profile.thinking_off == "between_tools")


def _forced(profile: ClaudeProfile, requested: Reasoning | None) -> ThinkingFields:
    if profile.forces_despite_thinking:
        if requested is None:
            return ThinkingFields(on=True)
        return ThinkingFields(effort="low" if requested.off else _effort(profile, requested), on=True)
    return thinking_off(profile) if profile.thinks_unasked else ThinkingFields()


def _manual(requested: Reasoning, *, max_tokens: int) -> ThinkingFields:
    """A budget below `max_tokens`, which includes thinking; no thinking where less than the API's minimum remains."""
    requested_budget = requested.budget if requested.budget is not None else _BUDGETS.get(requested.effort or "", 0)
    budget = min(max(requested_budget, MIN_BUDGET), max_tokens - 1) if requested_budget else 0
    if budget < MIN_BUDGET:
        return ThinkingFields()
    return ThinkingFields({"type": "enabled", "budget_tokens": budget}, on=True)


def _effort(profile: ClaudeProfile, requested: Reasoning) -> str | None:
    if requested.effort is None or requested.effort in profile.efforts:
        return requested.effort
    return _NEAREST[requested.effort]


def thinking_detail(block: Json, *, index: int, model: str, calls: int) -> dict[str, Any] | None:
    """The `reasoning_details` entry of a thinking block; None for any other block."""
    head: dict[str, Any] = {"index": index, "format": FORMAT, "model": model}
    if calls:
        head["after_tool_calls"] = calls
    if block.get("type") == "thinking":
        return {
            "type": "reasoning.text",
            "text": block.get("thinking") or "",
            "signature": block.get("signature") or "",
            **head,
        }
    if block.get("type") == "redacted_thinking":
        return {"type": "reasoning.encrypted", "data": block.get("data") or "", **head}
    return None


@dataclass(frozen=True, slots=True)
class SignatureSource:
    """The model that made a signature; its own type, so that it is never confused with other entries of the cache."""

    model: str


def store_signatures(signatures: SignatureCache, details: Sequence[Json]) -> None:
    """Remember which model made each thinking block, for clients that return the blocks in Anthropic's own form."""
    for detail in details:
        signature = detail.get("signature") or detail.get("data")
        if isinstance(signature, str) and signature:
            signatures.put(_digest(signature), SignatureSource(detail["model"]))


def made_by_other_model(block: Json, model: str, *, signatures: SignatureCache) -> bool:
    """Whether a block is thinking that another model is known to have made."""
    if block["type"] not in ("thinking", "redacted_thinking"):
        return False
    signature = block.get("signature") or block.get("data")
    signed = signatures.get(_digest(signature)) if isinstance(signature, str) else None
    return isinstance(signed, SignatureSource) and signed.model != model


def _digest(signature: str) -> str:
    """Signatures have thousands of characters; the cache keeps a digest."""
    return blake2b(signature.encode(errors="replace"), digest_size=16).hexdigest()


class ThinkingMemory(NamedTuple):
    """Restores the thinking blocks of an assistant message in the history, for one model."""

    signatures: SignatureCache
    model: str

    def blocks(self, message: Json) -> list[tuple[int, dict[str, Any]]]:
        """Blocks of this model, each with the number of tool calls before it."""
        return self._usable(message.get("reasoning_details") or ()) or self._usable(self._stored_details(message))

    def _usable(self, details: Sequence[Any]) -> list[tuple[int, dict[str, Any]]]:
        blocks = (self._block(detail) for detail in details)
        return [block for block in blocks if block is not None]

    def _stored_details(self, message: Json) -> Sequence[Any]:
        calls = message.get("tool_calls") or ()
        details = self.signatures.get(calls[0]["id"]) if calls else None
        return details if isinstance(details, list) else ()

    def _block(self, detail: Any) -> tuple[int, dict[str, Any]] | None:
        if not isinstance(detail, Mapping):
            return None
        if detail.get("format") not in (None, FORMAT) or detail.get("model") not in (None, self.model):
            return None
        calls = detail.get("after_tool_calls")
        calls = calls if isinstance(calls, int) else 0
        text, signature, data = detail.get("text"), detail.get("signature"), detail.get("data")
        if detail.get("type") == "reasoning.text" and isinstance(signature, str) and signature:
            return calls, {
                "type": "thinking",
                "thinking": text if isinstance(text, str) else "",
                "signature": signature,
            }
        if detail.get("type") == "reasoning.encrypted" and isinstance(data, str) and data:
            return calls, {"type": "redacted_thinking", "data": data}
        return None


def open_tool_loop_is_signed(messages: Sequence[Json], memory: ThinkingMemory) -> bool:
    """Whether every assistant message of the open tool loop has its thinking block, as manual thinking requires."""
    end = next((i + 1 for i in reversed(range(len(messages))) if messages[i]["role"] == "assistant"), 0)
    turn = takewhile(lambda message: message["role"] == "assistant", reversed(messages[:end]))
    if not any(message.get("tool_calls") for message in turn):
        return True
    loop = takewhile(lambda message: message["role"] != "user", reversed(messages[:end]))
    return all(_begins_with_thinking(message, memory) for message in loop if message["role"] == "assistant")


def _begins_with_thinking(message: Json, memory: ThinkingMemory) -> bool:
    return any(calls == 0 for calls, _ in memory.blocks(message))
