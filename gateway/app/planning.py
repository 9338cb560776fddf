"""Builds the planner: who decides about a request, with the holdback, the quality floor and the spending limits."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from gateway.app.services import Services
from gateway.catalog.model_effort import split_effort
from gateway.completion import NativeRequest
from gateway.providers.base import Provider
from gateway.resilience import UpstreamHealth
from gateway.routing import (
    Holdback,
    Planner,
    PromptCaching,
    QualityEvidence,
    QualityFloor,
    RoutingEngine,
    SpendingLimits,
)
from gateway.settings import Settings


def planner_of(
    settings: Settings,
    services: Services,
    *,
    engine: RoutingEngine,
    providers: Mapping[str, Provider],
    upstream_health: UpstreamHealth,
    quality_evidence: QualityEvidence | None,
) -> Planner:
    """What decides about requests, as configured."""

    def least_cached(provider: str, model: str) -> int | None:
        return providers[provider].least_cached(split_effort(model)[0]) if provider in providers else None

    def speaks(provider: str, native: NativeRequest) -> bool:
        return provider in providers and providers[provider].speaks(native)

    return Planner(
        engine,
        settings.catalog,
        providers=tuple(entry.name for entry in settings.providers),
        cooling=upstream_health.cooling,
        baseline=settings.baseline,
        sessions=services.session_affinity,
        recent=services.recent_prompts,
        holdback=_holdback(settings, services),
        quality_floor=_quality_floor(settings, services, quality_evidence),
        caching=PromptCaching(settings.prompt_caching, settings.catalog, minimum=least_cached),
        speaks=speaks,
        shadow=settings.mode == "shadow",
        cascade=settings.cascade,
        max_attempts=settings.max_attempts,
        spending_limits=SpendingLimits(
            settings.prices,
            settings.catalog,
            now=services.environment.now,
            daily=settings.daily_budget,
            attempts=settings.max_attempts,
        ),
    )


def _holdback(settings: Settings, services: Services) -> Holdback | None:
    if not settings.holdback or settings.mode == "shadow":
        return None
    return Holdback(
        settings.holdback,
        daily_usd=Decimal(repr(settings.holdback_daily_usd)),
        spending=services.holdback_spending,
        seed=services.environment.seed or 0,
    )


def _quality_floor(settings: Settings, services: Services, evidence: QualityEvidence | None) -> QualityFloor | None:
    if settings.quality_floor is None or evidence is None:
        return None
    return QualityFloor(settings.quality_floor, evidence, seed=services.environment.seed or 0)
