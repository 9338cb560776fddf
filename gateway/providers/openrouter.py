"""OpenRouter: chat completions with members of its own, its own count of the cost, and errors inside 200 answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from gateway.completion import ChatRequest, Json, UpstreamRequest, Usage
from gateway.errors import InvalidRequest, UpstreamAuth, UpstreamError, UpstreamModelNotFound, UpstreamRejected
from gateway.providers.claude.profiles import profile_of
from gateway.providers.errors import json_error_parts, redact
from gateway.providers.openai_compatible import OpenAICompatible
from gateway.providers.openai_compatible.answer import usage_of
from gateway.providers.openai_compatible.request import MESSAGE, OPENAI, PART, TOOL, AllowedFields, chat_body

_OWN = frozenset({
    "cache_control", "include_reasoning", "image_config", "min_p", "models", "plugins", "provider", "reasoning", "repetition_penalty", "route",
    "session_id", "top_a", "top_k", "transforms",
})  # fmt: skip
_NOT_TAKEN = frozenset({"moderation", "prompt_cache_options", "prompt_cache_retention", "safety_identifier"})


class OpenRouter(OpenAICompatible):
    """https://openrouter.ai/docs/api-reference/overview. Model ids are passed whole, `openrouter/auto` too."""

    name = "openrouter"
    members = AllowedFields(
        request=OPENAI.request - _NOT_TAKEN | _OWN,
        message=MESSAGE - {"audio"} | {"images"},
        part=PART | {"cache_control"},
        tool=TOOL | {"cache_control"},
    )

    def body(self, request: ChatRequest, model: str) -> dict[str, Any]:
        body = chat_body(request, model, members=self.members)
        body["messages"] = [
            # What is sent as it came has neither parts nor reasoning.
            sent if sent is message else _with_reasoning(_with_marks(_drawn(_spoken(sent)), message), message, model)
            for sent, message in zip(body["messages"], request.messages, strict=True)
        ]
        body["usage"] = {"include": True}
        if "tools" in body:
            body["tools"] = list(map(_tool_with_mark, body["tools"], request.body["tools"]))
        _choose_tools(body)
        if "reasoning" in body:
            # Both together are refused; the object says more.
            body.pop("reasoning_effort", None)
        if "models" in body:
            body["models"] = [_own_id(name) for name in body["models"]]
        return body

    def usage(self, raw: object) -> Usage | None:
        return usage_of(raw, reported_cost=_cost)

    def reported_model(self, body: Json, sent: UpstreamRequest) -> str | None:
        """A router of OpenRouter's own (`openrouter/auto`) and a list of fallbacks let it choose."""
        model = body.get("model")
        chosen_there = sent.model.startswith("openrouter/") or "models" in sent.json
        return model if chosen_there and isinstance(model, str) and model else None

    def detail_extra(self, sent: UpstreamRequest) -> Json:
        return {"model": sent.model}

    def least_cached(self, model: str) -> int | None:
        """Anthropic's models need breakpoints here as well."""
        vendor, _, name = model.partition("/")
        return profile_of(name).least_cached if vendor == "anthropic" else None

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """Two of its refusals are about this request alone: flagged input (403) and no endpoint with a needed feature (404)."""
        error = super().parse_error(status, headers, body)
        flagged = isinstance(error, UpstreamAuth) and b"flagged" in body
        unable = isinstance(error, UpstreamModelNotFound) and "that support" in error.message
        if not flagged and not unable:
            return error
        message = redact(json_error_parts(body).message or "The input was flagged.", key=self.endpoint.api_key)
        return UpstreamRejected(message, provider=self.name, upstream_status=status, upstream_code=error.upstream_code)


def _choose_tools(body: dict[str, Any]) -> None:
    """It knows functions only, and no list of allowed ones: that is the list of those it is given."""
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


def _spoken(message: Json) -> Json:
    """What the model refused to say is text like any other here."""
    content = message.get("content")
    if not isinstance(content, list) or all(part["type"] != "refusal" for part in content):
        return message
    parts = [{"type": "text", "text": part["refusal"]} if part["type"] == "refusal" else part for part in content]
    return {**message, "content": parts}


def _with_marks(sent: Json, message: Json) -> Json:
    """A cache mark on the message is its last part's, unless that has its own; a text becomes a part to carry it.

    OpenAI's `prompt_cache_breakpoint` on a part is such a mark too.
    """
    content, mark = sent.get("content"), message.get("cache_control")
    if not content:
        return sent
    if isinstance(content, str):
        return {**sent, "content": [{"type": "text", "text": content, "cache_control": mark}]} if mark else sent
    parts = list(map(_part_with_mark, content, message["content"]))
    if mark:
        parts[-1] = {"cache_control": mark, **parts[-1]}
    return {**sent, "content": parts}


def _part_with_mark(sent: Json, part: Json) -> Json:
    return {"cache_control": {"type": "ephemeral"}, **sent} if part.get("prompt_cache_breakpoint") else sent


def _tool_with_mark(sent: Json, tool: Json) -> Json:
    """A cache mark within the function's definition, where some clients put it, is the tool's."""
    mark = tool[tool["type"]].get("cache_control")
    return {"cache_control": mark, **sent} if mark else sent


def _drawn(message: Json) -> Json:
    """Pictures that a model made, without what other providers' answers carry beside them."""
    images = message.get("images")
    if not images:
        return message
    return {**message, "images": [{"type": "image_url", "image_url": image["image_url"]} for image in images]}


def _own_id(name: str) -> str:
    """`openrouter/<vendor>/<id>` without the gateway's prefix; `openrouter/auto` is an id of OpenRouter's own."""
    prefix, _, rest = name.partition("/")
    return rest if prefix == "openrouter" and "/" in rest else name


def _with_reasoning(sent: Json, message: Json, model: str) -> Json:
    """An assistant message with the reasoning that this model gave; what another gave would be refused by its signature."""
    details = message.get("reasoning_details")
    if details:
        own = _own_details(details, model)
        return {**sent, "reasoning_details": own} if own else sent
    text = message.get("reasoning_content") or message.get("reasoning")
    return {**sent, "reasoning": text} if text else sent


def _own_details(details: Sequence[Json], model: str) -> list[Json]:
    return [
        {name: value for name, value in detail.items() if name != "model"}
        for detail in details
        if detail.get("model") == model
    ]


def _cost(usage: Json) -> Decimal | None:
    """USD: what OpenRouter charges, and with a key of one's own (BYOK) what the provider behind it charges too."""
    cost = _usd(usage.get("cost"))
    details = usage.get("cost_details")
    if cost is None or not usage.get("is_byok") or not isinstance(details, Mapping):
        return cost
    return cost + (_usd(details.get("upstream_inference_cost")) or 0)


def _usd(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        return None
    return Decimal(str(value))
