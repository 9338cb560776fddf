"""The engines under one contract, each on both event loops that it can meet."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from gateway.transport import Transport
from gateway.transport.http1_client import Http1Transport
from gateway.transport.httpx_client import HttpxTransport

MakeTransport = Callable[..., Transport]

ENGINES: dict[str, MakeTransport] = {"httpx": HttpxTransport, "builtin": Http1Transport}


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(params=ENGINES)
def make_transport(request: pytest.FixtureRequest) -> MakeTransport:
    """A constructor of the engine under test."""
    return ENGINES[request.param]


@pytest.fixture
async def transport(make_transport: MakeTransport) -> AsyncIterator[Transport]:
    """An engine that trusts no certificate at all, which is quick to make."""
    engine = make_transport(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    yield engine
    await engine.aclose()
