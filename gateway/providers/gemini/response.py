"""Parses a generateContent response into a Completion."""

from __future__ import annotations

from typing import Any

from gateway.completion import Completion, Json
from gateway.errors import UpstreamInvalidResponse
from gateway.providers.base import SignatureCache
from gateway.providers.gemini.answer import (
    CandidateReader,
    ContentKinds,
    GeneratedCallIds,
    blocked_reason,
    raise_if_failed,
)
from gateway.providers.gemini.request import RequestContext
from gateway.providers.gemini.usage import extra_of, logprobs_of, parse_usage


def parse_completion(
    body: Json, *, context: RequestContext, ids: GeneratedCallIds, signature_cache: SignatureCache, provider: str
) -> Completion:
    """Every candidate as a choice. Raises UpstreamInvalidResponse where there is neither a candidate nor a block reason."""
    response_id = body.get("responseId")
    upstream_id = response_id if isinstance(response_id, str) and response_id else None
    ids.response_id = upstream_id or ""
    candidates = [entry for entry in _list(body.get("candidates")) if isinstance(entry, dict)]
    refusal = blocked_reason(body)
    if not candidates and refusal is None:
        raise UpstreamInvalidResponse("Gemini answered without candidates.", provider=provider)
    choices: list[Json] = []
    readers: list[CandidateReader] = []
    content_kinds = ContentKinds()
    for position, candidate in enumerate(candidates):
        reader = CandidateReader(
            position, context=context, ids=ids, signature_cache=signature_cache, content_kinds=content_kinds
        )
        choices.append(_choice(reader, candidate))
        readers.append(reader)
    raise_if_failed(readers, provider=provider)
    if not choices:
        choices = [
            {"index": 0, "message": _message({}, refusal=refusal), "finish_reason": "content_filter", "logprobs": None}
        ]
    return Completion(
        choices,
        parse_usage(body, modalities=content_kinds.modalities),
        upstream_id=upstream_id,
        extra=extra_of(body),
        dropped=content_kinds.take_dropped(),
    )


def _choice(reader: CandidateReader, candidate: Json) -> Json:
    delta = reader.read(candidate)
    delta |= reader.sources(parts=True)
    finish = reader.finish_reason()
    if finish in ("stop", "length") and "tool_calls" not in delta:
        delta.setdefault("content", "")
    message = _message(delta, refusal=None)
    return {"index": reader.index, "message": message, "finish_reason": finish, "logprobs": logprobs_of(candidate)}


def _message(delta: dict[str, Any], *, refusal: str | None) -> Json:
    message: dict[str, Any] = {"role": "assistant", "content": delta.get("content"), "refusal": refusal}
    for member in ("reasoning_content", "reasoning_details", "audio", "annotations", "extra_content"):
        if member in delta:
            message[member] = delta[member]
    for member in ("tool_calls", "images"):
        if member in delta:
            message[member] = [
                {key: value for key, value in entry.items() if key != "index"} for entry in delta[member]
            ]
    return message


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
