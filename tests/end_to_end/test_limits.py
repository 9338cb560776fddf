"""Budgets, rates and ceilings of virtual keys through the whole gateway."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from gateway.accounts.budgets import GLOBAL, Balance, Budget, Hold, period
from gateway.accounts.virtual_keys import VirtualKey, digest_of
from gateway.app import Environment, create_app
from gateway.dialects.chat_completions import parse_chat_request
from gateway.resilience import Candidate
from gateway.routing import SpendingLimits
from gateway.settings import Settings, load
from gateway.store import InsertRequest, InsertVirtualKey
from gateway.store.sqlite import SqliteStore
from gateway.transport.httpx_client import HttpxTransport
from tests.conftest import KEYS, GatewayUnderTest, MakeGateway
from tests.resilience.clocks import Clock
from tests.store.cases import begun
from tests.tenants import ask_as, issue
from tests.upstreams import answer, failing

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
MODEL = "claude/claude-haiku-5-5"


def frozen() -> Environment:
    return Environment(seed=0, now=lambda: NOW)


def spent(gateway: GatewayUnderTest, account: str, budget: Budget) -> Balance:
    return gateway.store.balance(account, period(budget.window, NOW))


def test_spent_is_what_the_ledger_says(make_gateway: MakeGateway) -> None:
    """After its requests a key has spent what their rows cost, and nothing is held."""
    gateway = make_gateway(answer(completion_tokens=50), app_environment=frozen())
    budget = Budget(10**9, "day")
    key = issue(gateway, budget=budget)
    assert ask_as(gateway, key).status_code == 200
    assert ask_as(gateway, key, MODEL, stream=True).status_code == 200
    cost = sum(row["actual_cost"] for row in gateway.rows)
    assert spent(gateway, "key_tenant", budget) == Balance(round(cost * 1e9), 0)
    assert {row["key_id"] for row in gateway.rows} == {"key_tenant"}


def test_failed_request_gives_back_its_hold(make_gateway: MakeGateway) -> None:
    """A request that no upstream answered gives back all that was held for it."""
    gateway = make_gateway(failing(400, "claude"), app_environment=frozen())
    budget = Budget(10**9, "day")
    assert ask_as(gateway, issue(gateway, budget=budget), MODEL).status_code == 400
    assert spent(gateway, "key_tenant", budget) == Balance(0, 0)


def test_a_spent_budget_is_refused(make_gateway: MakeGateway) -> None:
    """A budget that is spent is a 429 that says so and when it resets; nothing is called and no row is written."""
    gateway = make_gateway(app_environment=frozen())
    response = ask_as(gateway, issue(gateway, budget=Budget(1, "day")), MODEL, max_tokens=5)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["type"]) == (429, "budget_exceeded", "insufficient_quota")
    assert "resets at 2026-11-23T00:00:00Z" in error["message"]
    assert response.headers["retry-after"] == str(int(13.5 * 3600))
    assert response.headers["x-request-id"]
    assert gateway.rows == []


def test_held_money_is_told_from_spent(make_gateway: MakeGateway) -> None:
    """While another request holds what is left, the refusal says that it is only held and to come back in a moment."""
    gateway = make_gateway(app_environment=frozen())
    budget = Budget(10**9, "day")
    key = issue(gateway, budget=budget)
    gateway.store.submit(InsertRequest(begun(), [Hold("key_tenant", budget, (10**9,), NOW)])).result()
    response = ask_as(gateway, key, MODEL, max_tokens=5)
    assert "only held" in response.json()["error"]["message"]
    assert response.headers["retry-after"] == "1"


def test_daily_budget_holds_for_all_requests_together(make_gateway: MakeGateway) -> None:
    """daily_budget_usd holds without any key, for all requests of a UTC day together."""
    gateway = make_gateway(app_environment=frozen(), config="daily_budget_usd: 0.001\n")
    assert gateway.ask(model=MODEL, max_tokens=100).status_code == 200
    response = gateway.ask(model=MODEL, max_tokens=100_000)
    assert (response.status_code, response.json()["error"]["code"]) == (429, "budget_exceeded")
    assert "This gateway's budget is 0.001 USD per day" in response.json()["error"]["message"]
    assert spent(gateway, GLOBAL, Budget(0, "day")).used_nano > 0
    assert gateway.ask(model="openrouter/unknown/model").json()["error"]["code"] == "price_unknown"


def test_answers_are_limited_to_what_is_held(make_gateway: MakeGateway) -> None:
    """With little money left a request without a limit is sent with one that is paid for."""
    limits: list[int] = []

    def upstream(request: httpx2.Request) -> httpx2.Response:
        limits.append(orjson.loads(request.content)["max_tokens"])
        return answer()(request)

    gateway = make_gateway(upstream, app_environment=frozen())
    rich = issue(gateway, "rich", budget=Budget(10**9, "day"))
    poor = issue(gateway, "poor", budget=Budget(1_000_000, "day"))
    assert [ask_as(gateway, key, MODEL).status_code for key in (rich, poor)] == [200, 200]
    assert limits[0] > 4_096
    assert limits[1] in (1_024, 256)


def test_requests_above_the_rate_are_a_429_on_every_route(make_gateway: MakeGateway) -> None:
    """More requests a minute than the key's are a 429 with the seconds to wait, on every client route."""
    clock = Clock()
    gateway = make_gateway(app_environment=Environment(seed=0, clock=clock))
    key = issue(gateway, rpm=2)
    authorization = {"authorization": f"Bearer {key}"}
    assert ask_as(gateway, key, MODEL).status_code == 200
    assert gateway.client.get("/v1/models", headers=authorization).status_code == 200
    clock.pass_by(20)
    for response in (ask_as(gateway, key, MODEL), gateway.client.get("/v1/models", headers=authorization)):
        assert (response.status_code, response.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert response.headers["retry-after"] == "40"
    clock.pass_by(41)
    assert ask_as(gateway, key, MODEL).status_code == 200


@pytest.mark.parametrize("model", ["auto:quality", "auto", "auto:cheap"])
@pytest.mark.parametrize("stream", [False, True])
def test_auto_stays_within_the_ceilings(make_gateway: MakeGateway, model: str, stream: bool) -> None:
    """Whatever the router would like, who answers is of a tier and name that the key may use."""
    gateway = make_gateway(failing(529, "gemini"), app_environment=frozen())
    key = issue(gateway, max_tier="moderate", models=("gemini/*", "claude/*"))
    prompt = "Analyze the architectural trade-offs between " * 10
    messages = [{"role": "user", "content": prompt}]
    assert ask_as(gateway, key, model, messages=messages, stream=stream).status_code == 200
    (row,) = gateway.rows
    assert row["selected_model"].startswith("claude-haiku")
    assert {attempt["provider"] for attempt in row["attempts"]} <= {"gemini", "claude"}


def test_auto_stays_within_the_cost_of_a_request(make_gateway: MakeGateway) -> None:
    """Where the router's choice may cost more than the key allows, the next that may not answers, and the row says why."""
    gateway = make_gateway(app_environment=frozen())
    messages = [{"role": "user", "content": "Analyze the architectural trade-offs between " * 10}]
    free = ask_as(gateway, issue(gateway, "free"), "auto:quality", messages=messages, max_tokens=1_000)
    bound = ask_as(
        gateway, issue(gateway, max_cost_nano=2_000_000), "auto:quality", messages=messages, max_tokens=1_000
    )
    assert bound.json()["model"] != free.json()["model"]
    assert "Within the limits of the key or budget" in gateway.rows[1]["reasoning"]
    assert gateway.rows[1]["actual_cost"] < 0.002


@pytest.mark.parametrize(
    ("limits", "body", "code"),
    [
        ({"max_tier": "simple"}, {"model": MODEL}, "model_not_allowed"),
        ({"models": ("gemini/*",)}, {"model": "claude-haiku-5-5"}, "model_not_allowed"),
        ({"models": ("gemini/*",)}, {"model": "auto", "routing": {"providers": ["claude"]}}, "no_candidate"),
        ({"models": ("gemini/*",)}, {"model": "auto", "routing": {"models": [MODEL]}}, "model_not_allowed"),
        ({"max_tier": "simple"}, {"model": "openrouter/unknown/model"}, "model_not_allowed"),
        ({"max_cost_nano": 1_000_000}, {"model": MODEL, "max_tokens": 100_000}, "max_cost_exceeded"),
        ({"max_cost_nano": 1_000_000}, {"model": "openrouter/unknown/model"}, "price_unknown"),
        (
            {"max_cost_nano": 1_000_000},
            {"model": "auto", "max_tokens": 60_000, "routing": {"max_cost": 9}},
            "max_cost_exceeded",
        ),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions", "/v1/route"])
def test_ceilings_of_a_key_hold_on_every_route(
    make_gateway: MakeGateway, limits: dict[str, Any], body: dict[str, object], code: str, path: str
) -> None:
    """What the key may not use is refused on every route, whatever the request hints; nobody is called."""
    gateway = make_gateway(failing(500, "gemini", "claude", "openrouter"), app_environment=frozen())
    key = issue(gateway, **limits)
    asked = {"messages": [{"role": "user", "content": "2+2?"}], **body}
    response = gateway.client.post(path, json=asked, headers={"x-api-key": key})
    assert (response.status_code, response.json()["error"]["code"]) == (503 if code == "no_candidate" else 403, code)
    assert gateway.rows == []


def test_models_lists_what_the_key_may_use(make_gateway: MakeGateway) -> None:
    """/v1/models shows a key the models it may use, and no other exists for it."""
    gateway = make_gateway()
    headers = {"x-api-key": issue(gateway, models=("claude/*",), max_tier="moderate")}
    names = [model["id"] for model in gateway.client.get("/v1/models", headers=headers).json()["data"]]
    listed = [name for name in names if not name.startswith("auto")]
    assert listed
    assert all(name.startswith("claude/claude-haiku") for name in listed)
    assert gateway.client.get(f"/v1/models/{MODEL}", headers=headers).status_code == 200
    assert gateway.client.get("/v1/models/claude/claude-opus-5-5", headers=headers).status_code == 404


async def test_budget_for_a_hundred_serves_a_hundred_of_a_thousand(tmp_path: Path) -> None:
    """Of a thousand requests at once against a budget for a hundred, exactly a hundred are served."""
    settings = load({**KEYS, "GATEWAY_DB": str(tmp_path / "gateway.db")})
    body = {"model": MODEL, "max_tokens": 5, "messages": [{"role": "user", "content": "2+2?"}]}
    key = VirtualKey(id="key_1", name="crowd", digest=digest_of("gw-crowd"), last4="rowd", created=NOW)
    budget = Budget(100 * _held_for(body, settings), "day")
    store = SqliteStore(settings.db)
    store.submit(InsertVirtualKey(replace(key, budget=budget))).result()
    statuses, release = Counter[int](), asyncio.Event()

    async def upstream(request: httpx2.Request) -> httpx2.Response:
        await release.wait()
        return answer(completion_tokens=5)(request)

    async def ask(client: httpx2.AsyncClient) -> None:
        statuses[(await client.post("/v1/chat/completions", json=body)).status_code] += 1
        if statuses[429] == 900:
            release.set()

    transport = HttpxTransport(transport=httpx2.MockTransport(upstream))
    app = create_app(settings, transport=transport, store=store, environment=frozen())
    caller = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1", headers={"x-api-key": "gw-crowd"}
    )
    async with app.router.lifespan_context(app), caller as client:
        await asyncio.gather(*(ask(client) for _ in range(1000)))
        balance = store.balance(key.id, period("day", NOW))
        rows = store.requests(limit=500)
    assert statuses == {200: 100, 429: 900}
    assert len(rows) == 100
    assert balance == Balance(sum(round(row["actual_cost"] * 1e9) for row in rows), 0)


def _held_for(body: dict[str, object], settings: Settings) -> int:
    """Nano-dollars that one such request holds."""
    key = VirtualKey(id="k", name="k", digest=b"", last4="", created=NOW, budget=Budget(0))
    provider, _, model = str(body["model"]).partition("/")
    chosen = [Candidate(provider, model)]
    spending_limits = SpendingLimits(settings.prices, settings.catalog, now=lambda: NOW)
    reservation = spending_limits.reservation_for(chosen, parse_chat_request(orjson.dumps(body)), key=key)[1]
    assert reservation is not None
    return reservation.options[0].amount_nano


WAYS: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {}),
    ("/chat/completions", {}),
    ("/v1/chat/completions?auto_route=true", {}),
    ("/v1/chat/completions?auto_route=shadow", {}),
    ("/v1/chat/completions", {"model": "claude-3-haiku"}),
    ("/v1/chat/completions", {"model": "claude-haiku-5-5"}),
    ("/v1/chat/completions", {"model": "anthropic/claude-haiku-5-5"}),
    ("/v1/chat/completions", {"model": "auto:cheap"}),
    ("/v1/chat/completions", {"model": "openrouter/openai/gpt-6-luna:free"}),
    ("/v1/chat/completions", {"model": "openrouter/openai/gpt-6-luna:online"}),
    ("/v1/chat/completions", {"model": "openrouter/auto"}),
    ("/v1/chat/completions", {"model": "openrouter/qwen/qwen3.8-flash", "models": ["openai/gpt-6.1-sol"]}),
    ("/v1/chat/completions", {"stream": True}),
    ("/v1/chat/completions", {"max_tokens": None}),
    ("/v1/chat/completions", {"model": "gemini/gemini-3.8-flash", "n": 8}),
    ("/v1/chat/completions", {"service_tier": "flex"}),
    ("/v1/chat/completions", {"service_tier": "priority"}),
    ("/v1/chat/completions", {"web_search_options": {}, "plugins": [{"id": "web"}]}),
    ("/v1/chat/completions", {"user": "another", "metadata": {"tier": "free"}}),
    ("/v1/chat/completions", {"routing": {"max_cost": 100, "session_id": "free", "baseline": MODEL}}),
]


def test_spent_budget_cannot_be_bypassed(make_gateway: MakeGateway) -> None:
    """Whatever a request calls its model, asks for or says of itself: without money left nobody is called, and no row is written."""
    asked: list[str] = []

    def upstream(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return answer()(request)

    gateway = make_gateway(upstream, app_environment=frozen())
    headers = {"x-api-key": issue(gateway, budget=Budget(1, "day"))}
    messages = [{"role": "user", "content": "2+2?"}]
    for path, wish in WAYS:
        body = {"model": MODEL, "messages": messages, "max_tokens": 5, **wish}
        error = gateway.client.post(path, json=body, headers=headers).json()["error"]
        assert error["code"] in ("budget_exceeded", "price_unknown"), (path, wish, error)
    assert (asked, gateway.rows) == ([], [])


@pytest.mark.parametrize(
    ("model", "size", "wish"),
    [
        (MODEL, 400, {}),
        (MODEL, 400, {"cache_control": {"type": "ephemeral", "ttl": "1h"}}),
        ("claude/claude-sonnet-4-5", 1_000_000, {}),
        ("gemini/gemini-2.5-pro", 1_000_000, {}),
        ("gemini/gemini-2.5-flash", 400, {"n": 8}),
    ],
    ids=["plain", "cache write", "claude above 200k", "gemini above 200k", "eight answers"],
)
def test_what_is_held_covers_the_dearest_bill(
    make_gateway: MakeGateway, model: str, size: int, wish: dict[str, Any]
) -> None:
    """The most that the provider may count for a request costs no more than was held: cache writes, large prompts, several answers."""
    wanted = wish.get("n", 1)
    part = {"type": "text", "text": "word " * (size // 5)} | {n: v for n, v in wish.items() if n == "cache_control"}
    body = {"messages": [{"role": "user", "content": [part]}], "max_tokens": 100, "n": wanted}
    tokens = size // 4

    def upstream(request: httpx2.Request) -> httpx2.Response:
        usage = {
            "input_tokens": 0,
            "output_tokens": 100,
            "cache_creation_input_tokens": tokens,
            "cache_creation": {"ephemeral_1h_input_tokens": tokens, "ephemeral_5m_input_tokens": 0},
            "promptTokenCount": tokens,
            "candidatesTokenCount": 100 * wanted,
        }
        answered = orjson.loads(answer()(request).content)
        return httpx2.Response(200, json=answered | {"usage": usage, "usageMetadata": usage})

    gateway = make_gateway(upstream, app_environment=frozen())
    held = Budget(10**12, "day")
    key = issue(gateway, budget=held)
    before = _held_by(gateway, body | {"model": model})
    assert ask_as(gateway, key, model, **body).status_code == 200
    assert 0 < spent(gateway, "key_tenant", held).used_nano <= before


def _held_by(gateway: GatewayUnderTest, body: dict[str, object]) -> int:
    settings: Settings = gateway.app.state.gateway.runtime.settings
    return _held_for(body, settings)
