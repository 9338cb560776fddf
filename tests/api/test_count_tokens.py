"""Counting tokens: its own limits."""

from __future__ import annotations

import httpx2

from gateway.api.auth import FREE_PER_MINUTE
from tests.conftest import MakeGateway
from tests.tenants import ask_as, issue
from tests.upstreams import Upstream

BODY = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}


def test_counting_takes_nothing_from_the_limit_of_requests(make_gateway: MakeGateway) -> None:
    """A key with few requests a minute may count many prompts, but not without end."""
    gateway = make_gateway()
    key = issue(gateway, rpm=1)

    def count() -> httpx2.Response:
        return gateway.client.post("/v1/messages/count_tokens", json=BODY, headers={"x-api-key": key})

    assert [count().status_code for _ in range(30)] == [200] * 30
    assert ask_as(gateway, key).status_code == 200
    assert ask_as(gateway, key).status_code == 429
    statuses = {count().status_code for _ in range(FREE_PER_MINUTE)}
    assert statuses == {200, 429}


def test_a_large_prompt_is_counted(make_gateway: MakeGateway) -> None:
    """A prompt of megabytes is counted in a thread, and one above the limit is refused in Anthropic's form."""
    gateway = make_gateway(config="limits: {body_bytes: 2000000}\n")
    url = "/v1/messages/count_tokens"
    large = {"model": "gemini/gemini-3.8-flash", "messages": [{"role": "user", "content": "word " * 200_000}]}
    assert gateway.client.post(url, json=large).json()["input_tokens"] > 100_000
    refused = gateway.client.post(url, content=b" " * 2_000_001)
    assert (refused.status_code, refused.json()["error"]["type"]) == (413, "request_too_large")


def test_a_host_without_the_route_is_estimated_for(make_gateway: MakeGateway) -> None:
    """A host that speaks Messages but does not count is no reason for an error; a model that it does not have is."""

    def count(upstream: Upstream) -> httpx2.Response:
        gateway = make_gateway(upstream)
        return gateway.client.post("/v1/messages/count_tokens", json={**BODY, "model": "claude-haiku-5-5"})

    assert count(lambda request: httpx2.Response(404, text="page not found")).json()["input_tokens"] > 0
    missing = {"type": "error", "error": {"type": "not_found_error", "message": "model: claude-haiku-5-5"}}
    assert count(lambda request: httpx2.Response(404, json=missing)).status_code == 404


def test_another_key_counts_where_one_is_refused(make_gateway: MakeGateway) -> None:
    """With several keys of a provider, a key that Anthropic rejects does not stop the counting."""

    def upstream(request: httpx2.Request) -> httpx2.Response:
        if request.headers["x-api-key"] == "good":
            return httpx2.Response(200, json={"input_tokens": 7})
        return httpx2.Response(401, json={"type": "error", "error": {"type": "authentication_error", "message": "x"}})

    def count(keys: str) -> httpx2.Response:
        gateway = make_gateway(upstream, environment={"ANTHROPIC_API_KEY": keys})
        return gateway.client.post("/v1/messages/count_tokens", json={**BODY, "model": "claude-haiku-5-5"})

    assert count("bad,good").json() == {"input_tokens": 7}
    assert count("bad,worse").json()["error"]["type"] == "api_error"
