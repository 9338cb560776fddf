"""Which of a strategy's methods is asked."""

from __future__ import annotations

import pytest

from gateway.errors import RoutingError
from gateway.routing.strategies.base import RankingStrategy, choose_by, is_method, rank_by
from gateway.routing.strategies.ranking import Ranking
from gateway.routing.types import RoutingContext, RoutingDecision
from tests.routing.strategies.test_hybrid import Fixed
from tests.routing.worlds import HAIKU, MODERATE, SONNET

CONTEXT = RoutingContext(MODERATE)
DECISION = RoutingDecision(SONNET.provider, SONNET.name, "low", "mine", "because")


class Typed(RankingStrategy):
    def get_name(self) -> str:
        return "typed"

    def rank(self, prompt: str, context: RoutingContext) -> Ranking:
        return Ranking(HAIKU.key, self.get_name(), "low", "because")


class Overridden(Typed):
    def route(self, prompt: str, context: RoutingContext) -> RoutingDecision:
        return DECISION


def test_a_ranking_is_used_directly() -> None:
    """A strategy that ranks is not asked for a decision; its `route` says the same."""
    strategy = Typed()
    assert rank_by(strategy, MODERATE, CONTEXT).chosen == choose_by(strategy, MODERATE, CONTEXT) == HAIKU.key
    assert strategy.route(MODERATE, CONTEXT).model == HAIKU.name


def test_a_replaced_route_is_what_gets_called() -> None:
    """Overridden in a class, replaced on an instance, or a strategy that only routes: its decision counts."""
    replaced = Typed()
    replaced.route = Overridden().route  # type: ignore[method-assign]  # what callers may do
    for strategy in (Overridden(), replaced, Fixed(DECISION)):
        assert rank_by(strategy, MODERATE, CONTEXT).chosen == SONNET.key
        assert choose_by(strategy, MODERATE, CONTEXT) is None


def test_a_decision_that_is_none_is_an_error() -> None:
    """The error names what came instead."""
    with pytest.raises(RoutingError, match="nothing instead of a decision"):
        rank_by(Fixed(None), MODERATE, CONTEXT)


def test_only_the_very_method_counts() -> None:
    """A function that was put in a method's place is not that method."""
    assert is_method(Typed().route, RankingStrategy.route)
    assert not is_method(Overridden().route, RankingStrategy.route)
    assert not is_method(lambda: None, RankingStrategy.route)
