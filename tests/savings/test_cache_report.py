"""What prompt caches gave and lost."""

from __future__ import annotations

from gateway.savings.cache_report import cache_report, cache_sums
from gateway.savings.report_group import ReportGroup

ROUTED = ReportGroup(provider="gemini", model="flash", strategy="hybrid", requests=10)
PINNED = ReportGroup(provider="claude", model="haiku", strategy="pinned", requests=3)


def test_misses_of_prompt_caches_are_added_up_by_cause() -> None:
    """The most expensive cause comes first; what was lost to routing is a sum of its own."""
    groups = [
        ROUTED._replace(cached_tokens=500, cache_write_tokens=90),
        ROUTED._replace(cache_miss="expired", requests=2, missed_tokens=30, missed_usd=0.25),
        ROUTED._replace(cache_miss="switched_model", requests=1, missed_tokens=60, missed_usd=0.5, lost_usd=0.5),
        PINNED._replace(cache_miss="switched_model", requests=1, missed_tokens=10, missed_usd=0.125),
    ]
    assert cache_report(groups) == {
        "read_tokens": 500,
        "write_tokens": 90,
        "missed_tokens": 100,
        "missed_usd": 0.875,
        "lost_to_routing_usd": 0.5,
        "misses": [
            {"cause": "switched_model", "requests": 2, "missed_tokens": 70, "usd": 0.625},
            {"cause": "expired", "requests": 2, "missed_tokens": 30, "usd": 0.25},
        ],
    }


def test_each_row_of_a_breakdown_has_its_own_sums() -> None:
    """The same names in every breakdown."""
    assert cache_sums([ROUTED._replace(cached_tokens=5, cache_write_tokens=6, missed_tokens=7, lost_usd=0.5)]) == {
        "cache_read_tokens": 5,
        "cache_write_tokens": 6,
        "cache_missed_tokens": 7,
        "lost_to_routing_usd": 0.5,
    }
