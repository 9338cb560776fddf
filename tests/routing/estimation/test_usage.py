from __future__ import annotations

import pytest

from gateway.routing.estimation.model_columns import ModelColumns
from gateway.routing.estimation.usage import TokenEstimates, TokenEstimator
from gateway.routing.types import Outcome
from tests.routing.worlds import FLASH, HAIKU, SONNET


def expected(estimates: TokenEstimates, *, max_tokens: int | None = None) -> float:
    costs = estimates.expected_costs(ModelColumns([FLASH, SONNET]), pattern="code", tokens=1000, max_tokens=max_tokens)
    return costs[1]


def test_list_price_of_300_tokens_is_expected_before_any_outcome() -> None:
    """When nothing is known or asked, the answer is expected to have 300 tokens."""
    assert expected(TokenEstimates()) == pytest.approx((1000 * 3 + 300 * 15) / 1e6)


@pytest.mark.parametrize(("asked", "output"), [(50, 50), (5000, 300)])
def test_asked_length_bounds_what_is_expected(asked: int, output: int) -> None:
    """A short limit makes the answer short; a generous one does not make it long."""
    assert expected(TokenEstimates(), max_tokens=asked) == pytest.approx((1000 * 3 + output * 15) / 1e6)


def test_tokens_are_learned_by_model_and_pattern() -> None:
    """Many outcomes of the pattern replace what was expected, the model's own most of all."""
    estimator = TokenEstimator()
    for _ in range(500):
        estimator.learn(SONNET, Outcome(input_tokens=1200, output_tokens=40), pattern="code", tokens=1000)
        estimator.learn(HAIKU, Outcome(input_tokens=1000, output_tokens=90), pattern="code", tokens=1000)

    assert expected(estimator.estimates()) == pytest.approx((1200 * 3 + 40 * 15) / 1e6, rel=0.02)


def test_other_models_tell_what_to_expect_of_a_new_one() -> None:
    """How long answers to a pattern are is first taken from all models."""
    estimator = TokenEstimator()
    for _ in range(500):
        estimator.learn(HAIKU, Outcome(input_tokens=1000, output_tokens=10), pattern="code", tokens=1000)

    assert expected(estimator.estimates()) == pytest.approx((1000 * 3 + 10 * 15) / 1e6, rel=0.05)


def test_what_was_paid_corrects_the_list_price() -> None:
    """A model that always costs half of its list price, caches and all, is expected to go on so."""
    estimator = TokenEstimator()
    for _ in range(500):
        estimator.learn(SONNET, Outcome(cost=0.00375), pattern="code", tokens=1000)

    assert expected(estimator.estimates()) == pytest.approx(0.00375, rel=0.02)


def test_unknown_prompt_size_teaches_no_surplus() -> None:
    """An outcome whose prompt was not measured says nothing of tokens beyond the estimate."""
    estimator = TokenEstimator()
    for _ in range(500):
        estimator.learn(SONNET, Outcome(input_tokens=9000, output_tokens=300), pattern="code", tokens=0)

    assert expected(estimator.estimates()) == pytest.approx((1000 * 3 + 300 * 15) / 1e6)
