"""Strategies that decide again on recorded candidates, a page of decisions at a time.

They see what was known at the time: each candidate's estimates as the row has them. Of the learned strategy's rules
(`strategies.selection`) one cannot be repeated, because its figures are not in the row: the upper-confidence bonus.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gateway.catalog.catalog import TIERS, Auto, Catalog, ModelKey
from gateway.errors import ModelNotFound
from gateway.routing.estimation.cost_quality import CostQualityRate, fit_rate, size_weight
from gateway.routing.prompt.complexity import MODERATE_BELOW, SIMPLE_BELOW
from gateway.routing.strategies.complexity import NEAREST, usual_of
from gateway.routing.strategies.selection import CLAIM_SHARE, ENOUGH, PROVEN_QUALITY, SETTLED
from gateway.store.decision_columns import DecisionColumns, Flags, Floats, Integers, RecordedPolicy

_RECENT = 128  # decisions to which the cost-quality rate is fitted
_LAST = 1e12  # added to a cost that must lose


@dataclass(frozen=True, slots=True)
class RecordedLimits:
    """Which candidates may be chosen: those of the catalogue, within these limits.

    `max_cost` is USD, `min_quality` 0 to 1, `quality_floor` a share of the baseline's expected quality.
    """

    catalog: Catalog
    max_cost: float | None = None
    min_quality: float | None = None
    quality_floor: float | None = None

    def allowed(self, page: DecisionColumns) -> Flags:
        listed = np.array([self.catalog.get(*key) is not None for key in page.models], dtype=np.bool_)
        allowed: Flags = ~np.isnan(page.cost) & listed
        if self.max_cost is not None:
            allowed &= page.cost <= self.max_cost
        if self.min_quality is not None:
            allowed &= page.quality >= self.min_quality
        if self.quality_floor is not None:
            baseline = np.where(page.baseline >= 0, page.quality[page.rows, page.baseline], 0.0)
            allowed &= page.quality >= self.quality_floor * baseline[:, None]
        return allowed


class RecordedHybrid:
    """The learned strategy. The trade-off is that of the name the client used, `auto` or `auto:NAME`."""

    exact = False

    def __init__(self, limits: RecordedLimits) -> None:
        self._limits = limits
        self._cost_rate = CostQualityRate()
        self._tried = np.zeros(0, dtype=np.bool_)
        self._tradeoff = lru_cache(maxsize=1000)(self._tradeoff_of)  # clients choose the names

    def favourites(self, page: DecisionColumns) -> Integers:
        allowed = self._limits.allowed(page)
        quality = np.where(allowed, page.quality, -1.0)
        cost = np.where(allowed, page.cost, _LAST)
        rates = self._rates(page, allowed, price=cost[page.rows, quality.argmax(axis=1)])
        self._tried = np.append(self._tried, np.zeros(len(page.models) - len(self._tried), dtype=np.bool_))
        self._tried |= ((page.outcomes > 0) & allowed).any(axis=0)
        cheapest = np.isinf(rates)
        known = allowed & (page.outcomes > 0)
        highest = np.where(known, page.quality, -1.0).max(axis=1)
        ceiling = np.where(highest >= 0, highest + CLAIM_SHARE * (1.0 - highest), np.inf)[:, None]
        claimed = np.where((page.quality <= ceiling) | (page.outcomes >= ENOUGH), page.quality, ceiling)
        proven = known & (page.outcomes >= SETTLED) & (page.quality >= PROVEN_QUALITY) & ~page.cooling
        utility = claimed - np.where(cheapest, 1.0, rates)[:, None] * cost
        utility[cheapest] = -cost[cheapest]
        utility -= 1e3 * (proven.any(axis=1) & ~cheapest)[:, None] * ~self._tried
        utility -= 1e6 * page.cooling
        utility[~allowed] = -np.inf
        self._fit(page, allowed)
        return _first(utility, allowed)

    def _rates(self, page: DecisionColumns, allowed: Flags, *, price: Floats) -> Floats:
        """As `CostQualityRate.rate` for each decision. `price` is the cost of the best model of each, USD."""
        fitted = self._cost_rate
        of_name = {name: fitted.rate(self._tradeoff(name), price=1.0) for name in set(page.requested)}
        rates = np.array([of_name[name] for name in page.requested])
        if fitted.best is None:
            by_price: Floats = np.divide(rates, price, out=np.zeros_like(rates), where=price > 0)
            return by_price
        column = page.models.index(fitted.best)
        usual = np.where(allowed[:, column], page.cost[:, column], 0.0)
        known = usual > 0
        weights = np.ones_like(rates)
        weights[known] = [size_weight(size) for size in (usual[known] / fitted.price).tolist()]
        weighted: Floats = rates * weights
        return weighted

    def _fit(self, page: DecisionColumns, allowed: Flags) -> None:
        """Fits the rate to the newest decisions of the page, over the tried models that all of them could have."""
        columns = np.flatnonzero(allowed[-_RECENT:].all(axis=0) & self._tried)
        if len(page) < _RECENT or not len(columns):
            return
        quality, cost = page.quality[-_RECENT:, columns], page.cost[-_RECENT:, columns]
        best = int(quality.mean(axis=0).argmax())
        sample = [list(zip(*pair, strict=True)) for pair in zip(quality.tolist(), cost.tolist(), strict=True)]
        self._cost_rate = fit_rate(sample, best=best, key=page.models[columns[best]])

    def _tradeoff_of(self, name: str | None) -> float:
        """A name that means no variant of `auto` was routed at the trade-off of `auto`."""
        try:
            target = self._limits.catalog.resolve(name or "auto")
        except ModelNotFound:
            target = self._limits.catalog.resolve("auto")
        if not isinstance(target, Auto):
            target = self._limits.catalog.resolve("auto")
        assert isinstance(target, Auto)  # noqa: S101 - what `auto` always means
        return target.tradeoff


class RecordedComplexity:
    """Complexity alone: the usual model of each tier, else the cheapest of the nearest tier."""

    exact = True

    def __init__(self, limits: RecordedLimits) -> None:
        self._limits = limits

    def favourites(self, page: DecisionColumns) -> Integers:
        allowed = self._limits.allowed(page)
        tiers = np.digitize(page.complexity, [SIMPLE_BELOW, MODERATE_BELOW])
        catalog = self._limits.catalog
        models = [catalog.get(*key) for key in page.models]
        distance = np.zeros((len(TIERS), len(models)))
        for number, tier in enumerate(TIERS):
            usual = usual_of(catalog, tier)
            for column, model in enumerate(models):
                if model is not None:
                    distance[number, column] = 10 * NEAREST[tier].index(model.tier) + (model is not usual)
        # Costs are far below a million USD, so they only decide within a tier.
        order = 1e6 * (distance[tiers] + 100 * page.cooling) + np.where(allowed, page.cost, 0.0)
        return _first(np.where(allowed, -order, -np.inf), allowed)


class RecordedModel:
    """One model for every request that it could have answered."""

    exact = True

    def __init__(self, key: ModelKey, limits: RecordedLimits) -> None:
        self._key = key
        self._limits = limits

    def favourites(self, page: DecisionColumns) -> Integers:
        if self._key not in page.models:
            return np.full(len(page), -1)
        column = page.models.index(self._key)
        return np.where(self._limits.allowed(page)[:, column], column, -1)


class RecordedStrategy:
    """Each decision by the strategy that made it: a client may have asked for complexity alone."""

    exact = False

    def __init__(self, limits: RecordedLimits) -> None:
        self._hybrid = RecordedHybrid(limits)
        self._complexity = RecordedComplexity(limits)

    def favourites(self, page: DecisionColumns) -> Integers:
        learned = self._hybrid.favourites(page)
        if not page.by_complexity.any():
            return learned
        return np.where(page.by_complexity, self._complexity.favourites(page), learned)


def _first(utility: Floats, allowed: Flags) -> Integers:
    """The column of the highest utility; -1 where nothing is allowed."""
    return np.where(allowed.any(axis=1), utility.argmax(axis=1), -1)


def recorded_policy(name: str | None, limits: RecordedLimits) -> RecordedPolicy:
    """`hybrid`, `complexity`, the name of a model, or None for each decision's own strategy. Raises ModelNotFound."""
    named: Mapping[str | None, type[RecordedStrategy | RecordedHybrid | RecordedComplexity]] = {
        None: RecordedStrategy,
        "hybrid": RecordedHybrid,
        "complexity": RecordedComplexity,
    }
    if policy := named.get(name):
        return policy(limits)
    target = limits.catalog.resolve(name or "auto")
    if isinstance(target, Auto):
        return RecordedHybrid(limits)
    return RecordedModel(target.key, limits)
