"""Builds the URL and body of generateContent and streamGenerateContent from a chat request."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from gateway.completion import ChatRequest, Json
from gateway.providers.base import SignatureCache
from gateway.providers.gemini.contents import build_conversation, called_names
from gateway.providers.gemini.generation import (
    SERVICE_TIERS,
    generation_config,
    json_config,
    json_instruction,
    modalities_config,
    schema_of,
    wants_wav,
)
from gateway.providers.gemini.profiles import GeminiProfile
from gateway.providers.gemini.tools import Tools, build_tools


@dataclass(frozen=True, slots=True)
class RequestContext:
    """What is needed to parse the response to one request.

    `renamed` maps Gemini's function names to the client's. `one_call`: only the first tool call is returned. `wav`: audio gets
    a WAV header. `number` is the request's number in this process, for generated call ids; it does not affect equality.
    """

    renamed: Json = field(default_factory=dict)
    custom: frozenset[str] = frozenset()
    one_call: bool = False
    wav: bool = False
    number: int = field(default=0, compare=False)


@lru_cache(maxsize=256)
def request_url(base_url: str, *, model: str, stream: bool) -> str:
    """The URL of the method; the model id is quoted to stay one path segment."""
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"{base_url.rstrip('/')}/v1beta/models/{quote(model, safe='')}:{method}"


def build_body(
    request: ChatRequest, *, profile: GeminiProfile, signature_cache: SignatureCache, number: int
) -> tuple[Json, RequestContext]:
    """Returns the JSON to send and the context for parsing the response. `number`: see RequestContext.

    Raises InvalidRequest for what this model does not support.
    """
    body = request.body
    tools = _tools(request, profile=profile)
    conversation = build_conversation(request.messages, tools=tools, profile=profile, signature_cache=signature_cache)
    config = generation_config(body, profile=profile)
    config |= modalities_config(body, profile=profile, stream=request.stream)
    system = [*conversation.system]
    as_json, schema = schema_of(body)
    if as_json and tools.declarations and not profile.schema_with_tools:
        system.append({"text": json_instruction(schema)})
    elif as_json:
        config |= json_config(schema)
    payload: dict[str, Any] = {"contents": conversation.contents}
    if system:
        payload["systemInstruction"] = {"parts": system}
    if tools.declarations:
        payload["tools"] = [{"functionDeclarations": tools.declarations}]
    if tools.config:
        payload["toolConfig"] = tools.config
    if config:
        payload["generationConfig"] = config
    if body.get("service_tier") in SERVICE_TIERS:
        payload["serviceTier"] = SERVICE_TIERS[body["service_tier"]]
    # The deprecated `function_call` form can carry only one call.
    one_call = body.get("parallel_tool_calls") is False or request.legacy_functions
    return payload, RequestContext(tools.renamed(), tools.custom, one_call=one_call, wav=wants_wav(body), number=number)


def _tools(request: ChatRequest, *, profile: GeminiProfile) -> Tools:
    tools = build_tools(request.body, called=called_names(request.messages))
    if tools.forbidden and schema_of(request.body)[0] and not profile.schema_with_tools:
        # Tools that must not be called would only prevent the guaranteed response format.
        return Tools(upstream_names=tools.upstream_names)
    return tools
