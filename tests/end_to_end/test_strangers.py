"""One tenant's feedback and other tenants' routing, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.app import Gateway
from tests.conftest import KEYS, GatewayUnderTest, MakeGateway
from tests.tenants import ask_as, issue
from tests.upstreams import answer

PROMPTS = [
    f"Explain how {what} works in a few sentences."
    for what in ("HTTP", "TLS", "DNS", "TCP", "SSH", "NTP", "BGP", "ARP")
]
TRUSTING = "corroborating_keys: 1\n"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
AS_JSON: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}}


def learn(gateway: GatewayUnderTest) -> None:
    inner: Gateway = gateway.app.state.gateway
    inner.refresh()


def decisions(gateway: GatewayUnderTest, key: str | None) -> list[str]:
    """The model that `auto` chooses for each prompt."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    bodies = [{"model": "auto", "messages": [{"role": "user", "content": prompt}]} for prompt in PROMPTS]
    return [gateway.client.post("/v1/route", json=body, headers=headers).json()["model"] for body in bodies]


def judged(gateway: GatewayUnderTest) -> set[str]:
    """Who has judged answers so far, but for the labels that say what is expected anyway."""
    return {each.source for each in gateway.store.outcomes() if each.quality is not None} - {"unremarkable"}


def click(gateway: GatewayUnderTest, key: str | None, *, times: int = 5, score: float = 0.0) -> None:
    """Feedback on one's own `auto` requests."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    for number in range(times):
        body = {"model": "auto", "messages": [{"role": "user", "content": f"{PROMPTS[number % 8]} ({number})"}]}
        request_id = gateway.client.post("/v1/chat/completions", json=body, headers=headers).headers["x-request-id"]
        said = gateway.client.post("/v1/feedback", json={"request_id": request_id, "score": score}, headers=headers)
        assert said.status_code == 200
    learn(gateway)


def test_feedback_of_one_key_changes_no_other_keys_routing(make_gateway: MakeGateway) -> None:
    """On a fresh ledger five thumbs down of one key change nothing that another key's requests are routed by."""
    gateway = make_gateway()
    stranger, victim = issue(gateway, "stranger"), issue(gateway, "victim")
    before = decisions(gateway, victim)
    click(gateway, stranger)
    assert decisions(gateway, victim) == before
    assert judged(gateway) == set()
    assert {row["feedback_score"] for row in gateway.rows} == {0.0}


def test_the_same_clicks_where_every_key_is_trusted(make_gateway: MakeGateway) -> None:
    """With `corroborating_keys: 1` they count, as they do from several client keys of GATEWAY_API_KEY."""
    gateway = make_gateway(config=TRUSTING)
    stranger, victim = issue(gateway, "stranger"), issue(gateway, "victim")
    before = decisions(gateway, victim)
    click(gateway, stranger)
    assert decisions(gateway, victim) != before


@pytest.mark.parametrize("key", [None, "virtual", "client"])
def test_a_gateway_of_one_learns_at_once(make_gateway: MakeGateway, key: str | None) -> None:
    """Without keys, with one virtual key or with one client key the same five clicks change what is routed next."""
    environment = {**KEYS, "GATEWAY_API_KEY": "client"} if key == "client" else KEYS
    gateway = make_gateway(environment=environment)
    secret = issue(gateway) if key == "virtual" else key
    before = decisions(gateway, secret)
    click(gateway, secret)
    assert decisions(gateway, secret) != before


def test_client_keys_are_strangers_to_each_other(make_gateway: MakeGateway) -> None:
    """Several keys in GATEWAY_API_KEY are held to the same rule as virtual keys."""
    gateway = make_gateway(environment={**KEYS, "GATEWAY_API_KEY": "stranger,victim"})
    before = decisions(gateway, "victim")
    click(gateway, "stranger")
    assert decisions(gateway, "victim") == before


def test_feedback_of_five_keys_is_learned(make_gateway: MakeGateway) -> None:
    """When the fifth key has spoken of a model, what was held back of all five is learned."""
    gateway = make_gateway()
    secrets = [issue(gateway, f"tenant{number}") for number in range(5)]
    body = {"model": "auto", "messages": [{"role": "user", "content": PROMPTS[0]}]}
    for count, secret in enumerate(secrets, start=1):
        headers = {"authorization": f"Bearer {secret}"}
        request_id = gateway.client.post("/v1/chat/completions", json=body, headers=headers).headers["x-request-id"]
        gateway.client.post("/v1/feedback", json={"request_id": request_id, "score": 0}, headers=headers)
        learned = [each for each in gateway.store.outcomes() if each.source == "feedback"]
        assert len(learned) == (5 if count == 5 else 0)


def test_provoked_failures_change_no_other_keys_routing(make_gateway: MakeGateway) -> None:
    """A key that makes answers fail, by asking for a form that its own prompt forbids, changes nothing for others."""
    gateway = make_gateway(answer("no JSON at all"), config="cascade: off\n")
    stranger, victim = issue(gateway, "stranger"), issue(gateway, "victim")
    before = decisions(gateway, victim)
    for _ in range(12):
        assert ask_as(gateway, stranger, response_format=AS_JSON).status_code == 200
    learn(gateway)
    assert decisions(gateway, victim) == before
    assert judged(gateway) == set()
