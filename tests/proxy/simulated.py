"""The simulator as an upstream function: real wire formats, faults and prompt caches, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from starlette.testclient import TestClient

from llm_simulator.app import create_app
from llm_simulator.simulation import Simulation
from tests.upstreams import Upstream


@contextmanager
def simulated(simulation: Simulation) -> Iterator[Upstream]:
    """All three vendors behind one function, whatever host is asked."""
    with TestClient(create_app(simulation)) as client:

        def upstream(request: httpx2.Request) -> httpx2.Response:
            headers = {name: value for name, value in request.headers.items() if name != "host"}
            answer = client.request("POST", request.url.raw_path.decode(), headers=headers, content=request.content)
            kept = {name: value for name, value in answer.headers.items() if name in ("content-type", "retry-after")}
            return httpx2.Response(answer.status_code, headers=kept, content=answer.content)

        yield upstream
