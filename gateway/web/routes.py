"""Every route with the access it asks for (a route without one cannot be written), and the application that serves them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.web.auth import Access, Gatekeeper
from gateway.web.client import DirectEndpoint, OverAsgi
from gateway.web.openapi import Description

Endpoint = Callable[[Request], Awaitable[Response]]
CHAT_PATHS = ("/v1/chat/completions", "/chat/completions")
OPENAPI_PATH = "/openapi.json"


@dataclass(frozen=True, slots=True)
class Guarded:
    """A route that lets a request in only after the gatekeeper did."""

    path: str
    endpoint: Endpoint
    access: Access
    method: str = "GET"

    def route(self, gatekeeper: Gatekeeper) -> Route:
        async def admitted(request: Request) -> Response:
            request.scope["principal"] = gatekeeper.admit(request.scope["headers"], self.access)
            return await self.endpoint(request)

        return Route(self.path, admitted, methods=[self.method])


class DirectRoute(Route):
    """A route to an endpoint that answers its own errors, so that it can be reached without the middleware that would."""

    def __init__(self, path: str, direct: DirectEndpoint) -> None:
        super().__init__(path, OverAsgi(direct))
        self.direct = direct


class Application(Starlette):
    """Starlette; `direct` are the endpoints that a connection may hand its requests to without it, by path."""

    direct: Mapping[bytes, DirectEndpoint]

    def serve(self, routes: Sequence[BaseRoute]) -> None:
        """Answer by these routes from now on. Middleware of one's own is for all of them."""
        self.router.routes = list(routes)
        direct = [route for route in routes if isinstance(route, DirectRoute) and not self.user_middleware]
        self.direct = {route.path.encode(): route.direct for route in direct}


def build_routes(guarded: Iterable[Guarded], *, chat: DirectEndpoint, gatekeeper: Gatekeeper) -> list[BaseRoute]:
    """All routes, and the one that describes them.

    The chat endpoint admits by itself: its answers, refusals included, carry a request id of its own.
    """
    entries = list(guarded)
    told = [(entry.method, entry.path, entry.access) for entry in entries]
    told += [("POST", path, Access.CLIENT) for path in CHAT_PATHS]
    description = Description([*told, ("GET", OPENAPI_PATH, Access.CLIENT)])
    entries.append(Guarded(OPENAPI_PATH, description.get, Access.CLIENT))
    return [*(DirectRoute(path, chat) for path in CHAT_PATHS), *(entry.route(gatekeeper) for entry in entries)]
