"""The application and its direct routes."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.client import RawRequest
from gateway.api.routes import Application, DirectRoute
from tests.conftest import KEYS, MakeGateway
from tests.listening import listening


class Watch:
    """Middleware that notes the paths that pass it."""

    def __init__(self, app: ASGIApp, *, paths: list[str]) -> None:
        self._app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._paths.append(scope["path"])
        await self._app(scope, receive, send)


class Told:
    """Answers its method."""

    async def serve(self, client: RawRequest) -> None:
        await client.respond(200, b"", client.method.encode())


async def elsewhere(request: Request) -> Response:
    return PlainTextResponse("elsewhere")


def served(*middleware: Middleware) -> Application:
    app = Application(middleware=middleware)
    app.serve([DirectRoute("/direct", Told()), Route("/other", elsewhere)])
    return app


def test_direct_route_is_served_by_connection_or_asgi() -> None:
    """A connection may serve a direct route itself; through ASGI it is reached as the others are."""
    app = served()
    assert list(app.bypass) == [b"/direct"]
    client = TestClient(app, client=("127.0.0.1", 50000))
    assert client.put("/direct").text == "PUT"
    assert client.get("/other").text == "elsewhere"
    assert client.get("/nowhere").status_code == 404


def test_middleware_sees_every_request() -> None:
    """Where there is middleware of one's own, no request goes around it."""
    paths: list[str] = []
    app = served(Middleware(Watch, paths=paths))
    assert app.bypass == {}
    assert TestClient(app, client=("127.0.0.1", 50000)).put("/direct").text == "PUT"
    assert paths == ["/direct"]


@pytest.mark.parametrize("path", ["/models", "/models/auto", "/routing/summary", "/routing/requests"])
def test_get_routes_answer_without_v1(make_gateway: MakeGateway, path: str) -> None:
    """What is read below `/v1` is read without it too, with the same answer."""
    client = make_gateway().client
    assert client.get(path).status_code == 200
    assert client.get(path).json() == client.get(f"/v1{path}").json()


@pytest.mark.parametrize("path", ["/route", "/feedback", "/chat/completions"])
def test_post_routes_answer_without_v1(make_gateway: MakeGateway, path: str) -> None:
    """What is posted below `/v1` is posted without it too; an empty body is refused by the same rule."""
    client = make_gateway().client
    short, long = client.post(path, json={}), client.post(f"/v1{path}", json={})
    assert (short.status_code, short.json()) == (400, long.json())


@pytest.mark.parametrize("path", ["/models", "/routing/summary", "/routing/requests/x", "/route", "/feedback"])
def test_a_short_path_wants_the_same_key(make_gateway: MakeGateway, path: str) -> None:
    """Without `/v1` a route asks for the key that it asks for with it."""
    client = make_gateway(environment={**KEYS, "GATEWAY_API_KEY": "client", "GATEWAY_ADMIN_KEY": "admin"}).client
    method = "POST" if path in ("/route", "/feedback") else "GET"
    for key in ("", "client", "admin"):
        headers = {"x-api-key": key} if key else {}
        found = [client.request(method, prefix + path, headers=headers).status_code for prefix in ("", "/v1")]
        assert found[0] == found[1], key
    assert client.request(method, path).status_code == 401


SLASHES = [
    ("GET", "/v1//models"),
    ("GET", "//v1/models"),
    ("GET", "/v1/models/"),
    ("GET", "//models//"),
    ("GET", "/v1/models//auto/"),
    ("POST", "/v1//chat/completions"),
    ("POST", "/v1/chat/completions/"),
    ("POST", "//chat//completions//"),
    ("POST", "/v1/route/"),
]


def test_extra_slashes_lead_to_the_route(tmp_path: Path) -> None:
    """Doubled and trailing slashes in a client's route lead to it, over a real connection, and a key is asked for as ever."""
    key = "a-client-key-of-the-tests"
    with listening(tmp_path, environment={"GATEWAY_API_KEY": key}) as served:
        for method, path in SLASHES:
            body = {"model": "auto", "messages": [{"role": "user", "content": "2+2?"}]} if method == "POST" else None
            refused = httpx2.request(method, served.url + path, json=body)
            answered = httpx2.request(method, served.url + path, json=body, headers={"x-api-key": key})
            assert (refused.status_code, answered.status_code) == (401, 200), path


@pytest.mark.parametrize(
    "path",
    [
        *("//metrics", "/metrics/", "//", "/v1//routing/summary", "/v1/routing/summary/", "//v1/routing/requests"),
        *("/routing//summary", "/v1/routing//requests/x", "/static//dashboard.css", "/healthz/", "//sign-in"),
        *("/v1%2Frouting/summary/", "/v1/%2e%2e/metrics/", "/v1/v1/models"),
    ],
)
def test_slashes_pass_no_rule_by(make_gateway: MakeGateway, path: str) -> None:
    """Slashes lead to no route of the admin and to no other page, so that a proxy's rules for their paths hold; keys or not."""
    for environment in (KEYS, {**KEYS, "GATEWAY_API_KEY": "one"}):
        client = make_gateway(environment=environment).client
        assert client.get(f"{client.base_url}".rstrip("/") + path, headers={"x-api-key": "one"}).status_code == 404
