"""A served gateway on a port, in front of the strict simulator, asked by the official SDK."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from openai import OpenAI

from gateway.app import create_app
from gateway.server.server import uvicorn_options
from gateway.settings import load
from llm_simulator import Simulator

KEYS = dict.fromkeys(("GEMINI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY"), "simulated")


@dataclass(frozen=True, slots=True)
class Served:
    """`url` is the gateway's, `db` its ledger, `simulator` its upstreams."""

    url: str
    db: Path
    simulator: Simulator

    @property
    def openai(self) -> OpenAI:
        return OpenAI(base_url=f"{self.url}/v1", api_key="any", max_retries=0)

    def rows(self) -> int:
        """How many the ledger has."""
        with closing(sqlite3.connect(self.db)) as connection:
            return int(connection.execute("SELECT count(*) FROM routing_metrics").fetchone()[0])

    def row(self, request_id: str) -> dict[str, Any]:
        """The ledger's row, read as a stranger would: from the file."""
        with sqlite3.connect(self.db) as connection:
            connection.row_factory = sqlite3.Row
            found = connection.execute("SELECT * FROM routing_metrics WHERE request_id = ?", (request_id,)).fetchall()
        assert len(found) == 1
        return dict(found[0])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("served")) as served:
        yield served


@contextmanager
def serve(folder: Path, **environment: str) -> Iterator[Served]:
    """A gateway with these further variables, on a free port, until the block ends."""
    simulator = Simulator(seed=1)
    db = folder / "gateway.db"
    settings = load({**KEYS, **simulator.start(), "GATEWAY_DB": str(db), "GATEWAY_PORT": "0", **environment})
    settings = replace(settings, holdback=0.0)  # which conversations are drawn is random
    server = uvicorn.Server(uvicorn.Config(create_app(settings), **uvicorn_options(settings)))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Served(f"http://127.0.0.1:{port}", db, simulator)
    finally:
        server.should_exit = True
        thread.join(10)
        simulator.stop()


def request_id(response: httpx2.Response) -> str:
    """The ledger's id of an answer."""
    return str(response.headers["x-request-id"])
