"""All settings, validated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal

from gateway.accounts.budgets import Budget
from gateway.catalog import PriceTable
from gateway.catalog.catalog import Catalog
from gateway.completion import Cascading
from gateway.dialects.client_tags import TAG_HEADER
from gateway.observability.webhooks import Webhook
from gateway.routing.feedback.corroboration import CORROBORATING_KEYS
from gateway.trace_context import TraceForwarding
from gateway.transport import Proxies, TimeLimits

Durability = Literal["normal", "full"]
Engine = Literal["builtin", "httpx"]
Mode = Literal["route", "shadow"]
CachingMode = Literal["off", "auto", "always"]
LedgerFailure = Literal["refuse", "serve"]
ResponseStore = Literal["memory", "ledger", "off"]
Telemetry = Literal["off", "otel"]
HOST = "127.0.0.1"
SHOWN = 4


@dataclass(frozen=True, slots=True)
class Secret:
    """A key that prints as its last four characters, or as nothing if it is too short for that."""

    value: str

    def __repr__(self) -> str:
        return f"...{self.value[-SHOWN:]}" if len(self.value) >= 4 * SHOWN else "..."

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """One enabled upstream. `keys` is empty when it needs none; `headers` go with every request to it.

    `moved` says that `base_url` is not the one that ships with the gateway. `timeouts` replace the gateway's, by name.
    `trace_context`: which traces it is told of.
    """

    name: str
    kind: str
    base_url: str
    keys: tuple[Secret, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    custom_url: bool = True
    timeouts: Mapping[str, float] = field(default_factory=dict)
    trace_context: TraceForwarding = "client"


@dataclass(frozen=True, slots=True)
class Limits:
    """`body_bytes` of a client's request, `bodies_bytes` of those of all requests under way; `in_flight` requests being answered at once; `queue` that may wait for a place,
    for `queue_wait` seconds.
    """

    body_bytes: int = 50_000_000
    in_flight: int = 1000
    queue: int = 100
    queue_wait: float = 10.0
    bodies_bytes: int = 400_000_000


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """`engine`: `builtin` is the gateway's own HTTP/1.1 client, `httpx` is httpx2. `ca_file` (PEM) adds to the system's CAs."""

    engine: Engine = "builtin"
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class ResponsesSettings:
    """Where responses of `/v1/responses` are kept for their clients, and for how many seconds after their last use."""

    store: ResponseStore = "memory"
    ttl: float = 3600.0


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """`model` rates the random `share` of the answers of `auto`, for at most `daily_usd` a UTC day."""

    model: str
    share: float = 0.05
    daily_usd: float = 1.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What the gateway runs with. `sources` says where each setting that is not a default comes from.

    `model_timeouts` replace the gateway's and the provider's, by (provider, model) and name. After `keep_alive` seconds
    without an event a stream gets a comment. `tradeoffs` are what stands after `auto:`; `baseline` is a model name, or None for the choice by complexity.
    `holdback` is the share of conversations that go to the baseline, `holdback_daily_usd` what that may cost more in a UTC day;
    `quality_floor` is a share of the baseline's quality, None for no floor. `retirements` are the days (UTC) from which on models
    of the catalogue are not served any more, by full name.
    `allowed_hosts` may call a gateway without client keys, besides loopback; pages of `cors_origins` may read the answers of
    one with keys. After the first signal the gateway says for
    `drain_delay` seconds that it is not ready but takes what still comes, and then open answers have `grace` seconds to
    finish. `config` is the file that was read, `warnings` are sentences for the operator.
    """

    catalog: Catalog = field(repr=False)
    prices: PriceTable = field(repr=False)
    config: Path
    tradeoffs: Mapping[str, float]
    host: str = HOST
    port: int = 8000
    workers: int = 1
    db: str = "gateway.db"
    durability: Durability = "normal"
    client_keys: tuple[Secret, ...] = ()
    admin_key: Secret | None = None
    providers: tuple[ProviderSettings, ...] = ()
    baseline: str | None = None
    holdback: float = 0.01
    holdback_daily_usd: float = 1.0
    quality_floor: float | None = None
    judge: JudgeSettings | None = None
    transport: TransportSettings = field(default_factory=TransportSettings)
    proxies: Proxies = field(default_factory=Proxies)
    timeouts: TimeLimits = field(default_factory=TimeLimits)
    model_timeouts: Mapping[tuple[str, str], Mapping[str, float]] = field(default_factory=dict)
    keep_alive: float = 10.0
    limits: Limits = field(default_factory=Limits)
    max_attempts: int = 3
    mode: Mode = "route"
    cascade: Cascading = "validate"
    prompt_caching: CachingMode = "auto"
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    record_features: bool = True
    store_content: bool = False
    content_retention_days: int = 30
    tag_header: str = TAG_HEADER
    corroborating_keys: int = CORROBORATING_KEYS
    on_ledger_failure: LedgerFailure = "refuse"
    responses: ResponsesSettings = field(default_factory=ResponsesSettings)
    drain_delay: float = 1.0
    grace: float = 30.0
    daily_budget: Budget | None = None
    webhooks: tuple[Webhook, ...] = ()
    retirements: Mapping[str, date] = field(default_factory=dict)
    telemetry: Telemetry = "off"
    metrics_key_labels: bool = False
    metrics_tag_labels: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def tradeoff(self) -> float:
        """That of `auto` alone."""
        return self.tradeoffs["balanced"]

    @property
    def aliases(self) -> Mapping[str, str]:
        return self.catalog.aliases


def start_up_lines(settings: Settings) -> list[str]:
    """Lines for the start: the file, the prices' day, the upstreams that are not the usual ones, who may call, the holdback."""
    names = ", ".join(provider.name for provider in settings.providers) or "none"
    keys = ", ".join(map(str, settings.client_keys)) or "none: open to this machine"
    return [
        f"config: {settings.config}",
        f"prices: {settings.prices.version}",
        f"providers: {names}",
        *(
            f"upstream: {provider.name} is at {provider.base_url}"
            for provider in settings.providers
            if provider.custom_url
        ),
        *(
            f"upstream: {provider.name} is reached through the proxy {proxy.url} ({proxy.variable})"
            for provider in settings.providers
            if (proxy := settings.proxies.of(provider.base_url)) is not None
        ),
        f"client keys: {keys}",
        *_holdback_lines(settings),
        *_judge_lines(settings.judge),
        *_content_lines(settings),
        *(f"{setting}: from {source}" for setting, source in settings.sources.items()),
        *(f"warning: {warning}" for warning in settings.warnings),
    ]


def _holdback_lines(settings: Settings) -> list[str]:
    if not settings.holdback or settings.mode == "shadow":
        return []
    share, most = f"{settings.holdback:.1%}", f"${settings.holdback_daily_usd:g}"
    return [
        f"holdback: {share} of the conversations with auto go to the baseline, to measure savings, for at most {most} more a day"
    ]


def _content_lines(settings: Settings) -> list[str]:
    if not settings.store_content:
        return []
    return [f"content: prompts and answers are kept in the ledger for {settings.content_retention_days} days"]


def _judge_lines(judge: JudgeSettings | None) -> list[str]:
    if judge is None:
        return []
    return [
        f"judge: {judge.model} reads and rates {judge.share:.1%} of the answers of auto, for at most ${judge.daily_usd:g} a day"
    ]
