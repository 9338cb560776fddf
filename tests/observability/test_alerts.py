"""Which alerts begin and end."""

from __future__ import annotations

from gateway.observability.alerts import CALM_SECONDS, Alert, AlertState, Condition

DOWN = Condition("provider_down", "gemini")


def test_alert_begins_once_and_ends_after_calm() -> None:
    """A condition that comes and goes is one alert, which ends when it was away for `CALM_SECONDS`."""
    now = 0.0
    tracker = AlertState(lambda: now)
    assert tracker.update({DOWN: "down"}) == [Alert(DOWN, "down")]
    now = CALM_SECONDS - 1
    assert tracker.update({}) == []
    assert tracker.update({DOWN: "down again"}) == []
    now += CALM_SECONDS
    assert tracker.update({}) == [Alert(DOWN, "down again", resolved=True)]
    assert tracker.update({}) == []
    assert tracker.update({DOWN: "down"}) == [Alert(DOWN, "down")]
