"""Parses Anthropic's errors, from an HTTP response or an event: `{"type": "error", "error": {"type", "message"}}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.errors import UpstreamError
from gateway.providers.errors import ErrorParts, classify, classify_error_body, error_parts, json_error_parts, redact

# Sent as 400 invalid_request_error, or as 429: https://platform.claude.com/docs/en/api/errors
_SPENT = re.compile(r"specified (API )?usage limits?|credit balance|spend limit", re.IGNORECASE)


def parse_error_response(
    status: int, headers: Mapping[str, str], body: bytes, *, provider: str, key: str
) -> UpstreamError:
    """The error of a non-2xx response; a body that is not JSON is classified by the status."""
    parts = json_error_parts(body)
    return classify(
        status,
        headers,
        message=redact(parts.message or "", key=key),
        code=_code(parts),
        provider=provider,
        retry_after=parts.retry_after,
        from_provider=parts.from_provider,
    )


def parse_error_event(data: Mapping[str, Any], *, provider: str, key: str) -> UpstreamError:
    """The error of an `error` event, or of a 200 response that is an error."""
    parts = error_parts(data)
    return classify_error_body({"message": parts.message, "type": _code(parts)}, provider=provider, key=key)


def _code(parts: ErrorParts) -> str | None:
    return "billing_error" if _SPENT.search(parts.message or "") else parts.code
