"""Google's error JSON: `{"error": {"code", "message", "status", "details"}}`, in a list where a stream was asked for.

https://google.aip.dev/193
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from gateway.errors import UpstreamError
from gateway.providers.errors import ErrorParts, classify, classify_error_body, error_parts, redact

# What Google calls an account that cannot pay; it comes as 429 too, where only 402 is unmistakable.
NO_MONEY = re.compile(
    r"spend(ing)? (cap|limit)|prepa(id|yment) credits?|credits? (are|is) (depleted|exhausted)", re.IGNORECASE
)
PAYMENT_REQUIRED = 402
# Google answers 403 for a file or cache that a request names and that is gone or another project's. The key is fine.
NO_SUCH_RESOURCE = re.compile(
    r"permission to access the (file|cached ?content)|cached ?content not found", re.IGNORECASE
)
NOT_FOUND = 404


def parse_error_response(
    status: int, headers: Mapping[str, str], body: bytes, *, provider: str, key: str
) -> UpstreamError:
    """What a non-2xx answer means; anything but Google's JSON is judged by its status. `key` is cut out of messages."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    return _classified(status, headers, value, provider=provider, key=key)


def find_error(value: Any, *, provider: str, key: str) -> UpstreamError | None:
    """The error that an answer or a stream's event tells of, though it came with status 200; None when it tells of none."""
    if not _error(value):
        return None
    parts = error_parts(value)
    if parts.status is None and not _is_empty(parts):
        return classify_error_body(value, provider=provider, key=key)
    return _classified(parts.status or PAYMENT_REQUIRED, {}, value, provider=provider, key=key)


def _classified(status: int, headers: Mapping[str, str], value: Any, *, provider: str, key: str) -> UpstreamError:
    parts = error_parts(value)
    # A reason as API_KEY_INVALID says more than INVALID_ARGUMENT.
    code = next((reason for reason in _reasons(value) if reason.startswith("API_KEY_")), parts.code)
    if 400 <= status < 500 and _is_empty(parts):
        status = PAYMENT_REQUIRED
    elif status == 403 and NO_SUCH_RESOURCE.search(parts.message or ""):
        status = NOT_FOUND
    return classify(
        status,
        headers,
        message=redact(parts.message or "", key=key),
        code=code,
        provider=provider,
        retry_after=parts.retry_after,
        from_provider=parts.from_provider,
    )


def _is_empty(parts: ErrorParts) -> bool:
    return NO_MONEY.search(parts.message or "") is not None


def _error(value: Any) -> Any:
    if isinstance(value, list):
        value = value[0] if value else None
    return value.get("error") if isinstance(value, Mapping) else None


def _reasons(value: Any) -> Iterator[str]:
    """google.rpc.ErrorInfo: a constant that names the cause."""
    error = _error(value)
    details = error.get("details") if isinstance(error, Mapping) else None
    for detail in details if isinstance(details, list) else ():
        reason = detail.get("reason") if isinstance(detail, Mapping) else None
        if isinstance(reason, str):
            yield reason
