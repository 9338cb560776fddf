"""The whole gateway in this process, in front of the simulator: HTTP, planner, translators, ledger and what is learned from it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from gateway.app import Environment, create_app
from gateway.catalog.catalog import Catalog
from gateway.errors import NotFound
from gateway.records import Attempt
from gateway.settings import load
from gateway.store import UpsertAttempt
from gateway.store.sqlite import SqliteStore
from gateway.transport.httpx_client import HttpxTransport
from llm_simulator.app import create_app as create_simulator
from llm_simulator.simulation import Simulation

KEYS = dict.fromkeys(("GEMINI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY"), "simulated")
UPSTREAM = "http://127.0.0.1:9"  # never called: the simulator answers in this process
URLS = {
    "GEMINI_BASE_URL": UPSTREAM,
    "ANTHROPIC_BASE_URL": UPSTREAM,
    "OPENROUTER_BASE_URL": f"{UPSTREAM}/api/v1",
}


@dataclass(frozen=True, slots=True)
class Served:
    """A gateway that answers; the same seeds and the same questions give the same answers."""

    client: httpx2.AsyncClient
    catalog: Catalog
    store: SqliteStore
    gateway: Any

    async def ask(self, body: dict[str, Any]) -> httpx2.Response:
        """Anything but an answer raises."""
        answer = await self.client.post("/v1/chat/completions", json=body)
        answer.raise_for_status()
        return answer

    async def learned(self) -> None:
        """Return when all that is stored is learned."""
        await asyncio.to_thread(self._learn)

    def _learn(self) -> None:
        with suppress(NotFound):  # the last in the queue is a change that cannot be made
            self.store.submit(UpsertAttempt("nobody's", Attempt(1, "", ""))).result()
        self.gateway.refresh()


@asynccontextmanager
async def served(simulation: Simulation, *, seed: int, folder: Path, config: str = "") -> AsyncIterator[Served]:
    """A gateway with a new ledger in `folder`; `config` is YAML."""
    numbers = itertools.count(1)
    variables = {**KEYS, **URLS, "GATEWAY_DB": str(folder / "gateway.db")}
    if config:
        (folder / "gateway.yaml").write_text(config)
        variables["GATEWAY_CONFIG"] = str(folder / "gateway.yaml")
    settings = load(variables)
    store = SqliteStore(settings.db)
    upstream = HttpxTransport(transport=httpx2.ASGITransport(app=create_simulator(simulation)))
    environment = Environment(seed=seed, new_request_id=lambda: f"req_{next(numbers):032x}")
    app = create_app(settings, transport=upstream, store=store, environment=environment)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://127.0.0.1:8000") as client,
    ):
        yield Served(client, settings.catalog, store, app.state.gateway)
