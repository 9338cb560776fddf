"""The models that may answer a request with their estimates: columns, and a row of them for who reads one model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from gateway.catalog.catalog import Model, ModelKey
from gateway.routing.estimation.estimates import Estimate, EstimateColumns, EvidenceColumns
from gateway.routing.estimation.model_columns import ModelColumns


class ScoredModel(NamedTuple):
    """An eligible model with its estimates for one request: one row of a ranking.

    `cost` is USD. `cooling` models are tried last, never left out. `propensity` is the probability that this one was drawn.
    """

    model: Model
    estimate: Estimate
    cost: float
    cooling: bool = False
    propensity: float = 0.0

    @property
    def key(self) -> ModelKey:
        return self.model.key

    @property
    def shown_quality(self) -> float:
        """Rounded as in decisions and rows."""
        return rounded(self.estimate.quality)


class ScoredModels(NamedTuple):
    """All eligible models of one request. Each member is a column in the order of `columns`; a place is an index into all of them."""

    columns: ModelColumns
    estimates: EstimateColumns
    costs: Sequence[float]
    cooling: Sequence[bool]

    @classmethod
    def of_rows(cls, rows: Iterable[ScoredModel]) -> ScoredModels:
        """From rows with figures of their own, in their order; `propensity` is not a figure of the model and is dropped."""
        rows = list(rows)
        estimates = [row.estimate for row in rows]
        evidence = EvidenceColumns(
            stds=[each.std for each in estimates],
            outcomes=[each.outcomes for each in estimates],
            confidences=[each.confidence for each in estimates],
            has_outcomes=[each.has_outcomes for each in estimates],
            tried=[place for place, each in enumerate(estimates) if each.has_outcomes],
            support=0.0,
        )
        return cls(
            columns=ModelColumns(row.model for row in rows),
            estimates=EstimateColumns([each.quality for each in estimates], evidence),
            costs=[row.cost for row in rows],
            cooling=[row.cooling for row in rows],
        )

    def __bool__(self) -> bool:
        return bool(self.costs)

    @property
    def places(self) -> range:
        return range(len(self.costs))

    def shown_quality(self, place: int) -> float:
        """Rounded as in decisions and rows."""
        return rounded(self.estimates.qualities[place])

    def row(self, place: int, *, propensity: float = 0.0) -> ScoredModel:
        return ScoredModel(
            self.columns.models[place], self.estimates.row(place), self.costs[place], self.cooling[place], propensity
        )


# Models without outcomes share few figures, and rounding is the slowest part of rendering.
@lru_cache(maxsize=1000)
def rounded(figure: float) -> float:
    """A quality or its standard deviation as it is shown and stored."""
    return round(figure, 4)
