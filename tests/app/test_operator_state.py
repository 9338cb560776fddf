"""What operators see of the state of a running gateway."""

from __future__ import annotations

from dataclasses import replace

from gateway.app import Gateway
from tests.conftest import MakeGateway
from tests.upstreams import failing


def test_metrics_follow_the_gateway(make_gateway: MakeGateway) -> None:
    """An open circuit breaker, a refusal and the spent money of the budget are in the metrics of a gateway."""
    gateway = make_gateway(failing(503, "gemini"), config="daily_budget_usd: 20\n")
    for _ in range(4):
        gateway.ask(model="gemini/gemini-3.8-flash")
    gateway.client.post("/v1/chat/completions", content=b"{")
    services = gateway.app.state.gateway.services
    services.budget_spending.refresh()
    value = services.exporter.registry.get_sample_value
    assert value("gateway_circuit_breaker_open", {"provider": "gemini", "model": "gemini-3.8-flash"}) == 1
    assert value("gateway_upstream_cooling_down", {"provider": "gemini", "model": "gemini-3.8-flash"}) == 1
    assert value("gateway_daily_budget_usd") == 20
    assert value("gateway_daily_budget_spent_usd") >= 0
    assert sum(services.exporter.counts.refusals.values()) == 1


async def test_metrics_follow_a_reload(make_gateway: MakeGateway) -> None:
    """After a reload the metrics tell the providers and the budget of the new configuration."""
    gateway: Gateway = make_gateway(config="daily_budget_usd: 20\n").app.state.gateway
    value = gateway.services.exporter.registry.get_sample_value
    gemini = {"provider": "gemini", "model": "*"}
    assert (value("gateway_upstream_cooling_down", gemini), value("gateway_daily_budget_usd")) == (0, 20)
    await gateway.reload(replace(gateway.runtime.settings, providers=(), daily_budget=None))
    assert value("gateway_upstream_cooling_down", gemini) is value("gateway_daily_budget_usd") is None
