"""Points in time as people write them: `7d`, `36h`, `90m`, a date, or a date with a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from gateway.errors import InvalidRequest

_AGO = re.compile(r"(\d{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def moment(text: str, *, now: datetime, name: str = "since") -> datetime:
    """The time that `text` names, in UTC; a time without a zone is UTC. `name` is that of the option, for the error.

    Raises InvalidRequest for anything else, and for a time before the year 1.
    """
    try:
        if (ago := _AGO.fullmatch(text.strip())) is not None:
            return now.astimezone(UTC) - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])
        parsed = datetime.fromisoformat(text.strip())
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest(
            f"{name} is a time ago (7d, 36h, 90m) or a date (2026-11-29, 2026-11-29T10:00), not {text[:40]!r}.",
            param=name,
        ) from None
