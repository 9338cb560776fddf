"""The whole gateway, a process of its own, between the load generator and the mock upstream: its CPU for each request or chunk."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.load import run
from benchmarks.speed.samples import CHUNKS, chat

START_WITHIN = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Scenario:
    """`units`: of what the figure is, for each answer."""

    name: str
    body: bytes
    units: int = 1
    connections: int = 32


SCENARIOS = (
    Scenario("gateway: pinned, passed on", chat("openrouter/mock")),
    Scenario("gateway: pinned, translated", chat("claude/claude-haiku-4-5")),
    Scenario("gateway: auto", chat("auto")),
    Scenario("gateway: 100 KB, passed on", chat("openrouter/mock", kilobytes=100, messages=20), connections=16),
    Scenario("gateway: a chunk, passed on", chat("openrouter/mock", stream=True), units=CHUNKS, connections=40),
    Scenario(
        "gateway: a chunk, translated", chat("claude/claude-haiku-4-5", stream=True), units=CHUNKS, connections=40
    ),
)


def measured(*, seconds: float) -> Iterator[tuple[str, float]]:
    """Each scenario's microseconds of the gateway's CPU, then its start in microseconds of wall time."""
    with tempfile.TemporaryDirectory() as folder, _process("-m", "benchmarks.speed.upstream", str(upstream := _port())):
        _wait(upstream)
        port, began = _port(), time.monotonic()
        arguments = ("-m", "gateway", "serve", "--port", str(port), "--db", str(Path(folder) / "gateway.db"))
        address = f"http://127.0.0.1:{upstream}"
        with _process(*arguments, ANTHROPIC_BASE_URL=address, OPENROUTER_BASE_URL=f"{address}/v1") as gateway:
            _wait(port)
            yield "gateway: start", (time.monotonic() - began) * 1e6
            for scenario in SCENARIOS:
                yield scenario.name, _cpu_of(gateway, port, scenario, seconds=seconds)


def _cpu_of(gateway: subprocess.Popen[bytes], port: int, scenario: Scenario, *, seconds: float) -> float:
    before = _cpu_seconds(gateway.pid)
    answers, failures, _ = asyncio.run(run(port, scenario.body, connections=scenario.connections, seconds=seconds))
    if failures or not answers:
        raise RuntimeError(f"{scenario.name}: {failures} failures, {answers} answers")
    # The warm-up's CPU counts, its answers do not; it is the same in the baseline.
    return (_cpu_seconds(gateway.pid) - before) * 1e6 / (answers * scenario.units)


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process with all its threads, from Linux's /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _process(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    keys = {"ANTHROPIC_API_KEY": "x", "OPENROUTER_API_KEY": "x"}
    process = subprocess.Popen(  # noqa: S603 - our own modules
        [sys.executable, *arguments],
        env={**os.environ, **keys, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _wait(port: int) -> None:
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise RuntimeError(f"nothing listens on port {port} after {START_WITHIN:g} s")
