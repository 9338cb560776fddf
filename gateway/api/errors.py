"""Errors as HTTP answers, always in OpenAI's shape."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.api.headers import encode_headers
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


def error_response(error: GatewayError, headers: Mapping[str, str] | None = None) -> Response:
    """The answer for `error`, with `Retry-After` where known. `x-should-retry: false`: the gateway has retried already, or no model can answer."""
    extra = dict(headers or {})
    if isinstance(error, UpstreamError | NoRoute):
        extra["x-should-retry"] = "false"
    waiting_helps = UpstreamError | Overloaded | RefusedByGateway | LedgerUnavailable
    retry_after = error.retry_after if isinstance(error, waiting_helps) else None
    if retry_after is not None:
        extra["retry-after"] = str(math.ceil(retry_after))
    if isinstance(error, MethodNotAllowed):
        extra["allow"] = error.allow
    response = Response(orjson.dumps(error.body()), error.status, extra, "application/json")
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
    return error_response(error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Starlette's own 404 and 405, in OpenAI's shape."""
    if not isinstance(error, HTTPException):
        raise error
    where = f"{request.method} {request.scope['path']}"
    if error.status_code == 405:
        allow = (error.headers or {}).get("Allow", "")
        return error_response(MethodNotAllowed(f"{where}: this method is not allowed here.", allow=allow))
    if error.status_code == 404:
        return error_response(NotFound(f"{where}: there is no such route.", code="unknown_url"))
    failure = GatewayError(str(error.detail))
    failure.status = error.status_code
    return error_response(failure, error.headers)


async def on_internal_error(request: Request, error: Exception) -> Response:
    """An unexpected exception: the client gets a 500 without details, the log has them."""
    return error_response(internal_error())


def internal_error() -> GatewayError:
    return GatewayError("The gateway failed on this request. Its log has the reason.", code="internal_error")
