"""Converts a valid generateContent request to a task, and counts its tokens."""

from __future__ import annotations

import json
from typing import Any

from llm_simulator.conversation import Media, PromptTokens, Task, Tool, ToolResult
from llm_simulator.gemini.messages import responses_of
from llm_simulator.instructions import apply_instructions
from llm_simulator.models import GeminiModel
from llm_simulator.tokens import PromptCache, count, count_media
from llm_simulator.validators import decode_base64
from llm_simulator.vendor import ParsedRequest

LEVELS = {"MINIMAL": 0, "LOW": 1024, "MEDIUM": 8192, "HIGH": 24_576, "XHIGH": 32_768}
KINDS = {"image": "image", "audio": "audio", "video": "video"}


def parse_request(
    body: dict[str, Any], model: GeminiModel, *, stream: bool, as_array: bool, cache: PromptCache, key: str
) -> ParsedRequest:
    config = body.get("generationConfig", {})
    contents = body["contents"]
    transcript = json.dumps(
        [body.get("systemInstruction"), body.get("tools"), *[readable_content(content) for content in contents]],
        ensure_ascii=False,
    )
    calling = body.get("toolConfig", {}).get("functionCallingConfig", {})
    task = Task(
        model=model.id,
        prompt=newest_text(contents),
        transcript=transcript,
        media=media_of(contents[-1]),
        tools=tools_of(body, calling.get("allowedFunctionNames", [])),
        tool_choice={"ANY": "any", "NONE": "none"}.get(calling.get("mode", "AUTO"), "auto"),
        results=tuple(
            ToolResult(response["name"], result_text(response["response"])) for response in responses_of(contents[-1])
        ),
        schema=config.get("responseSchema") or config.get("responseJsonSchema"),
        json_only=config.get("responseMimeType") == "application/json",
        max_tokens=config.get("maxOutputTokens"),
        stop=tuple(config.get("stopSequences", ())),
        thinking=thinking_tokens(config.get("thinkingConfig", {}), model),
        candidates=config.get("candidateCount", 1),
        user_text="\n".join(
            part["text"]
            for content in contents
            if content.get("role", "user") == "user"
            for part in content["parts"]
            if part.get("text")
        ),
        calls_made=sum("functionCall" in part for content in contents for part in content["parts"]),
    )
    system = body.get("systemInstruction") or {"parts": []}
    task = apply_instructions(task, "\n".join(part.get("text", "") for part in system["parts"]))
    tokens = prompt_tokens(transcript, contents, cache=cache, scope=f"{key}:{model.id}")
    options = {
        "json_array": as_array,
        "thoughts": bool(config.get("thinkingConfig", {}).get("includeThoughts")),
        "signs": model.signs_thoughts,
        "call_ids": model.call_ids,
        "logprobs": bool(config.get("responseLogprobs")),
        "tier": body.get("serviceTier", "STANDARD"),
    }
    return ParsedRequest(task, model.id, stream, tokens, options)


def thinking_tokens(thinking: dict[str, Any], model: GeminiModel) -> int:
    """The thinking budget. Models think by default, except Flash-Lite."""
    if thinking.get("thinkingLevel"):
        return max(LEVELS[thinking["thinkingLevel"]], 0 if model.can_skip_thinking else 512)
    budget = int(thinking.get("thinkingBudget", 0 if model.kind == "lite" else -1))
    return 8192 if budget == -1 else budget


def tools_of(body: dict[str, Any], allowed: list[str]) -> tuple[Tool, ...]:
    declared = [entry for tool in body.get("tools", []) for entry in tool.get("functionDeclarations", [])]
    return tuple(
        Tool(
            entry["name"],
            entry.get("parameters") or entry.get("parametersJsonSchema") or {},
            entry.get("description", ""),
        )
        for entry in declared
        if not allowed or entry["name"] in allowed
    )


def newest_text(contents: list[dict[str, Any]]) -> str:
    for content in reversed(contents):
        texts = [part["text"] for part in content["parts"] if part.get("text") and not part.get("thought")]
        if content.get("role", "user") == "user" and texts:
            return "\n".join(texts)
    return ""


def result_text(response: dict[str, Any]) -> str:
    """The text of a result; unwrapped from `output` or `result`."""
    for name in ("output", "result"):
        if set(response) == {name} and isinstance(response[name], str):
            return str(response[name])
    return json.dumps(response, ensure_ascii=False)


def media_of(content: dict[str, Any]) -> tuple[Media, ...]:
    media = []
    for part in content["parts"]:
        if "inlineData" in part:
            blob = part["inlineData"]
            media.append(Media(media_kind(blob["mimeType"]), blob["mimeType"], len(decode_base64(blob["data"]))))
        elif "fileData" in part:
            mime = part["fileData"].get("mimeType", "image/jpeg")
            media.append(Media(media_kind(mime), mime, 0))
    return tuple(media)


def media_kind(mime: str) -> Any:
    """One of the kinds of `Media`."""
    return "pdf" if mime == "application/pdf" else KINDS.get(mime.split("/")[0], "text")


def readable_content(content: dict[str, Any]) -> list[Any]:
    """A turn as the model reads it, without signatures and thoughts."""
    parts = [part for part in content["parts"] if not part.get("thought")]
    return [
        content.get("role", "user"),
        *[{key: part[key] for key in part if key != "thoughtSignature"} for part in parts],
    ]


def prompt_tokens(transcript: str, contents: list[dict[str, Any]], *, cache: PromptCache, scope: str) -> PromptTokens:
    media: dict[str, int] = {}
    encoded = 0
    for content in contents:
        for item in media_of(content):
            media[item.kind] = media.get(item.kind, 0) + count_media(item.kind, item.size)
        encoded += sum(len(part["inlineData"]["data"]) for part in content["parts"] if "inlineData" in part)
    text = max(1, count(transcript[: max(0, len(transcript) - encoded)]))
    cached = cache.implicit(scope, transcript)
    total = text + sum(media.values())
    return PromptTokens(total, text, media, cache_read=min(cached, total))
