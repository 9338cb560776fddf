"""An OpenAI chat request as one POST to generateContent or streamGenerateContent."""

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
    """What must be known of a request to read its answer.

    `renamed` maps Gemini's function names back to the client's; `wav` says that sound gets a WAV header; `number` tells requests of this process apart, for ids
    that Gemini leaves to us, and is no part of the value.
    """

    renamed: Json = field(default_factory=dict)
    custom: frozenset[str] = frozenset()
    one_call: bool = False
    wav: bool = False
    number: int = field(default=0, compare=False)


@lru_cache(maxsize=256)
def request_url(base_url: str, *, model: str, stream: bool) -> str:
    """The method's URL; whatever a model id holds stays one path segment."""
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"{base_url.rstrip('/')}/v1beta/models/{quote(model, safe='')}:{method}"


def build_body(
    request: ChatRequest, *, profile: GeminiProfile, signature_cache: SignatureCache, number: int
) -> tuple[Json, RequestContext]:
    """The JSON to send and how to read the answer to the request of this number.

    Raises InvalidRequest for what this model cannot be asked.
    """
    body = request.body
    tools = _tools(request, profile=profile)
    talk = build_conversation(request.messages, tools=tools, profile=profile, signature_cache=signature_cache)
    config = generation_config(body, profile=profile)
    config |= modalities_config(body, profile=profile, stream=request.stream)
    system = [*talk.system]
    as_json, schema = schema_of(body)
    if as_json and tools.declarations and not profile.schema_with_tools:
        system.append({"text": json_instruction(schema)})
    elif as_json:
        config |= json_config(schema)
    made: dict[str, Any] = {"contents": talk.contents}
    if system:
        made["systemInstruction"] = {"parts": system}
    if tools.declarations:
        made["tools"] = [{"functionDeclarations": tools.declarations}]
    if tools.config:
        made["toolConfig"] = tools.config
    if config:
        made["generationConfig"] = config
    if body.get("service_tier") in SERVICE_TIERS:
        made["serviceTier"] = SERVICE_TIERS[body["service_tier"]]
    # The deprecated `function_call` form has room for one call, too.
    one_call = body.get("parallel_tool_calls") is False or request.legacy_functions
    return made, RequestContext(tools.renamed(), tools.custom, one_call=one_call, wav=wants_wav(body), number=number)


def _tools(request: ChatRequest, *, profile: GeminiProfile) -> Tools:
    tools = build_tools(request.body, called=called_names(request.messages))
    if tools.forbidden and schema_of(request.body)[0] and not profile.schema_with_tools:
        # Tools that must not be called would only cost the answer its guaranteed form.
        return Tools(sent=tools.sent)
    return tools
