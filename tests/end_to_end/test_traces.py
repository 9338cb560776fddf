"""The trace of a client goes through the gateway: to upstreams, the log and the ledger."""

from __future__ import annotations

import io
from pathlib import Path

import httpx2
import orjson
import pytest

from gateway.observability.logs import logging_to
from tests.conftest import GatewayUnderTest, MakeGateway
from tests.upstreams import Upstream, answer, failing

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CONTEXT = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "rojo=1"}
PROVIDERS = """
providers:
  - {name: gemini, kind: gemini, base_url: "https://generativelanguage.googleapis.com", api_key_env: GEMINI_API_KEY%s}
"""


def recorded(requests: list[httpx2.Request], upstream: Upstream | None = None) -> Upstream:
    """An upstream that keeps what it was sent."""

    def called(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        return (upstream or answer())(request)

    return called


def ask(gateway: GatewayUnderTest, headers: dict[str, str], path: str = "/v1/chat/completions") -> httpx2.Response:
    gateway.client.headers.update(headers)
    if path == "/v1/embeddings":
        return gateway.client.post(path, json={"model": "gemini/gemini-embedding-001", "input": "Hello"})
    return gateway.ask(path=path, max_tokens=100)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/embeddings"])
def test_the_clients_trace_reaches_the_upstream(make_gateway: MakeGateway, path: str) -> None:
    """Without spans of its own the gateway passes the context on as it came: the upstream's spans hang below the client's."""
    requests: list[httpx2.Request] = []
    ask(make_gateway(recorded(requests)), CONTEXT, path)
    assert [{name: request.headers.get(name) for name in CONTEXT} for request in requests] == [CONTEXT]


def test_every_attempt_has_the_trace(make_gateway: MakeGateway) -> None:
    """A failover is in the same trace."""
    requests: list[httpx2.Request] = []
    gateway = make_gateway(recorded(requests, failing(503, "gemini", "claude", "openrouter")))
    assert ask(gateway, CONTEXT).status_code == 503
    assert len(requests) == 3
    assert {request.headers["traceparent"] for request in requests} == {CONTEXT["traceparent"]}


@pytest.mark.parametrize("headers", [{}, {"traceparent": "nonsense", "tracestate": "rojo=1"}, {"tracestate": "rojo=1"}])
def test_no_trace_is_invented(make_gateway: MakeGateway, headers: dict[str, str]) -> None:
    """Without a valid context of the client the upstream gets none, and the request is served as ever."""
    requests: list[httpx2.Request] = []
    gateway = make_gateway(recorded(requests))
    assert ask(gateway, headers).status_code == 200
    assert [name for request in requests for name in request.headers if name.startswith("trace")] == []
    assert gateway.rows[0]["client_request_id"] is None


@pytest.mark.parametrize(
    ("setting", "told"), [("", True), (", trace_context: always", True), (", trace_context: off", False)]
)
def test_a_provider_can_be_left_out(make_gateway: MakeGateway, tmp_path: Path, setting: str, told: bool) -> None:
    """`trace_context: off` in a provider's row keeps the client's trace from it."""
    (tmp_path / "providers.yaml").write_text(PROVIDERS % setting)
    requests: list[httpx2.Request] = []
    assert ask(make_gateway(recorded(requests), config="port: 0"), CONTEXT).status_code == 200
    assert ["traceparent" in request.headers for request in requests] == [told]


def test_log_and_row_name_the_trace(make_gateway: MakeGateway) -> None:
    """The line of a settled request has the trace's id; the row has it where the client sent no id of its own."""
    gateway, log = make_gateway(), io.StringIO()
    with logging_to(log):
        ask(gateway, CONTEXT)
        ask(gateway, {"x-request-id": "mine"})
    lines = [line for line in map(orjson.loads, log.getvalue().splitlines()) if line["logger"] == "gateway.requests"]
    assert [line["trace_id"] for line in lines] == [TRACE, TRACE]
    assert [row["client_request_id"] for row in gateway.rows] == [TRACE, "mine"]
