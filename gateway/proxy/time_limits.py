"""How long a request may take, and each of its calls: by the model that is asked and by whether it thinks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.catalog.catalog import Catalog
from gateway.completion import ChatRequest
from gateway.providers.reasoning import asked_reasoning
from gateway.resilience import Candidate
from gateway.transport import TimeLimits, Timeouts

Overrides = Mapping[str, float]  # some of the members of TimeLimits


class RequestTimeLimits:
    """`common` limits, those that `providers` replace by name, and those that `models` replace by (provider, model)."""

    def __init__(
        self,
        common: TimeLimits,
        catalog: Catalog,
        *,
        providers: Mapping[str, Overrides] | None = None,
        models: Mapping[tuple[str, str], Overrides] | None = None,
    ) -> None:
        self._common = common
        self._catalog = catalog
        self._providers = {name: common._replace(**own) for name, own in (providers or {}).items() if own}
        self._models = {
            (provider, model): self._providers.get(provider, common)._replace(**own)
            for (provider, model), own in (models or {}).items()
        }
        self._own = bool(self._providers or self._models)

    def limits(self, candidate: Candidate) -> TimeLimits:
        """The model's own limits, else its provider's, else the common ones."""
        own = self._models.get((candidate.provider, candidate.model))
        return own or self._providers.get(candidate.provider, self._common)

    def deadline(self, request: ChatRequest, candidates: Sequence[Candidate]) -> float:
        """Seconds for the request with all its attempts: the common limit, or a candidate's own where that is longer.

        A candidate's shorter limit so leaves time for another one.
        """
        limits = {self._common, *(self.limits(candidate) for candidate in candidates)} if self._own else {self._common}
        return max(each.stream if request.stream else each.total for each in limits)

    def timeouts(self, request: ChatRequest, candidate: Candidate, remaining: float) -> Timeouts:
        """Those of one call, within the `remaining` seconds of its request. Raises InvalidRequest for an unknown effort."""
        limits = self.limits(candidate)
        if not request.stream:
            return limits.of_answer(remaining)
        return limits.of_stream(remaining, thinks=self._thinks(request, candidate))

    def _thinks(self, request: ChatRequest, candidate: Candidate) -> bool:
        """Whether the model may think before it answers: it can, as far as is known, and the client did not switch that off."""
        asked = asked_reasoning(request.body)
        if asked is not None and asked.effort in ("none", "minimal"):
            return False
        listed = self._catalog.get(candidate.provider, candidate.model)
        return listed is None or listed.can(("reasoning",))
