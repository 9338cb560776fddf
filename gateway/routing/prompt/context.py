"""The routing context of a chat request: the newest user text, the abilities it needs, and its size in tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from gateway.completion import ChatRequest, Json
from gateway.embeddings import Input
from gateway.routing.prompt.features import PromptFeatures, extract, request_facts
from gateway.routing.prompt.json_tokens import json_tokens, recent_counts
from gateway.routing.prompt.text_stats import tokens_of
from gateway.routing.prompt.user_text import last_user_text
from gateway.routing.types import RoutingContext

# Tokens of a part that is not text. Vendors count images by their size; this is a typical value, not the maximum.
_PART_TOKENS = {"image_url": 1_000, "input_audio": 1_000}
_BYTES_PER_PDF_TOKEN = 60
_MESSAGE_TOKENS = 4
# Tokens: a required output limit above this says nothing about the answer. Claude Code sends 32,000 and more.
REQUIRED_LIMIT = 8_192
_IDLE_EFFORTS = frozenset({"none", "minimal"})


def context_of(
    request: ChatRequest,
    *,
    available_providers: Sequence[str],
    cooling: frozenset[tuple[str, str | None]] = frozenset(),
    tradeoff: float | None = None,
    user_id: str | None = None,
    session_id: str | None = None,
    read: Callable[[str], PromptFeatures] = extract,
) -> RoutingContext:
    """The context of a validated request with its facts. Linear in its size; copies no text except the newest user message.

    `session_id` replaces the client's name for the session. `read` is `extract`, or a cache of it.
    """
    hints = request.hints
    prompt, needs, prompt_tokens = (
        last_user_text(request.messages),
        frozenset(_needs(request)),
        prompt_tokens_of(request),
    )
    turns = max(1, sum(message.get("role") == "user" for message in request.messages))
    return RoutingContext(
        prompt=prompt,
        user_id=user_id,
        session_id=hints.conversation if session_id is None else session_id,
        available_providers=list(available_providers),
        max_cost=hints.max_cost,
        min_quality=hints.min_quality,
        needs=needs,
        prompt_tokens=prompt_tokens,
        max_tokens=_wanted_output(request),
        turns=turns,
        models=hints.models,
        cooling=cooling,
        tradeoff=tradeoff,
        own_effort=request.sets_effort,
        service_tier=request.service_tier,
        facts=request_facts(prompt, read(prompt), needs=needs, turns=turns, prompt_tokens=prompt_tokens),
    )


def _wanted_output(request: ChatRequest) -> int | None:
    """The client's output limit. Where its API requires one, agents send the highest, which must not exclude other models."""
    limit = request.output_limit
    return min(limit, REQUIRED_LIMIT) if limit is not None and request.limit_required else limit


def with_prompt_tokens(request: ChatRequest) -> ChatRequest:
    """The request with its estimate, so that nothing estimates it again."""
    return request._replace(prompt_tokens=prompt_tokens_of(request)) if request.prompt_tokens is None else request


def prompt_tokens_of(request: ChatRequest) -> int:
    """The estimate that the request carries, else a newly computed one: tokens of the whole prompt, tools and schemas included."""
    if request.prompt_tokens is not None:
        return request.prompt_tokens
    total = sum(_MESSAGE_TOKENS + _message_tokens(message) for message in request.messages)
    return total + sum(recent_counts().count(request.body.get(name)) for name in ("tools", "response_format"))


def input_tokens_of(inputs: Iterable[Input]) -> int:
    """The tokens of inputs to embed: estimated for texts, exact for token ids."""
    return sum(tokens_of(each) if isinstance(each, str) else len(each) for each in inputs)


def _needs(request: ChatRequest) -> Iterator[str]:
    body = request.body
    if body.get("tools"):
        yield "tools"
    if request.response_format == "json_schema":
        yield "json_schema"
    if request.choices > 1:
        yield "n"
    if body.get("logprobs"):
        yield "logprobs"
    if body.get("audio") or "audio" in (body.get("modalities") or ()):
        yield "audio_output"
    if "image" in (body.get("modalities") or ()):
        yield "image_output"
    if _wants_reasoning(body):
        yield "reasoning"
    for part in _parts(request.messages):
        yield from _part_needs(part)


def _wants_reasoning(body: Json) -> bool:
    reasoning = body.get("reasoning")
    effort = body.get("reasoning_effort") or (reasoning.get("effort") if isinstance(reasoning, dict) else None)
    return bool(effort) and effort not in _IDLE_EFFORTS


def _part_needs(part: Json) -> Iterator[str]:
    kind = part.get("type")
    if kind == "image_url":
        yield "vision"
    elif kind == "input_audio":
        yield "audio"
    elif kind == "file" and not _is_text_file(part.get("file") or {}):
        yield "pdf"


def _is_text_file(file: Json) -> bool:
    return str(file.get("file_data") or "")[:10].lower().startswith("data:text/")


def _parts(messages: Iterable[Json]) -> Iterator[Json]:
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            yield from content


def _message_tokens(message: Json) -> int:
    content = message.get("content")
    total = tokens_of(content) if isinstance(content, str) else sum(map(_part_tokens, content or ()))
    images = len(message.get("images") or ()) * _PART_TOKENS["image_url"]
    return total + images + json_tokens(message.get("tool_calls"))


def _part_tokens(part: Json) -> int:
    kind = part.get("type")
    if kind == "file":
        return len((part.get("file") or {}).get("file_data") or "") // _BYTES_PER_PDF_TOKEN
    return _PART_TOKENS.get(str(kind)) or tokens_of(part.get("text") or part.get("refusal") or "")
