"""The application and its direct routes."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.web.client import Client
from gateway.web.routes import Application, DirectRoute


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

    async def serve(self, client: Client) -> None:
        await client.respond(200, b"", client.method.encode())


async def elsewhere(request: Request) -> Response:
    return PlainTextResponse("elsewhere")


def served(*middleware: Middleware) -> Application:
    app = Application(middleware=middleware)
    app.serve([DirectRoute("/direct", Told()), Route("/other", elsewhere)])
    return app


def test_direct_routes() -> None:
    """A connection may serve a direct route itself; through ASGI it is reached as the others are."""
    app = served()
    assert list(app.direct) == [b"/direct"]
    client = TestClient(app, client=("127.0.0.1", 50000))
    assert client.put("/direct").text == "PUT"
    assert client.get("/other").text == "elsewhere"
    assert client.get("/nowhere").status_code == 404


def test_middleware_is_for_all() -> None:
    """Where there is middleware of one's own, no request goes around it."""
    paths: list[str] = []
    app = served(Middleware(Watch, paths=paths))
    assert app.direct == {}
    assert TestClient(app, client=("127.0.0.1", 50000)).put("/direct").text == "PUT"
    assert paths == ["/direct"]
