"""Points in time as people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import InvalidRequest
from gateway.savings.period import moment

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7d", NOW - timedelta(days=7)),
        ("36h", NOW - timedelta(hours=36)),
        (" 90m ", NOW - timedelta(minutes=90)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T10:30+02:00", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_time_ago_or_a_date(text: str, expected: datetime) -> None:
    """Times ago count from now, and times without a zone are UTC."""
    assert moment(text, now=NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "7", "-1d", "999999w", "2026-13-01", "7d" * 50])
def test_anything_else_is_refused_with_the_name_of_the_option(text: str) -> None:
    """The error names the option and what it takes."""
    with pytest.raises(InvalidRequest, match="until is a time ago") as refused:
        moment(text, now=NOW, name="until")
    assert refused.value.param == "until"
