"""The chat route: bad input, refusals, and how many are served at once."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from starlette.testclient import TestClient

from gateway.server.direct import DirectRequest
from tests.conftest import KEYS, MakeGateway
from tests.server.test_direct import FakeConnection
from tests.upstreams import failing

CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'{"model": "auto"}', 400),
        (b'{"model": 3, "messages": []}', 400),
        (b'{"model": "auto", "messages": "hi"}', 400),
        (b'{"model": "auto", "messages": [{"role": "user", "content": "hi"}], "temperature": NaN}', 400),
        (b'{"model": "auto", "messages": [{"role": "user", "content": "\xff"}]}', 400),
        (b'{"model": "no-such-model", "messages": [{"role": "user", "content": "hi"}]}', 404),
        (b" " * 50_000_001, 413),
    ],
    ids=["empty", "cut", "list", "no messages", "number model", "text messages", "NaN", "utf-8", "model", "large"],
)
def test_bad_input_is_an_error_without_row_or_upstream_call(
    make_gateway: MakeGateway, body: bytes, status: int
) -> None:
    """Bad input is an OpenAI error object with a request id; nothing is forwarded and no row is written."""
    gateway = make_gateway(lambda request: pytest.fail("nothing may be forwarded"))
    response = gateway.client.post(CHAT, content=body, headers={"content-type": "application/json"})
    assert response.status_code == status
    assert isinstance(response.json()["error"]["type"], str)
    assert response.headers["x-request-id"].startswith("req_")
    assert gateway.rows == []


@pytest.mark.parametrize("path", ["/nowhere", "/v1/chat", "/v1/v1/chat/completions"])
def test_unknown_route_is_a_404_in_openai_shape(make_gateway: MakeGateway, path: str) -> None:
    """An unknown route is a 404 in OpenAI's shape."""
    response = make_gateway().client.post(path)
    assert (response.status_code, response.json()["error"]["type"]) == (404, "invalid_request_error")


def test_wrong_method_is_a_405_that_names_the_right_one(make_gateway: MakeGateway) -> None:
    """A wrong method is a 405 in OpenAI's shape that names the right one."""
    gateway = make_gateway()
    for response, allowed in ((gateway.client.get(CHAT), "POST"), (gateway.client.post("/v1/models"), "GET")):
        assert response.json()["error"]["code"] == "method_not_allowed"
        assert allowed in response.headers["allow"]


def test_what_nobody_can_do_is_not_tried_again(make_gateway: MakeGateway) -> None:
    """When no model satisfies a request the SDKs are told that asking again will not help."""
    response = make_gateway().ask(routing={"max_cost": 1e-12})
    assert (response.status_code, response.json()["error"]["code"]) == (503, "no_candidate")
    assert response.headers["x-should-retry"] == "false"


def test_chat_route_answers_without_v1(make_gateway: MakeGateway) -> None:
    """The route also answers without `/v1`."""
    assert make_gateway().ask(path="/chat/completions").status_code == 200


def test_missing_key_is_a_401_before_the_body_is_read(make_gateway: MakeGateway) -> None:
    """With client keys set a request without one is a 401, before its body is read."""
    gateway = make_gateway(environment={**KEYS, "GATEWAY_API_KEY": "a-long-enough-client-key"})
    response = gateway.client.post(CHAT, content=b"{")
    assert response.status_code == 401
    key = {"authorization": "Bearer a-long-enough-client-key", "x-request-id": "mine", "x-stainless-retry-count": "2"}
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}
    assert gateway.client.post(CHAT, json=body, headers=key).status_code == 200
    (row,) = gateway.rows
    assert (row["client_request_id"], row["client_retries"]) == ("mine", 2)
    assert row["key_id"] not in (None, "a-long-enough-client-key")


@pytest.mark.parametrize(
    ("value", "status"),
    [("true", 200), ("false", 200), ("1", 200), ("0", 200), ("shadow", 200), ("perhaps", 400), ("", 400)],
)
def test_auto_route_is_true_false_or_shadow(make_gateway: MakeGateway, value: str, status: int) -> None:
    """`?auto_route=` is true, false or shadow; anything else is told."""
    assert make_gateway().ask(path=f"{CHAT}?auto_route={value}").status_code == status


def test_failures_are_told_with_their_row(make_gateway: MakeGateway) -> None:
    """A request that was routed and failed is told with what its row says of it."""
    response = make_gateway(failing(400, "claude")).ask(model="claude/claude-haiku-5-5")
    assert response.status_code == 400
    assert response.headers["x-gateway-provider"] == "claude"
    assert response.headers["x-gateway-attempts"] == "1"


async def test_a_client_that_left_is_told_nothing(make_gateway: MakeGateway) -> None:
    """A client that leaves before its request is whole gets no answer, and nothing is begun for it."""
    gateway = make_gateway()
    client = DirectRequest(
        FakeConnection(),
        gateway.app.bypass[b"/v1/chat/completions"],
        method="POST",
        query=b"",
        headers=[(b"host", b"localhost")],
        fields={b"host": b"localhost"},
        chunked=True,
        keep_alive=True,
    )
    serving = asyncio.create_task(client.run())
    await asyncio.sleep(0)
    client.connection_lost()
    await serving
    assert not client.response_started
    assert gateway.rows == []


def test_internal_error_is_a_500_in_openai_shape_and_logged(make_gateway: MakeGateway) -> None:
    """Anything unforeseen is a 500 in OpenAI's shape with a request id, and is raised so that the server logs it."""

    def broken(request: httpx2.Request) -> httpx2.Response:
        raise ArithmeticError("sk-secret")

    gateway = make_gateway(broken)
    answer = gateway.ask()
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert answer.headers["x-request-id"].startswith("req_")
    assert "secret" not in answer.text
    client = TestClient(gateway.app, base_url="http://127.0.0.1:8000")
    with pytest.raises(ArithmeticError):
        client.post("/v1/chat/completions", json={"model": "auto", "messages": [{"role": "user", "content": "x"}]})
