"""What lives as long as the process: a reload of the configuration leaves all of it in place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.accounts.budgets import GLOBAL, period
from gateway.accounts.daily_spending import DailySpending
from gateway.accounts.key_cache import VirtualKeyCache
from gateway.api.admin_sessions import AdminSessions, SharedAdminSessions
from gateway.api.admission import ConcurrencyLimiter, StartPacer
from gateway.api.body import BodyBudget
from gateway.api.dashboard.live import LiveUpdates
from gateway.api.health import IntegrityCheck
from gateway.api.lifecycle import Lifecycle
from gateway.api.permit_limiter import PermitLimiter
from gateway.api.rate_limit import FallbackLimiter, RateLimiter, SharedSlidingWindowLimiter, SlidingWindowLimiter
from gateway.api.refusals import RefusalCounter
from gateway.api.response_state import ResponseMemory
from gateway.app.alerting import AlertMonitor, webhook_post
from gateway.app.answer_lengths import AnswerLengthReader
from gateway.app.content_retention import ContentRetention
from gateway.app.environment import Environment
from gateway.app.key_budgets import KeyBudgetReader
from gateway.app.ledger import lost_keys_of
from gateway.observability.event_loop_lag import EventLoopLag
from gateway.observability.logs import dropped_lines
from gateway.observability.prometheus import Gauges, MultiprocessMetrics, PrometheusExporter
from gateway.observability.webhooks import WebhookSender
from gateway.providers.base import SignatureCache
from gateway.proxy.body_executor import BodyExecutor
from gateway.proxy.judge import JudgeQueue
from gateway.proxy.settlement_retry import SettlementRetryQueue
from gateway.proxy.warnings import OperatorWarnings
from gateway.routing import (
    HoldbackSpending,
    ImplicitFeedback,
    KeysPerModel,
    Pause,
    RecentPrompts,
    Refresh,
    RefreshLoop,
    SessionAffinity,
    keys_per_model,
)
from gateway.savings import ConversationPrefixes, LengthRatios
from gateway.settings import Settings
from gateway.store import DeleteExpiredResponses, Store
from gateway.transport import Transport

if TYPE_CHECKING:  # not a package of every installation
    from gateway.observability.otel import OtelTelemetry


@dataclass(frozen=True, slots=True)
class Services:
    """Created once by `build_services`; `background.lifespan` starts and closes them."""

    environment: Environment
    store: Store
    transport: Transport
    lifecycle: Lifecycle
    # Limits on what is served at once.
    concurrency_limiter: ConcurrencyLimiter
    start_pacer: StartPacer
    bodies: BodyBudget
    body_executor: BodyExecutor
    rate_limiter: SlidingWindowLimiter  # of this machine's processes
    permit_limiter: PermitLimiter | None  # of all replicas
    # Keys and sessions of people.
    key_cache: VirtualKeyCache
    admin_sessions: AdminSessions
    # What routing and the providers remember between requests.
    session_affinity: SessionAffinity
    recent_prompts: RecentPrompts
    implicit_feedback: ImplicitFeedback
    keys_per_model: KeysPerModel
    holdback_spending: HoldbackSpending
    judge_spending: DailySpending
    budget_spending: DailySpending
    judge_queue: JudgeQueue
    refresh_loop: RefreshLoop
    signatures: SignatureCache
    response_memory: ResponseMemory
    content_retention: ContentRetention
    # What the baseline is priced from.
    conversation_prefixes: ConversationPrefixes
    length_ratios: LengthRatios
    # What is watched and reported.
    exporter: PrometheusExporter
    live_updates: LiveUpdates
    refusals: RefusalCounter
    key_budgets: KeyBudgetReader
    event_loop_lag: EventLoopLag
    integrity: IntegrityCheck
    settlement_retries: SettlementRetryQueue
    operator_warnings: OperatorWarnings
    webhook_sender: WebhookSender
    alert_monitor: AlertMonitor
    telemetry: OtelTelemetry | None
    demo: bool

    def request_limiter(self, settings: Settings) -> RateLimiter:
        """Counts the requests of keys. Where requests are served while the ledger is away, this machine counts them meanwhile."""
        if self.permit_limiter is None:
            return self.rate_limiter
        if settings.on_ledger_failure == "serve":
            return FallbackLimiter(self.permit_limiter, self.rate_limiter)
        return self.permit_limiter

    def leads(self, job: str) -> bool:
        """Whether this process does a job for all replicas. Blocks. Raises LedgerUnavailable."""
        return self.store.replicas is None or self.store.replicas.leads(job)

    def close_orphans(self) -> int:
        """Close the ledger rows that dead processes left open and charge what they had reserved. Blocks."""
        return self.store.close_orphans(now=self.environment.now().isoformat(timespec="milliseconds"))

    def delete_expired_responses(self) -> None:
        """Delete the expired responses of the ledger, whether it is still used for them or not; one replica does. Blocks."""
        if self.leads("expired responses"):
            self.store.submit(DeleteExpiredResponses(self.environment.now().timestamp())).result()


def build_services(
    settings: Settings,
    *,
    store: Store,
    transport: Transport,
    environment: Environment,
    refresh: Refresh,
    telemetry: OtelTelemetry | None = None,
    demo: bool = False,
    shared: Path | None = None,
) -> Services:
    """`refresh` makes the routing engine in use learn from the ledger; `shared` is the folder that several workers have in common."""
    clock, limits = environment.clock, settings.limits
    lifecycle = Lifecycle()
    limiter = ConcurrencyLimiter(in_flight=limits.in_flight, queue=limits.queue, wait=limits.queue_wait)
    bodies = BodyBudget(max(limits.bodies_bytes, limits.body_bytes))
    event_loop_lag = EventLoopLag(clock)
    settlement_retries = SettlementRetryQueue(store)
    exporter = PrometheusExporter(
        Gauges(
            in_flight=lambda: limiter.in_flight,
            waiting=lambda: limiter.waiting,
            refused=lambda: limiter.refused + bodies.refused,
            event_loop_lag=lambda: event_loop_lag.lag,
            logs_dropped=dropped_lines,
            settlement_retries=settlement_retries.__len__,
            ledger_lag=lambda: settlement_retries.lag(environment.now()),
        ),
        multiprocess=None if shared is None else MultiprocessMetrics(shared),
    )
    key_cache = VirtualKeyCache(
        store.virtual_keys, now=environment.now, load_admin=store.admin_key, lost=lost_keys_of(settings)
    )
    key_cache.refresh()
    holdback_spending = HoldbackSpending(store.holdback_cost, now=environment.now)
    holdback_spending.refresh()
    judge_spending = DailySpending(store.judge_cost, now=environment.now)
    judge_spending.refresh()

    def spent_of_budget(*, since: str) -> Decimal:
        day = datetime.fromisoformat(since).replace(tzinfo=UTC)
        return Decimal(store.balance(GLOBAL, period("day", day)).used_nano).scaleb(-9)

    budget_spending = DailySpending(spent_of_budget, now=environment.now)
    budget_spending.refresh()
    length_ratios = LengthRatios()
    answer_lengths = AnswerLengthReader(store, length_ratios)

    def refresh_all(pause: Pause) -> None:
        refresh(pause)
        answer_lengths.refresh(pause)

    webhook_sender = WebhookSender(webhook_post(transport), now=environment.now)
    secret = environment.secret()  # conversations are known by keyed hashes, which mean nothing outside this process
    return Services(
        environment=environment,
        store=store,
        transport=transport,
        lifecycle=lifecycle,
        concurrency_limiter=limiter,
        start_pacer=StartPacer(),
        bodies=bodies,
        body_executor=BodyExecutor(),
        rate_limiter=SlidingWindowLimiter(clock) if shared is None else SharedSlidingWindowLimiter(clock, shared),
        permit_limiter=None if store.replicas is None else PermitLimiter(store.replicas, clock),
        key_cache=key_cache,
        admin_sessions=AdminSessions(clock) if shared is None else SharedAdminSessions(clock, shared),
        session_affinity=SessionAffinity(clock, secret=secret),
        recent_prompts=RecentPrompts(secret=secret),
        implicit_feedback=ImplicitFeedback(clock, secret=secret),
        keys_per_model=keys_per_model(store),
        holdback_spending=holdback_spending,
        judge_spending=judge_spending,
        budget_spending=budget_spending,
        judge_queue=JudgeQueue(),
        refresh_loop=RefreshLoop(refresh_all),
        signatures=SignatureCache(),
        response_memory=ResponseMemory(lambda: environment.now().timestamp()),
        content_retention=ContentRetention(store, now=environment.now, days=settings.content_retention_days),
        conversation_prefixes=ConversationPrefixes(),
        length_ratios=length_ratios,
        exporter=exporter,
        live_updates=LiveUpdates(store.revision, ending=lambda: lifecycle.draining),
        refusals=RefusalCounter(store, now=environment.now, observe=exporter.observe_refusal),
        key_budgets=KeyBudgetReader(store, now=environment.now),
        event_loop_lag=event_loop_lag,
        integrity=IntegrityCheck(store),
        settlement_retries=settlement_retries,
        operator_warnings=OperatorWarnings(count_incomplete=exporter.counts.observe_incomplete),
        webhook_sender=webhook_sender,
        alert_monitor=AlertMonitor(webhook_sender, writable=store.writable, clock=clock, shared=shared),
        telemetry=telemetry,
        demo=demo,
    )
