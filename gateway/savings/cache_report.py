"""What prompt caches gave and what they lost, added up for the report: by cause, and what the gateway's own routing lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gateway.savings.report_group import ReportGroup


def cache_sums(groups: Iterable[ReportGroup]) -> dict[str, Any]:
    """Tokens that were read from, written to and missed in caches, and USD that changes of the model by the gateway lost."""
    groups = list(groups)
    return {
        "cache_read_tokens": sum(group.cached_tokens for group in groups),
        "cache_write_tokens": sum(group.cache_write_tokens for group in groups),
        "cache_missed_tokens": sum(group.missed_tokens for group in groups),
        "lost_to_routing_usd": sum(group.lost_usd for group in groups),
    }


def cache_report(groups: Sequence[ReportGroup]) -> dict[str, Any]:
    """The sums of all requests, and what was missed by `cause`, the most expensive first."""
    causes: dict[str, list[ReportGroup]] = {}
    for group in groups:
        if group.cache_miss:
            causes.setdefault(group.cache_miss, []).append(group)
    misses = [
        {
            "cause": cause,
            "requests": sum(member.requests for member in members),
            "missed_tokens": sum(member.missed_tokens for member in members),
            "usd": sum(member.missed_usd for member in members),
        }
        for cause, members in causes.items()
    ]
    sums = cache_sums(groups)
    return {
        "read_tokens": sums["cache_read_tokens"],
        "write_tokens": sums["cache_write_tokens"],
        "missed_tokens": sums["cache_missed_tokens"],
        "missed_usd": sum(group.missed_usd for group in groups),
        "lost_to_routing_usd": sums["lost_to_routing_usd"],
        "misses": sorted(misses, key=lambda miss: (-miss["usd"], miss["cause"])),
    }
