"""Plans one request before anything is sent: who chooses the model, the models in failover order, the baseline, the reservation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from gateway.catalog.catalog import Auto, Catalog, ModelKey, Pinned, Target
from gateway.completion import Cascading, ChatRequest, NativeRequest
from gateway.errors import Forbidden, InvalidRequest, NoRoute, NotFound
from gateway.resilience import Candidate
from gateway.routing.comparison.comparable import may_be_compared
from gateway.routing.engine import RoutingEngine
from gateway.routing.holdback import Holdback, HoldbackDraw
from gateway.routing.plan import ANONYMOUS, PINNED, Caller, Plan
from gateway.routing.prompt.context import context_of, prompt_tokens_of, with_prompt_tokens
from gateway.routing.prompt.features import RecentPrompts, extract
from gateway.routing.quality_floor import QualityFloor
from gateway.routing.sessions.affinity import SessionAffinity, SessionLookup
from gateway.routing.sessions.prompt_caching import NO_BREAKPOINTS, CacheBreakpoints, PromptCaching, likelihood_of_next
from gateway.routing.sessions.switching_cost import (
    SessionChoice,
    cheapest,
    expected_turns,
    keep_unless_worth_it,
    switch_cost,
)
from gateway.routing.spending_limits import SpendingLimits
from gateway.routing.strategies.agreement import CALLS
from gateway.routing.strategies.ranking import Ranking
from gateway.routing.types import RoutingContext, RoutingMode

CACHED_NAMES = 1000  # model names whose meaning and plan are cached; clients choose them
BEST = "auto:quality"  # the best expected answer, at any price
_PROVIDER_ALIASES = {"anthropic": "claude"}


class Planner:
    """Turns a request into a plan; calls no upstream.

    `cooling` returns the (provider, model) pairs that are cooling down, `baseline` is the name of a configured baseline.
    Without `sessions` each turn of a conversation is decided by itself. `shadow` puts every request into shadow mode.
    `spending_limits` are those of keys and budgets, `recent` caches the features of prompts, `caching` places cache breakpoints.
    `speaks` returns whether a provider takes a native request as it is.
    `cascade` is what is done with answers of requests and keys that do not say, `max_attempts` the number of calls of one request.
    `holdback` sends some conversations to the baseline, `quality_floor` those for which no cheaper model is proven good enough.
    """

    def __init__(
        self,
        engine: RoutingEngine,
        catalog: Catalog,
        *,
        providers: tuple[str, ...],
        cooling: Callable[[], frozenset[tuple[str, str | None]]],
        baseline: str | None = None,
        sessions: SessionAffinity | None = None,
        shadow: bool = False,
        spending_limits: SpendingLimits | None = None,
        recent: RecentPrompts | None = None,
        caching: PromptCaching | None = None,
        speaks: Callable[[str, NativeRequest], bool] = lambda provider, native: False,
        holdback: Holdback | None = None,
        quality_floor: QualityFloor | None = None,
        cascade: Cascading = "validate",
        max_attempts: int = 3,
    ) -> None:
        self._cascade = cascade
        self._max_attempts = max_attempts
        self._quality_floor = quality_floor
        self._holdback = holdback
        self._engine = engine
        self._caching = caching
        self._speaks = speaks
        self._read = extract if recent is None else recent.extract
        self._spending_limits = spending_limits
        self._sessions = sessions
        self._shadow = shadow
        self._catalog = catalog
        self._listed = {
            model.key: Candidate(model.provider, model.name, model.context_window, max_output=model.max_output)
            for model in catalog
        }
        self._providers = providers
        self._cooling = cooling
        self._baseline = baseline
        self._target = lru_cache(CACHED_NAMES)(catalog.resolve)
        self._pinned_plan = lru_cache(CACHED_NAMES)(self._new_pinned_plan)

    def plan(self, request: ChatRequest, *, mode: RoutingMode | None = None, caller: Caller = ANONYMOUS) -> Plan:
        """`mode` is the client's wish, None without one.

        Raises ModelNotFound, NoRoute, InvalidRequest (hints), Forbidden (limits of the key or a budget).
        """
        target = self._target(request.model, request.bare_provider)
        mode = self._mode(target, mode)
        if mode is not RoutingMode.PINNED:
            request = with_prompt_tokens(request)
        plan = self._plan(request, target, mode=mode, caller=caller)
        return self._within_limits(plan, request, caller=caller)

    def plan_named(self, request: ChatRequest, *, caller: Caller = ANONYMOUS) -> Plan:
        """The plan of a request that only the named model can answer. Raises as `plan`, and InvalidRequest for `auto`."""
        target = self._target(request.model)
        if isinstance(target, Auto):
            raise InvalidRequest(
                f"'model' must name a model here: {request.model!r} would choose between models, and the vectors of "
                "different models cannot be compared. Name one, such as gemini/gemini-embedding-001, or an alias of "
                "gateway.yaml.",
                param="model",
                code="invalid_value",
            )
        plan = self._pinned_plan(request.model, target.provider, target.model)
        return self._within_limits(plan, request, caller=caller)

    def _mode(self, target: Target, requested: RoutingMode | None) -> RoutingMode:
        """The effective mode. A configured shadow mode applies unless the client requests complexity alone."""
        if requested is RoutingMode.SHADOW or (self._shadow and requested is not RoutingMode.COMPLEXITY):
            return RoutingMode.SHADOW
        if isinstance(target, Pinned) and requested is not RoutingMode.AUTO:
            return RoutingMode.PINNED
        return RoutingMode.COMPLEXITY if requested is RoutingMode.COMPLEXITY else RoutingMode.AUTO

    def _plan(self, request: ChatRequest, target: Target, *, mode: RoutingMode, caller: Caller) -> Plan:
        if mode is RoutingMode.PINNED and isinstance(target, Pinned):
            return self._plan_pinned(request, target)
        if mode is RoutingMode.COMPLEXITY:
            return self._plan_by_complexity(request, target, caller=caller)
        if mode is RoutingMode.SHADOW:
            return self._plan_shadow(request, target, caller=caller)
        return self._plan_auto(request, target, caller=caller)

    def _plan_auto(self, request: ChatRequest, target: Target, *, caller: Caller) -> Plan:
        session = None if self._sessions is None else self._sessions.lookup(request, key_id=caller.key_id)
        context = self._context(request, target, caller=caller, session=session)
        cascade = self._cascading(request, caller)
        if cascade == "agree" and self._max_attempts >= CALLS and may_be_compared(request, session):
            context = replace(context, cascade="agree")
        breakpoints = self._breakpoints(request, session, context)
        baseline = self._named_baseline(request, target) or self._engine.baseline(context.prompt, context)
        choice, context = self._rank_auto(request, replace(context, baseline=baseline), session, breakpoints)
        draw = self._measured(choice.ranking, target, baseline, session=session, caller=caller)
        ranking = draw.ranking
        kept = choice.kept if ranking.chosen == choice.ranking.chosen else None
        return Plan(
            ranking=ranking,
            candidates=self._candidates(ranking),
            baseline=baseline,
            context=context,
            mode=RoutingMode.AUTO,
            session=session,
            session_kept=kept,
            switch_penalty=None if kept is None else choice.penalty,
            shadow=draw.routed if draw.held else None,
            breakpoints=breakpoints,
            holdback=draw.held,
            cascade=cascade,
        )

    def _cascading(self, request: ChatRequest, caller: Caller) -> Cascading:
        """That of the request, of its key, or the configured one."""
        of_key = None if caller.key is None else caller.key.cascade
        return request.hints.cascade or of_key or self._cascade

    def _measured(
        self, ranking: Ranking, target: Target, baseline: ModelKey, *, session: SessionLookup | None, caller: Caller
    ) -> HoldbackDraw:
        """The ranking within the quality floor, and the holdback's draw; a request that names its model is never drawn."""
        if self._quality_floor is not None:
            ranking = self._quality_floor.apply(ranking, baseline, session=session)
        if self._holdback is None or isinstance(target, Pinned):
            return HoldbackDraw(ranking)
        return self._holdback.draw(ranking, baseline, session=session, key=caller.key)

    def _plan_by_complexity(self, request: ChatRequest, target: Target, *, caller: Caller) -> Plan:
        context = self._context(request, target, caller=caller)
        ranking = self._engine.rank(context.prompt, strategy="complexity", context=context)
        return Plan(
            ranking=ranking,
            candidates=self._candidates(ranking),
            baseline=self._named_baseline(request, target) or ranking.chosen,
            context=context,
            mode=RoutingMode.COMPLEXITY,
            breakpoints=self._breakpoints(request, None, context),
        )

    def _plan_shadow(self, request: ChatRequest, target: Target, *, caller: Caller) -> Plan:
        """The named model answers, or the baseline for `auto`; the choice of `auto` is only recorded."""
        if isinstance(target, Pinned):
            plan = self._plan_pinned(request, target)
            shadow = self._shadow_of_pinned(request, target, caller=caller)
            return replace(plan, mode=RoutingMode.SHADOW, shadow=shadow)
        context = self._context(request, target, caller=caller)
        ranking = self._engine.rank(context.prompt, strategy="complexity", context=context)
        baseline = self._named_baseline(request, target) or ranking.chosen
        ranking = _with_baseline_first(ranking, baseline)
        return Plan(
            ranking=ranking,
            candidates=self._candidates(ranking),
            baseline=baseline,
            context=context,
            mode=RoutingMode.SHADOW,
            shadow=self._engine.rank(context.prompt, strategy="hybrid", context=context),
        )

    def _shadow_of_pinned(self, request: ChatRequest, target: Pinned, *, caller: Caller) -> Ranking | None:
        """None where `auto` could not have served the request; that is no reason to refuse it."""
        try:
            context = self._context(request, target, caller=caller)
            return self._engine.rank(context.prompt, strategy="hybrid", context=context)
        except (NoRoute, Forbidden, InvalidRequest):
            return None

    def _rank_auto(
        self,
        request: ChatRequest,
        context: RoutingContext,
        session: SessionLookup | None,
        breakpoints: CacheBreakpoints,
    ) -> tuple[SessionChoice, RoutingContext]:
        """The ranking at the costs of this conversation; a change of model that is not worth its cost is undone.

        The context that is returned has the surcharges of this request alone. With a `max_cost`, which limits this request,
        they decide as well.
        """
        if session is None:
            return SessionChoice(self._engine.rank(context.prompt, strategy="hybrid", context=context)), context
        further = 0.0
        if context.max_cost is None:
            further = expected_turns(session.turns, likelihood_of_next(request, session))
        cost = switch_cost(
            session,
            self._catalog,
            prompt_tokens=context.prompt_tokens or 0,
            breakpoints=breakpoints,
            further=further,
        )
        priced = replace(context, surcharges=cost.per_turn) if cost.per_turn else context
        ranking = self._engine.rank(context.prompt, strategy="hybrid", context=priced)
        if session.auxiliary and request.model != BEST:
            ranking = cheapest(ranking)
        alone = replace(context, surcharges=cost.surcharges) if cost.surcharges else context
        return keep_unless_worth_it(ranking, cost), alone

    def _plan_pinned(self, request: ChatRequest, target: Pinned) -> Plan:
        plan = self._pinned_plan(request.model, target.provider, target.model)
        if self._caching is not None:
            key = plan.ranking.chosen
            breakpoints = self._caching.named(request, key, prompt_tokens=lambda: prompt_tokens_of(request))
            plan = plan if breakpoints is NO_BREAKPOINTS else replace(plan, breakpoints=breakpoints)
        if request.hints.session_id is None:
            return plan
        return replace(plan, context=RoutingContext(prompt="", session_id=request.hints.conversation))

    def _new_pinned_plan(self, name: str, provider: str, model: str) -> Plan:
        """The plan of all requests that name this model by this name. Raises NotFound."""
        key = ModelKey(provider, model)
        if key.provider not in self._providers:
            raise NotFound(
                f"The provider {key.provider!r} of model {name!r} is not enabled on this gateway: its key is not set. "
                f"Enabled: {', '.join(self._providers) or 'none'}.",
                param="model",
                code="model_not_found",
            )
        return Plan(
            ranking=Ranking(
                chosen=key,
                strategy=PINNED,
                confidence="high",
                reasoning=f"The client named {key.full_name}.",
                propensity=1.0,
            ),
            candidates=(self._candidate(key),),
            baseline=key,
            context=RoutingContext(prompt=""),
            mode=RoutingMode.PINNED,
        )

    def _context(
        self, request: ChatRequest, target: Target, *, caller: Caller, session: SessionLookup | None = None
    ) -> RoutingContext:
        """All that strategies may know of the request, within what the caller's key may use. Raises InvalidRequest, NoRoute, Forbidden."""
        context = context_of(
            request,
            available_providers=self._available_providers(request),
            cooling=self._cooling(),
            tradeoff=target.tradeoff if isinstance(target, Auto) else None,
            user_id=caller.key_id,
            session_id=None if session is None else session.session_id,
            read=self._read,
        )
        return context if self._spending_limits is None else self._spending_limits.restrict(context, caller.key)

    def _available_providers(self, request: ChatRequest) -> list[str]:
        wanted = request.hints.providers
        if wanted is None:
            available = list(self._providers)
        else:
            names = {_PROVIDER_ALIASES.get(name, name) for name in wanted}
            available = [name for name in self._providers if name in names]
        if available:
            return self._native_providers(available, request.native)
        enabled = ", ".join(self._providers)
        if wanted is not None and self._providers:
            raise InvalidRequest(
                f"'routing.providers' names no provider of this gateway: {', '.join(map(repr, wanted))}. Enabled are: {enabled}.",
                param="routing.providers",
            )
        raise NoRoute(f"No provider is left: enabled are {enabled or 'none'}.")

    def _native_providers(self, available: list[str], native: NativeRequest | None) -> list[str]:
        """Those that can serve the request, where it cannot be translated. Raises InvalidRequest where there are none."""
        if native is None or (untranslatable := native.untranslatable) is None:
            return available
        if speaking := [name for name in available if self._speaks(name, native)]:
            return speaking
        raise InvalidRequest(untranslatable.reason, param=untranslatable.path, code="unsupported_value")

    def _breakpoints(
        self, request: ChatRequest, session: SessionLookup | None, context: RoutingContext
    ) -> CacheBreakpoints:
        if self._caching is None:
            return NO_BREAKPOINTS
        return self._caching.routed(request, session, prompt_tokens=context.prompt_tokens or 0)

    def _named_baseline(self, request: ChatRequest, target: Target) -> ModelKey | None:
        """The baseline by the request's hint, its model's name, or the configuration; else complexity's choice is the baseline."""
        named = request.hints.baseline or (None if isinstance(target, Pinned) else self._baseline)
        if named is not None:
            baseline = self._catalog.resolve(named)
            if isinstance(baseline, Auto):
                raise InvalidRequest("The baseline must be a model, not `auto`.", param="routing.baseline")
            return baseline.key
        return target.key if isinstance(target, Pinned) else None

    def _within_limits(self, plan: Plan, request: ChatRequest, *, caller: Caller) -> Plan:
        """The plan with the candidates that the caller may use and pay for; the first of them is the choice."""
        if self._spending_limits is None:
            return plan
        candidates, reservation = self._spending_limits.reservation_for(
            plan.candidates, request, key=caller.key, key_id=caller.key_id, asked=plan.asked
        )
        if reservation is None and candidates == plan.candidates:
            return plan
        ranking = _within(plan.ranking, candidates[0])
        if not set(plan.asked) <= set(candidates):
            ranking = ranking._replace(agreement=None)
        if ranking is not plan.ranking and plan.holdback is not None:  # the limits chose, not the draw
            plan = replace(plan, holdback=None, shadow=None)
        return replace(plan, ranking=ranking, candidates=candidates, reservation=reservation)

    def _candidates(self, ranking: Ranking) -> tuple[Candidate, ...]:
        return tuple([self._candidate(key) for key in dict.fromkeys([ranking.chosen, *ranking.keys])])

    def _candidate(self, key: ModelKey) -> Candidate:
        return self._listed.get(key) or Candidate(*key)


def _within(ranking: Ranking, first: Candidate) -> Ranking:
    """The ranking with the first permitted candidate in front."""
    permitted = ModelKey(first.provider, first.model)
    if permitted == ranking.chosen or permitted not in ranking.keys:
        return ranking
    return ranking.choose(permitted, because=f"Within the limits of the key or budget it is {permitted.full_name}.")


def _with_baseline_first(ranking: Ranking, baseline: ModelKey) -> Ranking:
    """The ranking with the baseline in front, if the baseline can serve the request."""
    if baseline not in ranking.keys[1:]:
        return ranking
    return ranking.choose(baseline, because=f"Shadow mode: the baseline {baseline.full_name} answers.")
