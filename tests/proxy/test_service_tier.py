"""Requests that can wait are served in a cheaper tier, through the gateway."""

from __future__ import annotations

from typing import Any

import httpx2
import orjson
import pytest

from tests.conftest import MakeGateway
from tests.upstreams import answer, vendor

FLASH = "gemini/gemini-3.8-flash"
WAITS = {"routing": {"latency": "background"}}
TEXT = [{"role": "user", "content": "2+2?"}]


class Google:
    """Answers as Gemini does, in the tier that was asked for; `refusals` are statuses for requests in the flex tier, in turn."""

    def __init__(self, *refusals: int, downgrades: bool = False) -> None:
        self.tiers: list[str | None] = []
        self._refusals = list(refusals)
        self._downgrades = downgrades

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if vendor(request) != "gemini":
            return answer()(request)
        tier = orjson.loads(request.content).get("serviceTier")
        self.tiers.append(tier)
        if tier == "flex" and self._refusals:
            return httpx2.Response(self._refusals.pop(0), json={"error": {"message": "flex is not possible now"}})
        body = answer()(request).json()
        body["usageMetadata"]["serviceTier"] = "standard" if tier is None or self._downgrades else tier
        return httpx2.Response(200, json=body)


def ask(make_gateway: MakeGateway, upstream: Google, **body: Any) -> dict[str, Any]:
    reply = make_gateway(upstream).client.post("/v1/chat/completions", json={"messages": TEXT, "model": FLASH, **body})
    found: dict[str, Any] = reply.raise_for_status().json()
    return found


def costs(reply: dict[str, Any]) -> tuple[float, float, str]:
    usage = reply["usage"]
    return usage["cost"], usage["cost_details"]["baseline_cost"], usage["cost_details"]["evidence"]


@pytest.fixture
def list_price(make_gateway: MakeGateway) -> float:
    cost, _, _ = costs(ask(make_gateway, Google()))
    return cost


def test_request_that_can_wait_costs_half(make_gateway: MakeGateway, list_price: float) -> None:
    """It is sent to the flex tier and charged at half of the price; the baseline, which did not wait, at all of it."""
    google = Google()
    assert costs(ask(make_gateway, google, **WAITS)) == (list_price / 2, list_price, "modelled")
    assert google.tiers == ["flex"]


def test_tier_of_the_client_is_its_own(make_gateway: MakeGateway, list_price: float) -> None:
    """Without the gateway the client would have had the tier that it names, so that is no saving."""
    google = Google()
    assert costs(ask(make_gateway, google, service_tier="flex")) == (list_price / 2, list_price / 2, "exact")
    assert costs(ask(make_gateway, google, service_tier="default", **WAITS)) == (list_price, list_price, "exact")
    assert costs(ask(make_gateway, google, service_tier="priority"))[0] == pytest.approx(list_price * 1.8)
    assert google.tiers == ["flex", "standard", "priority"]


def test_downgraded_request_costs_what_it_was_served_for(make_gateway: MakeGateway, list_price: float) -> None:
    """Google may serve a flex request in the standard tier, and says so."""
    google = Google(downgrades=True)
    assert costs(ask(make_gateway, google, **WAITS)) == (list_price, list_price, "exact")


@pytest.mark.parametrize("status", [400, 429, 503])
def test_refused_tier_is_asked_again_without_it(make_gateway: MakeGateway, list_price: float, status: int) -> None:
    """No capacity, or a model without the tier: the same model answers in the usual tier, within the same attempt."""
    google = Google(status)
    reply = ask(make_gateway, google, **WAITS)
    assert costs(reply)[0] == list_price
    assert google.tiers == ["flex", None]


def test_baseline_at_another_model_has_the_tier_of_the_client(make_gateway: MakeGateway, list_price: float) -> None:
    """A baseline of Gemini costs half for a client that names the tier, also when another model answers; one that can wait pays the list price."""
    hints = {"models": ["claude/claude-haiku-5-5"], "baseline": FLASH}
    own = ask(make_gateway, Google(), model="auto", service_tier="flex", routing=hints)
    waiting = ask(make_gateway, Google(), model="auto", routing={**hints, "latency": "background"})
    assert (costs(own)[1], costs(waiting)[1]) == (list_price / 2, list_price)


def test_routing_expects_half_of_the_cost(make_gateway: MakeGateway) -> None:
    """The ranking of a request that can wait has Gemini's models at half of their cost, and the others as they are."""
    client = make_gateway(Google()).client
    ranked = []
    for hints in ({}, {"latency": "background"}, {"latency": "interactive"}):
        reply = client.post("/v1/route", json={"model": "auto", "messages": TEXT, "routing": hints}).json()
        ranked.append({f"{each['provider']}/{each['model']}": each["cost"] for each in reply["candidates"]})
    usual, waiting, interactive = ranked
    assert usual == interactive
    for name in set(usual) & set(waiting):
        factor = 0.5 if name.startswith("gemini/") else 1.0
        assert waiting[name] == pytest.approx(usual[name] * factor, rel=0.01)


def test_learned_cost_is_that_of_the_usual_tier(make_gateway: MakeGateway, list_price: float) -> None:
    """The decision adds the tier's factor itself, so it is not learned a second time."""
    gateway = make_gateway(Google())
    body = {"model": "auto", "messages": TEXT, "routing": {"latency": "background", "models": [FLASH]}}
    gateway.client.post("/v1/chat/completions", json=body).raise_for_status()
    (outcome,) = [each for each in gateway.store.outcomes() if each.cost is not None]
    assert outcome.cost == pytest.approx(list_price)


def test_unknown_latency_is_refused(make_gateway: MakeGateway) -> None:
    """A misspelt hint is an error."""
    reply = make_gateway().client.post(
        "/v1/chat/completions", json={"model": FLASH, "messages": TEXT, "routing": {"latency": "slow"}}
    )
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "routing.latency")
