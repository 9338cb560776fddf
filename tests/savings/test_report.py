"""The report from sums of rows."""

from __future__ import annotations

import pytest

from gateway.savings.quality import Label
from gateway.savings.report import Refusal, breakdown, build_report, money
from gateway.savings.report_group import ReportGroup

ROUTED = ReportGroup(
    provider="gemini",
    model="flash",
    baseline="claude/haiku",
    strategy="hybrid",
    pattern="code",
    key_id="k1",
    evidence="modelled",
    bucket="2026-11-28T10",
    requests=10,
    spent_usd=1.0,
    compared_usd=1.0,
    baseline_usd=4.0,
    low_usd=3.0,
    high_usd=6.0,
    prompt_tokens=1000,
    completion_tokens=100,
)
PINNED = ReportGroup(
    provider="claude",
    model="haiku",
    baseline="claude/haiku",
    strategy="pinned",
    evidence="exact",
    bucket="2026-11-27",
    requests=3,
    errors=1,
    unpriced=1,
    spent_usd=2.5,
    compared_usd=2.0,
    baseline_usd=2.0,
    low_usd=2.0,
    high_usd=2.0,
)


def report(*groups: ReportGroup, **options: object) -> dict[str, object]:
    defaults: dict[str, object] = {"models": {}, "since": None, "until": None}
    return build_report(groups, **(defaults | options))  # type: ignore[arg-type]  # any option


def test_sums_are_those_of_the_groups() -> None:
    """Requests, routed ones, money and evidence add up; pinned requests are not routed."""
    made = report(ROUTED, PINNED)
    assert (made["requests"], made["routed"], made["errors"], made["unpriced"]) == (13, 10, 1, 1)
    assert (made["spent_usd"], made["baseline_usd"], made["saved_usd"]) == (3.5, 6.0, 3.0)
    assert made["evidence"] == {"exact": 3, "measured": 0, "modelled": 10, "unknown": 0}
    assert made["baselines"] == {"claude/haiku": 6.0}


def test_saved_share_is_over_the_rows_with_a_known_baseline() -> None:
    """What has no baseline is left out of the share, not counted as zero."""
    assert report(ROUTED, PINNED)["saved_share"] == 0.5
    assert report(PINNED._replace(baseline_usd=0.0, compared_usd=0.0))["saved_share"] is None


def test_the_error_of_one_baseline_does_not_average_out() -> None:
    """Twice the rows of the same baseline double the half-width; two baselines add as squares."""
    once, twice = money([ROUTED]), money([ROUTED, ROUTED])
    assert twice["baseline_high_usd"] - twice["baseline_usd"] == pytest.approx(4.0)
    assert once["baseline_high_usd"] - once["baseline_usd"] == pytest.approx(2.0)
    two = money([ROUTED, ROUTED._replace(baseline="claude/sonnet")])
    assert two["baseline_high_usd"] - two["baseline_usd"] == pytest.approx(8**0.5)


def test_shares_of_the_ends_are_those_of_the_ends() -> None:
    """The lowest share is that of the lowest baseline, and negative savings are shown as such."""
    made = money([ROUTED._replace(compared_usd=5.0)])
    assert made["saved_usd"] == -1.0
    assert made["saved_share"] == -0.25
    assert made["saved_share_low"] == pytest.approx(-2 / 3)
    assert made["saved_share_high"] == pytest.approx(1 / 6)


def test_unknown_evidence_is_unknown() -> None:
    """Words that this version does not know count as unknown."""
    assert report(ROUTED._replace(evidence="hearsay"))["evidence"]["unknown"] == 10  # type: ignore[index]  # a mapping


def test_a_share_without_an_interval_says_how_many_requests_are_missing() -> None:
    """While single answers may be all of the baseline's cost, the share has no ends; that many more requests give some."""
    few = money([ROUTED._replace(requests=2, squares=8.0)])
    assert (few["saved_enough"], few["saved_share"], few["saved_requests_missing"]) == (False, 0.75, 3)
    assert few["saved_share_low"] is few["saved_share_high"] is None
    more = money(
        [ROUTED._replace(requests=5, squares=20.0, compared_usd=2.5, baseline_usd=10.0, low_usd=7.5, high_usd=15)]
    )
    assert (more["saved_enough"], more["saved_requests_missing"]) == (True, 0)
    assert more["saved_share_low"] < more["saved_share"] < more["saved_share_high"]


def test_more_requests_do_not_help_where_the_lengths_are_unknown() -> None:
    """An error that is common to all requests does not shrink with their number."""
    made = money([ROUTED._replace(low_usd=0.0)])
    assert (made["saved_enough"], made["saved_requests_missing"]) == (False, None)


def test_refusals_are_counted_by_cause() -> None:
    """Refused requests have no row; they are counted by cause, the most frequent first."""
    refused = [Refusal("invalid_key", "", 2), Refusal("rate_limited", "k1", 3), Refusal("rate_limited", "k2", 4)]
    made = report(ROUTED, refusals=refused)
    assert made["refused"] == 9
    assert made["refusals"] == [{"cause": "rate_limited", "requests": 7}, {"cause": "invalid_key", "requests": 2}]


@pytest.mark.parametrize(
    ("dimension", "values"),
    [
        ("model", ["claude/haiku", "gemini/flash"]),
        ("provider", ["claude", "gemini"]),
        ("pattern", ["none", "code"]),
        ("key", ["none", "k1"]),
        ("day", ["2026-11-27", "2026-11-28"]),
    ],
)
def test_a_breakdown_has_a_row_for_each_value(dimension: str, values: list[str]) -> None:
    """The most expensive value comes first, days in order; each row has the same figures as the whole."""
    rows = breakdown([ROUTED, PINNED], dimension, names={"k1": "team"})
    assert [row[dimension] for row in rows] == values
    assert sum(row["spent_usd"] for row in rows) == 3.5
    if dimension == "key":
        assert [row["name"] for row in rows] == [None, "team"]


def test_the_method_names_what_is_odd() -> None:
    """The paragraph on the method ends with the note on the baseline, and quality says what is missing."""
    made = report(ROUTED, note="The rule baseline is odd.", labels=[Label(1.0, baseline=True)])
    assert str(made["method"]).endswith("The rule baseline is odd.")
    assert made["quality"]["enough"] is False  # type: ignore[index]  # a mapping
