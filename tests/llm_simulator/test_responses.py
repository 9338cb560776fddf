"""Connections that hang, break and reset, on real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import BadStatusLine, HTTPConnection, HTTPException, IncompleteRead
from typing import Any

import anyio
import orjson
import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from llm_simulator.responses import TRANSPORT, ConnectionBroken, ConnectionFault, SimulatedResponse, deliver
from llm_simulator.server import Simulator

HEADERS = {"x-api-key": "k", "anthropic-version": "2023-06-01", "content-type": "application/json"}


def body(prompt: str, **fields: Any) -> bytes:
    messages = [{"role": "user", "content": prompt}]
    return orjson.dumps({"model": "claude-haiku-4-5", "max_tokens": 500, "messages": messages, **fields})


@contextmanager
def connect(simulator: Simulator, prompt: str, **fields: Any) -> Iterator[HTTPConnection]:
    with closing(HTTPConnection(simulator.url.removeprefix("http://"), timeout=30)) as connection:
        connection.request("POST", "/v1/messages", body(prompt, **fields), HEADERS)
        yield connection


def await_outcome(simulator: Simulator, prompt: str) -> str:
    """What became of the request with this prompt, once that is known."""
    while True:
        for seen in list(simulator.simulation.requests):
            if seen.path == "/v1/messages" and seen.body["messages"][0]["content"] == prompt and seen.outcome != "open":
                return seen.outcome


def test_aborted_body_ends_without_its_last_chunk(simulator: Simulator) -> None:
    """An aborted body ends without its last chunk."""
    with (
        connect(simulator, "Explain [[fault:abort]]", stream=True) as connection,
        connection.getresponse() as response,
        pytest.raises(IncompleteRead) as caught,
    ):
        response.read()
    assert b"message_start" in caught.value.partial


def test_reset_may_come_in_the_body_or_before_the_headers(simulator: Simulator) -> None:
    """A reset connection is a reset, in the middle or before the headers."""
    with (
        connect(simulator, "Explain [[fault:reset]]", stream=True) as connection,
        connection.getresponse() as response,
        pytest.raises(ConnectionResetError),
    ):
        response.read()
    with connect(simulator, "Explain [[fault:reset_early]]") as connection, pytest.raises(ConnectionResetError):
        connection.getresponse()


def test_bad_status_line(simulator: Simulator) -> None:
    """Bytes that are no HTTP come instead of an answer."""
    with connect(simulator, "[[fault:bad_status_line]]") as connection, pytest.raises(BadStatusLine):
        connection.getresponse()


def test_header_may_be_longer_than_clients_accept(simulator: Simulator) -> None:
    """A header may be longer than any client takes."""
    with connect(simulator, "[[fault:huge_header]]") as connection, pytest.raises(HTTPException):
        connection.getresponse()


@pytest.mark.parametrize("fault", ["hang", "hang_mid"])
def test_simulator_stops_when_the_client_leaves(simulator: Simulator, fault: str) -> None:
    """When the client leaves a hanging answer, the simulator notes it and stops."""
    prompt = f"Explain client leaving [[fault:{fault}]]"
    with connect(simulator, prompt, stream=True) as connection:
        if fault == "hang_mid":
            with connection.getresponse() as response:
                assert response.read1().startswith(b"event: message_start")
    assert await_outcome(simulator, prompt) == "client_left"


def test_one_connection_serves_several_requests(simulator: Simulator) -> None:
    """One connection serves several requests."""
    with connect(simulator, "one") as connection:
        assert connection.getresponse().read()
        connection.request("POST", "/v1/messages", body("two"), HEADERS)
        with connection.getresponse() as response:
            assert response.status == 200


class FullTransport:
    """A transport whose buffer empties after one look."""

    def __init__(self) -> None:
        self.waiting = [1, 0]
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return self.waiting.pop(0)

    def abort(self) -> None:
        self.aborted = True


async def test_abort_waits_for_the_buffer() -> None:
    """What was written before an abort is let out first."""
    transport = FullTransport()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    answer = SimulatedResponse(steps=[b"half", ConnectionFault("abort")])
    assert await deliver(answer, {"type": "http", "extensions": {TRANSPORT: transport}}, receive, send)
    assert transport.aborted
    assert sent[1]["body"] == b"half"
    assert len(sent) == 2


def test_break_without_own_server(client: TestClient) -> None:
    """Where the connection is not lent, breaking it is an exception for the server to handle."""
    with pytest.raises(ConnectionBroken):
        client.post("/v1/messages", content=body("[[fault:reset_early]]"), headers=HEADERS)
