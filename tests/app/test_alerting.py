"""What operators are told through webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.app import Gateway
from gateway.app.alerting import AlertMonitor, alert_conditions
from gateway.observability.alerts import Alert, Condition
from gateway.observability.state_metrics import StateMetrics
from gateway.observability.webhooks import Webhook, WebhookSender
from gateway.routing import QualityFloorFailure
from tests.conftest import MakeGateway

WEBHOOK = Webhook("http://127.0.0.1:1/")
FOUND: Mapping[Condition, str] = {Condition("provider_down", "gemini"): "down"}


class Added:
    """Takes alerts as a sender does."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def add(self, alert: Alert, webhooks: Any) -> None:
        self.alerts.append(alert)


async def at_once(seconds: float) -> None:
    await asyncio.sleep(0)


def watch(shared: Path | None) -> tuple[AlertMonitor, Added]:
    added = Added()
    made = AlertMonitor(
        cast(WebhookSender, added), writable=lambda: True, clock=lambda: 0.0, shared=shared, sleep=at_once
    )
    made.use(lambda writable: FOUND, [WEBHOOK])
    return made, added


def events(
    state: StateMetrics, *, writable: bool = True, unsettled: int = 0, damage: str | None = None, below: Any = ()
) -> list[str]:
    found = alert_conditions(state, writable=writable, unsettled=unsettled, damage=damage, below_floor=below)
    return [condition.event for condition in found]


@pytest.mark.parametrize(
    ("spent", "told"),
    [("7.99", []), ("8", ["budget_80"]), ("9.9", ["budget_80", "budget_spent"])],
)
def test_budget(spent: str, told: list[str]) -> None:
    """The budget is told of at 80 % and when practically nothing is left; each day is an alert of its own."""
    state = StateMetrics(
        now=lambda: datetime(2026, 11, 29, tzinfo=UTC), budget=Decimal(10), spent=lambda: Decimal(spent)
    )
    assert events(state) == told
    found = alert_conditions(state, writable=True, unsettled=0, damage=None, below_floor=())
    assert {condition.subject for condition in found} <= {"2026-11-29"}


def test_provider_ledger_and_floor() -> None:
    """A whole provider that cools down, rows that wait, damage and a model below the floor are told; a single model is not."""
    cooling = frozenset({("gemini", None), ("claude", "one"), ("gone", None)})
    state = StateMetrics(providers=["gemini", "claude"], cooling=lambda: cooling)
    assert events(state) == ["provider_down"]
    assert events(StateMetrics(), unsettled=1, damage="page 3") == ["ledger_degraded"] * 2
    assert events(StateMetrics(), writable=False) == ["ledger_degraded"]
    assert events(StateMetrics(), below=[QualityFloorFailure("gemini/one", "code", 0.5, 0.8)]) == [
        "quality_floor_broken"
    ]
    assert events(StateMetrics()) == []


async def test_one_worker_sends(tmp_path: Path) -> None:
    """Of the workers that share a folder one sends; when it ends, another one takes over."""
    (first, sent), (second, also_sent) = watch(tmp_path), watch(tmp_path)
    for each in (first, second, first):
        await each.check()
    assert (len(sent.alerts), len(also_sent.alerts)) == (1, 0)
    first.close()
    await second.check()
    assert len(also_sent.alerts) == 1
    second.close()


async def test_nothing_is_watched_without_webhooks() -> None:
    """Without webhooks the conditions are not even read."""
    made, added = watch(None)
    made.use(lambda writable: pytest.fail("read"), [])
    await made.check()
    assert added.alerts == []


async def test_monitor_checks_until_cancelled(tmp_path: Path) -> None:
    """It looks again and again, and gives the lock back at its end."""
    (made, added), (other, _) = watch(tmp_path), watch(tmp_path)
    task = asyncio.create_task(made.run())
    while not added.alerts:  # noqa: ASYNC110 - filled by the task
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await other.check()
    other.close()
    assert len(added.alerts) == 1


async def test_alerts_follow_a_reload(make_gateway: MakeGateway) -> None:
    """A reload replaces what is watched: a finding is told to the webhooks of the new configuration."""
    gateway: Gateway = make_gateway(config="quality_floor: 0.9\nbaseline: claude/claude-opus-5-5\n").app.state.gateway
    assert gateway.runtime.alert_conditions(True) == {}
    await gateway.reload(replace(gateway.runtime.settings, quality_floor=None, webhooks=(WEBHOOK,)))
    gateway.services.integrity.finding = "damage"
    await gateway.services.alert_monitor.check()
    assert gateway.services.webhook_sender.waiting == 1
