"""The chat route: bad input, refusals, and clients that leave."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message

from gateway.web.chat import Answer, Departure
from tests.conftest import KEYS, MakeGateway

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
        (b" " * 20_000_001, 413),
    ],
    ids=["empty", "cut", "list", "no messages", "number model", "text messages", "NaN", "utf-8", "model", "large"],
)
def test_bad_input(make_gateway: MakeGateway, body: bytes, status: int) -> None:
    """Bad input is an OpenAI error object with a request id; nothing is forwarded and no row is written."""
    gateway = make_gateway(lambda request: pytest.fail("nothing may be forwarded"))
    response = gateway.client.post(CHAT, content=body, headers={"content-type": "application/json"})
    assert response.status_code == status
    assert isinstance(response.json()["error"]["type"], str)
    assert response.headers["x-request-id"].startswith("req_")
    assert gateway.rows == []


@pytest.mark.parametrize("path", ["/nowhere", "/v1/chat", "/v1/chat/completions/"])
def test_unknown_routes(make_gateway: MakeGateway, path: str) -> None:
    """An unknown route is a 404 in OpenAI's shape."""
    response = make_gateway().client.post(path)
    assert (response.status_code, response.json()["error"]["type"]) == (404, "invalid_request_error")


def test_wrong_method(make_gateway: MakeGateway) -> None:
    """A wrong method is a 405 in OpenAI's shape."""
    gateway = make_gateway()
    assert gateway.client.get(CHAT).json()["error"]["code"] == "method_not_allowed"
    assert gateway.client.post("/v1/models").json()["error"]["code"] == "method_not_allowed"


def test_path_without_v1(make_gateway: MakeGateway) -> None:
    """The route also answers without `/v1`."""
    assert make_gateway().ask(path="/chat/completions").status_code == 200


def test_keys_are_asked_for(make_gateway: MakeGateway) -> None:
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


def test_large_bodies_are_parsed_off_the_loop(make_gateway: MakeGateway) -> None:
    """A megabyte of prompt is served like any other."""
    assert make_gateway().ask("word " * 250_000).status_code == 200


@pytest.mark.parametrize(
    ("value", "status"), [("true", 200), ("false", 200), ("1", 200), ("0", 200), ("perhaps", 400), ("", 400)]
)
def test_auto_route_values(make_gateway: MakeGateway, value: str, status: int) -> None:
    """`?auto_route=` is true or false; anything else is told."""
    assert make_gateway().ask(path=f"{CHAT}?auto_route={value}").status_code == status


async def send_nothing(message: Message) -> None:
    raise AssertionError("nothing is sent here")


async def test_departure_cancels() -> None:
    """A client that leaves cancels what is being done for it, and the request ends quietly."""
    left = asyncio.Event()
    messages: list[Message] = [{"type": "http.request"}, {"type": "http.disconnect"}]

    async def receive() -> Message:
        await left.wait()
        return messages.pop(0)

    async with Departure(receive, Answer(send_nothing, {})):
        left.set()
        await asyncio.Event().wait()
    assert messages == []


async def test_departure_after_the_last_byte() -> None:
    """What looks like a departure once the last byte is on its way is the normal end."""

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    answer = Answer(send_nothing, {})
    answer.last = True
    async with Departure(receive, answer):
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_other_cancellations_pass() -> None:
    """A cancellation that is not the client's leaving is not swallowed."""

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError("never")

    async def serve() -> None:
        async with Departure(receive, Answer(send_nothing, {})):
            await asyncio.Event().wait()

    task = asyncio.create_task(serve())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
