"""Who answers a request, who would have: the decision, the baseline and the order of candidates, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from gateway.accounts.virtual_keys import VirtualKey
from gateway.catalog.catalog import Auto, Catalog, Pinned
from gateway.completion import ChatRequest
from gateway.errors import Forbidden, InvalidRequest, NoRoute, NotFound
from gateway.proxy.spending_limits import Reservation, SpendingLimits
from gateway.resilience import Candidate
from gateway.routing import RoutingContext, RoutingDecision, RoutingEngine, context_of
from gateway.routing.prompt.context import prompt_tokens
from gateway.routing.prompt.features import RecentPrompts, prompt_facts
from gateway.routing.sessions.affinity import SessionAffinity, SessionLookup
from gateway.routing.sessions.prompt_caching import NO_MARKS, CacheBreakpoints, PromptCaching
from gateway.routing.sessions.switching_cost import keep_unless_worth_it, switch_cost, with_choice

NAMES = 1000  # of models, whose meaning and plan are remembered; clients choose them
# `?auto_route=`, None when it is absent: `shadow` records what `auto` would have done and does it not.
AutoRoute = bool | Literal["shadow"] | None


class Caller(NamedTuple):
    """Who asks: the key's id (never the key), what a client said of itself in headers, and a virtual `key`'s limits."""

    key_id: str | None = None
    client_request_id: str | None = None
    retries: int | None = None
    key: VirtualKey | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What was decided for one request. `candidates` are in failover order, the chosen one first; a pinned request has one.

    `visit` is its place in a conversation that keeps its model, `shadow` what `auto` would have decided where it only looked on.
    `allowance` is what it may cost, where that is limited. `marks` are the cache breakpoints that requests to candidates get.
    """

    decision: RoutingDecision
    candidates: tuple[Candidate, ...]
    baseline: Candidate
    context: RoutingContext
    auto_route: bool
    pinned: bool
    visit: SessionLookup | None = None
    shadow: RoutingDecision | None = None
    reservation: Reservation | None = None
    marks: CacheBreakpoints = NO_MARKS


class Planner:
    """Turns a request into a plan; calls nobody.

    `cooling` tells which (provider, model) pairs should be tried last just now, `baseline` a configured baseline's name.
    Without `sessions` each turn of a conversation is decided by itself. `shadow` makes `auto` look on whatever a request asks.
    `allowances` keep decisions within the limits of keys and budgets, `recent` spares reading a prompt again. `caching` places
    cache breakpoints.
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
    ) -> None:
        self._engine = engine
        self._caching = caching
        self._recent = recent
        self._spending_limits = spending_limits
        self._sessions = sessions
        self._shadow = shadow
        self._catalog = catalog
        self._listed = {model.key: Candidate(model.provider, model.name, model.context_window) for model in catalog}
        self._providers = providers
        self._cooling = cooling
        self._baseline = baseline
        self._target = lru_cache(NAMES)(catalog.resolve)
        self._named = lru_cache(NAMES)(self._plan_of)

    def plan(self, request: ChatRequest, *, auto_route: AutoRoute = None, caller: Caller | None = None) -> Plan:
        """Raises ModelNotFound, NoRoute, InvalidRequest (hints), Forbidden (limits of the key or a budget)."""
        plan = self._resolve(request, auto_route=auto_route, caller=caller)
        return (
            plan if self._spending_limits is None else self._within(self._spending_limits, plan, request, caller=caller)
        )

    def _within(
        self, spending_limits: SpendingLimits, plan: Plan, request: ChatRequest, *, caller: Caller | None
    ) -> Plan:
        """The plan with the candidates that the caller may use; the first of them is who answers."""
        left, reservation = spending_limits.reservation_for(
            plan.candidates, request, key=caller.key if caller else None
        )
        if reservation is None and left == plan.candidates:
            return plan
        decision = plan.decision
        if left[0] != plan.candidates[0]:
            entries: list[Mapping[str, Any]] = decision.metadata["candidates"]
            own = next(
                each for each in entries if (each["provider"], each["model"]) == (left[0].provider, left[0].model)
            )
            said = f"{decision.reasoning} Within the limits of the key or budget it is {left[0].full_name}."
            decision = with_choice(decision, own, reasoning=said)
        return replace(plan, decision=decision, candidates=left, reservation=reservation)

    def _resolve(self, request: ChatRequest, *, auto_route: AutoRoute, caller: Caller | None) -> Plan:
        target = self._target(request.model)
        if auto_route == "shadow" or (self._shadow and auto_route is not False):
            return self._shadowed(request, target, caller=caller)
        if isinstance(target, Pinned) and not auto_route:
            return self._pinned(request, target)
        context = self._context(request, target, caller=caller)
        if auto_route is False:
            decision = self._engine.route(context.prompt, auto_route=False, context=context)
            baseline = self._baseline_of(request, target, context=context, decision=decision)
            marks = self._marks(request, None, context)
            return self._auto(decision, baseline, context=context, learned=False, marks=marks)
        visit = self._visit(request, caller)
        context.session_id = visit.session_id if visit is not None else context.session_id
        marks = self._marks(request, visit, context)
        baseline = self._baseline_of(request, target, context=context, decision=None)
        decision, context = self._route_auto(context, visit, marks)
        return self._auto(decision, baseline, context=context, learned=True, visit=visit, marks=marks)

    def _auto(
        self,
        decision: RoutingDecision,
        baseline: Candidate,
        *,
        context: RoutingContext,
        learned: bool,
        visit: SessionLookup | None = None,
        marks: CacheBreakpoints = NO_MARKS,
    ) -> Plan:
        return Plan(
            visit=visit,
            marks=marks,
            decision=decision,
            candidates=self._candidates(decision),
            baseline=baseline,
            context=context,
            auto_route=learned,
            pinned=False,
        )

    def _visit(self, request: ChatRequest, caller: Caller | None) -> SessionLookup | None:
        if self._sessions is None:
            return None
        return self._sessions.lookup(request, key_id=caller.key_id if caller else None)

    def _marks(self, request: ChatRequest, visit: SessionLookup | None, context: RoutingContext) -> CacheBreakpoints:
        if self._caching is None:
            return NO_MARKS
        return self._caching.routed(request, visit, prompt_tokens=context.prompt_tokens or 0)

    def _route_auto(
        self, context: RoutingContext, visit: SessionLookup | None, marks: CacheBreakpoints
    ) -> tuple[RoutingDecision, RoutingContext]:
        """What `auto` decides, and the context with the prices that hold for this conversation.

        It is the engine's choice at those prices, unless that is not worth a change of model.
        """
        if visit is None:
            return self._engine.route(context.prompt, auto_route=True, context=context), context
        prices = switch_cost(visit, self._catalog, prompt_tokens=context.prompt_tokens or 0, marks=marks)
        if prices.surcharges:
            context = replace(context, surcharges=prices.surcharges)
        return keep_unless_worth_it(
            self._engine.route(context.prompt, auto_route=True, context=context), prices
        ), context

    def _shadowed(self, request: ChatRequest, target: Auto | Pinned, *, caller: Caller | None) -> Plan:
        """The named model answers, or the baseline for `auto`; what `auto` would have decided is only noted."""
        if isinstance(target, Pinned):
            plan = self._pinned(request, target)
            return replace(plan, shadow=self._shadow_decision(request, target, caller=caller))
        context = self._context(request, target, caller=caller)
        usual = self._engine.route(context.prompt, auto_route=False, context=context)
        baseline = self._baseline_of(request, target, context=context, decision=usual)
        return replace(
            self._auto(_with_baseline_first(baseline, usual), baseline, context=context, learned=False),
            shadow=self._shadow_decision(request, target, caller=caller),
        )

    def _shadow_decision(
        self, request: ChatRequest, target: Auto | Pinned, *, caller: Caller | None
    ) -> RoutingDecision | None:
        """None where `auto` could not have served the request, which is no reason to refuse it."""
        try:
            return self._route_auto(self._context(request, target, caller=caller), None, NO_MARKS)[0]
        except (NoRoute, Forbidden, InvalidRequest):
            return None

    def _pinned(self, request: ChatRequest, target: Pinned) -> Plan:
        plan = self._named(request.model, target.provider, target.model)
        if self._caching is not None:
            marks = self._caching.named(
                request,
                (target.provider, target.model),
                prompt_tokens=lambda: prompt_tokens(request.body, request.messages),
            )
            plan = plan if marks is NO_MARKS else replace(plan, marks=marks)
        if request.hints.session_id is None:
            return plan
        return replace(plan, context=RoutingContext(prompt="", session_id=request.hints.conversation))

    def _plan_of(self, name: str, provider: str, model: str) -> Plan:
        """The plan of a request that names its model: the same for all that name it so."""
        if provider not in self._providers:
            raise NotFound(
                f"The provider {provider!r} of model {name!r} is not enabled on this gateway: its key is not set. "
                f"Enabled: {', '.join(self._providers) or 'none'}.",
                param="model",
                code="model_not_found",
            )
        chosen = self._candidate(provider, model)
        decision = RoutingDecision(
            provider=chosen.provider,
            model=chosen.model,
            confidence="high",
            strategy_used="pinned",
            reasoning=f"The client named {chosen.full_name}.",
            metadata={"propensity": 1.0},
        )
        return Plan(
            decision=decision,
            candidates=(chosen,),
            baseline=chosen,
            context=RoutingContext(prompt=""),
            auto_route=False,
            pinned=True,
        )

    def _context(self, request: ChatRequest, target: Auto | Pinned, *, caller: Caller | None) -> RoutingContext:
        available = [name for name in self._providers if name in self._wanted(request)]
        if not available and self._providers and request.hints.providers is not None:
            named = ", ".join(map(repr, request.hints.providers))
            raise InvalidRequest(
                f"'routing.providers' names no provider of this gateway: {named}. Enabled are: {', '.join(self._providers)}.",
                param="routing.providers",
            )
        if not available:
            raise NoRoute("No provider is left: enabled are " + (", ".join(self._providers) or "none") + ".")
        context = context_of(
            request,
            available_providers=available,
            cooling=self._cooling(),
            tradeoff=target.tradeoff if isinstance(target, Auto) else None,
            user_id=caller.key_id if caller else None,
        )
        extracted = self._recent.extract(context.prompt) if self._recent is not None else None
        context.facts = prompt_facts(
            context.prompt, context, extracted=extracted
        )  # decision and baseline are made from the same
        return (
            context
            if self._spending_limits is None
            else self._spending_limits.restrict(context, caller.key if caller else None)
        )

    def _wanted(self, request: ChatRequest) -> tuple[str, ...]:
        wanted = request.hints.providers
        if wanted is None:
            return self._providers
        known = {"anthropic": "claude"}
        return tuple(known.get(name, name) for name in wanted)

    def _baseline_of(
        self, request: ChatRequest, target: Auto | Pinned, *, context: RoutingContext, decision: RoutingDecision | None
    ) -> Candidate:
        named = request.hints.baseline or (None if isinstance(target, Pinned) else self._baseline)
        if named is not None:
            baseline = self._catalog.resolve(named)
            if isinstance(baseline, Auto):
                raise InvalidRequest("The baseline must be a model, not `auto`.", param="routing.baseline")
            return self._candidate(baseline.provider, baseline.model)
        if isinstance(target, Pinned):
            return self._candidate(target.provider, target.model)
        if decision is not None:
            return self._candidate(decision.provider, decision.model)
        return self._candidate(*self._engine.usual(context.prompt, context))

    def _candidates(self, decision: RoutingDecision) -> tuple[Candidate, ...]:
        listed: list[Mapping[str, Any]] = decision.metadata.get("candidates") or []
        others = [(str(each["provider"]), str(each["model"])) for each in listed]
        keys = dict.fromkeys([(decision.provider, decision.model), *others])
        return tuple([self._listed.get(key) or Candidate(*key) for key in keys])

    def _candidate(self, provider: str, model: str) -> Candidate:
        return self._listed.get((provider, model)) or Candidate(provider, model)


def _with_baseline_first(baseline: Candidate, usual: RoutingDecision) -> RoutingDecision:
    """The usual decision with a configured baseline in front, as far as that can serve the request."""
    entries: list[dict[str, Any]] = usual.metadata.get("candidates") or []
    own = next(
        (each for each in entries if (each["provider"], each["model"]) == (baseline.provider, baseline.model)), None
    )
    if own is None or own is entries[0]:
        return usual
    return with_choice(usual, own, reasoning=f"Shadow mode: the baseline {baseline.full_name} answers.")
