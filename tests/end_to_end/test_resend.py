"""An upstream that reads a request on a kept connection and closes it without an answer, seen by client and ledger."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import orjson
import pytest
from starlette.testclient import TestClient

from gateway.app import create_app
from gateway.settings import load
from gateway.store.sqlite import SqliteStore
from gateway.transport import Transport
from gateway.transport.http1_client import Http1Transport
from gateway.transport.httpx_client import HttpxTransport

ENGINES: dict[str, Callable[[], Transport]] = {"builtin": Http1Transport, "httpx": HttpxTransport}
MODEL = "openrouter/qwen/qwen3.8-flash"
COST = 0.000125
COMPLETION = {
    "id": "gen-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": COST},
}


class OneAnswerEach:
    """Answers the first request on each connection, reads the second to its end and closes."""

    def __init__(self) -> None:
        self.requests = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        body = orjson.dumps(COMPLETION)
        with connection:
            if self._read(connection):
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
                    + body
                )
                self._read(connection)

    def _read(self, connection: socket.socket) -> bool:
        received = b""
        while piece := connection.recv(65536):
            received += piece
            length = re.search(rb"(?i)content-length: (\d+)", received)
            if length and len(received.partition(b"\r\n\r\n")[2]) == int(length[1]):
                self.requests += 1
                return True
        return False


@pytest.fixture
def upstream() -> Iterator[OneAnswerEach]:
    server = OneAnswerEach()
    yield server
    server.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_each_resend_is_an_attempt(tmp_path: Path, upstream: OneAnswerEach, engine: str) -> None:
    """Every request that reached the upstream is an attempt in the headers and in the ledger; what got no answer is estimated."""
    settings = load(
        {
            "OPENROUTER_API_KEY": "k",
            "OPENROUTER_BASE_URL": upstream.url,
            "GATEWAY_DB": str(tmp_path / "gateway.db"),
            "GATEWAY_CONFIG": str(Path("config/gateway.yaml").resolve()),
        }
    )
    store = SqliteStore(settings.db)
    app = create_app(settings, transport=ENGINES[engine](), store=store)
    told = []
    with ExitStack() as stack:
        client = stack.enter_context(TestClient(app, base_url="http://127.0.0.1:8000"))
        for _ in range(3):
            response = client.post(
                "/v1/chat/completions", json={"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]}
            )
            assert response.status_code == 200
            assert response.headers["x-gateway-fallback"] == "false"
            told.append(int(response.headers["x-gateway-attempts"]))
        row = store.request(response.headers["x-request-id"])
        assert row is not None
    assert told == [1, 2, 2]
    assert upstream.requests == sum(told)
    assert [(attempt["status"], attempt["error"]) for attempt in row["attempts"]] == [
        ("unknown_estimated", "upstream_unreachable"),
        ("settled", None),
    ]
    assert row["actual_cost"] > COST
