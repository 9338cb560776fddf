"""A limit of money for one session, through the whole gateway."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx2
import pytest

from gateway.store import LimitVirtualKey
from tests.conftest import GatewayUnderTest, MakeGateway
from tests.tenants import issue
from tests.upstreams import answer

MODEL = "claude/claude-haiku-5-5"
KEYLESS = "session:s1"


def body(budget: float | None, *, stream: bool = False, **hints: Any) -> dict[str, Any]:
    routing = {"session_id": "s1", "session_budget": budget, **hints}
    messages = [{"role": "user", "content": "2+2?"}]
    return {"model": MODEL, "messages": messages, "max_tokens": 1_000, "stream": stream, "routing": routing}


def ask(gateway: GatewayUnderTest, budget: float | None, *, key: str | None = None, **options: Any) -> httpx2.Response:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return gateway.client.post("/v1/chat/completions", json=body(budget, **options), headers=headers)


def spent(gateway: GatewayUnderTest, account: str = KEYLESS) -> float:
    balance = gateway.store.balance(account, "total")
    assert balance.held_nano == 0
    return balance.used_nano / 1e9


@pytest.mark.parametrize("stream", [False, True])
def test_client_is_told_from_80_percent_on(make_gateway: MakeGateway, stream: bool) -> None:
    """Below 80 % no answer mentions the budget; from there on each says which share is spent, streamed or not."""
    gateway = make_gateway(answer(completion_tokens=900))
    ask(gateway, 100)
    once = spent(gateway)
    for _ in range(8):
        assert "x-gateway-session-budget" not in ask(gateway, 100, stream=stream).headers
    told = ask(gateway, 10.8 * once, stream=stream)
    assert told.status_code == 200
    share = float(told.headers["x-gateway-session-budget"])
    assert share == pytest.approx((9 if stream else 10) / 10.8, abs=0.01)


def test_session_pauses_and_goes_on_with_a_higher_hint(make_gateway: MakeGateway) -> None:
    """What does not fit is a 429 that says how to go on and costs nothing; a higher limit lets the same session go on."""
    gateway = make_gateway(answer(completion_tokens=900))
    ask(gateway, 100)
    once = spent(gateway)
    refused = ask(gateway, 1.5 * once)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (429, "session_budget_exceeded")
    assert "This session's budget" in error["message"]
    assert "routing.session_budget" in error["message"]
    assert "retry-after" not in refused.headers
    assert (spent(gateway), len(gateway.rows)) == (once, 1)
    assert ask(gateway, 1.5 * once, session_id="another").status_code == 200
    assert ask(gateway, 3 * once).status_code == 200


def test_limit_of_a_key_is_lifted_in_the_ledger(make_gateway: MakeGateway) -> None:
    """A hint above the key's limit changes nothing; a new limit of the key does."""
    gateway = make_gateway(answer(completion_tokens=900))
    key = issue(gateway, session_budget_nano=10_000)
    assert ask(gateway, 100, key=key).json()["error"]["code"] == "session_budget_exceeded"
    gateway.store.submit(LimitVirtualKey("key_tenant", session_budget_nano=10**9)).result()
    gateway.app.state.gateway.services.key_cache.refresh()
    assert ask(gateway, None, key=key).status_code == 200
    assert spent(gateway, "session:key_tenant/s1") == pytest.approx(gateway.rows[0]["actual_cost"])


def test_session_budget_is_exact_for_parallel_requests(make_gateway: MakeGateway) -> None:
    """Of many subagents' requests at once, as many are served as the session can pay for."""
    gateway = make_gateway(answer(completion_tokens=1_000))
    ask(gateway, 100, session_id="first")
    once = spent(gateway, "session:first")

    async def rush() -> Counter[int]:
        transport = httpx2.ASGITransport(app=gateway.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            asked = [client.post("/v1/chat/completions", json=body(5.5 * once, agent_id=f"a{n}")) for n in range(40)]
            return Counter(response.status_code for response in await asyncio.gather(*asked))

    statuses = asyncio.run(rush())
    assert set(statuses) == {200, 429}
    assert 1 <= statuses[200] <= 5
    assert spent(gateway) <= 5.5 * once


@pytest.mark.parametrize("budget", [0, -1, "much"])
def test_wrong_session_budget_is_a_400(make_gateway: MakeGateway, budget: Any) -> None:
    """The answer names the member."""
    refused = ask(make_gateway(), budget)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "routing.session_budget")
