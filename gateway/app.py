"""Builds every object and joins them: settings in, a Starlette application out."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from gateway.accounts.key_cache import VirtualKeyCache
from gateway.api.admin_sessions import AdminSessions, SharedAdminSessions
from gateway.api.admission import ConcurrencyLimiter
from gateway.api.auth import Authenticator, Role
from gateway.api.body import BodyBudget
from gateway.api.chat import ChatEndpoint
from gateway.api.cors import Cors
from gateway.api.dashboard.page import Dashboard
from gateway.api.dashboard.sign_in import SignIn
from gateway.api.errors import on_gateway_error, on_http_error, on_internal_error
from gateway.api.fair_start import StartPacer
from gateway.api.feedback import FeedbackEndpoint
from gateway.api.headers import AddedHeaders
from gateway.api.health import IntegrityCheck, Readiness, healthz
from gateway.api.lifecycle import Lifecycle
from gateway.api.models import ModelList
from gateway.api.rate_limit import SharedSlidingWindowLimiter, SlidingWindowLimiter
from gateway.api.reports import ReportEndpoints
from gateway.api.request_ids import RequestIds
from gateway.api.route_preview import RoutePreview
from gateway.api.routes import Application, ProtectedRoute, build_routes
from gateway.errors import GatewayError, LedgerUnavailable
from gateway.observability.event_loop_lag import EventLoopLag
from gateway.observability.logs import dropped_lines, log_cooldown, log_request
from gateway.observability.multiprocess import MultiprocessMetrics
from gateway.observability.prometheus import Gauges, PrometheusExporter
from gateway.periodic import every
from gateway.providers.base import Provider, SignatureCache, UpstreamEndpoint
from gateway.providers.plugins import provider_kinds
from gateway.proxy import ChatProxy, LedgerServices
from gateway.proxy.body_executor import BodyExecutor
from gateway.proxy.outcomes import OutcomeCollector
from gateway.proxy.settlement import CostCalculator
from gateway.proxy.settlement_retry import SettlementRetryQueue
from gateway.proxy.time_limits import RequestTimeLimits
from gateway.proxy.warnings import OperatorWarnings
from gateway.resilience import Cascade, FailoverPolicy, KeyRotation, UpstreamHealth, deployment
from gateway.routing import (
    Corroboration,
    ImplicitFeedback,
    Planner,
    PromptCaching,
    RecentPrompts,
    RefreshLoop,
    RoutingEngine,
    SessionAffinity,
    SpendingLimits,
    keys_per_model,
)
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.connection import LedgerDamaged, quarantine
from gateway.store.lost_keys import LostKeys, may_hold_keys
from gateway.store.sqlite import SqliteStore
from gateway.transport import Transport, tls_context
from gateway.transport.http1_client import Http1Transport

log = logging.getLogger(__name__)

KEYS_SECONDS = 2.0  # until a key that another process made, rotated or revoked is known here
RECOVERY_SECONDS = 60.0
CHECK_SECONDS = 86400.0
FIRST_LESSONS = 0.5  # seconds that a start waits for what a large ledger teaches; the rest is learned while serving
LAST_WORDS = 2.0  # seconds in which interrupted requests say so and close their rows


@dataclass(frozen=True, slots=True)
class Environment:
    """What the gateway cannot decide by itself: clocks and chance. Tests bring their own."""

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    new_request_id: Callable[[], str] = field(default_factory=RequestIds)
    seed: int | None = None


class Gateway:
    """What lasts as long as the process, and the assembly that the configuration of the moment amounts to."""

    def __init__(
        self,
        settings: Settings,
        *,
        store: Store,
        transport: Transport,
        world: Environment,
        demo: bool,
        shared: Path | None,
    ) -> None:
        self.settings = settings
        self.lifecycle = Lifecycle()
        self._store = store
        self._transport = transport
        self._world = world
        self._signatures = SignatureCache()
        limits = settings.limits
        self._admission = ConcurrencyLimiter(in_flight=limits.in_flight, queue=limits.queue, wait=limits.queue_wait)
        self._bodies = BodyBudget(max(limits.bodies_bytes, limits.body_bytes))
        self._worker = BodyExecutor()
        self._event_loop_lag = EventLoopLag(world.clock)
        self.exporter = PrometheusExporter(
            Gauges(
                in_flight=lambda: self._admission.in_flight,
                waiting=lambda: self._admission.waiting,
                refused=lambda: self._admission.refused + self._bodies.refused,
                event_loop_lag=lambda: self._event_loop_lag.lag,
                logs_dropped=dropped_lines,
                settlement_retries=lambda: len(self.settlement_retries),
            ),
            multiprocess=None if shared is None else MultiprocessMetrics(shared),
        )
        secret = secrets.token_bytes(32)
        self._notices = OperatorWarnings(count_incomplete=self.exporter.counts.observe_incomplete)
        self._sessions = SessionAffinity(world.clock, secret=secret)
        self._recent = RecentPrompts(secret=secret)
        self._implicit_feedback = ImplicitFeedback(world.clock, secret=secret)
        self._start_pacer = StartPacer()
        self._refresh_loop = RefreshLoop(lambda: self._engine.refresh())
        self._dashboard = Dashboard(store, demo=demo, strong=self._is_strong)
        self._rate_limiter = (
            SlidingWindowLimiter(world.clock) if shared is None else SharedSlidingWindowLimiter(world.clock, shared)
        )
        self.settlement_retries = SettlementRetryQueue(store)
        self.integrity = IntegrityCheck(store)
        self._admin_sessions = (
            AdminSessions(world.clock) if shared is None else SharedAdminSessions(world.clock, shared)
        )
        self._demo = demo
        self.key_cache = VirtualKeyCache(
            store.virtual_keys, now=world.now, load_admin=store.admin_key, lost=lost_keys_of(settings)
        )
        self.key_cache.refresh()
        self._witnesses = keys_per_model(store)
        self._engine, routes, cors = self._assembled(settings)
        self.app = Application(
            middleware=[Middleware(AddedHeaders, headers={"x-gateway-demo": "true"})] if demo else [],
            exception_handlers={
                GatewayError: on_gateway_error,
                HTTPException: on_http_error,
                Exception: on_internal_error,
            },
            lifespan=self._lifespan,
        )
        self.app.router.redirect_slashes = False
        self.app.serve(routes, cors)
        self.app.state.gateway = self

    def _is_strong(self, provider: str, model: str) -> bool:
        listed = self.settings.catalog.get(provider, model)
        return listed is not None and listed.tier == "complex"

    @property
    def engine(self) -> RoutingEngine:
        """That of the configuration of the moment."""
        return self._engine

    async def reload(self, settings: Settings) -> None:
        """Serve what comes from here on by new settings; what is under way ends by the old ones.

        Keys, models, prices, upstreams and everything else that decides change at once; the listening address, the ledger,
        the limits and how upstreams are connected to stay as they were at the start.
        """
        engine, routes, cors = self._assembled(settings)
        await asyncio.to_thread(engine.refresh)
        self.settings, self._engine = settings, engine
        self.app.serve(routes, cors)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(self._recover)
        outcome_collector = asyncio.create_task(asyncio.to_thread(self._engine.refresh))
        await asyncio.wait({outcome_collector}, timeout=FIRST_LESSONS)
        tasks = [
            outcome_collector,
            asyncio.create_task(self._refresh_loop.run()),
            asyncio.create_task(self._event_loop_lag.run()),
            asyncio.create_task(self.settlement_retries.run()),
            asyncio.create_task(self.exporter.share()),
            asyncio.create_task(every(KEYS_SECONDS, self.key_cache.refresh)),
            asyncio.create_task(every(RECOVERY_SECONDS, self._recover)),
            asyncio.create_task(every(CHECK_SECONDS, self.integrity.check)),
        ]
        try:
            yield
        finally:
            self.lifecycle.end()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.lifecycle.ended(), LAST_WORDS)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.settlement_retries.retry()
            self.exporter.publish()
            self._worker.close()
            await self._transport.aclose()
            await asyncio.to_thread(self._store.close)

    def _recover(self) -> int:
        """Close what dead processes left open and charge what they held."""
        return self._store.close_orphans(now=self._world.now().isoformat(timespec="milliseconds"))

    def _assembled(self, settings: Settings) -> tuple[RoutingEngine, list[BaseRoute], Cors]:
        """Everything that settings decide, built anew."""
        world, limit = self._world, settings.limits.body_bytes
        providers = build_providers(settings, self._signatures)
        names = tuple(entry.name for entry in settings.providers)
        engine = RoutingEngine(
            settings.db, catalog=settings.catalog, tradeoff=settings.tradeoff, seed=world.seed, store=self._store
        )
        upstream_health = UpstreamHealth(world.clock, observe=log_cooldown)
        planner = Planner(
            engine,
            settings.catalog,
            providers=names,
            cooling=upstream_health.cooling,
            baseline=settings.baseline,
            sessions=self._sessions,
            recent=self._recent,
            caching=PromptCaching(
                settings.prompt_caching,
                settings.catalog,
                minimum=lambda provider, model: (
                    providers[provider].least_cached(model) if provider in providers else None
                ),
            ),
            shadow=settings.mode == "shadow",
            spending_limits=SpendingLimits(
                settings.prices,
                settings.catalog,
                now=world.now,
                daily=settings.daily_budget,
                attempts=settings.max_attempts,
            ),
        )
        authenticator = Authenticator(
            [key.value for key in settings.client_keys],
            settings.admin_key.value if settings.admin_key else None,
            allowed_hosts=settings.allowed_hosts,
            key_cache=self.key_cache,
            rate_limiter=self._rate_limiter,
            sessions=self._admin_sessions,
        )
        sign_in = SignIn(authenticator, self._admin_sessions, rate_limiter=self._rate_limiter, demo=self._demo)
        self._corroboration = Corroboration(
            self._witnesses,
            issued=lambda: len(settings.client_keys) + self.key_cache.live,
            needed=settings.corroborating_keys,
        )
        chat = ChatEndpoint(
            self._proxy(settings, planner, providers=providers, upstream_health=upstream_health),
            authenticator,
            admission=self._admission,
            lifecycle=self.lifecycle,
            start_pacer=self._start_pacer,
            max_body_bytes=limit,
            new_request_id=world.new_request_id,
            keep_alive=settings.keep_alive,
            bodies=self._bodies,
            worker=self._worker,
        )
        guarded = _guarded(
            models=ModelList(settings.catalog, providers=names),
            preview=RoutePreview(planner, max_body_bytes=limit, bodies=self._bodies, worker=self._worker),
            feedback=FeedbackEndpoint(
                self._store, now=world.now, rated=self._implicit_feedback.forget, needed=self._corroboration.needed
            ),
            reports=ReportEndpoints(self._store),
            exporter=self.exporter,
            readiness=Readiness(self._store, draining=lambda: self.lifecycle.draining, integrity=self.integrity),
            dashboard=self._dashboard,
        )
        routes = build_routes(guarded, chat=chat, authenticator=authenticator, sign_in=sign_in)
        return engine, routes, Cors(authenticator, origins=settings.cors_origins)

    def _proxy(
        self,
        settings: Settings,
        planner: Planner,
        *,
        providers: Mapping[str, Provider],
        upstream_health: UpstreamHealth,
    ) -> ChatProxy:
        world = self._world
        policy = FailoverPolicy(
            upstream_health,
            clock=world.clock,
            uniform=random.Random(world.seed).uniform,
            deadline=settings.timeouts.total,
            max_attempts=settings.max_attempts,
            turns=KeyRotation({entry.name: len(entry.keys) for entry in settings.providers}, clock=world.clock),
        )
        listed = frozenset(model.full_name for model in settings.catalog)
        services = LedgerServices(
            store=self._store,
            cost_calculator=CostCalculator(settings.prices),
            clock=world.clock,
            now=world.now,
            outcome_collector=OutcomeCollector(
                self._store,
                settings.catalog,
                sessions=self._sessions,
                implicit_feedback=self._implicit_feedback,
                corroboration=self._corroboration,
            ),
            observers=(
                partial(self.exporter.counts.observe, listed=listed),
                log_request,
                self._notices.observe,
                lambda record: self._refresh_loop.wake(),
            ),
            incomplete=self._notices.incomplete,
            ending=lambda: self.lifecycle.ending,
            features=settings.record_features,
            settlement_retries=self.settlement_retries,
            unrecorded=settings.on_ledger_failure == "serve",
        )
        return ChatProxy(
            planner,
            providers,
            transport=self._transport,
            policy=policy,
            services=services,
            times=RequestTimeLimits(
                settings.timeouts,
                settings.catalog,
                providers={entry.name: entry.timeouts for entry in settings.providers},
                models=settings.model_timeouts,
            ),
            cascade=Cascade(settings.catalog) if settings.cascade == "validate" else None,
            worker=self._worker,
        )


def create_app(
    settings: Settings,
    *,
    transport: Transport | None = None,
    store: Store | None = None,
    world: Environment | None = None,
    demo: bool = False,
    shared: Path | None = None,
) -> Starlette:
    """The served gateway. What is not given is made here; all of it is closed when the application shuts down.

    `shared` is a folder that the processes of one gateway have in common, for what must be counted together.
    """
    world = world or Environment()
    store = store or open_ledger(settings, now=world.now)
    transport = transport or build_transport(settings)
    return Gateway(settings, store=store, transport=transport, world=world, demo=demo, shared=shared).app


def open_ledger(settings: Settings, *, now: Callable[[], datetime]) -> SqliteStore:
    """The ledger; a damaged one is moved away, never deleted, and a new one begun. Raises LedgerUnavailable, also where nothing can be written.

    Where the damaged one may have had keys, the new one's gateway wants keys too (`lost_keys_of`).
    """
    try:
        store = SqliteStore(settings.db, durability=settings.durability)
    except LedgerDamaged as error:
        lost = lost_keys_of(settings)
        if lost is not None and may_hold_keys(Path(settings.db)):
            lost.set(
                f"The ledger was found damaged at {now():%Y-%m-%dT%H:%M:%S%z} and moved away; it may have had keys."
            )
        kept = quarantine(Path(settings.db), now=now())
        log.error("%s A new ledger is begun; the damaged one is kept as %s.", error.message, kept)
        store = SqliteStore(settings.db, durability=settings.durability)
    try:
        store.probe()
    except LedgerUnavailable:
        store.close()
        raise
    return store


def lost_keys_of(settings: Settings) -> LostKeys | None:
    """The marker of lost keys beside the ledger; a temporary ledger has none."""
    return None if settings.db == ":memory:" else LostKeys(Path(settings.db))


def build_transport(settings: Settings) -> Transport:
    """The engine that the configuration names."""
    tls = tls_context(settings.transport.ca_file)
    if settings.transport.engine == "reference":
        from gateway.transport.httpx_client import HttpxTransport  # httpx2, which the other engine starts without

        return HttpxTransport(tls=tls, proxies=settings.proxies)
    return Http1Transport(tls=tls, proxies=settings.proxies)


def build_providers(settings: Settings, signatures: SignatureCache | None = None) -> dict[str, Provider]:
    """The enabled upstreams by deployment, one for each key, in the configuration's order."""
    kinds = provider_kinds()
    signatures = signatures if signatures is not None else SignatureCache()
    return {
        deployment(entry.name, number): kinds[entry.kind](
            UpstreamEndpoint(entry.base_url, key, headers=entry.headers),
            name=entry.name,
            signatures=signatures,
        )
        for entry in settings.providers
        for number, key in enumerate([key.value for key in entry.keys] or [""], start=1)
    }


def _guarded(
    *,
    models: ModelList,
    preview: RoutePreview,
    feedback: FeedbackEndpoint,
    reports: ReportEndpoints,
    exporter: PrometheusExporter,
    readiness: Readiness,
    dashboard: Dashboard,
) -> list[ProtectedRoute]:
    return [
        ProtectedRoute("/v1/models", models.list, Role.CLIENT),
        ProtectedRoute("/v1/models/{model:path}", models.get, Role.CLIENT),
        ProtectedRoute("/v1/route", preview.route, Role.CLIENT, method="POST"),
        ProtectedRoute("/v1/feedback", feedback.post, Role.CLIENT, method="POST"),
        ProtectedRoute("/v1/routing/summary", reports.summary, Role.ADMIN),
        ProtectedRoute("/v1/routing/confidence", reports.confidence, Role.ADMIN),
        ProtectedRoute("/v1/routing/patterns", reports.patterns, Role.ADMIN),
        ProtectedRoute("/v1/routing/timeline", reports.timeline, Role.ADMIN),
        ProtectedRoute("/v1/routing/requests", reports.requests, Role.ADMIN),
        ProtectedRoute("/v1/routing/requests/{request_id}", reports.request, Role.ADMIN),
        ProtectedRoute("/metrics", exporter.metrics, Role.ADMIN),
        ProtectedRoute("/", dashboard.page, Role.ADMIN),
        ProtectedRoute("/static/{name}", dashboard.static, Role.OPEN),
        ProtectedRoute("/healthz", healthz, Role.OPEN),
        ProtectedRoute("/health", healthz, Role.OPEN),
        ProtectedRoute("/readyz", readiness.readyz, Role.OPEN),
    ]
