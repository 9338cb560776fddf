"""Which alerts begin and end, from the conditions that hold at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, get_args

AlertEvent = Literal["budget_80", "budget_spent", "provider_down", "ledger_degraded", "quality_floor_broken"]
ALERT_EVENTS: tuple[AlertEvent, ...] = get_args(AlertEvent)
CALM_SECONDS = 300.0  # without its condition before an alert ends; an upstream that fails again and again is one alert


class Condition(NamedTuple):
    """What is wrong, and with what: a provider, a day, or a model and a pattern."""

    event: AlertEvent
    subject: str


class Alert(NamedTuple):
    """An alert begins, or ends if it is `resolved`; `text` is a sentence for people."""

    condition: Condition
    text: str
    resolved: bool = False


class AlertState:
    """Remembers what was told. `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._active: dict[Condition, tuple[float, str]] = {}

    def update(self, conditions: Mapping[Condition, str]) -> list[Alert]:
        """What begins and ends, given each condition that holds now with its sentence."""
        now = self._clock()
        alerts = [Alert(condition, text) for condition, text in conditions.items() if condition not in self._active]
        self._active.update((condition, (now, text)) for condition, text in conditions.items())
        for condition, (seen, text) in list(self._active.items()):
            if now - seen >= CALM_SECONDS:
                del self._active[condition]
                alerts.append(Alert(condition, text, resolved=True))
        return alerts
