"""Upstreams as functions: what a vendor's server would answer, for `httpx2.MockTransport`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import orjson

Upstream = Callable[[httpx2.Request], httpx2.Response]


def vendor(request: httpx2.Request) -> str:
    """Whose endpoint a request is for."""
    host = request.url.host
    return next(
        name
        for name, mark in (("gemini", "google"), ("claude", "anthropic"), ("openrouter", "openrouter"))
        if mark in host
    )


def answer(text: str = "4", *, prompt_tokens: int = 10, completion_tokens: int = 5) -> Upstream:
    """Every vendor answers `text`, in its own dialect, streamed where that is asked for."""

    def upstream(request: httpx2.Request) -> httpx2.Response:
        return ANSWERS[vendor(request)](request, text, prompt_tokens, completion_tokens)

    return upstream


def failing(status: int, *vendors: str, headers: dict[str, str] | None = None, body: str = "") -> Upstream:
    """The vendors named answer `status`; the others answer."""

    def upstream(request: httpx2.Request) -> httpx2.Response:
        if vendor(request) in vendors:
            return httpx2.Response(status, headers=headers, text=body)
        return answer()(request)

    return upstream


def _events(*payloads: dict[str, Any], named: bool = False, end: bytes = b"") -> httpx2.Response:
    lines = [
        (b"event: " + str(payload["type"]).encode() + b"\n" if named else b"")
        + b"data: "
        + orjson.dumps(payload)
        + b"\n\n"
        for payload in payloads
    ]
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=b"".join(lines) + end)


def _gemini(request: httpx2.Request, text: str, prompt: int, completion: int) -> httpx2.Response:
    usage = {"promptTokenCount": prompt, "candidatesTokenCount": completion, "totalTokenCount": prompt + completion}
    content = {"role": "model", "parts": [{"text": text}]}
    body = {
        "candidates": [{"index": 0, "content": content, "finishReason": "STOP"}],
        "usageMetadata": usage,
        "responseId": "g1",
    }
    return _events(body) if "stream" in request.url.path else httpx2.Response(200, json=body)


def _claude(request: httpx2.Request, text: str, prompt: int, completion: int) -> httpx2.Response:
    usage = {"input_tokens": prompt, "output_tokens": completion}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "stop_reason": "end_turn",
        "usage": usage,
    }
    if not orjson.loads(request.content).get("stream"):
        return httpx2.Response(200, json={**message, "content": [{"type": "text", "text": text}]})
    return _events(
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
        named=True,
    )


def _openrouter(request: httpx2.Request, text: str, prompt: int, completion: int) -> httpx2.Response:
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "cost": 0.000125,
    }
    head = {"id": "gen-1", "created": 1, "model": "m"}
    if not orjson.loads(request.content).get("stream"):
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        return httpx2.Response(200, json={**head, "object": "chat.completion", "choices": [choice], "usage": usage})
    chunk = {**head, "object": "chat.completion.chunk"}
    return _events(
        {**chunk, "choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]},
        {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**chunk, "choices": [], "usage": usage},
        end=b"data: [DONE]\n\n",
    )


ANSWERS = {"gemini": _gemini, "claude": _claude, "openrouter": _openrouter}
