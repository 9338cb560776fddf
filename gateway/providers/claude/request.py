"""Builds the body of `POST /v1/messages` from a chat request."""

from __future__ import annotations

import hashlib
import re
from typing import Any, NamedTuple

from gateway.completion import ChatRequest, Json
from gateway.errors import InvalidRequest
from gateway.providers.base import SignatureCache
from gateway.providers.claude.breakpoints import limit_breakpoints
from gateway.providers.claude.content import cache_control_of
from gateway.providers.claude.messages import build_turns, system_blocks, with_answerable_end
from gateway.providers.claude.profiles import ClaudeProfile, profile_of
from gateway.providers.claude.structured_output import AnswerFormat, answer_format
from gateway.providers.claude.thinking import (
    ThinkingFields,
    ThinkingMemory,
    open_tool_loop_is_signed,
    thinking_fields,
    thinking_off,
)
from gateway.providers.claude.tools import ToolCalls, ToolChoice, build_tools, tool_choice
from gateway.providers.reasoning import asked_reasoning

# A response that is not streamed must finish within ten minutes, which is about this many tokens.
UNSTREAMED_TOKENS = 21_333
MAX_USER_ID = 256

_PERSONAL = re.compile(r"@|^\+?[\d ().-]{7,}$")
_TIERS = {"auto": "auto", "default": "standard_only"}


class MessagesRequest(NamedTuple):
    """The body, and the context that is needed to parse the response."""

    body: Json
    context: Json


def build_messages_request(request: ChatRequest, model: str, *, signatures: SignatureCache) -> MessagesRequest:
    """Does not change `request`. Raises InvalidRequest for what this model does not support."""
    client_body = request.body
    profile = profile_of(model)
    _reject_unsupported(client_body)
    calls = ToolCalls()
    choice = tool_choice(
        client_body, build_tools(client_body, profile=profile, calls=calls), profile=profile, calls=calls
    )
    answer = answer_format(client_body, profile=profile)
    choice = _with_answer_tool(choice, answer)
    reasoning = asked_reasoning(client_body)
    limit = _max_tokens(request, profile)
    memory = ThinkingMemory(signatures, model)
    thinking = thinking_fields(profile, reasoning, max_tokens=limit, forced_tool=choice.forced)
    if profile.thinking == "manual" and thinking.enabled and not open_tool_loop_is_signed(request.messages, memory):
        thinking = thinking_off(profile)
    body: dict[str, Any] = {
        "model": model,
        "max_tokens": limit,
        **_conversation(request, profile, calls, thinking, memory),
    }
    _add_instruction(body, [choice.instruction, answer.instruction])
    _end(body, prefill=profile.prefill and not (thinking.enabled or choice.forced or answer.format is not None))
    _add_tools(body, choice)
    _add_thinking(body, thinking, answer)
    _add_sampling(body, client_body, profile=profile, thinking=thinking)
    _add_rest(body, request)
    limit_breakpoints(body)
    return MessagesRequest(body, _context(calls, answer, hidden=reasoning is not None and not reasoning.shown))


def _reject_unsupported(client_body: Json) -> None:
    if (client_body.get("n") or 1) > 1:
        raise InvalidRequest("Claude models give one choice; 'n' must be 1.", param="n", code="unsupported_value")
    if set(client_body.get("modalities") or ()) - {"text"}:
        raise InvalidRequest("Claude models answer in text only.", param="modalities", code="unsupported_value")
    if client_body.get("audio"):
        raise InvalidRequest("Claude models cannot answer in audio.", param="audio", code="unsupported_value")


def _max_tokens(request: ChatRequest, profile: ClaudeProfile) -> int:
    """The client's limit, at most the model's; without one the model's, because OpenAI's default is no limit."""
    if (limit := request.output_limit) is not None:
        return min(int(limit), profile.max_output)
    return profile.max_output if request.stream else min(profile.max_output, UNSTREAMED_TOKENS)


def _with_answer_tool(choice: ToolChoice, answer: AnswerFormat) -> ToolChoice:
    """Add the tool that carries the JSON response. It is forced; the client's tools stay available unless forbidden."""
    if answer.tool is None:
        return choice
    name = {"type": "tool", "name": answer.tool["name"]}
    tools_forbidden = choice.choice is not None and choice.choice["type"] == "none"
    if tools_forbidden or not choice.tools:
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
    history = build_turns(request.messages, profile=profile, calls=calls, memory=memory if thinking.on else None)
    if not history and system:
        # With instructions alone, they become the user message.
        return {"messages": [{"role": "user", "content": system}]}
    return {"system": system, "messages": history} if system else {"messages": history}


def _add_instruction(body: dict[str, Any], instructions: list[str | None]) -> None:
    added = [{"type": "text", "text": text} for text in instructions if text]
    if added:
        body["system"] = [*body.get("system", []), *added]


def _end(body: dict[str, Any], *, prefill: bool) -> None:
    body["messages"] = with_answerable_end(body["messages"], prefill=prefill)


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


def _add_sampling(body: dict[str, Any], client_body: Json, *, profile: ClaudeProfile, thinking: ThinkingFields) -> None:
    temperature, top_p = client_body.get("temperature"), client_body.get("top_p")
    if not profile.sampling:
        return
    if temperature is not None and not thinking.enabled:
        body["temperature"] = min(temperature, 1)
    if (client_body.get("top_k") or 0) > 0 and not thinking.enabled:
        body["top_k"] = client_body["top_k"]
    if top_p is None or (thinking.enabled and top_p < 0.95):
        return
    if "temperature" not in body or profile.temperature_with_top_p:
        body["top_p"] = top_p


def _add_rest(body: dict[str, Any], request: ChatRequest) -> None:
    client_body = request.body
    stop = client_body.get("stop") or []
    stops = [text for text in ([stop] if isinstance(stop, str) else stop) if text and not text.isspace()]
    if stops:
        body["stop_sequences"] = stops
    user = client_body.get("safety_identifier") or client_body.get("user")
    if user:
        body["metadata"] = {"user_id": _user_id(user)}
    if client_body.get("service_tier") in _TIERS:
        body["service_tier"] = _TIERS[client_body["service_tier"]]
    if (cache_control := cache_control_of(client_body)) is not None:
        body["cache_control"] = cache_control
    if request.stream:
        body["stream"] = True


def _user_id(user: str) -> str:
    """The client's user id; a hash where it may identify a person (e-mail address, telephone number) or is too long."""
    if len(user) > MAX_USER_ID or _PERSONAL.search(user):
        return hashlib.sha256(user.encode()).hexdigest()
    return user


def _context(calls: ToolCalls, answer: AnswerFormat, *, hidden: bool) -> dict[str, Any]:
    """The context for parsing the response: only what differs from the default."""
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
