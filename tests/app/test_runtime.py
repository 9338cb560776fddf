"""What one configuration decides."""

from __future__ import annotations

from dataclasses import replace

from gateway.api.auth import Role
from gateway.api.routes import DirectRoute
from gateway.app import Gateway
from gateway.app.runtime import build_runtime
from tests.conftest import KEYS, MakeGateway


def test_every_route_requires_a_key(make_gateway: MakeGateway) -> None:
    """With keys set nothing but health answers without one: access is decided for each route, and there is no default."""
    gateway = make_gateway(environment={**KEYS, "GATEWAY_API_KEY": "a-long-enough-client-key"})
    opened = {"/healthz", "/health", "/readyz", "/sign-in", "/sign-out", "/static/{name}"}
    for route in gateway.app.routes:
        path = str(getattr(route, "path", ""))
        if getattr(route, "methods", None) == {"HEAD"}:
            continue  # a probe answers nothing but its status
        methods = getattr(route, "methods", None) or {"GET"}
        method = "POST" if isinstance(route, DirectRoute) else "GET" if "GET" in methods else next(iter(methods))
        status = gateway.client.request(method, path).status_code
        assert (status != 401) == (path in opened), path
    assert len(Role) == 3


def test_building_a_runtime_changes_nothing(make_gateway: MakeGateway) -> None:
    """A runtime that is built and not used leaves the one in force as it was."""
    gateway: Gateway = make_gateway(config="baseline: claude/claude-haiku-5-5\n").app.state.gateway
    settings = gateway.runtime.settings
    other = build_runtime(replace(settings, baseline="claude/claude-opus-5-5"), gateway.services)
    assert other.settings.baseline == "claude/claude-opus-5-5"
    assert gateway.runtime.settings is settings
    assert gateway.app.routes[1:] == list(gateway.runtime.routes)
