"""Errors as HTTP answers, in the dialect of the route."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.api.gemini_paths import gemini_not_served, is_gemini_path
from gateway.api.headers import encode_headers
from gateway.dialects import CHAT_COMPLETIONS, MESSAGES, Dialect, dialect_of
from gateway.errors import (
    GatewayError,
    InvalidKey,
    LedgerUnavailable,
    MethodNotAllowed,
    NoRoute,
    NotFound,
    Overloaded,
    RefusedByGateway,
    UpstreamError,
)

CHALLENGES = ('Basic realm="gateway"', "Bearer")


def error_response(
    error: GatewayError,
    headers: Mapping[str, str] | None = None,
    *,
    dialect: Dialect = CHAT_COMPLETIONS,
    request_id: str = "",
) -> Response:
    """The answer for `error`, with `Retry-After` where known. `x-should-retry: false`: the gateway has retried already, or no model can answer."""
    reply = dialect.error_reply(error, request_id=request_id)
    extra = {**(headers or {}), **reply.headers}
    if isinstance(error, UpstreamError | NoRoute):
        extra["x-should-retry"] = "false"
    waiting_helps = UpstreamError | Overloaded | RefusedByGateway | LedgerUnavailable
    retry_after = error.retry_after if isinstance(error, waiting_helps) else None
    if retry_after is not None:
        extra["retry-after"] = str(math.ceil(retry_after))
    if isinstance(error, MethodNotAllowed):
        extra["allow"] = error.allow
    response = Response(orjson.dumps(reply.body), reply.status, extra, "application/json")
    if isinstance(error, InvalidKey):
        for challenge in CHALLENGES:  # a line each: Chromium finds no Basic behind another scheme in one line
            response.headers.append("www-authenticate", challenge)
    return response


def last_answer(error: GatewayError, standing_head: bytes) -> bytes:
    """The same as bytes, for a request that reaches no route. The connection is closed after it."""
    response = error_response(error, {"x-request-id": "req_" + secrets.token_hex(16), "connection": "close"})
    head = (STATUS_LINE[response.status_code], standing_head, encode_headers(response.raw_headers), b"\r\n")
    return b"".join((*head, bytes(response.body)))


async def on_gateway_error(request: Request, error: Exception) -> Response:
    """Starlette's handler for every GatewayError."""
    if not isinstance(error, GatewayError):
        raise error
    return _routed_error(request, error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Starlette's own 404 and 405, in the dialect of the path. The query, which may hold a key, is not repeated."""
    if not isinstance(error, HTTPException):
        raise error
    path: str = request.scope["path"]
    if is_gemini_path(path):
        return gemini_not_served(path)
    where = f"{request.method} {path}"
    if error.status_code == 405:
        allow = (error.headers or {}).get("Allow", "")
        return _routed_error(request, MethodNotAllowed(f"{where}: this method is not allowed here.", allow=allow))
    if error.status_code == 404:
        return _routed_error(request, NotFound(f"{where}: there is no such route.", code="unknown_url"))
    failure = GatewayError(str(error.detail))
    failure.status = error.status_code
    return _routed_error(request, failure, error.headers)


async def on_internal_error(request: Request, error: Exception) -> Response:
    """An unexpected exception: the client gets a 500 without details, the log has them."""
    return _routed_error(request, internal_error())


def _routed_error(request: Request, error: GatewayError, headers: Mapping[str, str] | None = None) -> Response:
    """In the dialect of the path; a dialect whose SDKs read a request id gets one, for support."""
    dialect = dialect_of(request.scope["path"])
    if dialect is CHAT_COMPLETIONS and "anthropic-version" in request.headers:
        dialect = MESSAGES  # a route of both APIs, such as the list of models
    if not dialect.request_id_header:
        return error_response(error, headers)
    request_id = "req_" + secrets.token_hex(16)
    ids = {"x-request-id": request_id, dialect.request_id_header: request_id}
    return error_response(error, {**ids, **(headers or {})}, dialect=dialect, request_id=request_id)


def internal_error() -> GatewayError:
    return GatewayError("The gateway failed on this request. Its log has the reason.", code="internal_error")
