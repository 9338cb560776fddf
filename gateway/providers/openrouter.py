"""The provider for OpenRouter: chat completions with extensions, reported costs, and errors inside 200 responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from gateway.completion import ChatRequest, Json, RoutedConversation, UpstreamRequest, Usage
from gateway.errors import InvalidRequest, UpstreamAuth, UpstreamError, UpstreamModelNotFound, UpstreamRejected
from gateway.providers.claude.profiles import profile_of
from gateway.providers.errors import json_error_parts, redact
from gateway.providers.openai_compatible import OpenAICompatible
from gateway.providers.openai_compatible.answer import parse_usage
from gateway.providers.openai_compatible.embeddings import EMBEDDING_FIELDS
from gateway.providers.openai_compatible.request import MESSAGE, OPENAI, PART, TOOL, AllowedFields, chat_body

_EXTENSIONS = frozenset({
    "cache_control", "include_reasoning", "image_config", "min_p", "models", "plugins", "provider", "reasoning", "repetition_penalty", "route",
    "session_id", "top_a", "top_k", "transforms",
})  # fmt: skip
_UNSUPPORTED = frozenset({"moderation", "prompt_cache_options", "prompt_cache_retention", "safety_identifier"})


class OpenRouter(OpenAICompatible):
    """https://openrouter.ai/docs/api-reference/overview. Model ids are passed unchanged, also `openrouter/auto`."""

    name = "openrouter"
    chooses_host = True
    allowed_fields = AllowedFields(
        request=OPENAI.request - _UNSUPPORTED | _EXTENSIONS,
        message=MESSAGE - {"audio"} | {"images"},
        part=PART | {"cache_control"},
        tool=TOOL | {"cache_control"},
    )
    embedding_fields = EMBEDDING_FIELDS | {"input_type", "provider"}

    def body(self, request: ChatRequest, model: str) -> dict[str, Any]:
        body = chat_body(request, model, allowed=self.allowed_fields)
        body["messages"] = [
            # An unchanged message has neither parts nor reasoning.
            sent
            if sent is message
            else _with_reasoning(_with_cache_control(_plain_images(_refusals_as_text(sent)), message), message, model)
            for sent, message in zip(body["messages"], request.messages, strict=True)
        ]
        body["usage"] = {"include": True}
        if "tools" in body:
            body["tools"] = list(map(_tool_with_cache_control, body["tools"], request.body["tools"]))
        _adapt_tools(body)
        if "reasoning" in body:
            # OpenRouter rejects both together; the object is more specific.
            body.pop("reasoning_effort", None)
            if request.native is not None:
                # The client's own API hides the text and still returns signatures, which `exclude` would leave out.
                body["reasoning"] = {name: value for name, value in body["reasoning"].items() if name != "exclude"}
        if "models" in body:
            body["models"] = [_without_prefix(name) for name in body["models"]]
        if request.conversation is not None:
            self._keep_host(body, request.conversation)
        return body

    def _keep_host(self, body: dict[str, Any], conversation: RoutedConversation) -> None:
        """Keeps a conversation at its host, unless the client chose for itself.

        `session_id` is OpenRouter's own key for that, from the first answer on; here a hash, keyed so that all processes send the
        same and nobody can tell the client's id. `order` names the last host; without more, other hosts may answer for it.
        https://openrouter.ai/docs/guides/best-practices/prompt-caching#provider-sticky-routing
        """
        name = conversation.name.encode(errors="replace")
        digest = blake2b(name, key=self.endpoint.api_key.encode()[:64], digest_size=16)
        body.setdefault("session_id", digest.hexdigest())
        if conversation.host is not None and "models" not in body and not body["model"].startswith("openrouter/"):
            body.setdefault("provider", {"order": [conversation.host], "allow_fallbacks": True})

    def usage(self, raw: object) -> Usage | None:
        return parse_usage(raw, reported_cost=reported_cost)

    def usage_in(self, body: Json) -> Usage | None:
        """With the host that answered (`provider`), so that the row names it."""
        usage = self.usage(body.get("usage"))
        host = body.get("provider")
        return usage._replace(raw={**usage.raw, "provider": host}) if usage and isinstance(host, str) else usage

    def reported_model(self, body: Json, sent: UpstreamRequest) -> str | None:
        """OpenRouter chooses for its own routers (`openrouter/auto`) and for a list of fallbacks."""
        model = body.get("model")
        chosen_upstream = sent.model.startswith("openrouter/") or "models" in sent.json
        return model if chosen_upstream and isinstance(model, str) and model else None

    def detail_extra(self, sent: UpstreamRequest) -> Json:
        return {"model": sent.model}

    def least_cached(self, model: str) -> int | None:
        """Anthropic's models need cache breakpoints on OpenRouter as well."""
        vendor, _, name = model.partition("/")
        return profile_of(name).least_cached if vendor == "anthropic" else None

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """Two errors concern only this request: flagged input (403), and no endpoint with a required feature (404)."""
        error = super().parse_error(status, headers, body)
        is_flagged = isinstance(error, UpstreamAuth) and b"flagged" in body
        lacks_feature = isinstance(error, UpstreamModelNotFound) and "that support" in error.message
        if not is_flagged and not lacks_feature:
            return error
        message = redact(json_error_parts(body).message or "The input was flagged.", key=self.endpoint.api_key)
        return UpstreamRejected(message, provider=self.name, upstream_status=status, upstream_code=error.upstream_code)


def _adapt_tools(body: dict[str, Any]) -> None:
    """OpenRouter has only function tools and no `allowed_tools`: the allowed ones become the list of tools."""
    tools: list[Json] = body.get("tools") or []
    for index, tool in enumerate(tools):
        if tool["type"] != "function":
            raise InvalidRequest(f"OpenRouter takes no {tool['type']} tools.", param=f"tools[{index}]")
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["type"] == "allowed_tools":
        allowed = choice["allowed_tools"]
        names = {tool[tool["type"]]["name"] for tool in allowed["tools"]}
        body["tools"] = [tool for tool in tools if tool["function"]["name"] in names]
        body["tool_choice"] = allowed["mode"]


def _refusals_as_text(message: Json) -> Json:
    """Refusal parts become text parts."""
    content = message.get("content")
    if not isinstance(content, list) or all(part["type"] != "refusal" for part in content):
        return message
    parts = [{"type": "text", "text": part["refusal"]} if part["type"] == "refusal" else part for part in content]
    return {**message, "content": parts}


def _with_cache_control(sent: Json, message: Json) -> Json:
    """`cache_control` of the message goes to its last part, unless that has its own; a text becomes a part.

    OpenAI's `prompt_cache_breakpoint` on a part counts as `cache_control`.
    """
    content, cache_control = sent.get("content"), message.get("cache_control")
    if not content:
        return sent
    if isinstance(content, str):
        return (
            {**sent, "content": [{"type": "text", "text": content, "cache_control": cache_control}]}
            if cache_control
            else sent
        )
    parts = list(map(_part_with_cache_control, content, message["content"]))
    if cache_control:
        parts[-1] = {"cache_control": cache_control, **parts[-1]}
    return {**sent, "content": parts}


def _part_with_cache_control(sent: Json, part: Json) -> Json:
    return {"cache_control": {"type": "ephemeral"}, **sent} if part.get("prompt_cache_breakpoint") else sent


def _tool_with_cache_control(sent: Json, tool: Json) -> Json:
    """`cache_control` inside the function definition, where some clients put it, goes to the tool."""
    cache_control = tool[tool["type"]].get("cache_control")
    return {"cache_control": cache_control, **sent} if cache_control else sent


def _plain_images(message: Json) -> Json:
    """Generated images without the extra members of other providers."""
    images = message.get("images")
    if not images:
        return message
    return {**message, "images": [{"type": "image_url", "image_url": image["image_url"]} for image in images]}


def _without_prefix(name: str) -> str:
    """`openrouter/<vendor>/<id>` without the gateway's prefix; `openrouter/auto` is an id of OpenRouter's own."""
    prefix, _, unprefixed = name.partition("/")
    return unprefixed if prefix == "openrouter" and "/" in unprefixed else name


def _with_reasoning(sent: Json, message: Json, model: str) -> Json:
    """An assistant message with the reasoning of this model; the signature of another model's would be rejected."""
    details = message.get("reasoning_details")
    if details:
        usable = _details_of_model(details, model)
        return {**sent, "reasoning_details": usable} if usable else sent
    text = message.get("reasoning_content") or message.get("reasoning")
    return {**sent, "reasoning": text} if text else sent


def _details_of_model(details: Sequence[Json], model: str) -> list[Json]:
    return [
        {name: value for name, value in detail.items() if name != "model"}
        for detail in details
        if detail.get("model") == model
    ]


def reported_cost(usage: Json) -> Decimal | None:
    """USD: what OpenRouter charges, plus, for a customer's own key (BYOK), what the provider behind it charges."""
    cost = _usd(usage.get("cost"))
    details = usage.get("cost_details")
    if cost is None or not usage.get("is_byok") or not isinstance(details, Mapping):
        return cost
    return cost + (_usd(details.get("upstream_inference_cost")) or 0)


def _usd(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        return None
    return Decimal(str(value))
