"""One model for all requests, in hindsight."""

from __future__ import annotations

from gateway.savings.hindsight import always, best_single
from gateway.savings.report_group import ReportGroup

ROUTED = ReportGroup(
    provider="gemini", model="flash", requests=10, spent_usd=1.0, prompt_tokens=1000, completion_tokens=100
)
PINNED = ReportGroup(provider="claude", model="haiku", requests=3, spent_usd=2.5)


def test_always_using_one_model_is_listed_from_the_cheapest() -> None:
    """Models of unknown price come last and have no figure; without tokens there is nothing to price."""
    models = {"a": lambda group: 5.0, "b": lambda group: 2.0, "c": lambda group: None}
    rows = [{"model": "b", "usd": 2.0}, {"model": "a", "usd": 5.0}, {"model": "c", "usd": None}]
    assert always([ROUTED, PINNED], models) == rows
    assert always([PINNED], models) == []


def test_the_tokens_of_all_groups_are_priced_together() -> None:
    """A price is asked for once; no more tokens count as cached than a group has."""
    groups = [ROUTED._replace(cached_tokens=400), ROUTED._replace(cached_tokens=5000)]
    (row,) = always(groups, {"a": lambda group: float(group.prompt_tokens + 10_000 * group.cached_tokens)})
    assert row["usd"] == 2000 + 10_000 * 1400


def test_the_best_single_model_was_rated_as_well_as_the_rest() -> None:
    """The cheapest model counts only with ratings of its own that are not below those of all answers."""
    bad = ROUTED._replace(quality_sum=10.0, feedbacks=25)
    good = PINNED._replace(quality_sum=24.0, feedbacks=25)
    rows = [{"model": "gemini/flash", "usd": 1.0}, {"model": "claude/haiku", "usd": 3.0}]
    assert best_single([bad, good], rows) == {
        "model": "claude/haiku",
        "usd": 3.0,
        "quality": 0.96,
        "spent_usd": 3.5,
        "spent_quality": 0.68,
        "regret_usd": 0.5,
    }
    assert best_single([ROUTED, PINNED], rows) is None
