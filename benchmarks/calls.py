"""How far one warm request walks through the code: calls, functions, modules, and changes of module.

Run with `.venv/bin/python -m benchmarks.calls`. The gateway serves on loopback in front of the simulator. A profile function
counts the calls of the gateway's own functions on the event loop's thread, from the first byte of the request until its row is
committed. The run with the fewest calls counts, so that background work is left out as far as possible.
"""

from __future__ import annotations

import asyncio
import http.client
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import orjson
import uvicorn

import gateway
from gateway.app import create_app
from gateway.server.server import uvicorn_options
from gateway.settings import load
from llm_simulator import Simulator

PACKAGE = str(Path(gateway.__file__).parent)
BACKGROUND = f"{PACKAGE}/observability/event_loop_lag.py"  # runs on a timer, whether there are requests or not
KEYS = dict.fromkeys(("GEMINI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY"), "simulated")
PROMPT = "Explain how HTTP caching works [[tokens:17]]"
NAMED = "claude/claude-sonnet-5-5"
REQUESTS: dict[str, dict[str, object]] = {
    "`auto`": {"model": "auto"},
    "`auto`, streamed": {"model": "auto", "stream": True},
    "named model": {"model": NAMED},
    "named model, streamed": {"model": NAMED, "stream": True},
}
WARM_UP = 5
RUNS = 7
SETTLING = 0.1  # seconds after an answer in which its row is committed and counted


class Walk(NamedTuple):
    """One request on the event loop's thread."""

    calls: int
    functions: int
    modules: int
    changes: int


class CallCounter:
    """A profile function (`sys.setprofile`) that keeps the calls of the gateway's own functions in order."""

    def __init__(self) -> None:
        self._called: list[tuple[str, str]] = []

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        path = frame.f_code.co_filename
        if event == "call" and path.startswith(PACKAGE) and path != BACKGROUND:
            self._called.append((path, frame.f_code.co_qualname))

    @property
    def walk(self) -> Walk:
        modules = [module for module, _ in self._called]
        changes = sum(before != after for before, after in pairwise(modules))
        return Walk(len(modules), len(set(self._called)), len(set(modules)), changes)


async def count(url_variables: dict[str, str], folder: Path) -> dict[str, Walk]:
    """The walk of each request, by its name."""
    settings = load({**KEYS, **url_variables, "GATEWAY_DB": str(folder / "gateway.db"), "GATEWAY_PORT": "0"})
    server = uvicorn.Server(uvicorn.Config(create_app(settings), **{**uvicorn_options(settings), "log_config": None}))
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        return {name: await _smallest(port, fields) for name, fields in REQUESTS.items()}
    finally:
        server.should_exit = True
        await serving


async def _smallest(port: int, fields: dict[str, object]) -> Walk:
    body = orjson.dumps({**fields, "messages": [{"role": "user", "content": PROMPT}]})
    client = http.client.HTTPConnection("127.0.0.1", port)
    for _ in range(WARM_UP):
        await asyncio.to_thread(_send, client, body)
    walks = []
    for _ in range(RUNS):
        await asyncio.sleep(SETTLING)
        counter = CallCounter()
        sys.setprofile(counter)
        await asyncio.to_thread(_send, client, body)
        await asyncio.sleep(SETTLING)
        sys.setprofile(None)
        walks.append(counter.walk)
    client.close()
    return min(walks)


def _send(client: http.client.HTTPConnection, body: bytes) -> None:
    client.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
    response = client.getresponse()
    response.read()
    if response.status != http.client.OK:
        raise RuntimeError(f"the gateway answered {response.status}")


def main() -> None:
    with Simulator(seed=1) as urls, tempfile.TemporaryDirectory() as folder:
        walks = asyncio.run(count(dict(urls), Path(folder)))
    lines = ["| request, warm | calls | functions | modules | changes of module |", "|---|---:|---:|---:|---:|"]
    lines += [
        f"| {name} | {walk.calls:,} | {walk.functions} | {walk.modules} | {walk.changes} |"
        for name, walk in walks.items()
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
