"""The dashboard's pages: each reads its filters, renders its template, and shows an error as a page where a browser asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from gateway.api.auth import Principal
from gateway.api.dashboard.filters import PageFilters, page_filters
from gateway.api.dashboard.forms import FORM_COOKIE, NONCE_SECONDS, checked_fields, page_token, set_cookie
from gateway.api.dashboard.health_page import GatewayState, health
from gateway.api.dashboard.key_pages import IssuedKey, key_list, make_key, revoke_key, rotate_key
from gateway.api.dashboard.overview import overview
from gateway.api.dashboard.rendering import HERE, SECURITY_HEADERS, template
from gateway.api.dashboard.request_pages import request_detail, request_list
from gateway.api.dashboard.routing_page import routing
from gateway.api.dashboard.sign_in import wants_page
from gateway.api.feedback import FeedbackBody, FeedbackEndpoint
from gateway.catalog import PriceTable
from gateway.errors import Forbidden, GatewayError, InvalidRequest, NotFound
from gateway.store import Store

STATIC = {"dashboard.css": "text/css", "dashboard.js": "text/javascript", "icon.svg": "image/svg+xml"}
PAGES = (
    ("overview", "/", "Overview"),
    ("routing", "/dashboard/routing", "Routing"),
    ("requests", "/dashboard/requests", "Requests"),
    ("try", "/dashboard/try", "Try it"),
    ("keys", "/dashboard/keys", "Keys"),
    ("health", "/dashboard/health", "Health"),
)
PERIODS = (("1h", "1 hour"), ("24h", "1 day"), ("7d", "7 days"), ("30d", "30 days"), ("365d", "1 year"))
LIVE = ("overview", "requests", "health")  # pages that update themselves
Read = Callable[[PageFilters], dict[str, Any]]


class Dashboard:
    """Pages over the ledger; every value is escaped. Changes are forms with a token."""

    def __init__(
        self,
        store: Store,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float],
        demo: bool,
        strong: Callable[[str, str], bool],
        prices: PriceTable,
        state: GatewayState,
        feedback: FeedbackEndpoint,
        keyed: Callable[[], bool],
    ) -> None:
        """`strong` is true for a provider's model that is among the strongest; `keyed` says whether clients need a key."""
        self._store = store
        self._now = now
        self._clock = clock
        self._demo = demo
        self._strong = strong
        self._prices = prices
        self._state = state
        self._feedback = feedback
        self._keyed = keyed

    async def page(self, request: Request) -> Response:
        """`GET /`"""
        return await self._show(request, "overview", lambda filters: overview(self._store, filters, now=self._now()))

    async def routing(self, request: Request) -> Response:
        """`GET /dashboard/routing`"""
        return await self._show(request, "routing", lambda filters: routing(self._store, filters, now=self._now()))

    async def requests(self, request: Request) -> Response:
        """`GET /dashboard/requests`; a search for a request's id leads to its page."""
        return await self._show(request, "requests", partial(request_list, self._store))

    async def request(self, request: Request) -> Response:
        """`GET /dashboard/requests/{request_id}`"""
        request_id = request.path_params["request_id"]

        def read(filters: PageFilters) -> dict[str, Any]:
            return request_detail(self._store, request_id, prices=self._prices, now=self._now())

        return await self._show(request, "request", read)

    async def try_it(self, request: Request) -> Response:
        """`GET /dashboard/try`; its script calls the client's routes."""
        return await self._show(request, "try", lambda filters: {"keyed": self._keyed()})

    async def keys(self, request: Request) -> Response:
        """`GET /dashboard/keys`"""
        return await self._show(request, "keys", self._keys)

    async def health(self, request: Request) -> Response:
        """`GET /dashboard/health`"""

        def read(filters: PageFilters) -> dict[str, Any]:
            return health(self._store, self._state, now=self._now(), clock=self._clock)

        return await self._show(request, "health", read)

    async def rate(self, request: Request) -> Response:
        """`POST /dashboard/requests/{request_id}/feedback`: the admin's rating, in the name of the key that sent the request."""
        request_id = request.path_params["request_id"]

        async def change() -> Response:
            rating = (await checked_fields(request)).get("rating")
            row = await asyncio.to_thread(self._store.request, request_id)
            if row is None:
                raise NotFound(f"There is no request {request_id[:60]!r} in the ledger.", param="request_id")
            await self._feedback.rate(
                request_id, FeedbackBody(request_id=request_id, rating=_rating(rating)), key_id=row["key_id"]
            )
            return RedirectResponse(f"/dashboard/requests/{request_id}", 303, headers=SECURITY_HEADERS)

        return await self._changed(request, change)

    async def change_keys(self, request: Request) -> Response:
        """`POST /dashboard/keys`: make, rotate or revoke a virtual key. A new secret is shown on the page that answers, once."""

        async def change() -> Response:
            principal: Principal = request.scope["principal"]
            if principal.session is None:
                # The first virtual key closes an open gateway: who made it without an admin key would be locked out.
                raise Forbidden(
                    "Keys are changed by an admin who has signed in with the admin key. Make one with `gateway keys admin`."
                )
            fields = await checked_fields(request)
            issued = await asyncio.to_thread(self._change_key, fields)
            if issued is None:
                return RedirectResponse("/dashboard/keys", 303, headers=SECURITY_HEADERS)
            return await self._show(request, "keys", lambda filters: {**self._keys(filters), "issued": issued})

        return await self._changed(request, change)

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            raise NotFound(f"There is no file {name!r} here.")
        headers = {**SECURITY_HEADERS, "cache-control": "no-cache"}
        return FileResponse(HERE / "static" / name, media_type=STATIC[name], headers=headers)

    def _keys(self, filters: PageFilters) -> dict[str, Any]:
        return {"issued": None, **key_list(self._store, filters, strong=self._strong, now=self._now())}

    def _change_key(self, fields: Mapping[str, str]) -> IssuedKey | None:
        action, key_id = fields.get("action"), fields.get("key_id", "")
        if action == "make":
            return make_key(self._store, fields, now=self._now())
        if action == "rotate":
            return rotate_key(self._store, key_id)
        if action != "revoke":
            raise InvalidRequest("action is make, rotate or revoke.", param="action")
        revoke_key(self._store, key_id, now=self._now())
        return None

    async def _changed(self, request: Request, change: Callable[[], Awaitable[Response]]) -> Response:
        try:
            return await change()
        except GatewayError as error:
            return self._error(request, error)

    async def _show(self, request: Request, name: str, read: Read) -> Response:
        try:
            filters = page_filters(request, now=self._now())
            # Before the page is read: what changes meanwhile is then a change for the page.
            revision = await asyncio.to_thread(self._store.revision) if name in LIVE else None
            values = await asyncio.to_thread(read, filters)
        except GatewayError as error:
            if not wants_page(request):
                raise
            return self._error(request, error)
        if values.get("found") is not None:
            return RedirectResponse(f"/dashboard/requests/{values['found']}", 303, headers=SECURITY_HEADERS)
        return self._page(request, name, {**values, "filters": filters, "revision": revision})

    def _error(self, request: Request, error: GatewayError) -> Response:
        return self._page(request, "error", {"message": error.message, "status": error.status}, status=error.status)

    def _page(self, request: Request, name: str, values: Mapping[str, Any], *, status: int = 200) -> Response:
        principal: Principal = request.scope["principal"]
        token, nonce = page_token(request)
        shared = {
            "pages": PAGES,
            "periods": PERIODS,
            "here": {"request": "requests"}.get(name, name),
            "demo": self._demo,
            "signed_in": principal.session is not None,
            "form_token": token,
        }
        html = template(f"{name}.html").render({**shared, **values})
        response = HTMLResponse(html, status, headers=SECURITY_HEADERS)
        if nonce is not None:
            set_cookie(response, request, FORM_COOKIE, nonce, seconds=NONCE_SECONDS)
        return response


def _rating(text: str | None) -> Literal["up", "down"]:
    """Raises InvalidRequest."""
    if text == "up":
        return "up"
    if text == "down":
        return "down"
    raise InvalidRequest("rating is up or down.", param="rating")
