"""Signing in to the dashboard: a form for the admin key, and a session cookie."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from gateway.api.admin_sessions import COOKIE, LIFETIME, AdminSessions, form_token
from gateway.api.auth import Authenticator, cookie_in
from gateway.api.dashboard.forms import FORM_COOKIE, form_fields, new_nonce, nonce_of, set_cookie
from gateway.api.dashboard.rendering import SECURITY_HEADERS, template
from gateway.api.rate_limit import SlidingWindowLimiter
from gateway.errors import Forbidden, GatewayError, InvalidKey, RateLimited

FAILURES = 10  # failed attempts a minute of one bucket of addresses
BUCKETS = 64  # a fixed number, so that strangers with many addresses cannot fill the memory
ADMIN_HOME = "/"
_LOCAL_PATH = re.compile(r"/(?:[!-.0-\[\]-~][!-\[\]-~]*)?")  # no second slash, no backslash: no other host
WRONG = "That is not the admin key of this gateway."
NO_ADMIN_KEY = (
    "This gateway has no admin key yet. Run “gateway keys admin” to make one, or set GATEWAY_ADMIN_KEY and restart it."
)


def wants_page(request: Request) -> bool:
    """Whether a browser requests a page to display."""
    accepted = (part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(","))
    return request.method in ("GET", "HEAD") and "text/html" in accepted


class SignIn:
    """The routes of the sign-in form, which admin routes also send to a browser without a session."""

    def __init__(
        self,
        authenticator: Authenticator,
        sessions: AdminSessions,
        *,
        rate_limiter: SlidingWindowLimiter,
        demo: bool,
        ended: Callable[[], None],
    ) -> None:
        """`ended` is called once a session has ended."""
        self._ended = ended
        self._authenticator = authenticator
        self._sessions = sessions
        self._rate_limiter = rate_limiter
        self._demo = demo

    def page(
        self, request: Request, *, status: int = 401, message: str | None = None, to: str | None = None
    ) -> Response:
        """The form; afterwards the browser is redirected to `to`, or to the page that it requested."""
        nonce = nonce_of(request) or new_nonce()
        if not self._authenticator.has_admin_key:
            message = NO_ADMIN_KEY
        html = template("sign_in.html").render(
            demo=self._demo, message=message, form_token=nonce, to=local_path(to or _asked_for(request))
        )
        response = HTMLResponse(html, status, headers=SECURITY_HEADERS)
        if status == 401:
            # Without Basic: the browser would ask for a password before it shows the form.
            response.headers["www-authenticate"] = "Bearer"
        set_cookie(response, request, FORM_COOKIE, nonce, seconds=3600)
        return response

    async def form(self, request: Request) -> Response:
        """`GET /sign-in`"""
        if not self._authenticator.admin_keyed or self._authenticator.session_of(request.scope["headers"]):
            return _redirect(ADMIN_HOME)
        return self.page(request, status=200, to=ADMIN_HOME)

    async def sign_in(self, request: Request) -> Response:
        """`POST /sign-in`"""
        to = ADMIN_HOME
        try:
            fields = await form_fields(request)
            to = local_path(fields.get("to", ADMIN_HOME))
            nonce = cookie_in(request.scope["headers"], FORM_COOKIE)
            if nonce is None or not hmac.compare_digest(nonce.encode(), fields.get("form_token", "").encode()):
                raise Forbidden("The form is out of date, or the browser sends no cookies. Try again.")
            return await self._checked(request, fields.get("key", "").strip(), to=to)
        except RateLimited as error:
            response = self.page(request, status=429, message=error.message, to=to)
            response.headers["retry-after"] = "60"
            return response
        except GatewayError as error:
            return self.page(request, status=error.status, message=error.message, to=to)

    async def sign_out(self, request: Request) -> Response:
        """`POST /sign-out`"""
        fields = await form_fields(request)
        session = cookie_in(request.scope["headers"], COOKIE)
        if session is not None:
            if not hmac.compare_digest(form_token(session), fields.get("form_token", "")):
                raise Forbidden("The form is out of date. Reload the dashboard and try again.")
            self._sessions.end(session)
            self._ended()
        response = _redirect("/sign-in")
        set_cookie(response, request, COOKIE, "", seconds=0)
        return response

    async def _checked(self, request: Request, key: str, *, to: str) -> Response:
        bucket = _bucket(request)
        try:
            await self._rate_limiter.admit(bucket, rpm=FAILURES)
        except RateLimited as error:
            raise RateLimited("Too many failed attempts. Try again in a minute.", retry_after=60) from error
        digest = self._authenticator.admin_of(key)
        if digest is None:
            raise InvalidKey(WRONG)
        self._rate_limiter.forget(bucket)
        response = _redirect(to)
        set_cookie(response, request, COOKIE, self._sessions.begin(digest), seconds=int(LIFETIME))
        return response


def local_path(text: str) -> str:
    """`text` where it is a path of this gateway, else the dashboard's."""
    return text if len(text) <= 2000 and _LOCAL_PATH.fullmatch(text) else ADMIN_HOME


def _asked_for(request: Request) -> str:
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    return (raw.partition(b"?")[0] + (b"?" + query if query else b"")).decode("latin-1")


def _bucket(request: Request) -> str:
    address = request.client.host if request.client else ""
    return f"sign-in-{hashlib.sha256(address.encode()).digest()[0] % BUCKETS}"


def _redirect(to: str) -> Response:
    return RedirectResponse(to, 303, headers=SECURITY_HEADERS)
