"""Two gateways that share one PostgreSQL ledger."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.accounts.budgets import Budget, Hold
from gateway.store import RevokeVirtualKey
from tests.conftest import KEYS, GatewayUnderTest, MakeGateway
from tests.postgres import PostgresServer, drop_database, new_database, required
from tests.store.cases import NOW
from tests.tenants import ask_as, issue
from tests.upstreams import answer


@pytest.fixture
def url() -> Iterator[str]:
    database = new_database()
    yield database
    drop_database(database)


def refresh_keys(gateway: GatewayUnderTest) -> None:
    """What a running gateway does every two seconds."""
    gateway.app.state.gateway.services.key_cache.refresh()


def test_rows_and_keys_are_shared(make_gateway: MakeGateway, url: str) -> None:
    """A key that one gateway made is accepted by the other until it is revoked, and both report the same rows."""
    first, second = (make_gateway(environment={**KEYS, "GATEWAY_DB": url}) for _ in range(2))
    key = issue(first)
    refresh_keys(second)
    assert (ask_as(first, key).status_code, ask_as(second, key, stream=True).status_code) == (200, 200)
    assert [row["status"] for row in second.rows] == ["ok", "ok"]
    assert first.store.summary(days=1)["total_requests"] == 2

    first.store.submit(RevokeVirtualKey(first.store.virtual_keys()[0].id, at=NOW)).result()
    refresh_keys(second)
    assert ask_as(second, key).status_code == 401


def test_budget_is_exact_over_both(make_gateway: MakeGateway, url: str) -> None:
    """Many requests at once to both gateways never hold or spend more than their key's budget."""
    gateways = [make_gateway(answer(completion_tokens=50), environment={**KEYS, "GATEWAY_DB": url}) for _ in range(2)]
    limit = Budget(50_000_000, "total")
    key = issue(gateways[0], budget=limit)
    refresh_keys(gateways[1])
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: ask_as(gateways[number % 2], key).status_code, range(80)))
    key_id = gateways[0].store.virtual_keys()[0].id
    balance = gateways[1].store.balance(key_id, Hold(key_id, limit, (1,), NOW).period)
    assert balance.held_nano == 0
    assert 0 < balance.used_nano <= limit.limit_nano
    assert set(answers) <= {200, 429}
    assert answers.count(200) == gateways[0].store.summary(days=1)["total_requests"]


def test_killed_database_refuses_requests_until_it_is_back(make_gateway: MakeGateway) -> None:
    """While the database is away the gateway is not ready and refuses paid requests with a time to wait; then it serves again."""
    required()
    server = PostgresServer()
    try:
        gateway = make_gateway(environment={**KEYS, "GATEWAY_DB": server.url()})
        assert gateway.ask().status_code == 200
        server.kill()
        refused = gateway.ask()
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "ledger_unavailable")
        assert refused.headers["retry-after"] == "5"
        assert gateway.client.get("/readyz").status_code == 503
        server.start()
        deadline = time.monotonic() + 20
        while gateway.client.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert gateway.ask(stream=True).status_code == 200
        assert [row["status"] for row in gateway.rows] == ["ok", "ok"]
    finally:
        server.close()
