"""What lives as long as the process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.api.permit_limiter import PermitLimiter
from gateway.api.rate_limit import FallbackLimiter
from gateway.app import Gateway, Services
from gateway.store import InsertResponse, StoredResponse
from tests.conftest import KEYS, MakeGateway
from tests.postgres import drop_database, new_database

EXPIRED = StoredResponse("resp_1", "k1", 1.0, 10.0, None, b"{}", b"[]", b"[1]")


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


@pytest.fixture
def database() -> Iterator[str]:
    url = new_database()
    yield url
    drop_database(url)


def test_one_of_two_replicas_deletes_expired_responses(make_gateway: MakeGateway, database: str) -> None:
    """Of two gateways on one database one deletes what has expired."""
    leading = make_gateway(environment={**KEYS, "GATEWAY_DB": database})
    following = make_gateway(environment={**KEYS, "GATEWAY_DB": database})
    first, second = (each.app.state.gateway.services for each in (leading, following))
    first.delete_expired_responses()
    leading.store.submit(InsertResponse(EXPIRED)).result()
    second.delete_expired_responses()
    assert leading.store.response(EXPIRED.id) is not None
    first.delete_expired_responses()
    assert leading.store.response(EXPIRED.id) is None


def limiter_of(make_gateway: MakeGateway, environment: dict[str, str], *, config: str | None) -> object:
    gateway: Gateway = make_gateway(environment=environment, config=config).app.state.gateway
    return gateway.services.request_limiter(gateway.runtime.settings)


def test_failing_shared_ledger_is_counted_around_as_configured(make_gateway: MakeGateway, database: str) -> None:
    """On a shared ledger permits count a key's requests; where requests are served without the ledger, this machine stands in."""
    settings = {**KEYS, "GATEWAY_DB": database}
    refusing = limiter_of(make_gateway, settings, config=None)
    serving = limiter_of(make_gateway, settings, config="on_ledger_failure: serve\n")
    assert [type(each) for each in (refusing, serving)] == [PermitLimiter, FallbackLimiter]
