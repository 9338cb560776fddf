"""Which figures the data carry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gateway.savings.replay import Replay
from gateway.savings.replay_report import ReplayReport
from gateway.store.decision_columns import DecisionReader
from tests.savings.test_replay import Always, many, replayed
from tests.store.pages import row, two


def certain(count: int, **changes: Any) -> list[tuple[Any, ...]]:
    """Decisions for the small model that could not have gone to the large one, all of them rated."""
    return [
        row(number, **{"candidates": two(1.0), "propensity": 1.0, "feedback_score": 1.0, **changes})
        for number in range(count)
    ]


def of_rows(rows: list[tuple[Any, ...]], then: int = 1) -> ReplayReport:
    return replayed(DecisionReader().read(rows, {}), then=then)


def test_json_has_the_documented_members() -> None:
    """Each figure is now, then, low and high."""
    report = replayed(many(), then=1).to_json()
    assert list(report) == [
        "requests", "usable", "changed", "spent_usd", "quality", "saved_share", "effective_sample_size", "coverage",
        "enough", "why_not",
    ]  # fmt: skip
    assert list(report["quality"]) == ["now", "then", "low", "high"]


def test_quality_without_ratings_is_unknown() -> None:
    """Without ratings there is no quality, now or then; the cost is known all the same."""
    report = of_rows(certain(100, feedback_score=None), then=0)
    assert report.quality == (None, None, None, None)
    assert report.spent_usd.then == pytest.approx(0.1)
    assert not report.enough
    assert report.why_not == "Of 100 decisions 0 have a rating of their answer; about 50 more are needed."


def test_one_conversation_carries_no_interval() -> None:
    """All turns of a conversation may have the same error."""
    report = of_rows(certain(100, session_id="s"), then=0)
    assert report.quality.then is None
    assert report.why_not == "The ratings come from about 1 conversations; an interval needs 10."


def test_choice_that_was_never_drawn_has_no_quality() -> None:
    """A model that could not have been chosen has no outcome; its cost is bounded by half and twice the estimate."""
    report = of_rows(certain(100))
    assert report.quality.now == pytest.approx(1.0)
    assert report.quality.then is None
    assert report.coverage == 0.0
    assert "could not have been recorded" in (report.why_not or "")
    spent = report.spent_usd
    assert (spent.low, spent.high) == pytest.approx((spent.then / 2, 2 * spent.then))  # type: ignore[operator]  # is a number


def test_few_uncovered_decisions_are_bounded() -> None:
    """Up to a twentieth may be without a record: their quality may be anything from 0 to 1."""
    replay = Replay(now=Always(0), then=Always(1))
    columns = many(600)
    replay.add(columns, requests=600)
    covered = replay.report()
    replay.add(DecisionReader().read(certain(20), {}), requests=20)
    report = replay.report()
    assert report.enough
    assert report.coverage == pytest.approx(600 / 620)
    assert covered.quality.low is not None
    assert report.quality.low is not None
    assert covered.quality.low - report.quality.low == pytest.approx(0.9 * 20 / 620 + 0.1 * 20 / 620, abs=0.005)


def test_too_few_drawn_outcomes_have_no_quality() -> None:
    """The other choice was drawn, but too seldom; the sentence says how many ratings are missing."""
    report = replayed(many(400, drawn_every=20), then=1)
    assert report.quality.then is None
    assert report.why_not == (
        "Of 400 changed decisions about 20 have a rating of the other choice; about 30 more are needed."
    )
    assert report.spent_usd.low is not None
    assert report.spent_usd.high is not None
    assert report.spent_usd.high / report.spent_usd.low == pytest.approx(4)


class Few:
    """The large model for the first ten decisions."""

    exact = True

    def favourites(self, page: Any) -> Any:
        favourites = np.zeros(len(page), dtype=np.int64)
        favourites[:10] = 1
        return favourites


def test_a_change_of_few_decisions_is_bounded() -> None:
    """If hardly anything changes, the quality is known although no outcome says anything about the change."""
    replay = Replay(now=Always(0), then=Few())
    replay.add(many(), requests=400)
    report = replay.report()
    assert (report.enough, report.changed) == (True, 10)
    assert report.quality.low is not None
    assert report.quality.high is not None
    assert report.quality.high - report.quality.low >= 10 / 400


def test_saved_share_needs_a_baseline() -> None:
    """Without a known baseline nothing was saved, and nothing was not."""
    report = of_rows(certain(100, baseline_cost_nano=None), then=0)
    assert report.saved_share == (None, None, None, None)
    assert report.spent_usd.then == pytest.approx(0.1)


def test_cost_of_one_conversation_has_no_margin_of_its_own() -> None:
    """The spread of a ratio over one conversation is unknown; the estimate is given all the same."""
    assert replayed(many(session_id="s"), then=1).spent_usd.then == pytest.approx(400 * 0.012)
