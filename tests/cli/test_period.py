"""Times on the command line."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import pytest

from gateway.cli.period import PointInTime

TIME = PointInTime(now=lambda: datetime(2026, 11, 29, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("90m", "2026-11-29T10:30:00.000+00:00"),
        ("24h", "2026-11-28T12:00:00.000+00:00"),
        ("7d", "2026-11-22T12:00:00.000+00:00"),
        ("2w", "2026-11-15T12:00:00.000+00:00"),
        ("2026-11-01", "2026-11-01T00:00:00.000+00:00"),
        ("2026-11-01T10:00:00+02:00", "2026-11-01T08:00:00.000+00:00"),
    ],
)
def test_time_is_written_as_the_ledger_has_it(text: str, time: str) -> None:
    """A time, or how long ago it was, becomes UTC ISO 8601."""
    assert TIME.convert(text, None, None) == time


@pytest.mark.parametrize("text", ["", "yesterday", "7x", "999999w"])
def test_no_time_is_refused(text: str) -> None:
    """The message shows what would be one."""
    with pytest.raises(click.BadParameter, match="give 24h, 7d or 4w"):
        TIME.convert(text, None, None)
