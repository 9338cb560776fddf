"""Parses how long an upstream asks to wait, in seconds, from its response headers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER = 600.0

# Above _UNIX_TIME, `x-ratelimit-reset` is a Unix time; above _UNIX_MILLISECONDS it is in milliseconds (OpenRouter).
_UNIX_TIME = 1e9
_UNIX_MILLISECONDS = 1e11


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """0 to MAX_RETRY_AFTER, None without such a header. Dates are relative to the response's own `date` header."""
    wait = _milliseconds(headers)
    if wait is None:
        wait = _retry_after(headers)
    if wait is None:
        wait = _rate_limit_reset(headers)
    return None if wait is None else clamped(wait)


def clamped(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def number(text: str | None) -> float | None:
    """The number in a header; None for anything else, also NaN."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if value == value else None


def _milliseconds(headers: Mapping[str, str]) -> float | None:
    value = number(headers.get("retry-after-ms"))
    return None if value is None else value / 1000


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """https://www.rfc-editor.org/rfc/rfc9110#field.retry-after: seconds or a date."""
    value = headers.get("retry-after", "")
    seconds = number(value)
    if seconds is not None:
        return seconds
    date = _date(value)
    return None if date is None else _from_now(date.timestamp(), headers)


def _rate_limit_reset(headers: Mapping[str, str]) -> float | None:
    """Seconds from now, or a Unix time in seconds or milliseconds: there is no standard."""
    value = number(headers.get("x-ratelimit-reset"))
    if value is None or value <= _UNIX_TIME:
        return value
    return _from_now(value / 1000 if value > _UNIX_MILLISECONDS else value, headers)


def _from_now(timestamp: float, headers: Mapping[str, str]) -> float | None:
    now = _date(headers.get("date", ""))
    return None if now is None else timestamp - now.timestamp()


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
