"""The metrics of several processes as one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.observability.prometheus import MultiprocessMetrics

OWN = b"""# HELP gateway_requests_total Requests settled.
# TYPE gateway_requests_total counter
gateway_requests_total{model="m"} 3.0
# TYPE gateway_in_flight gauge
gateway_in_flight 2.0
# TYPE gateway_event_loop_lag_seconds gauge
gateway_event_loop_lag_seconds 0.5
# TYPE gateway_request_seconds histogram
gateway_request_seconds_bucket{le="1.0"} 1.0
gateway_request_seconds_bucket{le="+Inf"} 2.0
gateway_request_seconds_count 2.0
gateway_request_seconds_sum 4.0
"""
DEAD = 2**22 + 1  # no process has so high a number


@pytest.mark.parametrize(("process", "in_flight", "lag"), [(os.getppid(), "3.0", "0.75"), (DEAD, "2.0", "0.5")])
def test_counters_add_up_and_gauges_of_dead_processes_do_not(
    tmp_path: Path, process: int, in_flight: str, lag: str
) -> None:
    """Counts and places add up, of the lag the worst is told; of a dead process only what it counted."""
    other = OWN.replace(b" 2.0", b" 1.0").replace(b" 0.5", b" 0.75")
    (tmp_path / f"metrics-{process}").write_bytes(other + b'gateway_requests_total{model="n"} 5.0\n')

    summed = MultiprocessMetrics(tmp_path).merged(OWN).decode()

    assert 'gateway_requests_total{model="m"} 6.0' in summed
    assert 'gateway_requests_total{model="n"} 5.0' in summed
    assert f"gateway_in_flight {in_flight}" in summed
    assert f"gateway_event_loop_lag_seconds {lag}" in summed
    assert 'gateway_request_seconds_bucket{le="+Inf"} 3.0' in summed
    assert "# TYPE gateway_requests_total counter" in summed


def test_what_is_left_is_not_counted_twice(tmp_path: Path) -> None:
    """What a process left for the others is not added to what it says itself."""
    multiprocess = MultiprocessMetrics(tmp_path)
    multiprocess.publish(OWN)
    multiprocess.publish(OWN)

    assert 'gateway_requests_total{model="m"} 3.0' in multiprocess.merged(OWN).decode()
    assert [path.name for path in tmp_path.iterdir()] == [f"metrics-{os.getpid()}"]


def test_state_of_the_gateway_is_not_added_up(tmp_path: Path) -> None:
    """An upstream that cools down in two workers cools down once, and the budget is one budget."""
    state = b"""# TYPE gateway_upstream_cooling_down gauge
gateway_upstream_cooling_down{provider="gemini",model="*"} 1.0
# TYPE gateway_daily_budget_usd gauge
gateway_daily_budget_usd 20.0
"""
    (tmp_path / f"metrics-{os.getppid()}").write_bytes(state)

    merged = MultiprocessMetrics(tmp_path).merged(state).decode()

    assert 'gateway_upstream_cooling_down{model="*",provider="gemini"} 1.0' in merged
    assert "gateway_daily_budget_usd 20.0" in merged
