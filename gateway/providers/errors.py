"""Classifies upstream errors: HTTP status, headers and error JSON of any vendor become one UpstreamError.

The status alone is not enough: an empty account is a 400, 402 or 429, a bad key a 400, 401 or 403, a prompt that is too long
a 400 or 413, and some errors come inside a response with status 200.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from gateway.errors import (
    ContextLengthExceeded,
    UpstreamAccountEmpty,
    UpstreamAuth,
    UpstreamError,
    UpstreamFailed,
    UpstreamInvalidResponse,
    UpstreamModelNotFound,
    UpstreamNotFound,
    UpstreamOverloaded,
    UpstreamRateLimited,
    UpstreamRejected,
    UpstreamTimeout,
    UpstreamUnsupportedMedia,
)
from gateway.providers.retry_after import clamped, number, retry_after_of

MAX_MESSAGE = 2_000

# Shorter keys are not real ones; they are redacted only as whole words.
_LONG_KEY = 8

_KEYS = re.compile(
    r"\bsk-[\w*-]{4,}|\bAIza[\w*-]{8,}|\bAQ\.[\w*-]{8,}|\b(?:gsk|xai|pplx)[_-][\w*-]{8,}"
    r"|(?<=bearer )[^\s\"',]+|(?<=[?&]key=)[^\s&\"']+|(?<=api[_-]key[:=])[\s\"']*[^\s\"',]+",
    re.IGNORECASE,
)
_ACCOUNT_EMPTY = re.compile(
    r"insufficient_quota|spend_limit|spend limit|spending limit|key limit exceeded|billing_(error|not_active|hard_limit)"
    r"|credit balance is too low|insufficient (credits|balance|funds)",
    re.IGNORECASE,
)
_KEY_REFUSED = re.compile(
    r"api[ _]key[ _](not valid|invalid|expired)|invalid[ _]api[ _]key|user location is not supported", re.IGNORECASE
)
_TOO_LONG = re.compile(
    r"context_length_exceeded|(maximum|model's|max) context (length|window|size)|prompt is too long|input is too long|context (window|limit|length)"
    r"|input token count.{0,40}exceeds|exceeds? the (maximum|max) (number of )?(input )?tokens|too many (input )?tokens",
    re.IGNORECASE | re.DOTALL,
)
_NO_SUCH_MODEL = re.compile(
    r"model_not_found|not a valid model|unknown model|\bmodel [`'\"]?[\w./:@-]+[`'\"]? (was )?(not found|does not exist)",
    re.IGNORECASE,
)
_NAMES_A_MODEL = re.compile(r"\bmodels?\b|no endpoints found", re.IGNORECASE)

# Statuses about the content that the client sent. Other 4xx concern the gateway's own request (405, 411, 426) or come from an
# intermediary (407, 421). They are not the client's fault and count as an invalid response.
_ABOUT_CONTENT = frozenset((400, 409, 413, 422, 451))
# Locked, failed dependency, too early.
_TRY_LATER = frozenset((423, 424, 425))

# Error codes and types without an HTTP status: inside a stream, or inside a response with status 200.
_STATUS_OF: Mapping[str, int] = {
    "invalid_request_error": 400,
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "context_length_exceeded": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "UNAUTHENTICATED": 401,
    "billing_error": 402,
    "permission_error": 403,
    "PERMISSION_DENIED": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "NOT_FOUND": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "RESOURCE_EXHAUSTED": 429,
    "api_error": 500,
    "server_error": 500,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "timeout_error": 504,
    "DEADLINE_EXCEEDED": 504,
    "overloaded_error": 529,
}


@dataclass(frozen=True, slots=True)
class ErrorParts:
    """The content of an error body: `code` is the vendor's own, `status` the HTTP status it names, `retry_after` in seconds.

    `from_provider`: the body has the format of a provider's error, `{"error": {"message": ...}}` or (Mistral, vLLM)
    `{"object": "error", "message": ...}`. A proxy, a web framework or a wrong URL sends other JSON or a page.
    """

    message: str | None = None
    code: str | None = None
    status: int | None = None
    retry_after: float | None = None
    from_provider: bool = False


def json_error_parts(body: bytes) -> ErrorParts:
    """Parses the error JSON of OpenAI, Anthropic, Google and OpenRouter; any other body gives empty parts."""
    try:
        return error_parts(orjson.loads(body))
    except orjson.JSONDecodeError:
        return ErrorParts()


def error_parts(value: object) -> ErrorParts:
    """The parts of parsed JSON: the whole body, or its `error` member."""
    if isinstance(value, list):
        return error_parts(value[0]) if value else ErrorParts()
    if not isinstance(value, dict):
        return ErrorParts(message=value) if isinstance(value, str) and value else ErrorParts()
    if value.get("error"):
        parts = error_parts(value["error"])
        return replace(parts, from_provider=isinstance(value["error"], dict) and parts.message is not None)
    metadata = value.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    codes = [*(value.get(name) for name in ("code", "status", "type")), metadata.get("error_type")]
    return ErrorParts(
        message=_message(value, metadata),
        code=next((code for code in codes if isinstance(code, str) and code and not code.isdigit()), None),
        status=next((status for status in map(_http_status, codes) if status is not None), None),
        retry_after=_retry_info(value.get("details")),
        from_provider=value.get("object") == "error",
    )


def classify(
    status: int,
    headers: Mapping[str, str],
    *,
    message: str | None,
    code: str | None,
    provider: str,
    retry_after: float | None = None,
    from_provider: bool = False,
) -> UpstreamError:
    """Classify a response by status, headers (names in lower case), message and code.

    `message` is the provider's own; keys are redacted here. `retry_after` comes from the body. `from_provider`: see
    ErrorParts.
    """
    text = redact(message or "")
    kind = _error_class(status, f"{code or ''} {text}", from_provider=from_provider)
    seconds = retry_after_of(headers)
    error = kind(
        _client_message(kind, text, status=status, provider=provider),
        provider=provider,
        upstream_status=status,
        upstream_code=code,
        retry_after=seconds if seconds is not None or retry_after is None else clamped(retry_after),
    )
    if status == 413 and kind is UpstreamRejected:
        error.status, error.code = 413, "request_too_large"
    return error


def classify_error_body(value: object, *, provider: str, key: str = "") -> UpstreamError:
    """The error inside an event or a 200 response. `value` is its JSON, or the `error` member alone."""
    parts = error_parts(value)
    status = parts.status or _STATUS_OF.get(parts.code or "", 502)
    message = redact(parts.message or "", key=key)
    return classify(
        status,
        {},
        message=message,
        code=parts.code,
        provider=provider,
        retry_after=parts.retry_after,
        from_provider=True,
    )


def redact(text: str, *, key: str = "") -> str:
    """Replace `key` and everything that looks like a key; cut to MAX_MESSAGE characters."""
    if len(key) >= _LONG_KEY:
        text = text.replace(key, "[redacted]")
    elif key:
        text = re.sub(rf"(?<![\w-]){re.escape(key)}(?![\w-])", "[redacted]", text)
    # Search twice the kept length, so that no key is cut in half before it is found.
    text = _KEYS.sub("[redacted]", text[: 2 * MAX_MESSAGE])
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + "..."


def _error_class(status: int, text: str, *, from_provider: bool) -> type[UpstreamError]:
    if status == 402 or (400 <= status < 500 and _ACCOUNT_EMPTY.search(text)):
        return UpstreamAccountEmpty
    if status in (401, 403) or (status == 400 and _KEY_REFUSED.search(text)):
        return UpstreamAuth
    if status in (404, 410):
        return _missing(text, from_provider=from_provider)
    if status in (408, 504, 524):
        return UpstreamTimeout
    if status == 429:
        return UpstreamRateLimited
    if status in _ABOUT_CONTENT:
        return _rejected(text)
    if status == 415 and from_provider:
        return UpstreamUnsupportedMedia
    if status in _TRY_LATER:
        return UpstreamOverloaded
    if status in (500, 502):
        return UpstreamFailed
    return UpstreamOverloaded if 500 < status < 600 else UpstreamInvalidResponse


def _missing(text: str, *, from_provider: bool) -> type[UpstreamError]:
    if _NAMES_A_MODEL.search(text):
        return UpstreamModelNotFound
    return UpstreamNotFound if from_provider else UpstreamInvalidResponse


def _rejected(text: str) -> type[UpstreamError]:
    if _TOO_LONG.search(text):
        return ContextLengthExceeded
    return UpstreamModelNotFound if _NO_SUCH_MODEL.search(text) else UpstreamRejected


def _client_message(kind: type[UpstreamError], text: str, *, status: int, provider: str) -> str:
    if kind is UpstreamAuth:
        return f"{provider} refused the gateway's key."
    if kind is UpstreamAccountEmpty:
        return f"The gateway's account at {provider} cannot pay for this request."
    return text or f"{provider} answered with HTTP status {status} and no reason."


def _message(value: Mapping[str, Any], metadata: Mapping[str, Any]) -> str | None:
    message = next(
        (text for text in map(value.get, ("message", "detail", "error_description")) if isinstance(text, str) and text),
        None,
    )
    raw = metadata.get("raw")
    if not isinstance(raw, str) or not raw:
        return message
    # OpenRouter wraps the message of the provider behind it.
    inner = json_error_parts(raw.encode("utf-8", "replace")).message or raw
    return inner if message is None else f"{message}: {inner}"


def _http_status(code: object) -> int | None:
    if isinstance(code, str) and code.isdecimal() and len(code) == 3:
        code = int(code)
    if isinstance(code, bool) or not isinstance(code, int):
        return None
    return code if 400 <= code < 600 else None


def _retry_info(details: object) -> float | None:
    """The delay in Google's google.rpc.RetryInfo, a duration such as "27.5s", in seconds."""
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        seconds = number(delay.removesuffix("s")) if isinstance(delay, str) else None
        if seconds is not None:
            return seconds
    return None
