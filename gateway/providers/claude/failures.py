"""Anthropic's errors, as an HTTP answer or as an event: `{"type": "error", "error": {"type", "message"}}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.errors import UpstreamError
from gateway.providers.failures import classify, classify_told, json_error_parts, redact

# Sent as 400 invalid_request_error, or as 429: https://platform.claude.com/docs/en/api/errors
_SPENT = re.compile(r"specified (API )?usage limits?|credit balance|spend limit", re.IGNORECASE)


def answered_failure(status: int, headers: Mapping[str, str], body: bytes, *, provider: str, key: str) -> UpstreamError:
    """What a non-2xx answer means; a page that is no JSON counts by its status."""
    parts = json_error_parts(body)
    message = redact(parts.message, key=key) if parts.message else None
    code = "billing_error" if message and _SPENT.search(message) else parts.code
    return classify(status, headers, message=message, code=code, provider=provider, retry_after=parts.retry_after)


def told_failure(data: Mapping[str, Any], *, provider: str, key: str) -> UpstreamError:
    """What an `error` event, or a 200 answer that is an error, tells of."""
    return classify_told(data, provider=provider, key=key)
