"""Escalation: which candidates may give a better answer than one that failed validation."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.catalog.catalog import Catalog
from gateway.resilience.candidates import Candidate


class Cascade:
    """Escalation after an answer that fails validation: the candidates of the next tier (a cascade, as in FrugalGPT)."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def next_tier(self, current: tuple[str, str], candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """The candidates of the nearest tier above `current` (provider, model), in their order.

        Empty above the highest tier, and for a model that is not in the catalog.
        """
        model = self._catalog.get(*current)
        if model is None:
            return ()
        ranks = {candidate: self._rank(candidate) for candidate in candidates}
        above = min((rank for rank in ranks.values() if rank > model.rank), default=None)
        return tuple(candidate for candidate in candidates if ranks[candidate] == above)

    def _rank(self, candidate: Candidate) -> int:
        model = self._catalog.get(candidate.provider, candidate.model)
        return -1 if model is None else model.rank
