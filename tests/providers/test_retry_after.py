"""How long to wait, from headers as providers send them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers.retry_after import retry_after_of

NOW = "Sun, 22 Nov 2026 12:00:00 GMT"  # 1795348800


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "1e9"}, 600.0),
        ({"retry-after": "99999999999"}, 600.0),
        ({"retry-after": "inf"}, 600.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT", "date": NOW}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT", "date": NOW}, 0.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 -0000", "date": NOW}, 30.0),
        ({"retry-after-ms": "1500", "retry-after": "60"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "60"}, 60.0),
        ({"x-ratelimit-reset": "12"}, 12.0),
        ({"x-ratelimit-reset": "1795348860", "date": NOW}, 60.0),
        ({"x-ratelimit-reset": "1795348860000", "date": NOW}, 60.0),
        ({"x-ratelimit-reset": "1795348860000"}, None),
        ({"retry-after": "3", "x-ratelimit-reset": "12"}, 3.0),
    ],
)
def test_retry_after_forms_are_ranked_and_bounded(headers: Mapping[str, str], seconds: float | None) -> None:
    """Milliseconds before seconds before a reset time; dates need the answer's own date; all within 0 to 600 s."""
    assert retry_after_of(headers) == seconds


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "x-ratelimit-reset", "date"]), st.text()))
def test_any_headers_give_a_bounded_wait_or_none(headers: dict[str, str]) -> None:
    """Whatever the headers say, the wait is none or bounded."""
    seconds = retry_after_of(headers)
    assert seconds is None or 0 <= seconds <= 600
