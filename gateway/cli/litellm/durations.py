"""LiteLLM's durations (`30d`), and the calendar window here that is nearest to each."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from gateway.accounts.budgets import Budget, Window

_DURATION = re.compile(r"([0-9]{1,6})(s|m|h|d|w|mo)")
_UNITS: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "mo": 2_592_000}
# Seconds of each window; a month has 30 days, as LiteLLM's usual `30d`.
WINDOW_SECONDS: Mapping[Window, int] = {"hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000}
_NAMED: Mapping[str, str] = {"hourly": "1h", "daily": "1d", "weekly": "7d", "monthly": "30d"}


def seconds_of(duration: object) -> int | None:
    """Seconds of `30s`, `30m`, `24h`, `7d`, `1w`, `1mo`; None for anything else."""
    text = str(duration).strip().lower()
    found = _DURATION.fullmatch(_NAMED.get(text, text))
    return int(found[1]) * _UNITS[found[2]] if found and int(found[1]) else None


def budget_of(limit_usd: float, duration: object) -> tuple[Budget, bool]:
    """The budget for a limit per `duration` (None: in total), and whether it means the same.

    Where there is no such window, it is the nearest one with as much money by time. Raises ValueError for an unknown duration.
    """
    if duration in (None, ""):
        return Budget(round(limit_usd * 1e9)), True
    seconds = seconds_of(duration)
    if seconds is None:
        raise ValueError(f"{duration!r} is no duration")
    seconds = WINDOW_SECONDS["month"] if seconds == 31 * _UNITS["d"] else seconds
    window = min(WINDOW_SECONDS, key=lambda name: abs(math.log(WINDOW_SECONDS[name] / seconds)))
    scale = WINDOW_SECONDS[window] / seconds
    return Budget(round(limit_usd * scale * 1e9), window), scale == 1
