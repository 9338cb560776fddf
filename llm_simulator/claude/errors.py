"""Anthropic's error format: `{"type": "error", "error": {"type", "message"}, "request_id"}`."""

from __future__ import annotations

from typing import Any

from llm_simulator.seeded_random import SeededRandom
from llm_simulator.validators import Problem
from llm_simulator.vendor import Body, VendorError

KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
MESSAGES = {
    "bad_request": "messages: invalid argument",
    "context_length": "prompt is too long: 1048577 tokens > 1000000 maximum",
    "spend_limit": "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
    "unauthorized": "invalid x-api-key",
    "payment_required": "Your credit balance is too low to access the Anthropic API.",
    "forbidden": "Your API key does not have permission to use the specified resource.",
    "not_found": "model: claude-nope",
    "request_timeout": "Request timed out",
    "too_large": "Request exceeds the maximum allowed number of bytes.",
    "insufficient_quota": "Your organization has reached its enforced spend limit.",
    "overloaded": "Overloaded",
    "unavailable": "Service temporarily unavailable",
    "gateway_timeout": "The request timed out",
}
LIMITED = "This request would exceed your organization's rate limit of 50 requests per minute."


def failure(name: str, status: int) -> VendorError:
    message = MESSAGES.get(name, LIMITED if status == 429 else "Internal server error")
    details = {"type": "enforced_spend_limit_reached"} if name == "insufficient_quota" else None
    return VendorError(message, status=status, kind=KINDS.get(status, "api_error"), details=details)


def body(vendor_error: VendorError) -> Body:
    error: dict[str, Any] = {
        "type": vendor_error.kind or KINDS.get(vendor_error.status, "api_error"),
        "message": vendor_error.message,
    }
    if vendor_error.details:
        error["details"] = vendor_error.details
    if vendor_error.retry_after is not None:
        vendor_error.headers.setdefault("retry-after", f"{vendor_error.retry_after:g}")
    return {
        "type": "error",
        "error": error,
        "request_id": f"req_{SeededRandom('error', vendor_error.message).token(24)}",
    }


def vendor_error(problem: Problem) -> VendorError:
    """The error for a validation problem: the dotted path, then the message."""
    path = ".".join(str(step) for step in problem.path)
    return VendorError(f"{path}: {problem.message}" if path else problem.message)
