"""Errors as HTTP answers."""

from __future__ import annotations

import orjson
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from gateway.api.errors import error_response, on_gateway_error, on_http_error, on_internal_error
from gateway.errors import GatewayError, InvalidKey, Overloaded, UpstreamRateLimited

REQUEST = Request({"type": "http", "method": "GET", "path": "/x", "headers": []})


def test_retry_after_and_should_retry() -> None:
    """What the upstream asked to wait is passed on in whole seconds; SDKs are told that we have tried."""
    response = error_response(UpstreamRateLimited("Slow down.", provider="claude", retry_after=1.2))
    assert (response.status_code, response.headers["retry-after"], response.headers["x-should-retry"]) == (
        429,
        "2",
        "false",
    )


def test_gateway_overload_carries_retry_after() -> None:
    """When the gateway itself is full the client may come back."""
    response = error_response(Overloaded("Full.", retry_after=3))
    assert response.headers["retry-after"] == "3"
    assert "x-should-retry" not in response.headers


def test_long_error_texts_are_cut() -> None:
    """What a client or an upstream wrote comes back in part only: 4,000 characters of message and param."""
    error = orjson.loads(error_response(GatewayError("m" * 10**6, param="p" * 10**6)).body)["error"]
    assert error["message"] == "m" * 4_000 + "..."
    assert error["param"] == "p" * 4_000 + "..."


def test_missing_key_names_the_schemes() -> None:
    """A refused key is answered with the ways to send one, a line each: browsers find no Basic behind another in one line."""
    challenges = error_response(InvalidKey("No key.")).headers.getlist("www-authenticate")
    assert challenges == ['Basic realm="gateway"', "Bearer"]


async def test_internal_error_text_never_reaches_the_client() -> None:
    """A bug's own words never reach the client."""
    body = (await on_internal_error(REQUEST, KeyError("sk-secret"))).body
    assert orjson.loads(body)["error"]["code"] == "internal_error"
    assert b"secret" not in body


async def test_http_errors_of_starlette_get_openai_shape() -> None:
    """Whatever Starlette raises gets our shape."""
    response = await on_http_error(REQUEST, HTTPException(418, "teapot"))
    assert (response.status_code, orjson.loads(response.body)["error"]["message"]) == (418, "teapot")


async def test_handlers_are_for_their_own_errors() -> None:
    """A handler that is given something else lets it through."""
    for handler in (on_gateway_error, on_http_error):
        with pytest.raises(KeyError):
            await handler(REQUEST, KeyError())
    assert (await on_gateway_error(REQUEST, GatewayError("x"))).status_code == 500
