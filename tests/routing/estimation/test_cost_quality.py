from __future__ import annotations

import math

import pytest

from gateway.catalog import ModelKey
from gateway.routing.estimation.cost_quality import CostQualityRate, Option, fit_rate

# On each of a hundred requests the second model is better by another 0.01, at 20 times the price.
SAMPLE: list[list[Option]] = [[(0.5, 0.0001), (0.5 + 0.004 * i, 0.002)] for i in range(100)]


def spent(cost_rate: CostQualityRate, tradeoff: float) -> float:
    """The share of requests that the dearer model gets."""
    rate = cost_rate.rate(tradeoff, price=0.002)
    return sum(better - rate * dear > good - rate * cheap for (good, cheap), (better, dear) in SAMPLE) / len(SAMPLE)


def test_ends_of_the_tradeoff_are_absolute() -> None:
    """At 0 nothing outweighs a price, at 1 no price counts."""
    cost_rate = fit_rate(SAMPLE, anchor=1)

    assert cost_rate.rate(0.0, price=1.0) == math.inf
    assert cost_rate.rate(1.0, price=1.0) == 0.0


@pytest.mark.parametrize("tradeoff", [0.2, 0.35, 0.5, 0.65])
def test_tradeoff_is_the_share_of_the_span_that_is_spent(tradeoff: float) -> None:
    """With a hundred requests known, about that share goes to the dearer model, where it gains most."""
    assert spent(fit_rate(SAMPLE, anchor=1), tradeoff) == pytest.approx(tradeoff, abs=0.13)


def test_more_tradeoff_never_means_a_higher_rate() -> None:
    """Turning the knob up spends more, at each step, with and without requests known."""
    for cost_rate in (CostQualityRate(), fit_rate(SAMPLE, anchor=1)):
        rates = [cost_rate.rate(step / 20, price=0.002) for step in range(21)]
        assert rates == sorted(rates, reverse=True)


def test_gain_too_small_for_its_price_is_not_bought() -> None:
    """Where models hardly differ, the dearer one gets nothing, whatever share could be spent."""
    same: list[list[Option]] = [[(0.9, 0.0001), (0.91, 0.002)]] * 200

    rate = fit_rate(same, anchor=1).rate(0.5, price=0.002)

    assert 0.91 - rate * 0.002 < 0.9 - rate * 0.0001


@pytest.mark.parametrize(
    "sample", [[], [[(0.9, 0.0)]], [[(0.9, 0.001), (0.5, 0.002)]]], ids=["none", "free", "best is cheapest"]
)
def test_without_a_span_the_rule_holds(sample: list[list[Option]]) -> None:
    """No requests, a free model or one that is best and cheapest leave the fixed rule."""
    cost_rate = fit_rate(sample, anchor=0)

    assert cost_rate == CostQualityRate()
    assert cost_rate.rate(0.5, price=0.15) == pytest.approx(1.0)
    assert cost_rate.rate(0.5, price=0.0) == 0.0


def test_rates_beyond_those_tried_are_held_at_the_ends() -> None:
    """A share above or below all that were seen takes the nearest rate on trial."""
    cost_rate = CostQualityRate(shares=tuple(0.9 - 0.01 * i for i in range(24)), price=0.001, requests=1000)

    assert cost_rate.rate(0.95, price=1.0) < cost_rate.rate(0.8, price=1.0) < cost_rate.rate(0.1, price=1.0)


def test_size_of_a_request_counts_in_part() -> None:
    """A request of ten times the usual cost is judged as one of about three times, a tenth as one of three quarters; without the best one's cost all count in full."""
    cost_rate = fit_rate(SAMPLE, anchor=1, key=ModelKey("claude", "best"))
    full = cost_rate.rate(0.5, price=0.002)

    assert cost_rate.anchor == ModelKey("claude", "best")
    assert 10 * cost_rate.rate(0.5, price=0.02, usual=0.02) / full == pytest.approx(3.25)
    assert 0.1 * cost_rate.rate(0.5, price=0.0002, usual=0.0002) / full == pytest.approx(0.775)
    assert cost_rate.rate(0.5, price=0.002, usual=0.0) == full


def test_best_models_price_counts_above_the_middle_of_the_tradeoff() -> None:
    """Up to 0.5 a dear best model changes nothing; above, the anchor's price rises to its, and never falls below its own."""
    rate = CostQualityRate().rate

    assert rate(0.5, price=0.001, highest=0.01) == rate(0.5, price=0.001)
    assert rate(0.75, price=0.001, highest=0.01) == pytest.approx(rate(0.75, price=0.001) / math.sqrt(10))
    assert rate(0.75, price=0.001, highest=0.0001) == rate(0.75, price=0.001)
