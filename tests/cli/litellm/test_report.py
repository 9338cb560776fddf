"""The report of an import."""

from __future__ import annotations

from gateway.cli.litellm.report import ReportEntry, summary


def test_the_summary_counts() -> None:
    """Each fate that occurs is counted; without entries it says so."""
    entries = [
        ReportEntry("a", "taken over", ""),
        ReportEntry("b", "not needed", ""),
        ReportEntry("c", "taken over", ""),
    ]
    assert summary(entries) == "2 taken over, 1 not needed"
    assert summary([]) == "nothing to take over"
