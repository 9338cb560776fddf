"""What lives as long as the process."""

from __future__ import annotations

from gateway.app import Gateway, Services
from tests.conftest import MakeGateway


def services_of(make_gateway: MakeGateway) -> Services:
    gateway: Gateway = make_gateway().app.state.gateway
    return gateway.services


def test_gauges_read_the_services(make_gateway: MakeGateway) -> None:
    """A scrape reads the limiters as they are at that moment."""
    services = services_of(make_gateway)
    registry = services.exporter.registry
    assert registry.get_sample_value("gateway_in_flight") == 0
    services.concurrency_limiter.in_flight += 1
    services.bodies.refused += 2
    assert registry.get_sample_value("gateway_in_flight") == 1
    assert registry.get_sample_value("gateway_refused_total") == 2
    services.concurrency_limiter.in_flight -= 1


async def test_reload_keeps_the_services(make_gateway: MakeGateway) -> None:
    """A reload replaces the runtime; the services, and with them what the process counts and remembers, stay."""
    gateway: Gateway = make_gateway().app.state.gateway
    services, runtime = gateway.services, gateway.runtime
    await gateway.reload(runtime.settings)
    assert gateway.services is services
    assert gateway.runtime is not runtime
    assert gateway.runtime.engine is not runtime.engine


async def test_orphaned_requests_are_closed(make_gateway: MakeGateway) -> None:
    """Without requests that a dead process left open there is nothing to close."""
    assert services_of(make_gateway).close_orphans() == 0
