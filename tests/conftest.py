"""Fixtures that more than one test directory uses."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import httpx2
import hypothesis
import pytest
import uvicorn
from anyio.from_thread import start_blocking_portal
from uvicorn.server import ServerState

from gateway.api.routes import Application
from gateway.app import Environment, Gateway
from gateway.server.connection import ServerConnection
from gateway.server.server import uvicorn_options
from gateway.settings import load
from gateway.store.database_store import DatabaseStore
from gateway.store.opening import open_store
from gateway.transport.httpx_client import HttpxTransport
from tests.store.faulty import Disk, faulty_disk
from tests.upstreams import Upstream, answer

# respx and the SDKs import `httpx`; from here on that is httpx2, so that respx sees what the gateway sends.
httpx2.alias_httpx()
pytest_plugins = ["respx.plugin"]

# How long an example takes depends on the machine; in CI the examples are the same at each run.
hypothesis.settings.register_profile("gateway", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("gateway")

# No test calls a public host. The system's certificate authorities take 25 ms to load, for every gateway and every client.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("authority.pem"))
os.environ["SSL_CERT_DIR"] = os.devnull
# As the gateway's command does: the threads of OpenBLAS would wait for each other.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

KEYS = {"GEMINI_API_KEY": "gemini-key", "ANTHROPIC_API_KEY": "claude-key", "OPENROUTER_API_KEY": "openrouter-key"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass(frozen=True, slots=True)
class GatewayUnderTest:
    """A whole gateway in this process, reached over its own connections; its upstream is a function, its ledger a file unless `GATEWAY_DB` says otherwise."""

    client: httpx2.Client
    store: DatabaseStore
    app: Application

    def ask(self, prompt: str = "2+2?", *, path: str = "/v1/chat/completions", **body: Any) -> httpx2.Response:
        """One chat completion; `model` is `auto` unless given."""
        messages = [{"role": "user", "content": prompt}]
        return self.client.post(path, json={"model": "auto", "messages": messages, **body})

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The ledger's rows with their attempts, oldest first."""
        return [self.store.request(row["request_id"]) or {} for row in reversed(self.store.requests(limit=500))]


class MakeGateway(Protocol):
    def __call__(
        self,
        upstream: Upstream | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        config: str | None = None,
        app_environment: Environment | None = None,
        **options: Any,
    ) -> GatewayUnderTest: ...


@pytest.fixture
def disk() -> Iterator[Disk]:
    """Where ledgers lie that are opened from here on; it fails when it is told to."""
    with faulty_disk() as disk:
        yield disk


@asynccontextmanager
async def served(gateway: Gateway) -> AsyncIterator[int]:
    """Accepts connections as `gateway serve` does, without its process life; the port."""
    config = uvicorn.Config(gateway.app, **uvicorn_options(gateway.runtime.settings, demo=gateway.services.demo))
    config.load()
    state = ServerState()
    state.default_headers = config.encoded_headers
    async with gateway.app.router.lifespan_context(gateway.app):
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: ServerConnection(config, state, {}), "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for connection in tuple(state.connections):
                connection.shutdown()
            while state.tasks:
                await asyncio.wait(tuple(state.tasks))


@pytest.fixture
def make_gateway(tmp_path: Path) -> Iterator[MakeGateway]:
    """A factory: each test shows the whole of its configuration. `config` is the text of `gateway.yaml`."""
    with start_blocking_portal() as portal, ExitStack() as stack:

        def make(
            upstream: Upstream | None = None,
            *,
            environment: Mapping[str, str] | None = None,
            config: str | None = None,
            app_environment: Environment | None = None,
            **options: Any,
        ) -> GatewayUnderTest:
            variables = {"GATEWAY_DB": str(tmp_path / "gateway.db"), **(KEYS if environment is None else environment)}
            if config is not None:
                file = tmp_path / "gateway.yaml"
                file.write_text(config)
                variables["GATEWAY_CONFIG"] = str(file)
            settings = load(variables)
            if "holdback" not in (config or ""):
                settings = replace(settings, holdback=0.0)  # which conversations are drawn is random
            store = open_store(settings.db)
            transport = HttpxTransport(transport=httpx2.MockTransport(upstream or answer()))
            gateway = Gateway(
                settings,
                transport=transport,
                store=store,
                environment=app_environment or Environment(seed=0),
                **options,
            )
            port = stack.enter_context(portal.wrap_async_context_manager(served(gateway)))
            client = httpx2.Client(
                base_url=f"http://127.0.0.1:{port}", follow_redirects=True, timeout=60.0, trust_env=False, verify=False
            )
            return GatewayUnderTest(stack.enter_context(client), store, gateway.app)

        yield make
