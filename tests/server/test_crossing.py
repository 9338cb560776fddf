"""Other sites' pages: nothing here lets a browser hand them an answer."""

from __future__ import annotations

import pytest

from tests.conftest import KEYS, MakeGateway


@pytest.mark.parametrize("method", ["OPTIONS", "GET", "POST"])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/metrics", "/", "/healthz", "/nowhere"])
@pytest.mark.parametrize("key", [None, "a-long-enough-client-key"])
def test_no_leave_for_other_origins(make_gateway: MakeGateway, method: str, path: str, key: str | None) -> None:
    """No route, with or without keys, answers a preflight or a request of another origin with leave to read it."""
    gateway = make_gateway(environment={**KEYS, **({"GATEWAY_API_KEY": key} if key else {})})
    asked = {"origin": "https://elsewhere.example", "access-control-request-method": "POST"}
    response = gateway.client.request(method, path, headers=asked)
    assert not [name for name in response.headers if name.startswith("access-control-")]
    if path not in ("/healthz", "/nowhere"):
        assert response.status_code in (401, 403, 405)
