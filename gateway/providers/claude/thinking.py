"""Thinking: what a request asks for in each generation's terms, and the thinking blocks that travel in a conversation.

A thinking block reaches the client as an entry of `reasoning_details` (OpenRouter's shape), with the signature Anthropic wants
back unchanged. Two members are ours: `model`, because a block is good for the model that made it alone, and
`after_tool_calls`, how many tool calls of the message came before it. A client that keeps only a call's id still gets its
blocks back: they are kept in `Signatures` under that id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

from gateway.completion import Json
from gateway.providers.base import SignatureCache
from gateway.providers.claude.profiles import ClaudeProfile
from gateway.providers.reasoning import Reasoning

FORMAT = "anthropic-claude-v1"
LEAST_BUDGET = 1_024

_BUDGETS: Mapping[str, int] = {"low": 1_024, "medium": 2_048, "high": 8_192, "xhigh": 8_192, "max": 8_192}
_NEAREST: Mapping[str, str] = {"minimal": "low", "xhigh": "high", "max": "high"}


class ThinkingFields(NamedTuple):
    """`thinking` and `output_config.effort` of one request; `on` says whether thinking blocks may stand in its history."""

    thinking: Json | None = None
    effort: str | None = None
    on: bool = False

    @property
    def enabled(self) -> bool:
        """Whether the request switches thinking on itself, which limits its other parameters."""
        return self.thinking is not None and self.thinking["type"] in ("enabled", "adaptive")


def thinking_fields(
    profile: ClaudeProfile, asked: Reasoning | None, *, max_tokens: int, forced_tool: bool
) -> ThinkingFields:
    """The request's thinking; a forced tool goes before it, because the API takes only one of the two."""
    if profile.thinking == "none":
        return ThinkingFields()
    if forced_tool:
        return _forced(profile, asked)
    if asked is None:
        return ThinkingFields(on=profile.thinks_unasked)
    if asked.off:
        return thinking_off(profile)
    if profile.thinking == "manual":
        return _manual(asked, max_tokens=max_tokens)
    hidden = profile.hides_thinking and asked.shown
    thinking = {"type": "adaptive", "display": "summarized"} if hidden else {"type": "adaptive"}
    return ThinkingFields(thinking, effort=_effort(profile, asked), on=True)


def thinking_off(profile: ClaudeProfile) -> ThinkingFields:
    """The nearest to no thinking that the model takes."""
    if profile.thinking_off == "omit":
        return ThinkingFields()
    if profile.thinking_off == "least":
        return ThinkingFields(effort="low", on=True)
    return ThinkingFields({"type": profile.thinking_off}, on=profile.thinking_off == "between_tools")


def _forced(profile: ClaudeProfile, asked: Reasoning | None) -> ThinkingFields:
    if profile.forces_despite_thinking:
        if asked is None:
            return ThinkingFields(on=True)
        return ThinkingFields(effort="low" if asked.off else _effort(profile, asked), on=True)
    return thinking_off(profile) if profile.thinks_unasked else ThinkingFields()


def _manual(asked: Reasoning, *, max_tokens: int) -> ThinkingFields:
    """A budget below `max_tokens`, which counts thinking too; no thinking where that leaves less than the API's least."""
    wanted = asked.budget if asked.budget is not None else _BUDGETS.get(asked.effort or "", 0)
    budget = min(max(wanted, LEAST_BUDGET), max_tokens - 1) if wanted else 0
    if budget < LEAST_BUDGET:
        return ThinkingFields()
    return ThinkingFields({"type": "enabled", "budget_tokens": budget}, on=True)


def _effort(profile: ClaudeProfile, asked: Reasoning) -> str | None:
    if asked.effort is None or asked.effort in profile.efforts:
        return asked.effort
    return _NEAREST[asked.effort]


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


class ThinkingMemory(NamedTuple):
    """Finds the thinking blocks that an assistant message of the history had, for one model."""

    signatures: SignatureCache
    model: str

    def blocks(self, message: Json) -> list[tuple[int, dict[str, Any]]]:
        """Each block with the number of tool calls before it; those of other models and vendors are left out."""
        return self._usable(message.get("reasoning_details") or ()) or self._usable(self._kept(message))

    def _usable(self, details: Sequence[Any]) -> list[tuple[int, dict[str, Any]]]:
        found = (self._block(detail) for detail in details)
        return [block for block in found if block is not None]

    def _kept(self, message: Json) -> Sequence[Any]:
        calls = message.get("tool_calls") or ()
        kept = self.signatures.get(calls[0]["id"]) if calls else None
        return kept if isinstance(kept, list) else ()

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


def open_loop_is_signed(messages: Sequence[Json], memory: ThinkingMemory) -> bool:
    """Whether the tool loop that the messages end in still has all its thinking; manual thinking needs that."""
    end = next((i + 1 for i in reversed(range(len(messages))) if messages[i]["role"] == "assistant"), 0)
    turn = takewhile(lambda message: message["role"] == "assistant", reversed(messages[:end]))
    if not any(message.get("tool_calls") for message in turn):
        return True
    loop = takewhile(lambda message: message["role"] != "user", reversed(messages[:end]))
    return all(_begins_with_thinking(message, memory) for message in loop if message["role"] == "assistant")


def _begins_with_thinking(message: Json, memory: ThinkingMemory) -> bool:
    return any(calls == 0 for calls, _ in memory.blocks(message))
