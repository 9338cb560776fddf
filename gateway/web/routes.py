"""Every route with the access it asks for; a route without one cannot be written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from gateway.web.auth import Access, Gatekeeper

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Guarded:
    """A route that lets a request in only after the gatekeeper did."""

    path: str
    endpoint: Endpoint
    access: Access
    method: str = "GET"

    def route(self, gatekeeper: Gatekeeper) -> Route:
        async def admitted(request: Request) -> Response:
            request.scope["principal"] = gatekeeper.admit(request.scope, self.access)
            return await self.endpoint(request)

        return Route(self.path, admitted, methods=[self.method])


def build_routes(guarded: Iterable[Guarded], *, chat: ASGIApp, gatekeeper: Gatekeeper) -> list[BaseRoute]:
    """All routes. The chat endpoint admits by itself: its answers, refusals included, carry a request id of its own."""
    chats = [Route(path, chat) for path in ("/v1/chat/completions", "/chat/completions")]
    return [*chats, *(entry.route(gatekeeper) for entry in guarded)]
