"""Parses Google's error JSON: `{"error": {"code", "message", "status", "details"}}`, in an array where a stream was requested.

https://google.aip.dev/193
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from gateway.errors import UpstreamError
from gateway.providers.errors import ErrorParts, classify, classify_error_body, error_parts, redact

# Messages of an account that cannot pay. Google also sends them with 429, where only 402 is unambiguous.
ACCOUNT_EMPTY = re.compile(
    r"spend(ing)? (cap|limit)|prepa(id|yment) credits?|credits? (are|is) (depleted|exhausted)", re.IGNORECASE
)
PAYMENT_REQUIRED = 402
# Google sends 403 for a file or cache that is missing or belongs to another project. The key is valid.
NO_SUCH_RESOURCE = re.compile(
    r"permission to access the (file|cached ?content)|cached ?content not found", re.IGNORECASE
)
NOT_FOUND = 404


def parse_error_response(
    status: int, headers: Mapping[str, str], body: bytes, *, provider: str, key: str
) -> UpstreamError:
    """The error of a non-2xx response; a body that is not Google's JSON is classified by the status. Redacts `key`."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    return _classify(status, headers, value, provider=provider, key=key)


def find_error(value: Any, *, provider: str, key: str) -> UpstreamError | None:
    """The error inside a 200 response or a stream event; None without one."""
    if not _error(value):
        return None
    parts = error_parts(value)
    if parts.status is None and not _is_account_empty(parts):
        return classify_error_body(value, provider=provider, key=key)
    return _classify(parts.status or PAYMENT_REQUIRED, {}, value, provider=provider, key=key)


def _classify(status: int, headers: Mapping[str, str], value: Any, *, provider: str, key: str) -> UpstreamError:
    parts = error_parts(value)
    # A reason such as API_KEY_INVALID is more specific than INVALID_ARGUMENT.
    code = next((reason for reason in _reasons(value) if reason.startswith("API_KEY_")), parts.code)
    if 400 <= status < 500 and _is_account_empty(parts):
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


def _is_account_empty(parts: ErrorParts) -> bool:
    return ACCOUNT_EMPTY.search(parts.message or "") is not None


def _error(value: Any) -> Any:
    if isinstance(value, list):
        value = value[0] if value else None
    return value.get("error") if isinstance(value, Mapping) else None


def _reasons(value: Any) -> Iterator[str]:
    """The reasons in google.rpc.ErrorInfo details."""
    error = _error(value)
    details = error.get("details") if isinstance(error, Mapping) else None
    for detail in details if isinstance(details, list) else ():
        reason = detail.get("reason") if isinstance(detail, Mapping) else None
        if isinstance(reason, str):
            yield reason
