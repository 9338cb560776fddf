"""Errors in Anthropic's format: https://platform.claude.com/docs/en/api/errors"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from gateway.dialects.base import ErrorReply
from gateway.errors import (
    BudgetExceeded,
    ContextLengthExceeded,
    GatewayError,
    InvalidKey,
    short_message,
)
from gateway.sse import event

# Other 4xx are `invalid_request_error`, other 5xx `api_error`.
_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
# The windows for which Claude Code has words.
_PERIODS = {"day": "daily", "week": "weekly", "month": "monthly"}
_NUMBER = re.compile(r"\d[\d,]{3,}")


def error_reply(error: GatewayError, *, request_id: str) -> ErrorReply:
    body = {**error_body(error), "request_id": request_id}
    return ErrorReply(error.status, body, _headers(error))


def error_events(error: GatewayError) -> bytes:
    """The event that ends a broken stream; SDKs raise their error for it."""
    return event("error", orjson.dumps(error_body(error)))


def error_body(error: GatewayError) -> dict[str, Any]:
    return {"type": "error", "error": {"type": _type(error), "message": _message(error)}}


def _type(error: GatewayError) -> str:
    if isinstance(error, BudgetExceeded) and error.spent:
        return "billing_error"
    return _TYPES.get(error.status, "api_error" if error.status >= 500 else "invalid_request_error")


def _message(error: GatewayError) -> str:
    """Clients recognise a prompt that is too long by Anthropic's wording, and then shorten the conversation."""
    message = short_message(error)
    if not isinstance(error, ContextLengthExceeded) or "prompt is too long" in message:
        return message
    sizes = sorted({int(number.replace(",", "")) for number in _NUMBER.findall(message)})
    if len(sizes) < 2:
        return f"prompt is too long: {message}"
    return f"prompt is too long: {sizes[-1]} tokens > {sizes[-2]} maximum"


def _headers(error: GatewayError) -> dict[str, str]:
    """Claude Code tries for minutes unless it is told that a retry is useless; its words for a spent budget need the rest."""
    if isinstance(error, InvalidKey):
        return {"x-should-retry": "false"}
    if not isinstance(error, BudgetExceeded) or not error.spent:
        return {}
    headers = {
        "x-should-retry": "false",
        "anthropic-ratelimit-unified-status": "rejected",
        "anthropic-ratelimit-unified-overage-disabled-reason": "org_spend_cap_reached",
    }
    if error.resets_at is not None:
        headers["anthropic-ratelimit-unified-reset"] = str(int(error.resets_at.timestamp()))
    if error.window in _PERIODS:
        headers["anthropic-ratelimit-unified-overage-period"] = _PERIODS[error.window]
    return headers
