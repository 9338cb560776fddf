"""The application and its direct routes."""

from __future__ import annotations

import httpx2
import pytest
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.web.routes import Application, DirectRoute
from tests.conftest import MakeGateway


class Stamp:
    """Middleware that marks the requests which pass it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["stamped"] = True
        await self._app(scope, receive, send)


class Told:
    """Answers with whether it was reached by the router, and whether through middleware."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = PlainTextResponse(f"routed={'router' in scope} stamped={'stamped' in scope}")
        await answer(scope, receive, send)


async def elsewhere(request: Request) -> Response:
    return PlainTextResponse("elsewhere")


def served(*middleware: Middleware) -> TestClient:
    app = Application(middleware=middleware)
    app.serve([DirectRoute("/direct", Told()), Route("/other", elsewhere)])
    return TestClient(app, client=("127.0.0.1", 50000))


def test_a_direct_route_skips_the_router() -> None:
    """A direct route is reached without router and middleware; the others are reached as ever."""
    client = served()
    assert client.get("/direct").text == "routed=False stamped=False"
    assert client.get("/other").text == "elsewhere"
    assert client.get("/nowhere").status_code == 404


def test_middleware_is_for_all() -> None:
    """Middleware of one's own sees the direct routes' requests too."""
    client = served(Middleware(Stamp))
    assert client.get("/direct").text == "routed=True stamped=True"


def test_a_mistake_of_ours(make_gateway: MakeGateway) -> None:
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
