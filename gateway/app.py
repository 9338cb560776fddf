"""Builds every object and joins them: settings in, a Starlette application out."""

from __future__ import annotations

import asyncio
import random
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import GatewayError
from gateway.fallback import Cooldowns, FailoverPolicy
from gateway.learner import Learner
from gateway.logs import log_request, log_rest
from gateway.plugins import provider_kinds
from gateway.providers.base import Endpoint, Provider, Signatures
from gateway.proxy import Books, ChatProxy, Planner
from gateway.proxy.accounting import Accountant
from gateway.routing import RoutingEngine
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.sqlite import SqliteStore
from gateway.transport import Transport
from gateway.transport.lean import LeanTransport
from gateway.transport.reference import ReferenceTransport
from gateway.transport.tls import tls_context
from gateway.web.auth import Access, Gatekeeper
from gateway.web.chat import ChatEndpoint
from gateway.web.dashboard import Dashboard
from gateway.web.errors import on_bug, on_gateway_error, on_http_error
from gateway.web.feedback import FeedbackEndpoint
from gateway.web.health import Readiness, healthz
from gateway.web.ledger import LedgerReports
from gateway.web.models import ModelList
from gateway.web.route import RoutePreview
from gateway.web.routes import Guarded, build_routes
from gateway.web.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class World:
    """What the gateway cannot decide by itself: clocks and chance. Tests bring their own."""

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    new_request_id: Callable[[], str] = lambda: "req_" + secrets.token_hex(16)
    seed: int | None = None


def create_app(
    settings: Settings,
    *,
    transport: Transport | None = None,
    store: Store | None = None,
    world: World | None = None,
    demo: bool = False,
) -> Starlette:
    """The served gateway. What is not given is made here; all of it is closed when the application shuts down."""
    world = world or World()
    store = store or SqliteStore(settings.db, durability=settings.durability)
    transport = transport or build_transport(settings)
    providers = build_providers(settings)
    engine = RoutingEngine(
        settings.db, catalog=settings.catalog, tradeoff=settings.tradeoff, seed=world.seed, store=store
    )
    learner = Learner(engine.refresh)
    cooldowns = Cooldowns(world.clock, observe=log_rest)
    policy = FailoverPolicy(
        cooldowns,
        clock=world.clock,
        uniform=random.Random(world.seed).uniform,
        deadline=settings.timeouts.total,
        max_attempts=settings.max_attempts,
    )
    planner = Planner(
        engine,
        settings.catalog,
        providers=tuple(providers),
        cooling=cooldowns.cooling,
        baseline=settings.baseline,
    )
    telemetry = Telemetry([model.full_name for model in settings.catalog])
    books = Books(
        store=store,
        accountant=Accountant(settings.prices),
        clock=world.clock,
        now=world.now,
        observers=(telemetry.observe, log_request, lambda record: learner.nudge()),
    )
    proxy = ChatProxy(planner, providers, transport=transport, policy=policy, books=books, timeouts=settings.timeouts)
    gatekeeper = Gatekeeper(
        [key.value for key in settings.client_keys],
        settings.admin_key.value if settings.admin_key else None,
        allowed_hosts=settings.allowed_hosts,
    )
    draining = threading.Event()
    limit = settings.limits.body_bytes
    chat = ChatEndpoint(proxy, gatekeeper, max_body_bytes=limit, new_request_id=world.new_request_id)
    guarded = _guarded(
        models=ModelList(settings.catalog, providers=providers),
        preview=RoutePreview(planner, max_body_bytes=limit),
        feedback=FeedbackEndpoint(store, now=world.now),
        reports=LedgerReports(store),
        telemetry=telemetry,
        readiness=Readiness(store, draining=draining.is_set),
        dashboard=Dashboard(store, demo=demo),
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await asyncio.to_thread(store.recover, now=world.now().isoformat(timespec="milliseconds"))
        learning = asyncio.create_task(learner.run())
        try:
            yield
        finally:
            learning.cancel()
            with suppress(asyncio.CancelledError):
                await learning
            await transport.aclose()
            await asyncio.to_thread(store.close)

    app = Starlette(
        routes=build_routes(guarded, chat=chat, gatekeeper=gatekeeper),
        middleware=[Middleware(Headers, headers={"x-gateway-demo": "true"})] if demo else [],
        exception_handlers={GatewayError: on_gateway_error, HTTPException: on_http_error, Exception: on_bug},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.draining = draining
    return app


def build_transport(settings: Settings) -> Transport:
    """The engine that the configuration names."""
    tls = tls_context(settings.transport.ca_file)
    if settings.transport.engine == "reference":
        return ReferenceTransport(tls=tls, trust_env=True)
    return LeanTransport(tls=tls)


def build_providers(settings: Settings) -> dict[str, Provider]:
    """The enabled upstreams by name, in the configuration's order."""
    kinds = provider_kinds()
    signatures = Signatures()
    return {
        entry.name: kinds[entry.kind](
            Endpoint(entry.base_url, entry.keys[0].value if entry.keys else "", headers=entry.headers),
            name=entry.name,
            signatures=signatures,
        )
        for entry in settings.providers
    }


def _guarded(
    *,
    models: ModelList,
    preview: RoutePreview,
    feedback: FeedbackEndpoint,
    reports: LedgerReports,
    telemetry: Telemetry,
    readiness: Readiness,
    dashboard: Dashboard,
) -> list[Guarded]:
    return [
        Guarded("/v1/models", models.list, Access.CLIENT),
        Guarded("/v1/models/{model:path}", models.get, Access.CLIENT),
        Guarded("/v1/route", preview.route, Access.CLIENT, method="POST"),
        Guarded("/v1/feedback", feedback.post, Access.CLIENT, method="POST"),
        Guarded("/v1/routing/summary", reports.summary, Access.ADMIN),
        Guarded("/v1/routing/confidence", reports.confidence, Access.ADMIN),
        Guarded("/v1/routing/patterns", reports.patterns, Access.ADMIN),
        Guarded("/v1/routing/timeline", reports.timeline, Access.ADMIN),
        Guarded("/v1/routing/requests", reports.requests, Access.ADMIN),
        Guarded("/v1/routing/requests/{request_id}", reports.request, Access.ADMIN),
        Guarded("/metrics", telemetry.metrics, Access.ADMIN),
        Guarded("/", dashboard.page, Access.ADMIN),
        Guarded("/static/{name}", dashboard.static, Access.ADMIN),
        Guarded("/healthz", healthz, Access.OPEN),
        Guarded("/health", healthz, Access.OPEN),
        Guarded("/readyz", readiness.readyz, Access.OPEN),
    ]


class Headers:
    """Adds fixed headers to every answer."""

    def __init__(self, app: ASGIApp, *, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self._app(scope, receive, marked)
