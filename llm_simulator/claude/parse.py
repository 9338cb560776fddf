"""Converts a valid Messages request to a task, and counts its tokens."""

from __future__ import annotations

import json
from typing import Any

from llm_simulator.claude.messages import blocks_of
from llm_simulator.claude.validation import enables_thinking
from llm_simulator.conversation import Media, PromptTokens, Task, Tool, ToolResult
from llm_simulator.instructions import apply_instructions
from llm_simulator.models import ClaudeModel
from llm_simulator.tokens import PromptCache, count, count_media
from llm_simulator.validators import decode_base64
from llm_simulator.vendor import ParsedRequest

EFFORTS = {"low": 512, "medium": 2048, "high": 8192, "xhigh": 16_384, "max": 32_768}
LIFETIMES = {"5m": 300.0, "1h": 3600.0}


def parse_request(body: dict[str, Any], model: ClaudeModel, *, cache: PromptCache, key: str) -> ParsedRequest:
    segments = segments_of(body)
    transcript = "\n".join(text for text, _mark, _media in segments)
    last = [block for message in trailing_user(body["messages"]) for block in blocks_of(message)]
    choice = body.get("tool_choice", {"type": "auto"})
    output_format = body.get("output_config", {}).get("format")
    task = Task(
        model=model.id,
        prompt=newest_text(body["messages"]),
        transcript=transcript,
        media=tuple(media for block in last if (media := media_of(block))),
        tools=tuple(
            Tool(tool["name"], tool["input_schema"], tool.get("description", ""))
            for tool in body.get("tools", [])
            if not tool.get("server")
        ),
        tool_choice=f"tool:{choice['name']}" if choice["type"] == "tool" else choice["type"],
        parallel_tools=not choice.get("disable_parallel_tool_use"),
        results=tuple(ToolResult("", text_of(block)) for block in last if block["type"] == "tool_result"),
        schema=output_format["schema"] if output_format else None,
        max_tokens=body["max_tokens"],
        stop=tuple(body.get("stop_sequences", ())),
        thinking=thinking_tokens(body, model),
        user_text="\n".join(
            block["text"]
            for message in body["messages"]
            if message["role"] == "user"
            for block in blocks_of(message)
            if block["type"] == "text"
        ),
        calls_made=sum(block["type"] == "tool_use" for message in body["messages"] for block in blocks_of(message)),
    )
    task = apply_instructions(task, "\n".join(block["text"] for block in system_of(body)))
    display = body.get("thinking", {}).get("display") or ("omitted" if model.hides_thinking else "summarized")
    tokens = prompt_tokens(segments, body, model, cache=cache, scope=f"{key}:{model.id}")
    options = {"shown": display == "summarized", "service_tier": "standard"}
    return ParsedRequest(task, model.id, body.get("stream", False), tokens, options)


def thinking_tokens(body: dict[str, Any], model: ClaudeModel) -> int:
    thinking = body.get("thinking", {})
    if thinking.get("type") == "enabled":
        return int(thinking["budget_tokens"])
    if enables_thinking(body) or (model.thinks_unasked and not thinking):
        return EFFORTS[body.get("output_config", {}).get("effort") or model.default_effort]
    return 0


def trailing_user(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The user messages after the last one of the assistant."""
    answers = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    return [message for message in messages[(answers[-1] + 1 if answers else 0) :] if message["role"] == "user"]


def newest_text(messages: list[dict[str, Any]]) -> str:
    """The newest user message that has text of its own."""
    for message in reversed(messages):
        texts = [block["text"] for block in blocks_of(message) if block["type"] == "text"]
        if message["role"] == "user" and texts:
            return "\n".join(texts)
    return ""


def system_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The system prompt's blocks."""
    system = body.get("system", [])
    return [{"type": "text", "text": system}] if isinstance(system, str) else list(system)


def text_of(block: dict[str, Any]) -> str:
    """The text of a block, without media."""
    kind = block["type"]
    if kind == "text":
        return str(block["text"])
    if kind == "tool_use":
        return f"{block['name']}({json.dumps(block['input'])})"
    if kind == "tool_result":
        content = block.get("content", "")
        return content if isinstance(content, str) else "\n".join(text_of(inner) for inner in content)
    if kind == "document" and block["source"]["type"] == "text":
        return str(block["source"]["data"])
    return "" if kind in ("image", "document", "redacted_thinking") else json.dumps(block)


def media_of(block: dict[str, Any]) -> Media | None:
    if block["type"] not in ("image", "document"):
        return None
    source = block["source"]
    kind = source["type"]
    if block["type"] == "document" and kind in ("text", "content"):
        return Media("text", "text/plain", len(json.dumps(source)))
    size = len(decode_base64(source["data"])) if kind == "base64" else 0
    fallback = "application/pdf" if block["type"] == "document" else "image"
    return Media("pdf" if block["type"] == "document" else "image", source.get("media_type", fallback), size)


Segment = tuple[str, dict[str, Any] | None, int]
"""A text, its cache_control, and the tokens of its media."""


def segments_of(body: dict[str, Any]) -> list[Segment]:
    """The prompt in cache order: tools, system, messages."""
    segments: list[Segment] = [(json.dumps(tool), tool.get("cache_control"), 0) for tool in body.get("tools", [])]
    segments += [(block["text"], block.get("cache_control"), 0) for block in system_of(body)]
    for message in body["messages"]:
        for block in blocks_of(message):
            media = media_of(block)
            tokens = count_media(media.kind, media.size) if media and media.kind != "text" else 0
            media_source = json.dumps(block["source"]) if media else ""
            segments.append(
                (
                    f"{message['role']}: {text_of(block)}{media_source if tokens else ''}",
                    block.get("cache_control"),
                    tokens,
                )
            )
    return segments


def prompt_tokens(
    segments: list[Segment], body: dict[str, Any], model: ClaudeModel, *, cache: PromptCache, scope: str
) -> PromptTokens:
    """Count the prompt tokens, find the longest cached prefix, and cache the prefixes at breakpoints."""
    total, prefix, read, written = 0, "", 0, {"5m": 0, "1h": 0}
    breakpoints: list[tuple[str, int, str]] = []
    for index, (text, cache_control, media) in enumerate(segments):
        total += media or count(text)
        prefix += f"\x1e{text}"
        cache_control = cache_control or (body.get("cache_control") if index == len(segments) - 1 else None)
        if cache_control:
            breakpoints.append((prefix, total, cache_control.get("ttl", "5m")))
    for text, _tokens, _lifetime in breakpoints:
        read = cache.tokens(scope, text) or read
    done = read
    for text, tokens, lifetime in breakpoints:
        if tokens >= model.least_cached:
            written[lifetime] += max(0, tokens - done)
            done = max(done, tokens)
            cache.remember(scope, text, tokens=tokens, ttl=LIFETIMES[lifetime])
    return PromptTokens(
        total + 3, total + 3, cache_read=read, cache_write_5m=written["5m"], cache_write_1h=written["1h"]
    )
