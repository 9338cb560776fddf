"""What one configuration decides, composed of its settings and the process's services; a reload builds another one."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import cast

from starlette.routing import BaseRoute

from gateway.api.auth import Authenticator
from gateway.api.chat import ChatEndpoint
from gateway.api.cors import Cors
from gateway.api.count_tokens import CountTokens
from gateway.api.dashboard.live import LiveEndpoint
from gateway.api.dashboard.page import Dashboard
from gateway.api.dashboard.sign_in import SignIn
from gateway.api.feedback import FeedbackEndpoint
from gateway.api.health import Readiness
from gateway.api.models import ModelList
from gateway.api.reports import ReportEndpoints
from gateway.api.response_state import ResponseState
from gateway.api.route_preview import RoutePreview
from gateway.api.routes import build_routes, dashboard_routes, protected_routes
from gateway.api.stored_responses import StoredResponses
from gateway.app.alerting import Conditions
from gateway.app.endpoints import completion_endpoints, response_state
from gateway.app.operator_state import alert_conditions_of, gateway_state, state_metrics_of
from gateway.app.planning import planner_of
from gateway.app.services import Services
from gateway.app.telemetry import servers_of
from gateway.app.upstreams import build_providers
from gateway.completion import ChatRequest
from gateway.observability.logs import log_cooldown, log_request
from gateway.observability.state_metrics import StateMetrics
from gateway.providers.base import Provider
from gateway.proxy import ChatProxy, EmbeddingProxy, LedgerServices
from gateway.proxy.chat import ChatResult
from gateway.proxy.content import ContentCollector
from gateway.proxy.judge import Judge, JudgeEndpoint
from gateway.proxy.outcomes import OutcomeCollector
from gateway.proxy.settlement import CostCalculator
from gateway.proxy.time_limits import RequestTimeLimits
from gateway.proxy.token_counter import TokenCounter
from gateway.records import RequestRecord
from gateway.resilience import Cascade, FailoverPolicy, KeyRotation, UpstreamHealth
from gateway.routing import (
    Caller,
    Corroboration,
    HostAffinity,
    Pause,
    Planner,
    QualityEvidence,
    RoutingEngine,
    RoutingMode,
    no_pause,
    usual_models,
)
from gateway.savings import odd_baseline
from gateway.settings import JudgeSettings, Settings
from gateway.store import Store


@dataclass(frozen=True, slots=True)
class Runtime:
    """One configuration in force: requests that begin under it also end under it."""

    settings: Settings
    proxy: ChatProxy
    engine: RoutingEngine
    routes: Sequence[BaseRoute]
    cors: Cors
    store: Store
    state_metrics: StateMetrics
    alert_conditions: Conditions
    quality_evidence: QualityEvidence | None = None

    def refresh(self, pause: Pause = no_pause) -> None:
        """Learn what the ledger has; `pause` is called between short steps of that. Blocks. Raises LedgerUnavailable."""
        self.engine.refresh(pause)
        if self.quality_evidence is not None:
            self.quality_evidence.refresh(self.store, pause)


def build_runtime(settings: Settings, services: Services) -> Runtime:
    """Composes everything that the settings decide. Reads no file and opens no connection."""
    environment, store = services.environment, services.store
    engine = RoutingEngine(
        settings.db,
        catalog=settings.catalog,
        tradeoff=settings.tradeoff,
        seed=environment.seed,
        store=store,
        leads=partial(services.leads, "learning"),
    )
    providers = build_providers(settings, services.signatures)
    upstream_health = UpstreamHealth(environment.clock, observe=log_cooldown)
    # Health of its own: a model that gives no vectors may well answer chats.
    embeddings_health = UpstreamHealth(environment.clock, observe=log_cooldown)
    quality_evidence = None if settings.quality_floor is None else QualityEvidence()
    planner = planner_of(
        settings,
        services,
        engine=engine,
        providers=providers,
        upstream_health=upstream_health,
        quality_evidence=quality_evidence,
    )
    corroboration = Corroboration(
        services.keys_per_model,
        issued=lambda: len(settings.client_keys) + services.key_cache.live,
        needed=settings.corroborating_keys,
    )
    ledger_services = _ledger_services(settings, services, providers=providers, corroboration=corroboration)
    times = RequestTimeLimits(
        settings.timeouts,
        settings.catalog,
        providers={entry.name: entry.timeouts for entry in settings.providers},
        models=settings.model_timeouts,
    )
    proxy = ChatProxy(
        planner,
        providers,
        transport=services.transport,
        policy=_failover_policy(settings, services, upstream_health=upstream_health),
        services=ledger_services,
        times=times,
        cascade=Cascade(settings.catalog),
        worker=services.body_executor,
    )
    embeddings = EmbeddingProxy(
        planner,
        providers,
        transport=services.transport,
        policy=_failover_policy(settings, services, upstream_health=embeddings_health),
        services=ledger_services,
        times=times,
        worker=services.body_executor,
    )
    proxy.judge = _judge(settings.judge, services, proxy=proxy, outcomes=ledger_services.outcome_collector)
    authenticator = Authenticator(
        [key.value for key in settings.client_keys],
        settings.admin_key.value if settings.admin_key else None,
        allowed_hosts=settings.allowed_hosts,
        key_cache=services.key_cache,
        rate_limiter=services.request_limiter(settings),
        sessions=services.admin_sessions,
    )
    state = response_state(settings, services)
    completions = completion_endpoints(
        settings, services, proxy=proxy, embeddings=embeddings, state=state, authenticator=authenticator
    )
    routes = _routes(
        settings,
        services,
        planner=planner,
        completions=completions,
        state=state,
        providers=providers,
        proxy=proxy,
        authenticator=authenticator,
        corroboration=corroboration,
        upstream_health=upstream_health,
    )
    cors = Cors(authenticator, origins=settings.cors_origins)
    state_metrics = state_metrics_of(settings, services, healths=(upstream_health, embeddings_health))
    alerts = alert_conditions_of(settings, services, state=state_metrics, evidence=quality_evidence)
    return Runtime(settings, proxy, engine, routes, cors, store, state_metrics, alerts, quality_evidence)


def _judge(
    settings: JudgeSettings | None, services: Services, *, proxy: ChatProxy, outcomes: OutcomeCollector
) -> Judge | None:
    if settings is None:
        return None

    async def ask(request: ChatRequest) -> ChatResult:
        result = await proxy.serve(
            request,
            dialect=JudgeEndpoint(),
            request_id=services.environment.new_request_id(),
            mode=RoutingMode.COMPLEXITY,  # the named model answers, in shadow mode too
            caller=Caller(),
        )
        return cast(ChatResult, result)  # only a streamed request has a streamed answer

    return Judge(
        settings.model,
        share=settings.share,
        daily_usd=Decimal(repr(settings.daily_usd)),
        spending=services.judge_spending,
        queue=services.judge_queue,
        ask=ask,
        outcomes=outcomes,
    )


def _failover_policy(settings: Settings, services: Services, *, upstream_health: UpstreamHealth) -> FailoverPolicy:
    environment = services.environment
    return FailoverPolicy(
        upstream_health,
        clock=environment.clock,
        uniform=random.Random(environment.seed).uniform,
        deadline=settings.timeouts.total,
        max_attempts=settings.max_attempts,
        key_rotation=KeyRotation(
            {entry.name: len(entry.keys) for entry in settings.providers},
            clock=environment.clock,
        ),
    )


def _ledger_services(
    settings: Settings, services: Services, *, providers: Mapping[str, Provider], corroboration: Corroboration
) -> LedgerServices:
    def wake_refresh(record: RequestRecord) -> None:
        services.refresh_loop.wake()

    listed = frozenset(model.full_name for model in settings.catalog)
    return LedgerServices(
        store=services.store,
        cost_calculator=CostCalculator(
            settings.prices, prefixes=services.conversation_prefixes, lengths=services.length_ratios
        ),
        clock=services.environment.clock,
        now=services.environment.now,
        outcome_collector=OutcomeCollector(
            services.store,
            settings.catalog,
            sessions=services.session_affinity,
            implicit_feedback=services.implicit_feedback,
            corroboration=corroboration,
        ),
        observers=(
            partial(services.exporter.counts.observe, listed=listed),
            log_request,
            services.operator_warnings.observe,
            services.holdback_spending.observe,
            services.live_updates.observe,
            wake_refresh,
            *_optional_observers(settings, services, listed=listed),
        ),
        incomplete=services.operator_warnings.incomplete,
        ending=lambda: services.lifecycle.ending,
        features=settings.record_features,
        settlement_retries=services.settlement_retries,
        host_affinity=HostAffinity(
            services.session_affinity,
            services.environment.clock,
            providers={name for name, provider in providers.items() if provider.chooses_host},
        ),
        unrecorded=settings.on_ledger_failure == "serve",
        content=ContentCollector(services.store) if settings.store_content else None,
    )


def _optional_observers(
    settings: Settings, services: Services, *, listed: Collection[str]
) -> Iterator[Callable[[RequestRecord], None]]:
    if settings.metrics_key_labels:
        yield services.exporter.keys.observe
    if settings.metrics_tag_labels:
        yield partial(services.exporter.tags.observe, names=settings.metrics_tag_labels)
    if services.telemetry is not None:
        yield partial(services.telemetry.observe, servers=servers_of(settings), listed=listed)


def _routes(
    settings: Settings,
    services: Services,
    *,
    planner: Planner,
    completions: Mapping[str, ChatEndpoint],
    state: ResponseState | None,
    providers: Mapping[str, Provider],
    proxy: ChatProxy,
    authenticator: Authenticator,
    corroboration: Corroboration,
    upstream_health: UpstreamHealth,
) -> Sequence[BaseRoute]:
    def is_strong(provider: str, model: str) -> bool:
        listed = settings.catalog.get(provider, model)
        return listed is not None and listed.tier == "complex"

    store, environment, body_bytes = services.store, services.environment, settings.limits.body_bytes
    lifecycle = services.lifecycle
    feedback = FeedbackEndpoint(
        store, now=environment.now, rated=services.implicit_feedback.forget, needed=corroboration.needed
    )
    dashboard = Dashboard(
        store,
        now=environment.now,
        clock=environment.clock,
        demo=services.demo,
        strong=is_strong,
        prices=settings.prices,
        state=gateway_state(settings, services, upstream_health=upstream_health),
        feedback=feedback,
        keyed=lambda: authenticator.keyed,
    )
    protected = protected_routes(
        models=ModelList(settings.catalog, providers=[entry.name for entry in settings.providers]),
        preview=RoutePreview(planner, max_body_bytes=body_bytes, bodies=services.bodies, worker=services.body_executor),
        counting=CountTokens(
            TokenCounter(settings.catalog, providers, transport=services.transport, worker=services.body_executor),
            max_body_bytes=body_bytes,
            bodies=services.bodies,
            worker=services.body_executor,
        ),
        feedback=feedback,
        stored_responses=StoredResponses(state),
        reports=ReportEndpoints(
            store,
            catalog=settings.catalog,
            prices=settings.prices,
            now=environment.now,
            note=None if settings.baseline is not None else odd_baseline(usual_models(settings.catalog)),
            refusals=services.refusals,
        ),
        metrics=services.exporter.metrics,
        readiness=Readiness(
            store,
            draining=lambda: lifecycle.draining,
            starting=lambda: services.refresh_loop.starting,
            integrity=services.integrity,
        ),
        dashboard=dashboard,
    )
    sign_in = SignIn(
        authenticator,
        services.admin_sessions,
        rate_limiter=services.rate_limiter,
        demo=services.demo,
        ended=services.live_updates.wake,
    )
    return build_routes(
        protected,
        completions=completions,
        authenticator=authenticator,
        sign_in=sign_in,
        pages=dashboard_routes(dashboard, LiveEndpoint(services.live_updates, authenticator)),
    )
