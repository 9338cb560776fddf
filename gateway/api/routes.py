"""The table of routes, each with the role it requires, and the application that serves them."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from gateway.api.auth import Authenticator, RateClass, Role
from gateway.api.client import AsgiAdapter, DirectEndpoint
from gateway.api.cors import Cors, PreflightRoute, WithCors, is_page, marking
from gateway.api.count_tokens import CountTokens
from gateway.api.dashboard.live import LiveEndpoint
from gateway.api.dashboard.page import Dashboard
from gateway.api.dashboard.sign_in import SignIn, wants_page
from gateway.api.feedback import FeedbackEndpoint
from gateway.api.health import Readiness, healthz, probe
from gateway.api.models import ModelList
from gateway.api.openapi import OpenApiDocument
from gateway.api.reports import ReportEndpoints
from gateway.api.route_preview import RoutePreview
from gateway.api.stored_responses import StoredResponses
from gateway.errors import InvalidKey

RouteEndpoint = Callable[[Request], Awaitable[Response]]
V1 = "/v1/"
OPENAPI_PATH = "/openapi.json"
_SLASHES = re.compile(rb"/{2,}")


@dataclass(frozen=True, slots=True)
class ProtectedRoute:
    """A route whose endpoint is called only for requests that were authenticated for the role `access`.

    `rate` is what its requests count as.
    """

    path: str
    endpoint: RouteEndpoint
    access: Role
    method: str = "GET"
    rate: RateClass = RateClass.REQUESTS

    def route(self, authenticator: Authenticator, sign_in: SignIn) -> GuardedRoute:
        async def admitted(request: Request) -> Response:
            try:
                request.scope["principal"] = await authenticator.admit(
                    request.scope["headers"], self.access, rate=self.rate
                )
            except InvalidKey as error:
                if self.access is Role.ADMIN and wants_page(request):
                    sent = "authorization" in request.headers
                    return sign_in.page(request, message=error.message if sent else None)
                raise
            return await self.endpoint(request)

        return GuardedRoute(self.path, admitted, method=self.method, access=self.access)


class GuardedRoute(Route):
    """A route with the access that it requires."""

    def __init__(self, path: str, endpoint: RouteEndpoint, *, method: str, access: Role) -> None:
        super().__init__(path, endpoint, methods=[method])
        self.access = access


class DirectRoute(Route):
    """A route to an endpoint that answers its own errors, so that it needs no exception handlers of Starlette."""

    access = Role.CLIENT

    def __init__(self, path: str, direct: DirectEndpoint) -> None:
        super().__init__(path, AsgiAdapter(direct))
        self.bypass = direct


class Application(Starlette):
    """Starlette, and by path the endpoints to which a connection passes requests without it (`bypass`)."""

    bypass: Mapping[bytes, DirectEndpoint]
    _cors: Cors | None = None

    def serve(self, routes: Sequence[BaseRoute], cors: Cors | None = None) -> None:
        """Serve these routes from now on; `cors` says which pages may read the answers. With middleware no route is bypassed."""
        self._cors = cors
        self.router.routes = [*routes] if cors is None else [PreflightRoute(cors), *routes]
        direct = [route for route in routes if isinstance(route, DirectRoute) and not self.user_middleware]
        self.bypass = {
            route.path.encode(): route.bypass if cors is None else WithCors(route.bypass, cors) for route in direct
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._forgive_slashes(scope)
            if self._cors is not None and not is_page(scope["path"]):
                origin = self._cors.allowed_origin(scope["headers"])
                send = send if origin is None else marking(send, origin)
        await super().__call__(scope, receive, send)

    def _forgive_slashes(self, scope: Scope) -> None:
        """Read doubled and trailing slashes as a client of the API meant them.

        Only where that leads to a client's route: a proxy's rules for the admin's paths must not be bypassed.
        """
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        raw = raw.partition(b"?")[0]
        if b"//" not in raw and not raw.endswith(b"/"):
            return
        cleaned = unquote((_SLASHES.sub(b"/", raw).rstrip(b"/") or b"/").decode("latin-1"))
        for route in self.router.routes:
            if route.matches({**scope, "path": cleaned})[0] is not Match.NONE:
                if getattr(route, "access", None) is Role.CLIENT:
                    scope["path"] = cleaned
                return


def protected_routes(
    *,
    models: ModelList,
    preview: RoutePreview,
    feedback: FeedbackEndpoint,
    stored_responses: StoredResponses,
    counting: CountTokens,
    reports: ReportEndpoints,
    metrics: RouteEndpoint,
    readiness: Readiness,
    dashboard: Dashboard,
) -> list[ProtectedRoute]:
    """Every route but completions, sign-in, the pages below the first and the description, which `build_routes` adds."""
    return [
        ProtectedRoute("/v1/models", models.list, Role.CLIENT),
        ProtectedRoute("/v1/models/{model:path}", models.get, Role.CLIENT),
        ProtectedRoute("/v1/route", preview.route, Role.CLIENT, method="POST"),
        ProtectedRoute("/v1/feedback", feedback.post, Role.CLIENT, method="POST"),
        ProtectedRoute("/v1/responses/{response_id}", stored_responses.get, Role.CLIENT),
        ProtectedRoute("/v1/responses/{response_id}", stored_responses.delete, Role.CLIENT, method="DELETE"),
        ProtectedRoute("/v1/responses/{response_id}/input_items", stored_responses.input_items, Role.CLIENT),
        ProtectedRoute("/v1/messages/count_tokens", counting.count, Role.CLIENT, method="POST", rate=RateClass.FREE),
        ProtectedRoute("/v1/routing/summary", reports.summary, Role.ADMIN),
        ProtectedRoute("/v1/routing/report", reports.report, Role.ADMIN),
        ProtectedRoute("/v1/routing/confidence", reports.confidence, Role.ADMIN),
        ProtectedRoute("/v1/routing/patterns", reports.patterns, Role.ADMIN),
        ProtectedRoute("/v1/routing/timeline", reports.timeline, Role.ADMIN),
        ProtectedRoute("/v1/routing/requests", reports.requests, Role.ADMIN),
        ProtectedRoute("/v1/routing/requests/{request_id}", reports.request, Role.ADMIN),
        ProtectedRoute("/metrics", metrics, Role.ADMIN),
        # Claude Code asks for both before it sends anything.
        ProtectedRoute("/", probe, Role.OPEN, method="HEAD"),
        ProtectedRoute("/api/hello", probe, Role.OPEN, method="HEAD"),
        ProtectedRoute("/", dashboard.page, Role.ADMIN),
        ProtectedRoute("/static/{name}", dashboard.static, Role.OPEN),
        ProtectedRoute("/healthz", healthz, Role.OPEN),
        ProtectedRoute("/health", healthz, Role.OPEN),
        ProtectedRoute("/readyz", readiness.readyz, Role.OPEN),
    ]


def dashboard_routes(dashboard: Dashboard, live: LiveEndpoint) -> list[ProtectedRoute]:
    """The pages below the first one. They are for people, so the description leaves them out."""
    return [
        ProtectedRoute("/dashboard/routing", dashboard.routing, Role.ADMIN),
        ProtectedRoute("/dashboard/requests", dashboard.requests, Role.ADMIN),
        ProtectedRoute("/dashboard/requests/{request_id}", dashboard.request, Role.ADMIN),
        ProtectedRoute("/dashboard/requests/{request_id}/feedback", dashboard.rate, Role.ADMIN, method="POST"),
        ProtectedRoute("/dashboard/try", dashboard.try_it, Role.ADMIN),
        ProtectedRoute("/dashboard/keys", dashboard.keys, Role.ADMIN),
        ProtectedRoute("/dashboard/keys", dashboard.change_keys, Role.ADMIN, method="POST"),
        ProtectedRoute("/dashboard/health", dashboard.health, Role.ADMIN),
        ProtectedRoute("/dashboard/live", live.get, Role.ADMIN),
    ]


def with_short_paths(entries: Iterable[ProtectedRoute]) -> list[ProtectedRoute]:
    """The entries, those below `/v1/` also without it, for clients whose base URL leaves it out."""
    found = []
    for entry in entries:
        found.append(entry)
        if entry.path.startswith(V1):
            found.append(replace(entry, path=short_path(entry.path)))
    return found


def short_path(path: str) -> str:
    return path.removeprefix(V1.rstrip("/"))


def build_routes(
    guarded: Iterable[ProtectedRoute],
    *,
    completions: Mapping[str, DirectEndpoint],
    authenticator: Authenticator,
    sign_in: SignIn,
    pages: Iterable[ProtectedRoute],
) -> list[BaseRoute]:
    """All routes, and the one that describes them; it leaves out the sign-in form's and `pages`, which are for people.

    `completions` are endpoints by path with `/v1`. They authenticate by themselves: their answers, refusals included, carry
    a request id of their own.
    """
    entries = with_short_paths(guarded)
    described = [(entry.method, entry.path, entry.access) for entry in entries if entry.method != "HEAD"]
    direct = [
        DirectRoute(path, endpoint) for long, endpoint in completions.items() for path in (long, short_path(long))
    ]
    described += [("POST", route.path, Role.CLIENT) for route in direct]
    description = OpenApiDocument([*described, ("GET", OPENAPI_PATH, Role.CLIENT)])
    entries += [
        ProtectedRoute(OPENAPI_PATH, description.get, Role.CLIENT),
        ProtectedRoute("/sign-in", sign_in.form, Role.OPEN),
        ProtectedRoute("/sign-in", sign_in.sign_in, Role.OPEN, method="POST"),
        ProtectedRoute("/sign-out", sign_in.sign_out, Role.OPEN, method="POST"),
        *pages,
    ]
    return [*direct, *(entry.route(authenticator, sign_in) for entry in entries)]
