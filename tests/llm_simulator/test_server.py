"""The simulator as a server."""

from __future__ import annotations

import socket
from http.client import HTTPConnection
from threading import Thread

from llm_simulator.server import Simulator, listening_socket

HANG = b'{"model":"claude-sonnet-5","max_tokens":10,"messages":[{"role":"user","content":"x [[fault:hang]]"}]}'
HEADERS = {"x-api-key": "k", "anthropic-version": "2023-06-01", "content-type": "application/json"}


def test_base_urls_share_one_port() -> None:
    """All three vendors are told apart by path on one loopback port."""
    simulator = Simulator()
    with simulator as urls:
        assert urls == {
            "GEMINI_BASE_URL": simulator.url,
            "ANTHROPIC_BASE_URL": simulator.url,
            "OPENROUTER_BASE_URL": f"{simulator.url}/api/v1",
        }
        host, port = simulator.url.removeprefix("http://").split(":")
        socket.create_connection((host, int(port))).close()


def test_start_and_stop_can_be_repeated() -> None:
    """Starting twice is one server, stopping twice is harmless, and the port stays the same."""
    simulator = Simulator()
    simulator.stop()
    first = simulator.start()
    assert simulator.start() == first
    simulator.stop()
    simulator.stop()
    assert simulator.start() == first
    simulator.stop()


def test_stop_ends_open_requests() -> None:
    """Stopping does not wait for an answer that never comes."""
    simulator = Simulator()
    simulator.start()
    connection = HTTPConnection(simulator.url.removeprefix("http://"))
    connection.request("POST", "/v1/messages", HANG, HEADERS)
    failures: list[OSError] = []

    def read() -> None:
        try:
            connection.getresponse()
        except OSError as error:
            failures.append(error)

    reader = Thread(target=read)
    reader.start()
    while not simulator.simulation.requests:
        pass
    simulator.stop()
    reader.join()
    assert failures
    assert simulator.simulation.requests[0].outcome == "client_left"


def test_nothing_waits_for_more() -> None:
    """What is written in two pieces is sent in two: the second does not wait for the first one's receipt, which takes 40 ms."""
    with (
        listening_socket("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
