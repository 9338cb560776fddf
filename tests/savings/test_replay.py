"""Replays: what changes, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from gateway.catalog import ModelKey
from gateway.savings.replay import PriceChange, Replay
from gateway.savings.replay_report import ReplayReport
from gateway.store.decision_columns import DecisionColumns, DecisionReader, Integers
from tests.store.pages import LARGE, SMALL, page, row, two


@dataclass(frozen=True)
class Always:
    """One column for every decision."""

    column: int
    exact: bool = True

    def favourites(self, page: DecisionColumns) -> Integers:
        return np.full(len(page), self.column)


def replayed(
    columns: DecisionColumns, now: int = 0, then: int = 0, price_change: PriceChange | None = None, exact: bool = True
) -> ReplayReport:
    replay = Replay(now=Always(now), then=Always(then, exact=exact), price_change=price_change)
    replay.add(columns, requests=len(columns))
    return replay.report()


def many(count: int = 400, *, drawn_every: int = 4, **changes: Any) -> DecisionColumns:
    """Half of the decisions may go to either model; each has a rating: the small model is right in half, the large one always."""
    small, large = two(1 - 1 / drawn_every)
    reader = DecisionReader()
    reader.read([row()], {})  # the small model has the first column
    rows = []
    for number in range(count):
        drawn = number % drawn_every == 0
        rows.append(
            row(
                number,
                candidates=[large, small] if drawn else [small, large],
                propensity=1 / drawn_every if drawn else 1 - 1 / drawn_every,
                actual_cost_nano=12_000_000 if drawn else 1_000_000,
                feedback_score=1.0 if drawn else float(number % 2),
                **changes,
            )
        )
    return reader.read(rows, {})


def test_same_policy_changes_nothing() -> None:
    """The same policy has what happened, to the nano-dollar."""
    report = replayed(many())
    spent = report.spent_usd
    assert report.changed == 0
    assert (report.enough, report.coverage) == (True, 1.0)
    assert spent.now == spent.then == spent.low == spent.high == pytest.approx(0.012 * 100 + 0.001 * 300)
    assert report.quality.now == pytest.approx(report.quality.then)
    assert report.saved_share.now == report.saved_share.then


def test_drawn_outcomes_correct_the_estimates() -> None:
    """The large model was expected at .9 and 0.01 USD; where it was drawn it was always right and cost 0.012 USD."""
    report = replayed(many(), then=1)
    assert report.changed == 400
    assert report.quality.then == pytest.approx(1.0)
    assert report.spent_usd.then == pytest.approx(400 * 0.012)
    assert report.effective_sample_size == 100
    assert report.saved_share.then == pytest.approx(1 - 0.012 / 0.004)


def test_policy_that_leaves_nothing_changes_nothing() -> None:
    """Where the other policy had no candidate, the decision stays."""
    assert replayed(many(), then=-1).changed == 0


def test_shared_errors_of_both_policies_do_not_matter() -> None:
    """Where both policies decide alike, but not as recorded, the decision stays: the row lacks what made the difference."""
    assert replayed(many(), now=1, then=1, exact=False).changed == 0


def test_exact_policy_is_compared_with_what_was_recorded() -> None:
    """A policy that needs nothing else decides for itself, however the present one is repeated."""
    assert replayed(many(), now=1, then=1).changed == 400


def test_requests_are_counted_whether_usable_or_not() -> None:
    """Pages without decisions count as requests."""
    replay = Replay(now=Always(0), then=Always(0))
    replay.add(page(row(strategy_used="pinned")), requests=7)
    report = replay.report()
    assert (report.requests, report.usable, report.coverage) == (7, 0, None)
    assert report.why_not == "Of 7 requests 0 can be replayed; 50 are needed."
    assert report.quality == report.spent_usd == (None, None, None, None)


def test_prices_change_costs_at_the_tokens_of_the_request() -> None:
    """A model whose output costs twice as much doubles what its output cost; the baseline follows its own price."""
    change = PriceChange({ModelKey(*SMALL): ((1.0, 2.0), (1.0, 4.0)), ModelKey(*LARGE): ((5.0, 5.0), (10.0, 10.0))})
    report = replayed(many(drawn_every=1000, prompt_tokens=200, completion_tokens=100), price_change=change)
    assert report.spent_usd.now == pytest.approx(0.012 + 0.399)
    assert report.spent_usd.then == pytest.approx(0.024 + 0.399 * 1.5)
    assert report.saved_share.then == pytest.approx(1 - (0.024 + 0.399 * 1.5) / (400 * 0.008))


def test_price_of_a_request_without_tokens_stays() -> None:
    """Without tokens there is nothing that the new price could apply to."""
    change = PriceChange({ModelKey(*SMALL): ((1.0, 2.0), (9.0, 9.0))})
    report = replayed(many(baseline_provider="not", baseline_model="listed"), price_change=change)
    assert report.spent_usd.then == report.spent_usd.now
