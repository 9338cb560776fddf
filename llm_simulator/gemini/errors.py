"""Google's error format: `{"error": {"code", "message", "status", "details"}}`."""

from __future__ import annotations

from typing import Any

from llm_simulator.validators import Path, Problem
from llm_simulator.vendor import Body, VendorError

KINDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
UNREGISTERED = (
    "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API "
    "consumer identity to call this API."
)
MESSAGES = {
    "bad_request": "Request contains an invalid argument.",
    "context_length": "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).",
    "spend_limit": "Your project has exceeded its monthly spending cap.",
    "payment_required": "Your prepayment credits are depleted.",
    "forbidden": "Your API key was reported as leaked. Please use another API key.",
    "not_found": "models/gemini-nope is not found for API version v1beta, or is not supported for generateContent.",
    "too_large": "Request payload size exceeds the limit: 20971520 bytes.",
    "insufficient_quota": "You exceeded your current quota, please check your plan and billing details.",
    "overloaded": "The model is overloaded. Please try again later.",
    "unavailable": "The model is overloaded. Please try again later.",
    "gateway_timeout": "Deadline expired before operation could complete.",
}
LIMITED = "Resource has been exhausted (e.g. check quota)."
INTERNAL = "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting"
QUOTA = "generativelanguage.googleapis.com/generate_content_free_tier_requests"
GOOGLE = "type.googleapis.com/google.rpc"


def bad_key() -> VendorError:
    info = {"@type": f"{GOOGLE}.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
    return VendorError("API key not valid. Please pass a valid API key.", kind="INVALID_ARGUMENT", details=[info])


def not_found(model: str, method: str) -> VendorError:
    text = f"models/{model} is not found for API version v1beta, or is not supported for {method}. Call ModelService.ListModels to "
    return VendorError(
        text + "see the list of available models and their supported methods.", status=404, kind="NOT_FOUND"
    )


def unknown_query(name: str) -> VendorError:
    message = f"Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query parameter. Field '{name}' could not be found."
    return VendorError(message, kind="INVALID_ARGUMENT")


def failure(name: str, status: int) -> VendorError:
    """The error of a fault. Google has no 529, and sends 400 for a bad key."""
    if name == "unauthorized":
        return bad_key()
    status = 503 if status == 529 else status
    message = MESSAGES.get(name, LIMITED if status == 429 else INTERNAL)
    details: list[Any] | None = None
    if name == "insufficient_quota":
        details = [{"@type": f"{GOOGLE}.QuotaFailure", "violations": [{"quotaMetric": QUOTA, "quotaId": "PerDay"}]}]
    return VendorError(message, status=status, kind=KINDS.get(status, "UNKNOWN"), details=details)


def body(vendor_error: VendorError) -> Body:
    kind = vendor_error.kind or KINDS.get(vendor_error.status, "UNKNOWN")
    error: dict[str, Any] = {"code": vendor_error.status, "message": vendor_error.message, "status": kind}
    details = list(vendor_error.details or [])
    if vendor_error.retry_after is not None:
        details.append({"@type": f"{GOOGLE}.RetryInfo", "retryDelay": f"{vendor_error.retry_after:g}s"})
    return {"error": error | ({"details": details} if details else {})}


def where(path: Path) -> str:
    """`contents[0].parts[1]`, as protobuf writes a path."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def vendor_error(problem: Problem) -> VendorError:
    """The error for a validation problem."""
    path = problem.path
    if problem.reason == "extra":
        location = f" at '{where(path[:-1])}'" if path[:-1] else ""
        message = f'Invalid JSON payload received. Unknown name "{path[-1]}"{location}: Cannot find field.'
        violation = {"field": where(path[:-1]), "description": message}
        details = [{"@type": f"{GOOGLE}.BadRequest", "fieldViolations": [violation]}]
        return VendorError(message, kind="INVALID_ARGUMENT", details=details)
    if problem.reason == "type":
        return VendorError(f"Invalid value at '{where(path)}': {problem.message}", kind="INVALID_ARGUMENT")
    message = f"* GenerateContentRequest.{where(path)}: {problem.message}" if path else problem.message
    return VendorError(message, kind="INVALID_ARGUMENT")
