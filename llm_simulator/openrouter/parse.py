"""Converts a valid chat completion request to a task, and counts its tokens."""

from __future__ import annotations

import json
from typing import Any

from llm_simulator.conversation import Media, PromptTokens, Task, Tool, ToolResult
from llm_simulator.tokens import PromptCache, count, count_media
from llm_simulator.validators import decode_base64
from llm_simulator.vendor import ParsedRequest

EFFORTS = {"none": 0, "minimal": 256, "low": 1024, "medium": 4096, "high": 16_384, "xhigh": 24_576, "max": 32_768}


def parse_request(body: dict[str, Any], model: str, *, cache: PromptCache, key: str) -> ParsedRequest:
    messages = body["messages"]
    transcript = json.dumps([body.get("tools"), messages], ensure_ascii=False)
    answered = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    last = messages[(answered[-1] + 1 if answered else 0) :]
    names = {call["id"]: call["function"]["name"] for message in messages for call in message.get("tool_calls") or []}
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    response_format = body.get("response_format", {"type": "text"})
    task = Task(
        model=model,
        prompt=newest_text(messages),
        transcript=transcript,
        media=tuple(media for message in last for media in media_of(message)),
        tools=tuple(
            Tool(
                tool["function"]["name"],
                tool["function"].get("parameters", {}),
                tool["function"].get("description", ""),
            )
            for tool in body.get("tools", [])
        ),
        tool_choice=choice_of(body.get("tool_choice", "auto")),
        parallel_tools=body.get("parallel_tool_calls") is not False,
        results=tuple(
            ToolResult(names[found["tool_call_id"]], text_of(found)) for found in last if found["role"] == "tool"
        ),
        schema=response_format["json_schema"].get("schema", {}) if response_format["type"] == "json_schema" else None,
        json_only=response_format["type"] == "json_object",
        max_tokens=limit,
        stop=tuple(body.get("stop") or ()),
        thinking=thinking_tokens(body),
        candidates=body.get("n") or 1,
        user_text="\n".join(text_of(message) for message in messages if message["role"] == "user"),
        calls_made=len(names),
    )
    excluded = body.get("reasoning", {}).get("exclude") or body.get("include_reasoning") is False
    options = {"reasoning": not excluded, "logprobs": bool(body.get("logprobs"))}
    return ParsedRequest(
        task, model, bool(body.get("stream")), prompt_tokens(messages, transcript, cache, f"{key}:{model}"), options
    )


def choice_of(choice: Any) -> str:
    if isinstance(choice, dict):
        return f"tool:{choice['function']['name']}"
    return "any" if choice == "required" else str(choice)


def thinking_tokens(body: dict[str, Any]) -> int:
    reasoning = body.get("reasoning", {})
    if reasoning.get("max_tokens"):
        return int(reasoning["max_tokens"])
    effort = reasoning.get("effort") or body.get("reasoning_effort")
    return EFFORTS[effort or ("medium" if reasoning.get("enabled") or body.get("include_reasoning") else "none")]


def text_of(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")


def newest_text(messages: list[dict[str, Any]]) -> str:
    return next(
        (text_of(message) for message in reversed(messages) if message["role"] == "user" and text_of(message)), ""
    )


def media_of(message: dict[str, Any]) -> list[Media]:
    content = message.get("content")
    found = [media_of_part(part) for part in content] if isinstance(content, list) else []
    return [media for media in found if media is not None]


def media_of_part(part: dict[str, Any]) -> Media | None:
    if part["type"] == "input_audio":
        audio = part["input_audio"]
        return Media("audio", f"audio/{audio['format']}", len(decode_base64(audio["data"])))
    if part["type"] == "image_url":
        return data_url_media(part["image_url"]["url"], "image/jpeg")
    if part["type"] == "file":
        return data_url_media(part["file"].get("file_data", ""), "application/pdf")
    return Media("video", "video/mp4", 0) if part["type"] == "video_url" else None


def data_url_media(url: str, fallback: str) -> Media:
    """The media of a data URL; other URLs have size 0."""
    head, found, data = url.partition(";base64,")
    media_type = head.removeprefix("data:").split(";")[0] if found else fallback
    kind = "pdf" if "pdf" in media_type else "image" if media_type.startswith("image/") else "text"
    try:
        return Media(
            "pdf" if kind == "pdf" else "image" if kind == "image" else "text", media_type, len(decode_base64(data))
        )
    except ValueError:
        return Media("text", media_type, len(data))


def prompt_tokens(messages: list[dict[str, Any]], transcript: str, cache: PromptCache, scope: str) -> PromptTokens:
    media: dict[str, int] = {}
    encoded = 0
    for message in messages:
        for item in media_of(message):
            media[item.kind] = media.get(item.kind, 0) + count_media(item.kind, item.size)
            encoded += item.size * 4 // 3
    text = max(1, count(transcript[: max(0, len(transcript) - encoded)]))
    total = text + sum(media.values())
    return PromptTokens(total, text, media, cache_read=min(total, cache.implicit(scope, transcript)))
