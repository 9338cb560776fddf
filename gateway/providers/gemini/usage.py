"""Parses token counts, the service tier and log probabilities of a Gemini response."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from gateway.catalog.service_tier import STANDARD_RATES, rate_factor
from gateway.completion import Json, Usage, count

SERVICE_TIERS = {"standard": "default", "flex": "flex", "priority": "priority"}


def parse_usage(body: Json, *, modalities: Collection[str] = ()) -> Usage | None:
    """`usageMetadata` as OpenAI counts. Gemini's prompt count includes cached tokens; thoughts are counted apart from the answer.

    `modalities` are the output modalities other than text. Where Google does not say how many tokens they took, all output
    counts as the more expensive kind, and the usage is an estimate.
    """
    raw = body.get("usageMetadata")
    if not isinstance(raw, dict):
        return None
    prompt = count(raw.get("promptTokenCount"))
    answer, thoughts = count(raw.get("candidatesTokenCount")), count(raw.get("thoughtsTokenCount")) or 0
    if prompt is None and answer is None:
        return None
    prompt = (prompt or 0) + (count(raw.get("toolUsePromptTokenCount")) or 0)
    cached = min(count(raw.get("cachedContentTokenCount")) or 0, prompt)
    usage = Usage(
        prompt_tokens=prompt,
        completion_tokens=(answer or 0) + thoughts,
        cached_tokens=cached,
        reasoning_tokens=thoughts,
        prompt_audio_tokens=min(_tokens_of("AUDIO", raw.get("promptTokensDetails")), prompt),
        cached_audio_tokens=min(_tokens_of("AUDIO", raw.get("cacheTokensDetails")), cached),
        raw=raw,
    )
    factor = rate_factor("gemini", _tier(raw))
    if factor != STANDARD_RATES:
        usage = usage._replace(rate_factor=factor)
    details = raw.get("candidatesTokensDetails")
    return _with_media(usage, details, answer or 0, modalities=modalities) if details or modalities else usage


def _with_media(usage: Usage, details: Any, answer: int, *, modalities: Collection[str]) -> Usage:
    media = {kind: min(_tokens_of(kind, details), answer) for kind in ("IMAGE", "AUDIO", "VIDEO")}
    uncounted = next((kind for kind in ("IMAGE", "AUDIO") if kind in modalities and not media[kind]), None)
    if uncounted is not None:
        media[uncounted] = max(0, answer - sum(media.values()))
    return usage._replace(
        completion_audio_tokens=media["AUDIO"],
        completion_image_tokens=media["IMAGE"],
        completion_video_tokens=media["VIDEO"],
        estimated=uncounted is not None,
    )


def _tokens_of(modality: str, details: Any) -> int:
    entries = details if isinstance(details, list) else ()
    return sum(
        count(entry.get("tokenCount")) or 0
        for entry in entries
        if isinstance(entry, dict) and entry.get("modality") == modality
    )


def extra_of(body: Json) -> Json:
    """Further top-level members: the service tier that was used."""
    raw = body.get("usageMetadata")
    known = _tier(raw) if isinstance(raw, dict) else None
    return {"service_tier": known} if known else {}


def _tier(raw: Json) -> str | None:
    """The tier that served the request, by OpenAI's name; Google may serve flex requests in the standard tier."""
    tier = raw.get("serviceTier")
    return SERVICE_TIERS.get(tier.lower()) if isinstance(tier, str) else None


def logprobs_of(candidate: Json) -> Json | None:
    """`logprobsResult` as OpenAI's `logprobs`; None without one."""
    result = candidate.get("logprobsResult")
    chosen = result.get("chosenCandidates") if isinstance(result, dict) else None
    if not isinstance(result, dict) or not isinstance(chosen, list):
        return None
    tops = result.get("topCandidates")
    tops = tops if isinstance(tops, list) else []
    content = []
    for position, token in enumerate(chosen):
        if isinstance(token, dict):
            top = tops[position] if position < len(tops) else None
            others = top.get("candidates") if isinstance(top, dict) else None
            content.append(_token(token) | {"top_logprobs": [_token(o) for o in others or () if isinstance(o, dict)]})
    return {"content": content, "refusal": None}


def _token(token: Json) -> dict[str, Any]:
    text = str(token.get("token") or "")
    return {"token": text, "logprob": token.get("logProbability", 0.0), "bytes": list(text.encode())}
