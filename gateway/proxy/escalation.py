"""Whom to ask when an answer breaks the form that its request prescribed."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.catalog.catalog import Catalog
from gateway.resilience import Candidate


class Cascade:
    """One step up: the candidates of the nearest tier above."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def next_tier(self, current: tuple[str, str], candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
        """In the decision's order; none above the highest tier, or where the answering model is not listed."""
        listed = self._catalog.get(*current)
        if listed is None:
            return ()
        ranks = {candidate: self._rank(candidate) for candidate in candidates}
        above = min((rank for rank in ranks.values() if rank > listed.rank), default=None)
        return tuple(candidate for candidate in candidates if ranks[candidate] == above)

    def _rank(self, candidate: Candidate) -> int:
        listed = self._catalog.get(candidate.provider, candidate.model)
        return -1 if listed is None else listed.rank
