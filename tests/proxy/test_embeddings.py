"""Embeddings through the whole gateway: encoded, in parts, priced, settled, or refused."""

from __future__ import annotations

import asyncio
import base64
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any, cast

import httpx2
import orjson
import pytest

from gateway.completion import Usage
from gateway.errors import UpstreamOverloaded, UpstreamTimeout
from gateway.proxy.embeddings import EmbeddingCalls, EncodedAnswer
from tests.conftest import GatewayUnderTest, MakeGateway
from tests.upstreams import Upstream, answer

GEMINI = "gemini/gemini-embedding-001"
OPENROUTER = "openrouter/openai/text-embedding-3-small"


def embed(gateway: GatewayUnderTest, input: Any = "Hello", *, model: str = GEMINI, **members: Any) -> httpx2.Response:
    path = members.pop("path", "/v1/embeddings")
    return gateway.client.post(path, json={"model": model, "input": input, **members})


class Vendor:
    """Answers [n, 0] for the n-th input of all calls; `fail` replaces the answer of a call, by its number from 0."""

    def __init__(
        self, fail: Callable[[int], httpx2.Response | None] = lambda call: None, tokens: int | None = 2
    ) -> None:
        self.requests: list[Any] = []
        self._fail = fail
        self._tokens = tokens
        self._count = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        body = orjson.loads(request.content)
        self.requests.append(body)
        failed = self._fail(len(self.requests) - 1)
        if failed is not None:
            return failed
        inputs = body.get("requests") or body["input"]
        vectors = [[float(self._count + i), 0.0] for i in range(len(inputs))]
        self._count += len(inputs)
        if "requests" in body:
            counted = {} if self._tokens is None else {"usageMetadata": {"promptTokenCount": self._tokens}}
            return httpx2.Response(200, json={"embeddings": [{"values": vector} for vector in vectors], **counted})
        data = [{"index": i, "embedding": vector} for i, vector in enumerate(vectors)]
        usage = {"prompt_tokens": self._tokens, "total_tokens": self._tokens, "cost": 0.000125}
        return httpx2.Response(200, json={"id": "gen-1", "data": data, "usage": usage})


@pytest.mark.parametrize("model", [GEMINI, OPENROUTER])
@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings"])
def test_an_answer_is_recorded_and_priced(make_gateway: MakeGateway, model: str, path: str) -> None:
    """The client gets vectors, the model and the cost, and one settled row says the same."""
    gateway = make_gateway(Vendor())
    response = embed(gateway, ["a", "b"], model=model, path=path)
    assert response.status_code == 200, response.text
    body = response.json()
    (row,) = gateway.rows
    assert [item["embedding"] for item in body["data"]] == [[0, 0], [1, 0]]
    assert body["model"] == model
    assert response.headers["x-request-id"] == row["request_id"]
    assert (row["endpoint"], row["status"], row["strategy_used"]) == ("embeddings", "ok", "pinned")
    assert (row["prompt_tokens"], row["completion_tokens"], row["estimated"]) == (2, 0, 0)
    assert row["pattern_detected"] is row["complexity_score"] is row["finish_reason"] is None
    assert row["actual_cost"] == row["baseline_cost"] > 0
    assert body["usage"]["cost"] == pytest.approx(row["actual_cost"])
    assert float(response.headers["x-gateway-cost"]) == pytest.approx(row["actual_cost"], abs=1e-9)


@pytest.mark.parametrize("model", [GEMINI, OPENROUTER])
def test_base64_is_what_was_asked_for(make_gateway: MakeGateway, model: str) -> None:
    """A provider that gives floats makes no difference to a client that asked for base64."""
    gateway = make_gateway(Vendor())
    (item,) = embed(gateway, model=model, encoding_format="base64").json()["data"]
    assert base64.b64decode(item["embedding"]) == struct.pack("<2f", 0, 0)


def test_base64_becomes_floats(make_gateway: MakeGateway) -> None:
    """A provider that gives base64 makes no difference to a client that asked for floats."""
    packed = base64.b64encode(struct.pack("<2f", 0.5, 1)).decode()
    gateway = make_gateway(lambda request: httpx2.Response(200, json={"data": [{"index": 0, "embedding": packed}]}))
    response = embed(gateway, model=OPENROUTER)
    assert response.json()["data"][0]["embedding"] == [0.5, 1]
    assert gateway.rows[0]["estimated"] == 1


def test_broken_base64_is_the_upstreams_error(make_gateway: MakeGateway) -> None:
    """A vector that cannot be read is a 502."""
    gateway = make_gateway(lambda request: httpx2.Response(200, json={"data": [{"index": 0, "embedding": "AAA"}]}))
    response = embed(gateway, model=OPENROUTER)
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_invalid_response")
    assert gateway.rows[0]["status"] == "error"


def test_long_lists_are_sent_in_parts(make_gateway: MakeGateway) -> None:
    """250 inputs are three calls of Gemini; the vectors are in order and every call is in the usage."""
    vendor = Vendor()
    gateway = make_gateway(vendor)
    body = embed(gateway, [f"text {i}" for i in range(250)]).json()
    assert [len(request["requests"]) for request in vendor.requests] == [100, 100, 50]
    assert [item["embedding"][0] for item in body["data"]] == list(range(250))
    assert [item["index"] for item in body["data"]] == list(range(250))
    (row,) = gateway.rows
    assert row["prompt_tokens"] == body["usage"]["prompt_tokens"] == 6
    assert len(row["attempts"]) == 1
    assert row["usage"]["calls"] == [{"promptTokenCount": 2}] * 3


def test_usage_is_estimated_where_there_is_none(make_gateway: MakeGateway) -> None:
    """Without the provider's counts the tokens are estimated, and the row says so."""
    gateway = make_gateway(Vendor(tokens=None))
    body = embed(gateway, "x" * 400).json()
    (row,) = gateway.rows
    assert body["usage"]["prompt_tokens"] == row["prompt_tokens"] == 101
    assert (row["estimated"], row["evidence"]) == (1, "modelled")


def test_one_failed_part_fails_all(make_gateway: MakeGateway) -> None:
    """If a part is refused, the client gets its error, and what the parts before it cost is in the ledger."""
    refused = httpx2.Response(400, json={"error": {"code": 400, "message": "No.", "status": "INVALID_ARGUMENT"}})
    gateway = make_gateway(Vendor(lambda call: refused if call == 1 else None))
    response = embed(gateway, ["a"] * 150)
    assert response.status_code == 400
    assert "data" not in response.json()
    (row,) = gateway.rows
    assert row["status"] == "error"
    assert row["prompt_tokens"] == 2
    assert row["actual_cost"] > 0


def test_an_overloaded_provider_is_asked_again(make_gateway: MakeGateway) -> None:
    """A part that fails is tried again with all parts of its attempt, and both attempts are priced."""
    busy = httpx2.Response(503, json={"error": {"code": 503, "message": "Busy.", "status": "UNAVAILABLE"}})
    vendor = Vendor(lambda call: busy if call == 1 else None)
    gateway = make_gateway(vendor)
    body = embed(gateway, ["a"] * 150).json()
    assert len(body["data"]) == 150
    assert [len(request["requests"]) for request in vendor.requests] == [100, 50, 100, 50]
    (row,) = gateway.rows
    first, second = row["attempts"]
    assert (row["status"], first["error"], second["status"]) == ("ok", "upstream_overloaded", "settled")
    assert row["actual_cost"] == pytest.approx(first["cost"] + second["cost"])
    assert second["cost"] == pytest.approx(2 * first["cost"])


@pytest.mark.parametrize(
    ("members", "status", "param"),
    [
        ({"model": "auto"}, 400, "model"),
        ({"model": "claude/claude-haiku-5-5"}, 400, "model"),
        ({"model": "nope"}, 404, "model"),
        ({"input": []}, 400, "input"),
        ({"input": [[1, 2]]}, 400, "input"),
    ],
)
def test_refusals_send_and_cost_nothing(
    make_gateway: MakeGateway, members: dict[str, Any], status: int, param: str
) -> None:
    """A refusal names the member in OpenAI's shape; nothing is sent and nothing is charged."""
    vendor = Vendor()
    gateway = make_gateway(vendor)
    response = gateway.client.post("/v1/embeddings", json={"model": GEMINI, "input": "x", **members})
    assert (response.status_code, response.json()["error"]["param"]) == (status, param)
    assert response.headers["x-request-id"]
    assert vendor.requests == []
    assert sum(row["actual_cost"] or 0 for row in gateway.rows) == 0


def test_other_methods_are_refused(make_gateway: MakeGateway) -> None:
    """Only POST is served."""
    response = make_gateway().client.get("/v1/embeddings")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


def test_an_alias_names_the_model(make_gateway: MakeGateway) -> None:
    """A client with a hard-coded name gets the model that `aliases` gives it."""
    gateway = make_gateway(Vendor(), config=f"aliases:\n  text-embedding-3-small: {GEMINI}\n")
    assert embed(gateway, model="text-embedding-3-small").json()["model"] == GEMINI


def test_routing_parameters_change_nothing(make_gateway: MakeGateway) -> None:
    """Vectors of different models cannot be compared: neither the query nor shadow mode makes another model answer."""
    gateway = make_gateway(Vendor(), config="mode: shadow\n")
    response = embed(gateway, path="/v1/embeddings?auto_route=true", routing={"session_id": "s1"})
    assert response.json()["model"] == GEMINI
    (row,) = gateway.rows
    assert (row["strategy_used"], row["session_id"], row["shadow_model"]) == ("pinned", "s1", None)


def test_an_unknown_price_is_null(make_gateway: MakeGateway) -> None:
    """A model without a known price is served; its cost is unknown."""
    gateway = make_gateway(Vendor())
    response = embed(gateway, model="gemini/some-new-embedding")
    assert response.headers["x-gateway-cost"] == "unknown"
    assert response.json()["usage"]["cost"] is None
    assert gateway.rows[0]["actual_cost"] is None


def test_a_budget_limits_embeddings(make_gateway: MakeGateway) -> None:
    """A budget that is too small for the inputs refuses them before anything is sent."""
    vendor = Vendor()
    gateway = make_gateway(vendor, config="daily_budget_usd: 0.0001\n")
    assert embed(gateway, "x").status_code == 200
    response = embed(gateway, "word " * 20_000)
    assert (response.status_code, response.json()["error"]["code"]) == (429, "budget_exceeded")
    assert len(vendor.requests) == 1


def test_large_requests_and_answers(make_gateway: MakeGateway) -> None:
    """A request and an answer of several hundred kilobytes are the same as small ones."""

    def vendor(request: httpx2.Request) -> httpx2.Response:
        entries = orjson.loads(request.content)["requests"]
        return httpx2.Response(200, json={"embeddings": [{"values": [0.125] * 20_000}] * len(entries)})

    gateway = make_gateway(vendor)
    body = embed(gateway, ["y" * 100_000] * 2).json()
    assert [len(item["embedding"]) for item in body["data"]] == [20_000, 20_000]


def test_a_client_that_leaves_is_charged_for_what_was_sent(make_gateway: MakeGateway) -> None:
    """The row of a client that left is cancelled, with the parts that came and an estimate of the one that was sent."""
    vendor, arrived = Vendor(), threading.Event()

    async def upstream(request: httpx2.Request) -> httpx2.Response:
        if vendor.requests:
            arrived.set()
            await asyncio.Event().wait()
        return vendor(request)

    gateway = make_gateway(cast(Upstream, upstream))
    body = orjson.dumps({"model": GEMINI, "input": ["abcd" * 10] * 101})
    head = f"POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
    url = gateway.client.base_url
    with socket.create_connection((url.host, url.port or 0)) as client:
        client.sendall(head.encode() + body)
        assert arrived.wait(30)
    while gateway.rows[0]["status"] == "open":
        gateway.client.get("/healthz")
    (row,) = gateway.rows
    assert (row["status"], row["estimated"]) == ("cancelled", 1)
    assert row["prompt_tokens"] == 2 + 11
    assert row["usage"] == {"calls": [{"promptTokenCount": 2}]}


def test_a_chat_model_that_embeds_nothing_stays_in_use_for_chats(make_gateway: MakeGateway) -> None:
    """A model's failure to embed says nothing about chats: a client cannot take it away from `auto` by asking for vectors."""
    missing = {"error": {"code": 404, "message": "models/x is not found", "status": "NOT_FOUND"}}

    def upstream(request: httpx2.Request) -> httpx2.Response:
        if "embed" in request.url.path.lower():
            return httpx2.Response(404, json=missing)
        return answer("four")(request)

    gateway = make_gateway(upstream)
    only_gemini = {"providers": ["gemini"]}
    model = gateway.ask(routing=only_gemini).json()["model"]
    assert embed(gateway, model=model).status_code == 404
    assert gateway.ask(routing=only_gemini).json()["model"] == model


def test_a_call_that_may_be_billed_is_estimated() -> None:
    """A timeout is charged by estimate with the parts before it, a refusal only with those."""
    calls = EmbeddingCalls()
    calls.begin(tokens=5)
    assert calls.billed(UpstreamOverloaded("busy")) is None
    assert calls.billed(UpstreamTimeout("late")) == Usage(prompt_tokens=5, estimated=True)
    calls.end(EncodedAnswer([b"[1.0]"], Usage(prompt_tokens=4), None, 5))
    calls.begin(tokens=6)
    billed = calls.billed(UpstreamTimeout("late"))
    assert billed is not None
    assert (billed.prompt_tokens, billed.estimated) == (10, True)
    assert calls.billed(UpstreamOverloaded("busy")) == Usage(prompt_tokens=4)
