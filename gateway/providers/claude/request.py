"""A chat request as the body of `POST /v1/messages`."""

from __future__ import annotations

import hashlib
import re
from typing import Any, NamedTuple

from gateway.completion import ChatRequest, Json
from gateway.errors import InvalidRequest
from gateway.providers.base import SignatureCache
from gateway.providers.claude.breakpoints import limit_breakpoints
from gateway.providers.claude.content import cache_mark
from gateway.providers.claude.messages import claude_turns, ended, system_blocks
from gateway.providers.claude.profiles import ClaudeProfile, profile_of
from gateway.providers.claude.structured_output import AnswerFormat, answer_format
from gateway.providers.claude.thinking import (
    ThinkingFields,
    ThinkingMemory,
    open_loop_is_signed,
    thinking_fields,
    thinking_off,
)
from gateway.providers.claude.tools import ToolCalls, ToolChoice, claude_tools, tool_choice
from gateway.providers.reasoning import asked_reasoning

# An answer that is not streamed has to come within ten minutes, which is about this many tokens.
UNSTREAMED_TOKENS = 21_333
LONGEST_USER_ID = 256

_PERSONAL = re.compile(r"@|^\+?[\d ().-]{7,}$")
_TIERS = {"auto": "auto", "default": "standard_only"}


class MessagesRequest(NamedTuple):
    """The body, and what is needed to read the answer to it."""

    body: Json
    context: Json


def messages_request(request: ChatRequest, model: str, *, signatures: SignatureCache) -> MessagesRequest:
    """Raises InvalidRequest for what this model cannot be told or asked; `request` is not changed."""
    asked = request.body
    profile = profile_of(model)
    _refuse_impossible(asked)
    calls = ToolCalls()
    choice = tool_choice(asked, claude_tools(asked, profile=profile, calls=calls), profile=profile, calls=calls)
    answer = answer_format(asked, profile=profile)
    choice = _with_answer_tool(choice, answer)
    reasoning = asked_reasoning(asked)
    limit = _max_tokens(request, profile)
    memory = ThinkingMemory(signatures, model)
    thinking = thinking_fields(profile, reasoning, max_tokens=limit, forced_tool=choice.forced)
    if profile.thinking == "manual" and thinking.enabled and not open_loop_is_signed(request.messages, memory):
        thinking = thinking_off(profile)
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": limit,
        **_conversation(request, profile, calls, thinking, memory),
    }
    _instruct(body, [choice.instruction, answer.instruction])
    _end(body, prefill=profile.prefill and not (thinking.enabled or choice.forced or answer.format is not None))
    _add_tools(body, choice)
    _add_thinking(body, thinking, answer)
    _add_sampling(body, asked, profile=profile, thinking=thinking)
    _add_rest(body, request)
    limit_breakpoints(body)
    return MessagesRequest(body, _context(calls, answer, hidden=reasoning is not None and not reasoning.shown))


def _refuse_impossible(asked: Json) -> None:
    if (asked.get("n") or 1) > 1:
        raise InvalidRequest("Claude models give one choice; 'n' must be 1.", param="n", code="unsupported_value")
    if set(asked.get("modalities") or ()) - {"text"}:
        raise InvalidRequest("Claude models answer in text only.", param="modalities", code="unsupported_value")
    if asked.get("audio"):
        raise InvalidRequest("Claude models cannot answer in audio.", param="audio", code="unsupported_value")


def _max_tokens(request: ChatRequest, profile: ClaudeProfile) -> int:
    """What the client set, at most what the model takes; else all of it, for OpenAI's default is no limit."""
    for name in ("max_completion_tokens", "max_tokens"):
        asked = request.body.get(name)
        if asked is not None:
            return min(int(asked), profile.max_output)
    return profile.max_output if request.stream else min(profile.max_output, UNSTREAMED_TOKENS)


def _with_answer_tool(choice: ToolChoice, answer: AnswerFormat) -> ToolChoice:
    """The tool that the answer is given with, beside the client's own unless those may not be used."""
    if answer.tool is None:
        return choice
    name = {"type": "tool", "name": answer.tool["name"]}
    barred = choice.choice is not None and choice.choice["type"] == "none"
    if barred or not choice.tools:
        return ToolChoice([*choice.tools, answer.tool], name)
    if choice.forced:
        return choice
    single = (choice.choice or {}).get("disable_parallel_tool_use", False)
    parallel = {"disable_parallel_tool_use": True} if single else {}
    return ToolChoice([*choice.tools, answer.tool], {"type": "any", **parallel})


def _conversation(
    request: ChatRequest, profile: ClaudeProfile, calls: ToolCalls, thinking: ThinkingFields, memory: ThinkingMemory
) -> dict[str, Any]:
    system = system_blocks(request.messages)
    history = claude_turns(request.messages, profile=profile, calls=calls, memory=memory if thinking.on else None)
    if not history and system:
        # Nothing but instructions: they are what there is to answer.
        return {"messages": [{"role": "user", "content": system}]}
    return {"system": system, "messages": history} if system else {"messages": history}


def _instruct(body: dict[str, Any], instructions: list[str | None]) -> None:
    added = [{"type": "text", "text": text} for text in instructions if text]
    if added:
        body["system"] = [*body.get("system", []), *added]


def _end(body: dict[str, Any], *, prefill: bool) -> None:
    body["messages"] = ended(body["messages"], prefill=prefill)


def _add_tools(body: dict[str, Any], choice: ToolChoice) -> None:
    if choice.tools:
        body["tools"] = choice.tools
        if choice.choice is not None:
            body["tool_choice"] = choice.choice


def _add_thinking(body: dict[str, Any], thinking: ThinkingFields, answer: AnswerFormat) -> None:
    if thinking.thinking is not None:
        body["thinking"] = thinking.thinking
    output: dict[str, Any] = {}
    if thinking.effort is not None:
        output["effort"] = thinking.effort
    if answer.format is not None:
        output["format"] = answer.format
    if output:
        body["output_config"] = output


def _add_sampling(body: dict[str, Any], asked: Json, *, profile: ClaudeProfile, thinking: ThinkingFields) -> None:
    temperature, top_p = asked.get("temperature"), asked.get("top_p")
    if not profile.sampling:
        return
    if temperature is not None and not thinking.enabled:
        body["temperature"] = min(temperature, 1)
    if (asked.get("top_k") or 0) > 0 and not thinking.enabled:
        body["top_k"] = asked["top_k"]
    if top_p is None or (thinking.enabled and top_p < 0.95):
        return
    if "temperature" not in body or profile.temperature_with_top_p:
        body["top_p"] = top_p


def _add_rest(body: dict[str, Any], request: ChatRequest) -> None:
    asked = request.body
    stop = asked.get("stop") or []
    stops = [text for text in ([stop] if isinstance(stop, str) else stop) if text and not text.isspace()]
    if stops:
        body["stop_sequences"] = stops
    user = asked.get("safety_identifier") or asked.get("user")
    if user:
        body["metadata"] = {"user_id": _user_id(user)}
    if asked.get("service_tier") in _TIERS:
        body["service_tier"] = _TIERS[asked["service_tier"]]
    if (mark := cache_mark(asked)) is not None:
        body["cache_control"] = mark
    if request.stream:
        body["stream"] = True


def _user_id(user: str) -> str:
    """The client's id; a hash where that may name a person (an e-mail address, a telephone number) or is too long."""
    if len(user) > LONGEST_USER_ID or _PERSONAL.search(user):
        return hashlib.sha256(user.encode()).hexdigest()
    return user


def _context(calls: ToolCalls, answer: AnswerFormat, *, hidden: bool) -> dict[str, Any]:
    """Only what differs from reading the answer as it is."""
    context: dict[str, Any] = {}
    if calls.renamed:
        context["renamed"] = calls.renamed
    if calls.custom:
        context["custom"] = frozenset(calls.custom)
    properties = dict(calls.properties)
    if answer.tool is not None:
        context["answer_tool"] = answer.tool["name"]
        if answer.properties:
            properties[answer.tool["name"]] = answer.properties
    if properties:
        context["properties"] = properties
    if answer.instruction is not None:
        context["bare_json"] = True
    if hidden:
        context["hide_reasoning"] = True
    return context
