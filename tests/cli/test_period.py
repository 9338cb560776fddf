"""`--since` and `--until`."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import pytest

from gateway.cli.period import PointInTime

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ("90m", "2026-11-29T10:30:00.000+00:00"),
        ("24h", "2026-11-28T12:00:00.000+00:00"),
        ("7d", "2026-11-22T12:00:00.000+00:00"),
        ("4w", "2026-11-01T12:00:00.000+00:00"),
        ("2026-11-29", "2026-11-29T00:00:00.000+00:00"),
        ("2026-11-29T10:00+02:00", "2026-11-29T08:00:00.000+00:00"),
    ],
)
def test_time_is_a_date_or_how_long_ago(given: str, moment: str) -> None:
    """A date, a time, or how long ago it was; without a zone it is UTC."""
    assert PointInTime(now=lambda: NOW).convert(given, None, None) == moment


@pytest.mark.parametrize("given", ["soon", "7", "999999w", "2026-13-01"])
def test_what_is_no_time_is_refused(given: str) -> None:
    """Anything else is refused, with examples."""
    with pytest.raises(click.BadParameter, match="give 24h, 7d or 4w"):
        PointInTime(now=lambda: NOW).convert(given, None, None)
