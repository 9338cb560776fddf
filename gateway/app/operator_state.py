"""What operators see of the state of a running gateway: the values of its metrics and of the page of health."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from gateway.api.dashboard.health_page import GatewayState
from gateway.app.alerting import Conditions, alert_conditions
from gateway.app.services import Services
from gateway.catalog.catalog import ModelKey
from gateway.observability.state_metrics import StateMetrics
from gateway.resilience import UpstreamHealth
from gateway.routing import QualityEvidence, QualityFloorFailure
from gateway.settings import Settings
from gateway.store.postgres.address import is_postgres


def state_metrics_of(settings: Settings, services: Services, *, healths: Sequence[UpstreamHealth]) -> StateMetrics:
    """The metrics of this configuration; an upstream cools down where one of `healths` says so."""
    budget = settings.daily_budget
    return StateMetrics(
        now=services.environment.now,
        providers=[entry.name for entry in settings.providers],
        listed=frozenset(model.full_name for model in settings.catalog),
        cooling=lambda: frozenset().union(*(health.cooling() for health in healths)),
        open_breakers=lambda: frozenset().union(*(health.open_breakers() for health in healths)),
        prices_dated=settings.prices.dated,
        budget=None if budget is None else Decimal(budget.limit_nano).scaleb(-9),
        spent=lambda: services.budget_spending.spent,
        key_labels=settings.metrics_key_labels,
        key_names=lambda: services.key_cache.names,
        key_budgets=lambda: services.key_budgets.budgets,
    )


def alert_conditions_of(
    settings: Settings, services: Services, *, state: StateMetrics, evidence: QualityEvidence | None
) -> Conditions:
    """What alerts look at under this configuration. Without a named baseline the quality floor is not watched."""
    floor = settings.quality_floor
    baseline = None if settings.baseline is None else ModelKey(*settings.baseline.split("/", 1))

    def below_floor() -> Sequence[QualityFloorFailure]:
        if evidence is None or floor is None or baseline is None:
            return ()
        return evidence.below(floor, baseline=baseline)

    return lambda writable: alert_conditions(
        state,
        writable=writable,
        unsettled=len(services.settlement_retries),
        damage=services.integrity.finding,
        below_floor=below_floor(),
    )


def gateway_state(settings: Settings, services: Services, *, upstream_health: UpstreamHealth) -> GatewayState:
    """What the page of health shows."""
    limiter = services.concurrency_limiter
    return GatewayState(
        providers=[entry.name for entry in settings.providers],
        cooling=upstream_health.cooling,
        event_loop_lag=lambda: services.event_loop_lag.lag,
        in_flight=lambda: limiter.in_flight,
        waiting=lambda: limiter.waiting,
        unsettled=services.settlement_retries.__len__,
        damage=lambda: services.integrity.finding,
        prices=settings.prices.version,
        ledger="PostgreSQL" if is_postgres(settings.db) else "SQLite",
    )
