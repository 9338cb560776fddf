"""Anthropic's errors, as an HTTP answer or as an event: `{"type": "error", "error": {"type", "message"}}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.errors import UpstreamError
from gateway.providers.errors import ErrorParts, classify, classify_told, error_parts, json_error_parts, redact

# Sent as 400 invalid_request_error, or as 429: https://platform.claude.com/docs/en/api/errors
_SPENT = re.compile(r"specified (API )?usage limits?|credit balance|spend limit", re.IGNORECASE)


def answered_failure(status: int, headers: Mapping[str, str], body: bytes, *, provider: str, key: str) -> UpstreamError:
    """What a non-2xx answer means; a page that is no JSON counts by its status."""
    parts = json_error_parts(body)
    return classify(
        status,
        headers,
        message=redact(parts.message or "", key=key),
        code=_code(parts),
        provider=provider,
        retry_after=parts.retry_after,
        own=parts.own,
    )


def told_failure(data: Mapping[str, Any], *, provider: str, key: str) -> UpstreamError:
    """What an `error` event, or a 200 answer that is an error, tells of."""
    parts = error_parts(data)
    return classify_told({"message": parts.message, "type": _code(parts)}, provider=provider, key=key)


def _code(parts: ErrorParts) -> str | None:
    return "billing_error" if _SPENT.search(parts.message or "") else parts.code
