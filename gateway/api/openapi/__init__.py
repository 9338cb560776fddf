"""`GET /openapi.json`: the routes that are served, described by OpenAPI 3.1 (https://spec.openapis.org/oas/v3.1.1).

Paths, methods and keys come from the routes themselves, so none is forgotten and none is invented; what a route takes and
answers is in `operations`.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.api.auth import KEY_HEADERS, Role
from gateway.api.openapi.json_schema import JSON, Schema, named, text
from gateway.api.openapi.operations import OPERATIONS, SCHEMAS, Operation

_ABOUT = (
    "An OpenAI-compatible gateway: `model: auto` goes to the cheapest model that is good enough. Without client keys "
    "it is open to this machine and ignores any key that is sent; admin routes then require no key either, unless an admin "
    "key is set."
)
# Statuses that the server itself may send, before a route is found.
_ANY = (400, 408, 431, 500)
_BY_ACCESS = {Role.OPEN: _ANY, Role.CLIENT: (*_ANY, 401, 403, 429), Role.ADMIN: (*_ANY, 401, 403)}
_REASONS = {
    400: "The request is not valid, or carries two different keys.",
    401: "No key, or not one of this gateway's.",
    403: "The key may not do this; or a foreign host or page at a gateway without keys.",
    404: "Not found.",
    408: "The request took too long to arrive.",
    409: "It was done already, or it is too late.",
    413: "The body is too large.",
    415: "The body is compressed.",
    422: "The provider refuses the request's content.",
    429: "A limit of the key, the gateway or the provider is reached; `retry-after` says when to come back, where known.",
    431: "Too many or too large headers.",
    500: "An internal error of the gateway.",
    502: "The upstream failed.",
    503: "The gateway is full, draining or cannot write its ledger, or no model can answer.",
    504: "The upstream took too long.",
}
_RETRIED = (429, 503)
_BEARER, _BASIC = "bearer", "basic"


class OpenApiDocument:
    """The document for `routes`: method, path as the router writes it, and access. It is built at the first request."""

    def __init__(self, routes: Iterable[tuple[str, str, Role]]) -> None:
        self._routes = tuple(routes)
        self._document: bytes | None = None

    async def get(self, request: Request) -> Response:
        if self._document is None:
            self._document = orjson.dumps(description(self._routes))
        return Response(self._document, media_type=JSON)


def description(routes: Iterable[tuple[str, str, Role]]) -> dict[str, Any]:
    """The whole document. KeyError for a route that `OPERATIONS` does not know."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path, access in routes:
        shown = path.replace(":path}", "}")
        paths.setdefault(shown, {})[method.lower()] = _operation(OPERATIONS[f"{method} {shown}"], access)
    return {
        "openapi": "3.1.1",
        "info": {"title": "gateway", "version": version("auto-gateway"), "description": _ABOUT},
        "paths": paths,
        "components": {"schemas": dict(SCHEMAS), "securitySchemes": _security_schemes()},
    }


def _operation(operation: Operation, access: Role) -> dict[str, Any]:
    statuses = sorted({*_BY_ACCESS[access], *operation.failures})
    whole = {
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": list(operation.parameters),
        "requestBody": {"required": True, "content": {JSON: {"schema": operation.body}}},
        "responses": {
            "200": _answer(operation),
            **{str(status): _failure(status, operation.error) for status in statuses},
            **{str(status): _other(schema) for status, schema in operation.others.items()},
        },
        "security": _security(access),
    }
    if operation.body is None:
        del whole["requestBody"]
    return whole


def _answer(operation: Operation) -> dict[str, Any]:
    return {
        "description": "As asked.",
        "content": {kind: {"schema": schema} for kind, schema in operation.answers.items()},
        "headers": {name: {"schema": text(), "description": meaning} for name, meaning in operation.headers.items()},
    }


def _other(schema: Schema) -> dict[str, Any]:
    return {"description": "Not now.", "content": {JSON: {"schema": schema}}}


def _failure(status: int, error: str) -> dict[str, Any]:
    response = {"description": _REASONS[status], "content": {JSON: {"schema": named(error)}}}
    if status in _RETRIED:
        response["headers"] = {"retry-after": {"schema": text(pattern="^[0-9]+$"), "description": "Seconds."}}
    return response


def _security(access: Role) -> list[dict[str, list[str]]]:
    """Any one of the ways to send a key; none for an open route."""
    if access is Role.OPEN:
        return []
    ways = [_BEARER, *KEY_HEADERS]
    return [{way: []} for way in (ways if access is Role.CLIENT else [*ways, _BASIC])]


def _security_schemes() -> dict[str, Schema]:
    return {
        _BEARER: {"type": "http", "scheme": "bearer"},
        **{name: {"type": "apiKey", "in": "header", "name": name} for name in KEY_HEADERS},
        _BASIC: {"type": "http", "scheme": "basic", "description": "The admin key as the password, any user name."},
    }
