"""Builds the body for a client that speaks Claude's own API: the client's object with as few changes as possible.

For a model that the client named itself these are the model's name, a lower output limit where a budget asks for one, thinking
blocks of other models, and the gateway's cache breakpoint. A model that the gateway chose may be of another generation than the
client expects: then what that generation rejects is adapted too, by its profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from gateway.completion import ChatRequest, Json, NativeRequest
from gateway.providers.base import SignatureCache
from gateway.providers.claude.messages import CONTINUE
from gateway.providers.claude.native_breakpoints import with_breakpoints
from gateway.providers.claude.profiles import ClaudeProfile, profile_of
from gateway.providers.claude.thinking import MIN_BUDGET, made_by_other_model, thinking_fields
from gateway.providers.reasoning import asked_reasoning

_FORCED = ("any", "tool")
_THINKS = ("enabled", "adaptive")


def native_body(
    request: ChatRequest, native: NativeRequest, model: str, *, signatures: SignatureCache
) -> dict[str, Any]:
    """The body of `POST /v1/messages`. The client's object is not changed."""
    body = native_count_body(native, model, signatures=signatures)
    limit = request.output_limit
    if limit is not None and limit < body["max_tokens"]:
        _limit_output(body, limit)
    if request.model.rpartition("/")[2] != model:
        _adapt(body, request, profile_of(model))
    return with_breakpoints(body) if native.caches else body


def native_count_body(native: NativeRequest, model: str, *, signatures: SignatureCache) -> dict[str, Any]:
    """The body of `POST /v1/messages/count_tokens`."""
    return {
        **native.body,
        "model": model,
        "messages": _with_own_thinking(native.body["messages"], model, signatures=signatures),
    }


def _with_own_thinking(messages: Sequence[Json], model: str, *, signatures: SignatureCache) -> list[Json]:
    """Without thinking blocks that are known to be another model's: the API rejects their signatures."""
    kept: list[Json] = []
    for message in messages:
        content = message["content"]
        if message["role"] == "assistant" and isinstance(content, list):
            own = [block for block in content if not made_by_other_model(block, model, signatures=signatures)]
            if not own:
                continue
            message = message if len(own) == len(content) else {**message, "content": own}
        kept.append(message)
    return kept


def _limit_output(body: dict[str, Any], limit: int) -> None:
    """Lower `max_tokens`; a thinking budget has to stay below it."""
    body["max_tokens"] = limit
    thinking = body.get("thinking") or {}
    if thinking.get("type") != "enabled" or thinking["budget_tokens"] < limit:
        return
    if limit > MIN_BUDGET:
        body["thinking"] = {**thinking, "budget_tokens": limit - 1}
    else:
        del body["thinking"]


def _adapt(body: dict[str, Any], request: ChatRequest, profile: ClaudeProfile) -> None:
    """Change what the generation of the chosen model rejects."""
    if body["max_tokens"] > profile.max_output:
        _limit_output(body, profile.max_output)
    _adapt_thinking(body, request, profile)
    _adapt_sampling(body, profile)
    if not profile.system_turns:
        body["messages"] = [_as_user_turn(message) for message in body["messages"]]
    if not profile.prefill and body["messages"][-1]["role"] == "assistant":
        body["messages"] = [*body["messages"], {"role": "user", "content": CONTINUE}]


def _adapt_thinking(body: dict[str, Any], request: ChatRequest, profile: ClaudeProfile) -> None:
    choice = body.get("tool_choice") or {}
    if choice.get("type") in _FORCED and not profile.forced_tools:
        body["tool_choice"] = {**{name: value for name, value in choice.items() if name != "name"}, "type": "auto"}
        named = f"the tool `{choice['name']}`" if choice["type"] == "tool" else "one of the given tools"
        _instruct(body, f"You must call {named} now. Do not answer in text.")
    forced = (body.get("tool_choice") or {}).get("type") in _FORCED
    fields = thinking_fields(profile, asked_reasoning(request.body), max_tokens=body["max_tokens"], forced_tool=forced)
    thinking, display = fields.thinking, (body.pop("thinking", None) or {}).get("display")
    if fields.enabled and profile.thinking == "manual" and not _open_loop_thinks(body["messages"]):
        thinking = None
    thinks = thinking is not None and thinking["type"] in _THINKS
    if thinking is not None:
        body["thinking"] = {**thinking, "display": display} if thinks and display is not None else thinking
    if not thinks:
        body.pop("context_management", None)  # its strategies for thinking require that it is enabled
    output = {name: value for name, value in (body.pop("output_config", None) or {}).items() if name != "effort"}
    if fields.effort is not None:
        output["effort"] = fields.effort
    if output:
        body["output_config"] = output


def _instruct(body: dict[str, Any], text: str) -> None:
    system = body.get("system") or []
    blocks = [{"type": "text", "text": system}] if isinstance(system, str) else system
    body["system"] = [*blocks, {"type": "text", "text": text}]


def _adapt_sampling(body: dict[str, Any], profile: ClaudeProfile) -> None:
    thinks = (body.get("thinking") or {}).get("type") in _THINKS
    if not profile.sampling or thinks:
        for name in ("temperature", "top_p", "top_k"):
            body.pop(name, None)
    elif "temperature" in body and not profile.temperature_with_top_p:
        body.pop("top_p", None)


def _as_user_turn(message: Json) -> Json:
    """A system turn as a user turn, for models that know only the instructions at the top."""
    if message["role"] != "system":
        return message
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return {"role": "user", "content": [_tagged(block) for block in blocks]}


def _tagged(block: Json) -> Json:
    """A text in the tags in which Claude Code itself writes reminders."""
    if "text" not in block:
        return block
    return {**block, "text": f"<system-reminder>\n{block['text']}\n</system-reminder>"}


def _open_loop_thinks(messages: Sequence[Json]) -> bool:
    """Whether each assistant turn of the open tool loop begins with thinking, as thinking with a budget requires."""
    loop = takewhile(lambda message: message["role"] == "assistant" or _has_results(message), reversed(messages))
    turns = [message["content"] for message in loop if message["role"] == "assistant"]
    return all(isinstance(turn, list) and turn and "thinking" in turn[0]["type"] for turn in turns)


def _has_results(message: Json) -> bool:
    content = message["content"]
    return isinstance(content, list) and any(block["type"] == "tool_result" for block in content)
