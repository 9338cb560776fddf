"""Asks the strategies, checks what they decide, and teaches them what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from gateway.catalog.catalog import Catalog
from gateway.catalog.packaged import load_catalog
from gateway.errors import NoRoute
from gateway.routing.estimation.trainer import POLL_SECONDS, OnlineTrainer
from gateway.routing.estimation.validation import stored
from gateway.routing.prompt.embedding import packaged_embedding
from gateway.routing.prompt.features import cached_prompt_facts
from gateway.routing.strategies.analyzer import QueryPatternAnalyzer
from gateway.routing.strategies.candidates import RoutingRequest
from gateway.routing.strategies.complexity import ComplexityStrategy
from gateway.routing.strategies.decisions import fill_metadata, reason_of, validate
from gateway.routing.strategies.hybrid import HybridStrategy
from gateway.routing.strategies.learning import LearningStrategy
from gateway.routing.types import Outcome, RoutingContext, RoutingDecision, RoutingStrategy
from gateway.store import Store

_OWN = frozenset({"learning", "complexity", "hybrid"})


class RoutingEngine:
    """Routes prompts to models of a catalogue, by default the packaged one.

    `tradeoff` runs from 0.0 (cheapest that will do) to 1.0 (best quality), 0.5 by default. The same `seed`, outcomes and
    order give the same decisions. With a `store` the engine reads it only when `refresh` is called, which may be in any
    thread; without one it opens `db_path` and looks for other processes' outcomes itself, `poll_seconds` apart.
    Entries of `strategies` may be replaced.
    """

    def __init__(
        self,
        db_path: str | Path = "gateway.db",
        *,
        catalog: Catalog | None = None,
        tradeoff: float | None = None,
        seed: int | None = None,
        store: Store | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.catalog = load_catalog() if catalog is None else catalog
        self._trainer = OnlineTrainer(
            db_path, self.catalog, store=store, clock=clock, poll_seconds=POLL_SECONDS if store is None else None
        )
        analyzer = QueryPatternAnalyzer(db_path, trainer=self._trainer, tradeoff=tradeoff, seed=seed)
        learning = LearningStrategy(db_path, analyzer=analyzer)
        complexity = ComplexityStrategy(self.catalog, estimates=self._trainer.snapshot)
        self.strategies: dict[str, RoutingStrategy] = {
            "learning": learning,
            "complexity": complexity,
            "hybrid": HybridStrategy(db_path, learning=learning, complexity=complexity),
        }
        # Callers may replace or break what stands in `strategies`; this one is ours.
        self._fallback = ComplexityStrategy(self.catalog, estimates=self._trainer.snapshot)

    def route(self, prompt: str, auto_route: bool = False, context: RoutingContext | None = None) -> RoutingDecision:
        """By complexity, or with `auto_route` by the hybrid strategy. `prompt` counts, not the context's.

        Raises only NoRoute: when nothing in the catalogue satisfies the context.
        """
        try:
            request = self._request(prompt, context)
        except (TypeError, ValueError, AttributeError) as error:
            raise NoRoute(f"This cannot be routed: {error}") from error
        try:
            return self._decided("hybrid" if auto_route else "complexity", request)
        except Exception as error:  # a strategy may be anybody's; whatever it raises, the request is routed
            return self._fallen_back(request, error)

    def usual(self, prompt: str, context: RoutingContext) -> tuple[str, str]:
        """The provider and model that `route` would choose by complexity, without describing the others. Raises NoRoute."""
        strategy = self.strategies["complexity"]
        if type(strategy) is ComplexityStrategy and "route" not in vars(strategy):
            request = self._request(prompt, context)
            model = strategy.choice(request.facts, request.context)
            return model.provider, model.name
        decision = self.route(prompt, context=context)  # the strategy was replaced
        return decision.provider, decision.model

    def record_outcome(self, decision: RoutingDecision, outcome: Outcome) -> None:
        """Commit what came of a decision and learn it; the next `route` knows. Raises ValueError, LedgerUnavailable.

        Takes decisions of `route`, and others with their prompt in `metadata["prompt"]`.
        """
        self._trainer.record(stored(decision, outcome))

    def refresh(self) -> None:
        """Learn what other processes stored. Blocks; thread-safe against `route`. Raises LedgerUnavailable."""
        packaged_embedding()  # the first request does not wait for its table
        self._trainer.refresh()

    def close(self) -> None:
        """May be called twice. A store that was given stays open."""
        self._trainer.close()

    def __enter__(self) -> RoutingEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _request(self, prompt: str, context: RoutingContext | None) -> RoutingRequest:
        if not isinstance(prompt, str):
            raise TypeError(f"the prompt is a {type(prompt).__name__}, not text")
        if context is None:
            context = RoutingContext(prompt, available_providers=list(self.catalog.providers))
        facts = cached_prompt_facts(prompt, context)
        if context.prompt != prompt or context.facts is not facts:
            context = replace(context, prompt=prompt, facts=facts)
        return RoutingRequest(facts, context, self.catalog, self._trainer.snapshot())

    def _decided(self, name: str, request: RoutingRequest) -> RoutingDecision:
        decision = self.strategies[name].route(request.context.prompt, request.context)
        known = self._trainer.snapshot()
        if known is not request.estimates:  # the strategy looked for news and found some
            request = replace(request, estimates=known)
        return fill_metadata(validate(decision, request, strategies=self._names()), request)

    def _names(self) -> frozenset[str]:
        """What `strategy_used` may say: our own names, the entries' keys, and what strategies put there call themselves."""
        own_words = {each.get_name() for each in self.strategies.values() if isinstance(each, RoutingStrategy)}
        return _OWN | self.strategies.keys() | own_words

    def _fallen_back(self, request: RoutingRequest, error: Exception) -> RoutingDecision:
        try:
            decision = self._fallback.route(request.context.prompt, request.context)
        except NoRoute:
            raise
        except Exception as failure:  # such as a context whose limits are no numbers
            raise NoRoute(f"This cannot be routed: {failure}") from failure
        metadata = {**decision.metadata, "fallback_reason": reason_of(error), "experimental": False}
        reasoning = f"{decision.reasoning} The strategy failed."
        return replace(decision, fallback_used=True, reasoning=reasoning, metadata=metadata)
