"""Strategies that rank, and how to get a ranking from any strategy.

The public interface of a strategy is `route`, which callers may replace: the entry of a table, the method of an instance, or the
method of a class. The gateway's own strategies return a typed `Ranking`, from which their `route` is made. Where `route` was not
replaced, the ranking is used directly and no dict is made.
"""

from __future__ import annotations

from abc import abstractmethod

from gateway.catalog.catalog import ModelKey
from gateway.routing.strategies.decisions import well_formed
from gateway.routing.strategies.ranking import Ranking
from gateway.routing.types import RoutingContext, RoutingDecision, RoutingStrategy


class RankingStrategy(RoutingStrategy):
    """A strategy that ranks all eligible models."""

    @abstractmethod
    def rank(self, prompt: str, context: RoutingContext) -> Ranking:
        """The eligible models, best first. Raises NoRoute when there are none."""

    def route(self, prompt: str, context: RoutingContext) -> RoutingDecision:
        return self.rank(prompt, context).to_decision()

    def choose(self, prompt: str, context: RoutingContext) -> ModelKey:
        """The model that `rank` puts first; a strategy that knows it sooner overrides both."""
        return self.rank(prompt, context).chosen


def rank_by(strategy: RoutingStrategy, prompt: str, context: RoutingContext) -> Ranking:
    """The strategy's ranking, or its decision as one. Raises NoRoute, RoutingError for a decision that is not well-formed, and whatever a replacement raises."""
    if isinstance(strategy, RankingStrategy) and is_method(strategy.route, RankingStrategy.route):
        return strategy.rank(prompt, context)
    return Ranking.of_decision(well_formed(strategy.route(prompt, context), context.available_providers))


def choose_by(strategy: RoutingStrategy | None, prompt: str, context: RoutingContext) -> ModelKey | None:
    """The strategy's choice without a ranking; None where it takes a ranking to know, because `route` was replaced."""
    if isinstance(strategy, RankingStrategy) and is_method(strategy.route, RankingStrategy.route):
        return strategy.choose(prompt, context)
    return None


def is_method(bound: object, function: object) -> bool:
    """Whether a bound method is that function, neither overridden nor replaced on the instance."""
    return getattr(bound, "__func__", None) is function
