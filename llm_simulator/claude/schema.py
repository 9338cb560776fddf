"""The documented fields of a Messages request; anything else is "Extra inputs are not permitted"."""

from __future__ import annotations

import re
from typing import Any

from llm_simulator.validators import (
    Check,
    Path,
    Problem,
    anything,
    array,
    boolean,
    decode_base64,
    integer,
    mapping,
    number,
    one_of,
    optional,
    record,
    string,
    tagged,
    text_or,
)

TOOL_ID = r"^[a-zA-Z0-9_-]+$"
TOOL_NAME = r"^[a-zA-Z0-9_-]{1,128}$"
SERVER_TOOL = re.compile(r"[a-z_]+_20\d{6}")
IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
MAGIC = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG", "image/png"), (b"GIF8", "image/gif"), (b"RIFF", "image/webp"))


def matching(pattern: str) -> Check:
    compiled = re.compile(pattern)

    def check(value: Any, path: Path) -> str:
        text: str = string()(value, path)
        if not compiled.search(text) or text.endswith("\n"):
            raise Problem(path, "value", f"String should match pattern '{pattern}'")
        return text

    return check


def base64_data(value: Any, path: Path) -> str:
    text: str = string()(value, path)
    try:
        data = decode_base64(text)
    except ValueError:
        raise Problem(path, "value", "invalid base64 data") from None
    if not data:
        raise Problem(path, "value", "data cannot be empty")
    return text


def https_url(value: Any, path: Path) -> str:
    text: str = string()(value, path)
    if not text.startswith("https://"):
        raise Problem(path[:-1], "value", "Only HTTPS URLs are supported.")
    return text


def image_source(value: Any, path: Path) -> dict[str, Any]:
    """A base64 image; bytes that are plainly of another type are refused."""
    fields = {"type": anything, "media_type": one_of(*IMAGE_TYPES), "data": base64_data}
    source: dict[str, Any] = record(fields, required=("media_type", "data"))(value, path)
    data = decode_base64(source["data"])
    actual = next((kind for magic, kind in MAGIC if data.startswith(magic)), source["media_type"])
    if actual != source["media_type"]:
        wrong = f"The image was specified using the {source['media_type']} media type, but the image appears to be a {actual} image"
        raise Problem(path, "value", wrong)
    return source


CACHE = optional(record({"type": one_of("ephemeral"), "ttl": one_of("5m", "1h")}, required=("type",)))
CITED = {"citations": optional(record({"enabled": boolean}))}
TEXT = record(
    {"type": anything, "text": string(), "cache_control": CACHE, "citations": optional(array(mapping))},
    required=("text",),
)
URL_SOURCE = record({"type": anything, "url": https_url}, required=("url",))
FILE_SOURCE = record({"type": anything, "file_id": string(least=1)}, required=("file_id",))
IMAGE = record(
    {
        "type": anything,
        "source": tagged({"base64": image_source, "url": URL_SOURCE, "file": FILE_SOURCE}),
        "cache_control": CACHE,
        "transformations": optional(record({"oversized_image": one_of("downsize", "error")})),
    },
    required=("source",),
)
PDF_SOURCE = record(
    {"type": anything, "media_type": one_of("application/pdf"), "data": base64_data}, required=("media_type", "data")
)
PLAIN_SOURCE = record(
    {"type": anything, "media_type": one_of("text/plain"), "data": string(least=1)}, required=("media_type", "data")
)
CONTENT_SOURCE = record(
    {"type": anything, "content": text_or(array(tagged({"text": TEXT, "image": IMAGE})))}, required=("content",)
)
DOCUMENT = record(
    {
        "type": anything,
        "source": tagged(
            {
                "base64": PDF_SOURCE,
                "text": PLAIN_SOURCE,
                "content": CONTENT_SOURCE,
                "url": URL_SOURCE,
                "file": FILE_SOURCE,
            }
        ),
        "cache_control": CACHE,
        "title": optional(string(least=1, most=500)),
        "context": optional(string(least=1)),
        **CITED,
    },
    required=("source",),
)
SEARCH_RESULT = record(
    {"type": anything, "content": array(TEXT), "source": string(), "title": string(), "cache_control": CACHE, **CITED},
    required=("content", "source", "title"),
)
TOOL_USE = record(
    {
        "type": anything,
        "id": matching(TOOL_ID),
        "name": matching(TOOL_NAME),
        "input": mapping,
        "cache_control": CACHE,
        "caller": mapping,
        "toolset_name": optional(string()),
    },
    required=("id", "name", "input"),
)
RESULT_CONTENT = array(tagged({"text": TEXT, "image": IMAGE, "document": DOCUMENT, "search_result": SEARCH_RESULT}))
TOOL_RESULT = record(
    {
        "type": anything,
        "tool_use_id": matching(TOOL_ID),
        "content": text_or(RESULT_CONTENT),
        "is_error": boolean,
        "cache_control": CACHE,
        "toolset_name": optional(string()),
    },
    required=("tool_use_id",),
)
THINKING = record({"type": anything, "thinking": string(), "signature": string()}, required=("thinking", "signature"))
REDACTED = record({"type": anything, "data": string()}, required=("data",))
BLOCKS = {
    "text": TEXT,
    "image": IMAGE,
    "document": DOCUMENT,
    "search_result": SEARCH_RESULT,
    "thinking": THINKING,
    "redacted_thinking": REDACTED,
    "tool_use": TOOL_USE,
    "tool_result": TOOL_RESULT,
}
MESSAGE = record(
    {"role": one_of("user", "assistant", "system"), "content": text_or(array(tagged(BLOCKS)))},
    required=("role", "content"),
)
CUSTOM_TOOL = record(
    {
        "type": optional(one_of("custom")),
        "name": matching(TOOL_NAME),
        "description": string(),
        "input_schema": mapping,
        "cache_control": CACHE,
        "strict": boolean,
        "eager_input_streaming": optional(boolean),
        "defer_loading": boolean,
        "allowed_callers": array(string()),
        "input_examples": array(mapping),
    },
    required=("name", "input_schema"),
)


def tool(value: Any, path: Path) -> dict[str, Any]:
    """A client tool; Anthropic's own dated server tools are not validated."""
    kind = mapping(value, path).get("type")
    if isinstance(kind, str) and SERVER_TOOL.fullmatch(kind):
        return {**value, "server": True}
    read: dict[str, Any] = CUSTOM_TOOL(value, (*path, "custom"))
    return read


SHOWN = optional(one_of("summarized", "omitted"))
PARALLEL = {"type": anything, "disable_parallel_tool_use": boolean}
REQUEST = record(
    {
        "model": string(least=1, most=256),
        "messages": array(MESSAGE, least=1, most=100_000),
        "max_tokens": integer(0),
        "system": text_or(array(tagged({"text": TEXT}))),
        "metadata": record({"user_id": optional(string(most=256))}),
        "stop_sequences": array(string(least=1)),
        "stream": boolean,
        "temperature": number(0, 1),
        "top_p": number(0, 1),
        "top_k": integer(0),
        "tools": array(tool),
        "tool_choice": tagged(
            {
                "auto": record(PARALLEL),
                "any": record(PARALLEL),
                "tool": record({**PARALLEL, "name": matching(TOOL_NAME)}, required=("name",)),
                "none": record({"type": anything}),
            }
        ),
        "thinking": tagged(
            {
                "enabled": record(
                    {"type": anything, "budget_tokens": integer(1024), "display": SHOWN}, required=("budget_tokens",)
                ),
                "adaptive": record({"type": anything, "display": SHOWN}),
                "disabled": record({"type": anything}),
                "between_tools": record({"type": anything}),
            }
        ),
        "output_config": record(
            {
                "effort": optional(one_of("low", "medium", "high", "xhigh", "max")),
                "format": optional(
                    record({"type": one_of("json_schema"), "schema": mapping}, required=("type", "schema"))
                ),
            }
        ),
        "service_tier": one_of("auto", "standard_only"),
        "cache_control": CACHE,
        "container": anything,
        "diagnostics": optional(record({"previous_message_id": optional(string())})),
        "inference_geo": optional(string()),
        "speed": optional(one_of("standard", "fast")),
        "user_profile_id": string(),
    },
    required=("model", "messages", "max_tokens"),
)
