"""Validates a request as OpenRouter does, and selects the model that serves it."""

from __future__ import annotations

import json
from typing import Any

from llm_simulator.models import AUTO_CHOICE, OPENROUTER_AUTO, OPENROUTER_ID, openrouter_serves
from llm_simulator.validators import Problem, decode_base64
from llm_simulator.vendor import VendorError

MAX_FALLBACKS = 3


def check_request(body: dict[str, Any]) -> None:
    if "model" not in body and not body.get("models"):
        raise Problem(("model",), "missing", 'Input required: specify "model" or "models"')
    if len(body.get("models", [])) > MAX_FALLBACKS:
        raise Problem((), "value", f"'models' array must have {MAX_FALLBACKS} items or fewer.")
    check_tools(body)
    check_calls(body["messages"])
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        raise Problem(("top_logprobs",), "value", "'logprobs' must be true to use 'top_logprobs'")
    if body.get("stream_options") and not body.get("stream"):
        raise Problem(("stream_options",), "value", "'stream_options' is only allowed when 'stream' is true")
    reasoning = body.get("reasoning", {})
    if reasoning.get("effort") and reasoning.get("max_tokens"):
        raise Problem(
            ("reasoning",), "value", 'Only one of "reasoning.effort" and "reasoning.max_tokens" can be specified'
        )
    if reasoning.get("effort") and body.get("reasoning_effort") not in (None, reasoning["effort"]):
        raise Problem(("reasoning_effort",), "value", 'conflicts with "reasoning.effort"')
    for index, message in enumerate(body["messages"]):
        check_parts(message, index)


def check_tools(body: dict[str, Any]) -> None:
    names = [tool["function"]["name"] for tool in body.get("tools", [])]
    if len(set(names)) < len(names):
        raise Problem(("tools",), "value", "Tool names must be unique.")
    choice = body.get("tool_choice")
    if choice is not None and not names and choice != "none":
        raise Problem(("tool_choice",), "value", "'tool_choice' is only allowed when 'tools' are specified.")
    if isinstance(choice, dict) and choice["function"]["name"] not in names:
        raise Problem(
            ("tool_choice",), "value", f"Tool choice '{choice['function']['name']}' not found in 'tools' parameter."
        )
    if body.get("parallel_tool_calls") is not None and not names:
        raise Problem(
            ("parallel_tool_calls",), "value", "'parallel_tool_calls' is only allowed when 'tools' are specified."
        )


def check_calls(messages: list[dict[str, Any]]) -> None:
    """Check that tool messages directly follow their calls, one per call."""
    waiting: list[str] = []
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                orphan = "messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                raise Problem(("messages", index, "role"), "value", orphan)
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            break
        for call in message.get("tool_calls") or []:
            waiting.append(call["id"])
            check_arguments(call["function"]["arguments"], index)
    if waiting:
        unanswered = "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        raise Problem(
            (),
            "value",
            unanswered + f"The following tool_call_ids did not have response messages: {', '.join(waiting)}",
        )


def check_arguments(arguments: str, index: int) -> None:
    try:
        parsed = json.loads(arguments or "{}")
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise Problem(("messages", index, "tool_calls"), "value", "function arguments must be a JSON object")


def check_parts(message: dict[str, Any], index: int) -> None:
    for number, part in enumerate(message["content"] if isinstance(message.get("content"), list) else []):
        path = ("messages", index, "content", number)
        if part["type"] == "file" and not part["file"].keys() & {"file_data", "file_id", "file_url"}:
            raise Problem((*path, "file"), "value", "file_data is required")
        url = part.get("image_url", {}).get("url", "https://")
        if not url.startswith(("https://", "http://", "data:image/")):
            raise Problem((*path, "image_url", "url"), "value", "Invalid image URL")
        data = url.partition(";base64,")[2] if url.startswith("data:") else part.get("input_audio", {}).get("data", "")
        try:
            decode_base64(data)
        except ValueError:
            raise Problem(path, "value", "Invalid base64 data") from None


def served_model(body: dict[str, Any]) -> str:
    """The first of `model` and `models` that OpenRouter serves.

    An id without a vendor is a 400, one of an unknown vendor or with a made-up name (`models.MADE_UP_WORDS`) a 404.
    """
    candidates = [body["model"]] if "model" in body else []
    candidates += body.get("models", [])
    for model in candidates:
        if model != OPENROUTER_AUTO and not OPENROUTER_ID.fullmatch(model):
            raise VendorError(f"{model} is not a valid model ID")
    served = next((model for model in candidates if openrouter_serves(model)), None)
    if served is None:
        raise VendorError(f"No endpoints found for {candidates[0]}.", status=404)
    return AUTO_CHOICE if served == OPENROUTER_AUTO else served
