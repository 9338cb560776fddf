"""OpenRouter's error format: `{"error": {"code": <number>, "message", "metadata"}, "user_id"}`."""

from __future__ import annotations

from typing import Any

from llm_simulator.validators import Problem
from llm_simulator.vendor import Body, Event, VendorError

MESSAGES = {
    "bad_request": "Provider returned error",
    "context_length": "This endpoint's maximum context length is 131072 tokens. However, you requested about 200000 tokens.",
    "spend_limit": "Key limit exceeded (monthly limit).",
    "unauthorized": "User not found.",
    "payment_required": "Insufficient credits. Add more using https://openrouter.ai/settings/credits",
    "forbidden": "The request was flagged by moderation.",
    "not_found": "No endpoints found for vendor/nope.",
    "request_timeout": "Request timed out",
    "too_large": "Request Entity Too Large",
    "insufficient_quota": "You exceeded your current quota, please check your plan and billing details.",
    "overloaded": "Provider returned error",
    "unavailable": "No instances available",
    "bad_gateway": "Provider returned error",
    "gateway_timeout": "The operation was aborted",
}
LIMITED = "Rate limit exceeded: 20 requests per minute."
INTERNAL = "Internal Server Error"


def failure(name: str, status: int) -> VendorError:
    """The error of a fault. OpenRouter sends 503 for overload."""
    status = 503 if status == 529 else status
    message = MESSAGES.get(name, LIMITED if status == 429 else INTERNAL)
    details: dict[str, Any] | None = None
    if message == "Provider returned error":
        details = {"raw": '{"error":{"message":"upstream says no"}}', "provider_name": "Simulated"}
    elif name == "insufficient_quota":
        details = {"error_type": "insufficient_quota"}
    return VendorError(message, status=status, details=details)


def body(vendor_error: VendorError) -> Body:
    error: dict[str, Any] = {"message": vendor_error.message, "code": vendor_error.status}
    if vendor_error.details:
        error["metadata"] = vendor_error.details
    if vendor_error.retry_after is not None:
        vendor_error.headers.setdefault("retry-after", f"{vendor_error.retry_after:g}")
    return {"error": error, "user_id": "user_simulated"}


def event(vendor_error: VendorError) -> Event:
    """An error inside a stream: a chunk with `error` and a choice with finish reason `error`."""
    choice = {
        "index": 0,
        "delta": {"role": "assistant", "content": ""},
        "finish_reason": "error",
        "native_finish_reason": "error",
    }
    chunk = {"id": "gen-error", "object": "chat.completion.chunk", "created": 0, "model": "", "provider": "Simulated"}
    return Event(data={**chunk, "error": body(vendor_error)["error"], "choices": [choice]})


def vendor_error(problem: Problem) -> VendorError:
    """The error for a validation problem."""
    path = ".".join(str(step) for step in problem.path[:-1])
    if problem.reason == "extra":
        return VendorError(f'Unrecognized key: "{problem.path[-1]}"' + (f" at {path}" if path else ""))
    where = ".".join(str(step) for step in problem.path)
    return VendorError(f"{where}: {problem.message}" if where else problem.message)
