"""Watches for what operators are told through webhooks. Of several worker processes one watches."""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from gateway.completion import UpstreamRequest
from gateway.observability.alerts import AlertState, Condition
from gateway.observability.state_metrics import StateMetrics
from gateway.observability.webhooks import Post, Webhook, WebhookSender
from gateway.routing import QualityFloorFailure
from gateway.transport import Timeouts, Transport

WATCH_SECONDS = 5.0
NEARLY = 0.8  # the share of the budget at which operators are told
# A request is refused when what it may cost does not fit, so the last percent is often never spent.
SPENT = 0.99

TIMEOUTS = Timeouts(connect=5.0, first_byte=10.0, idle=10.0, total=10.0)

# What is wrong, given whether the ledger can be written.
Conditions = Callable[[bool], Mapping[Condition, str]]


def webhook_post(transport: Transport) -> Post:
    """Sends to webhooks with the client that also calls upstreams, by the same proxies and certificate authorities."""

    async def post(url: str, json: Mapping[str, str]) -> int:
        request = UpstreamRequest("webhook", model="", url=url, headers={}, json=dict(json), stream=False)
        response = await transport.send(request, timeouts=TIMEOUTS)
        await response.aclose()
        return response.status

    return post


class AlertMonitor:
    """`use` sets what to look at and whom to tell. `writable` tells whether the ledger can be written, and may block. `shared` is a folder that the workers have in common, None for one process."""

    def __init__(
        self,
        sender: WebhookSender,
        *,
        writable: Callable[[], bool],
        clock: Callable[[], float],
        shared: Path | None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._sleep = sleep
        self._writable = writable
        self._sender = sender
        self._tracker = AlertState(clock)
        self._shared = shared
        self._lock: IO[bytes] | None = None
        self._conditions: Conditions = lambda writable: {}
        self._webhooks: Sequence[Webhook] = ()

    def use(self, conditions: Conditions, webhooks: Sequence[Webhook]) -> None:
        """Take over a configuration."""
        self._conditions, self._webhooks = conditions, webhooks

    async def run(self) -> None:
        """Check every WATCH_SECONDS until cancelled."""
        try:
            while True:
                await self._sleep(WATCH_SECONDS)
                await self.check()
        finally:
            self.close()

    def close(self) -> None:
        """Let another process watch."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def check(self) -> None:
        """Queue what began or ended since the last check."""
        if self._webhooks and self._is_leader():
            writable = await asyncio.to_thread(self._writable)
            for alert in self._tracker.update(self._conditions(writable)):
                self._sender.add(alert, self._webhooks)

    def _is_leader(self) -> bool:
        """Whether this process holds the lock; when its holder ends, another process gets it."""
        if self._shared is None or self._lock is not None:
            return True
        lock = (self._shared / "webhooks.lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True


def alert_conditions(
    state: StateMetrics,
    *,
    writable: bool,
    unsettled: int,
    damage: str | None,
    below_floor: Sequence[QualityFloorFailure],
) -> dict[Condition, str]:
    """What is wrong now, each with a sentence. `unsettled` rows wait in memory; `damage` is what the integrity check found."""
    found: dict[Condition, str] = {}
    if state.budget:
        share, day = float(state.spent() / state.budget), f"{state.now():%Y-%m-%d}"
        if share >= NEARLY:
            found[Condition("budget_80", day)] = f"{NEARLY:.0%} of the budget of {day} is spent ({state.budget:f} USD)."
        if share >= SPENT:
            words = f"The budget of {day} is spent ({state.budget:f} USD); requests are refused until midnight UTC."
            found[Condition("budget_spent", day)] = words
    for provider in sorted(provider for provider, model in state.cooling() if model is None):
        if provider in state.providers:
            found[Condition("provider_down", provider)] = f"The provider {provider} fails; requests avoid it."
    if not writable or unsettled:
        words = f"The ledger cannot be written; {unsettled} rows wait in memory."
        found[Condition("ledger_degraded", "unwritable")] = words
    if damage is not None:
        found[Condition("ledger_degraded", "damaged")] = "The integrity check found the ledger damaged; see the log."
    for name, pattern, quality, least in below_floor:
        words = f"{name} is below the quality floor for {pattern}: {quality:.2f} against {least:.2f}."
        found[Condition("quality_floor_broken", f"{name} {pattern}")] = words
    return found
