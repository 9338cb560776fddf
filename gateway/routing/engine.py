"""Runs the strategies, checks what they answer, and records the outcomes of decisions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from gateway.catalog.catalog import Catalog, ModelKey
from gateway.catalog.packaged import load_catalog
from gateway.errors import NoRoute
from gateway.routing.estimation.throttle import Pause, no_pause
from gateway.routing.estimation.trainer import POLL_SECONDS, OnlineTrainer
from gateway.routing.estimation.validation import stored
from gateway.routing.prompt.embedding import packaged_embedding
from gateway.routing.prompt.features import cached_prompt_facts
from gateway.routing.strategies.analyzer import QueryPatternAnalyzer
from gateway.routing.strategies.base import choose_by, rank_by
from gateway.routing.strategies.candidates import RoutingRequest
from gateway.routing.strategies.complexity import ComplexityStrategy
from gateway.routing.strategies.decisions import complete, reason_of, validate
from gateway.routing.strategies.hybrid import HybridStrategy
from gateway.routing.strategies.learning import LearningStrategy
from gateway.routing.strategies.ranking import Ranking
from gateway.routing.types import Outcome, RoutingContext, RoutingDecision, RoutingStrategy
from gateway.store import Store

_BUILT_IN = frozenset({"learning", "complexity", "hybrid"})


class RoutingEngine:
    """Routes prompts to models of a catalogue, by default the packaged one.

    `tradeoff` runs from 0.0 (cheapest that will do) to 1.0 (best quality), 0.5 by default. The same `seed`, outcomes and
    order give the same decisions. With a `store`, the engine reads it only when `refresh` is called, in any thread. Without
    one it opens `db_path` and reads the outcomes of other processes itself, every `POLL_SECONDS`. `leads` says whether this
    process learns for all replicas that share the store.
    Callers may replace entries of `strategies`.
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
        leads: Callable[[], bool] | None = None,
    ) -> None:
        self.catalog = load_catalog() if catalog is None else catalog
        self._trainer = OnlineTrainer(
            db_path,
            self.catalog,
            store=store,
            clock=clock,
            poll_seconds=POLL_SECONDS if store is None else None,
            leads=leads,
        )
        analyzer = QueryPatternAnalyzer(db_path, trainer=self._trainer, tradeoff=tradeoff, seed=seed)
        learning = LearningStrategy(db_path, analyzer=analyzer)
        complexity = ComplexityStrategy(self.catalog, estimates=self._trainer.snapshot)
        self.strategies: dict[str, RoutingStrategy] = {
            "learning": learning,
            "complexity": complexity,
            "hybrid": HybridStrategy(db_path, learning=learning, complexity=complexity),
        }
        # Callers may replace the entries of `strategies`; this one they cannot reach.
        self._fallback = ComplexityStrategy(self.catalog, estimates=self._trainer.snapshot)

    def route(self, prompt: str, auto_route: bool = False, context: RoutingContext | None = None) -> RoutingDecision:
        """By complexity, or with `auto_route` by the hybrid strategy. `prompt` is used instead of the context's.

        Raises only NoRoute: when nothing in the catalogue satisfies the context.
        """
        return self.rank(prompt, strategy="hybrid" if auto_route else "complexity", context=context).to_decision()

    def rank(self, prompt: str, *, strategy: str, context: RoutingContext | None = None) -> Ranking:
        """As `route`, by an entry of `strategies`, typed. Raises only NoRoute."""
        try:
            request = self._request(prompt, context)
        except (TypeError, ValueError, AttributeError) as error:
            raise NoRoute(f"This cannot be routed: {error}") from error
        try:
            return self._checked(strategy, request)
        except Exception as error:  # callers may replace a strategy; whatever it raises, the request is routed
            return self._fall_back(request, error)

    def baseline(self, prompt: str, context: RoutingContext) -> ModelKey:
        """The model that complexity alone would choose. Raises NoRoute."""
        chosen = choose_by(self.strategies.get("complexity"), prompt, context)
        return self.rank(prompt, strategy="complexity", context=context).chosen if chosen is None else chosen

    def record_outcome(self, decision: RoutingDecision, outcome: Outcome) -> None:
        """Commit the outcome of a decision and learn from it; the next `route` uses it. Raises ValueError, LedgerUnavailable.

        Takes decisions of `route`, and others with their prompt in `metadata["prompt"]`.
        """
        self._trainer.record(stored(decision, outcome))

    def refresh(self, pause: Pause = no_pause) -> None:
        """Learn the outcomes that other processes stored. Blocks; thread-safe against `route`. Raises LedgerUnavailable.

        `pause` is called between short steps of the work; what it raises ends the refresh, and the engine may not refresh again.
        """
        packaged_embedding()  # loads the table before the first request needs it
        self._trainer.refresh(pause)

    def close(self) -> None:
        """May be called twice. A `store` passed to the constructor stays open."""
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

    def _checked(self, name: str, request: RoutingRequest) -> Ranking:
        ranking = rank_by(self.strategies[name], request.context.prompt, request.context)
        estimates = self._trainer.snapshot()
        if estimates is not request.estimates:  # the strategy learned new outcomes first
            request = replace(request, estimates=estimates)
        return complete(validate(ranking, request, strategies=self._names()), request)

    def _names(self) -> frozenset[str]:
        """The allowed values of `strategy_used`: the built-in names, the keys of `strategies`, and the names of its entries."""
        names = {each.get_name() for each in self.strategies.values() if isinstance(each, RoutingStrategy)}
        return _BUILT_IN | self.strategies.keys() | names

    def _fall_back(self, request: RoutingRequest, error: Exception) -> Ranking:
        try:
            ranking = self._fallback.rank(request.context.prompt, request.context)
        except NoRoute:
            raise
        except Exception as failure:  # such as a context whose limits are not numbers
            raise NoRoute(f"This cannot be routed: {failure}") from failure
        return ranking._replace(
            fallback_used=True,
            fallback_reason=reason_of(error),
            experimental=False,
            reasoning=f"{ranking.reasoning} The strategy failed.",
        )
