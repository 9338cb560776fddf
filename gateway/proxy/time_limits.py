"""Time limits of a request and of each of its calls, by model and by whether the model may think."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.catalog.catalog import Catalog
from gateway.catalog.service_tier import FLEX
from gateway.completion import ChatRequest
from gateway.providers.reasoning import asked_reasoning
from gateway.resilience import Candidate
from gateway.transport import TimeLimits, Timeouts

Overrides = Mapping[str, float]  # some members of TimeLimits, seconds


class RequestTimeLimits:
    """`common` limits, with those that a provider (by name) or a model (by provider and name) overrides."""

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
        self._providers = {
            name: common._replace(**overrides) for name, overrides in (providers or {}).items() if overrides
        }
        self._models = {
            (provider, model): self._providers.get(provider, common)._replace(**overrides)
            for (provider, model), overrides in (models or {}).items()
        }
        self._has_overrides = bool(self._providers or self._models)

    def limits(self, candidate: Candidate) -> TimeLimits:
        """The model's limits, else its provider's, else the common ones."""
        overridden = self._models.get((candidate.provider, candidate.model))
        return overridden or self._providers.get(candidate.provider, self._common)

    def deadline(self, request: ChatRequest, candidates: Sequence[Candidate]) -> float:
        """Seconds for the request with all its attempts: the longest of the common limit and the candidates' limits.

        So a candidate with a shorter limit leaves time for another one.
        """
        patient = request.service_tier == FLEX
        usual = self._common.patient() if patient else self._common
        common = usual.stream if request.stream else usual.total
        if not self._has_overrides:
            return common
        limits = [limit.patient() if patient else limit for limit in map(self.limits, candidates)]
        return max(common, *(limit.stream if request.stream else limit.total for limit in limits))

    def timeouts(self, request: ChatRequest, candidate: Candidate, remaining: float) -> Timeouts:
        """The timeouts of one call, within the `remaining` seconds of its request. Raises InvalidRequest for an unknown effort."""
        limits = self.limits(candidate)
        if request.body.get("service_tier") == FLEX:
            limits = limits.patient()
        if not request.stream:
            return limits.of_answer(remaining)
        return limits.of_stream(remaining, thinks=self._thinks(request, candidate))

    def _thinks(self, request: ChatRequest, candidate: Candidate) -> bool:
        """Whether the model may think before it answers: the client did not disable it, and the catalog does not exclude it."""
        reasoning = asked_reasoning(request.body)
        if reasoning is not None and reasoning.effort in ("none", "minimal"):
            return False
        model = self._catalog.get(candidate.provider, candidate.model)
        return model is None or model.can(("reasoning",))
