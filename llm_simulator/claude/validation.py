"""Validates the parameters of a request as each Claude generation does."""

from __future__ import annotations

import re
from typing import Any

from llm_simulator.claude.output_schemas import check_output_schema
from llm_simulator.models import ClaudeModel
from llm_simulator.validators import Problem

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
PHONE = re.compile(r"\+?\d[\d ()-]{8,}\d")
MAX_BREAKPOINTS = 4
NEW_VERSION = "2026-10-21"
VERSIONS = ("2023-01-01", "2023-06-01", NEW_VERSION)
THINKING_FORCED = "Thinking may not be enabled when tool_choice forces tool use."


def check_retired_fields(body: dict[str, Any], *, version: str) -> None:
    """Check for removed fields: the sampling fields since API version 2026-10-21, and `output_format`."""
    for name in ("temperature", "top_p", "top_k"):
        if name in body and version == NEW_VERSION:
            raise Problem((name,), "extra", "Extra inputs are not permitted")
    if "output_format" in body:
        raise Problem(("output_format",), "extra", "This field is deprecated. Use 'output_config.format' instead.")


def check_parameters(body: dict[str, Any], model: ClaudeModel) -> None:
    check_max_tokens(body, model)
    check_sampling(body, model)
    check_thinking(body, model)
    check_output(body, model)
    check_cache_control(body)
    check_user_id(body.get("metadata", {}).get("user_id"))
    for index, stop in enumerate(body.get("stop_sequences", [])):
        if not stop.strip():
            raise Problem(("stop_sequences", index), "value", "each stop sequence must contain non-whitespace")


def check_max_tokens(body: dict[str, Any], model: ClaudeModel) -> None:
    requested = body["max_tokens"]
    if requested > model.max_output:
        limit = f"{requested} > {model.max_output}, which is the maximum allowed number of output tokens for {model.id}"
        raise Problem(("max_tokens",), "value", limit)


def check_sampling(body: dict[str, Any], model: ClaudeModel) -> None:
    for name in ("temperature", "top_p", "top_k"):
        if name in body and not model.sampling:
            raise Problem((), "value", f"`{name}` is deprecated for this model.")
    if "temperature" in body and "top_p" in body and model.generation <= 4.5:
        both = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
        raise Problem((), "value", both)
    if not enables_thinking(body):
        return
    if body.get("temperature", 1) != 1:
        raise Problem((), "value", "`temperature` may only be set to 1 when thinking is enabled.")
    if body.get("top_p", 1) < 0.95:
        raise Problem((), "value", "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.")
    if "top_k" in body:
        raise Problem((), "value", "`top_k` must be unset when thinking is enabled.")


def enables_thinking(body: dict[str, Any]) -> bool:
    """Whether the request enables thinking."""
    return body.get("thinking", {}).get("type") in ("enabled", "adaptive")


def check_thinking(body: dict[str, Any], model: ClaudeModel) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking["type"]
    if kind not in model.thinking:
        raise Problem((), "value", unsupported_thinking(kind, model))
    effort = body.get("output_config", {}).get("effort") or model.default_effort
    if kind == "disabled" and model.thinks_unasked and effort in ("xhigh", "max"):
        raise Problem((), "value", f'"thinking.type.disabled" is not supported with effort "{effort}" for this model.')
    if kind == "enabled" and thinking["budget_tokens"] >= body["max_tokens"]:
        raise Problem((), "value", "`max_tokens` must be greater than `thinking.budget_tokens`.")
    if enables_thinking(body) and body.get("tool_choice", {}).get("type") in ("any", "tool"):
        raise Problem((), "value", THINKING_FORCED)


def unsupported_thinking(kind: str, model: ClaudeModel) -> str:
    message_text = f'"thinking.type.{kind}" is not supported for this model.'
    if kind == "disabled" and "between_tools" in model.thinking:
        return f'{message_text} To turn thinking off on this model, send "thinking": {{"type": "between_tools"}}.'
    if "adaptive" in model.thinking:
        return f'{message_text} Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
    return f'{message_text} Use "thinking.type.enabled" with "budget_tokens".'


def check_output(body: dict[str, Any], model: ClaudeModel) -> None:
    config = body.get("output_config", {})
    effort = config.get("effort")
    if effort is not None and effort not in model.efforts:
        if not model.efforts:
            raise Problem((), "value", "This model does not support the effort parameter.")
        known = ", ".join(model.efforts)
        raise Problem(
            ("output_config", "effort"), "value", f"'{effort}' is not supported for this model. Use one of: {known}."
        )
    if config.get("format"):
        check_output_schema(config["format"]["schema"], ("output_config", "format", "schema"))


def check_cache_control(body: dict[str, Any]) -> None:
    marks = breakpoints(body)
    if len(marks) > MAX_BREAKPOINTS:
        raise Problem(
            (),
            "value",
            f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {len(marks)}.",
        )
    lives = [cache_control.get("ttl", "5m") for cache_control in marks]
    if "1h" in lives and "5m" in lives[: len(lives) - lives[::-1].index("1h") - 1]:
        late = "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block."
        raise Problem((), "value", late)


def breakpoints(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Every cache_control, in the order tools, system, messages, and the top-level one."""
    blocks: list[Any] = [*body.get("tools", [])]
    blocks += body["system"] if isinstance(body.get("system"), list) else []
    for message in body["messages"]:
        for block in message["content"] if isinstance(message["content"], list) else []:
            inner = block.get("content")
            blocks += [*(inner if isinstance(inner, list) else []), block]
    return [block["cache_control"] for block in [*blocks, body] if block.get("cache_control")]


def check_user_id(user_id: str | None) -> None:
    if user_id is not None and EMAIL.search(user_id):
        raise Problem(("metadata", "user_id"), "value", "user_id appears to contain an email address")
    if user_id is not None and PHONE.fullmatch(user_id):
        raise Problem(("metadata", "user_id"), "value", "user_id appears to contain a phone number")
