"""Cross-origin resource sharing (https://fetch.spec.whatwg.org/#http-cors-protocol): which pages may read answers.

Credentials are never allowed, so no answer to a cookie or a browser's password can be read by another origin.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Message, Receive, Scope, Send

from gateway.api.auth import Authenticator
from gateway.api.client import DirectEndpoint, HeaderList, RawRequest

METHODS = "GET, POST, DELETE"
MAX_AGE = 600  # seconds that a browser may keep a preflight's answer
EXPOSED = (
    *("x-request-id", "x-gateway-provider", "x-gateway-model", "x-gateway-strategy", "x-gateway-confidence"),
    *("x-gateway-pattern", "x-gateway-complexity", "x-gateway-reason", "x-gateway-baseline-model", "x-gateway-attempts"),
    *("x-gateway-fallback", "x-gateway-cost", "x-gateway-baseline-cost", "x-gateway-demo", "x-gateway-holdback"),
    *("x-should-retry", "retry-after"),
)  # fmt: skip
_EXPOSE = ", ".join(EXPOSED).encode()
_HEADER_NAMES = re.compile(rb"[A-Za-z0-9-]{1,64}(?: ?, ?[A-Za-z0-9-]{1,64}){0,63}")
_PAGES = frozenset({"/", "/sign-in", "/sign-out"})  # for people; scripts of other origins do not need them


class Cors:
    """Without client keys, pages of local hosts and `allowed_hosts` may read answers; with keys, the `origins` of the configuration."""

    def __init__(self, authenticator: Authenticator, *, origins: Iterable[str] = ()) -> None:
        self._authenticator = authenticator
        self._origins = frozenset(origin.lower().rstrip("/").encode() for origin in origins)

    def allowed_origin(self, headers: HeaderList) -> bytes | None:
        """The request's origin, where its page may read the answer."""
        sent = [value for name, value in headers if name == b"origin"]
        if len(sent) != 1:
            return None
        if self._authenticator.keyed:
            return sent[0] if sent[0].lower() in self._origins else None
        return sent[0] if self._authenticator.is_local(headers) else None

    def preflight(self, method: str, headers: HeaderList) -> list[tuple[bytes, bytes]] | None:
        """The headers of the answer to a preflight of an allowed origin; None for any other request."""
        fields = dict(headers)
        if method != "OPTIONS" or b"access-control-request-method" not in fields:
            return None
        if self.allowed_origin(headers) is None:
            return None
        wanted = fields.get(b"access-control-request-headers", b"")
        headers_out = [
            (b"access-control-allow-methods", METHODS.encode()),
            (b"access-control-max-age", b"%d" % MAX_AGE),
        ]
        if _HEADER_NAMES.fullmatch(wanted):
            headers_out.append((b"access-control-allow-headers", wanted))
        return headers_out


def answer_headers(origin: bytes) -> list[tuple[bytes, bytes]]:
    """The headers that allow a page of `origin` to read the answer."""
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", _EXPOSE),
        (b"vary", b"origin"),
    ]


def is_page(path: str) -> bool:
    return path in _PAGES or path.startswith(("/static/", "/dashboard/"))


def marking(send: Send, origin: bytes) -> Send:
    """`send` with the headers that let a page of `origin` read the answer."""

    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *answer_headers(origin)]
        await send(message)

    return marked


class PreflightRoute(BaseRoute):
    """Answers the preflights of allowed origins, whatever their path; every other request is passed to the next route."""

    def __init__(self, cors: Cors) -> None:
        self._cors = cors

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or scope["method"] != "OPTIONS" or is_page(scope["path"]):
            return Match.NONE, {}
        found = self._cors.preflight(scope["method"], scope["headers"])
        return (Match.NONE, {}) if found is None else (Match.FULL, {"preflight": found})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = Response()
        response.raw_headers.extend(scope["preflight"])
        await response(scope, receive, send)


class WithCors:
    """A direct endpoint whose answers pages of allowed origins may read."""

    def __init__(self, endpoint: DirectEndpoint, cors: Cors) -> None:
        self._endpoint = endpoint
        self._cors = cors

    async def serve(self, client: RawRequest) -> None:
        if b"origin" not in client.fields:
            return await self._endpoint.serve(client)
        origin = self._cors.allowed_origin(client.headers)
        if origin is None:
            return await self._endpoint.serve(client)
        marked = _MarkedClient(client, origin)
        preflight = self._cors.preflight(client.method, client.headers)
        if preflight is not None:
            return await marked.respond(200, _head(preflight), b"")
        return await self._endpoint.serve(marked)


class _MarkedClient:
    """Adds the headers for `origin` to a client's answers and delegates everything else."""

    def __init__(self, client: RawRequest, origin: bytes) -> None:
        self._head = _head(answer_headers(origin))
        self._client = client
        self.method = client.method
        self.query = client.query
        self.headers = client.headers
        self.fields = client.fields
        self.body = client.body
        self.on_disconnect = client.on_disconnect
        self.off_disconnect = client.off_disconnect
        self.send = client.send
        self.send_nowait = client.send_nowait
        self.end = client.end

    async def respond(self, status: int, head: bytes, body: bytes) -> None:
        await self._client.respond(status, self._head + head, body)

    async def begin(self, head: bytes) -> None:
        await self._client.begin(self._head + head)


def _head(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])
