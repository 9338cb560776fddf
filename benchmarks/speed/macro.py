"""The whole gateway, a process of its own, between the load generator and the mock upstream: CPU, latency and memory."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from benchmarks.speed.load import latencies, run
from benchmarks.speed.samples import CHUNKS, chat, distinct_chats
from gateway.routing import Outcome, RoutingEngine

START_WITHIN = 30.0  # seconds
DISTINCT = 4000  # prompts; `auto` remembers far fewer
OUTCOMES = 2000  # that the second gateway has learned from
LEARNED_MODELS = 8
RATE = 100.0  # requests a second where latency is measured
NAMED = "openrouter/mock"


@dataclass(frozen=True, slots=True)
class Scenario:
    """`units`: of what the figure is, for each answer."""

    name: str
    bodies: Sequence[bytes]
    units: int = 1
    connections: int = 32


def scenarios() -> Sequence[Scenario]:
    """What is measured in CPU time."""
    return (
        Scenario("gateway: pinned, passed on", distinct_chats(NAMED, count=DISTINCT)),
        Scenario("gateway: pinned, translated", distinct_chats("claude/claude-haiku-4-5", count=DISTINCT)),
        Scenario("gateway: auto", distinct_chats("auto", count=DISTINCT)),
        Scenario("gateway: 100 KB, passed on", [chat(NAMED, kilobytes=100, messages=20)], connections=16),
        Scenario("gateway: a chunk, passed on", [chat(NAMED, stream=True)], units=CHUNKS, connections=40),
        Scenario(
            "gateway: a chunk, translated", [chat("claude/claude-haiku-4-5", stream=True)], units=CHUNKS, connections=40
        ),
    )


LEARNED_AUTO = "gateway: auto, 2,000 outcomes"
LATENCIES = {
    "gateway: added at 100/s, p50": 0.5,
    "gateway: added at 100/s, p99": 0.99,
}
LEARNED_LATENCIES = {
    "gateway: auto added at 100/s, p50": 0.5,
    "gateway: auto added at 100/s, p99": 0.99,
}
MEMORY = ("memory: idle, KB", "memory: after the load, KB")


def measured(*, seconds: float) -> Iterator[tuple[str, float]]:
    """Each figure by name: microseconds of CPU, of added latency or of the start; kilobytes where the name says so.

    The second gateway has learned from OUTCOMES outcomes, so that `auto` costs what it costs after some days.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = _port()
        stack.enter_context(_process("-m", "benchmarks.speed.upstream", str(upstream)))
        _wait(upstream)
        with _gateway(folder / "new.db", upstream) as (gateway, port, start):
            yield "gateway: start", start
            yield MEMORY[0], _resident(gateway)
            for scenario in scenarios():
                yield scenario.name, _cpu_of(gateway, port, scenario, seconds=seconds)
            yield from _added(port, upstream, NAMED, LATENCIES, seconds=seconds)
            yield MEMORY[1], _resident(gateway)
        teach(folder / "learned.db")
        with _gateway(folder / "learned.db", upstream) as (gateway, port, _):
            auto = replace(scenarios()[2], name=LEARNED_AUTO)
            yield auto.name, _cpu_of(gateway, port, auto, seconds=seconds)
            yield from _added(port, upstream, "auto", LEARNED_LATENCIES, seconds=seconds)


def teach(ledger: Path, *, outcomes: int = OUTCOMES) -> None:
    """Write a ledger from which a gateway has learned: graded outcomes of some models on distinct prompts."""
    chance = random.Random(2)
    with RoutingEngine(ledger, seed=1) as engine:
        models = list(engine.catalog)[:LEARNED_MODELS]
        for body in distinct_chats("auto", count=outcomes, seed=3):
            prompt = orjson.loads(body)["messages"][0]["content"]
            decision = engine.route(prompt, auto_route=True)
            model = chance.choice(models)
            quality = float(chance.random() < 0.9 - 0.3 * float(decision.metadata["complexity"]))
            decision = replace(decision, provider=model.provider, model=model.name)
            engine.record_outcome(decision, Outcome(quality=quality, input_tokens=400, output_tokens=60))


def _added(
    port: int, upstream: int, model: str, figures: dict[str, float], *, seconds: float
) -> Iterator[tuple[str, float]]:
    """Microseconds that the gateway adds to the upstream's own latency, at random arrivals."""
    bodies = distinct_chats(model, count=DISTINCT, seed=4)
    direct = asyncio.run(latencies(upstream, bodies, rate=RATE, seconds=min(2.0, seconds)))
    through = asyncio.run(latencies(port, bodies, rate=RATE, seconds=seconds))
    for name, share in figures.items():
        yield name, max(0.0, _quantile(through, share) - _quantile(direct, 0.5)) * 1e6


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@contextmanager
def _gateway(ledger: Path, upstream: int) -> Iterator[tuple[subprocess.Popen[bytes], int, float]]:
    """A gateway on this ledger: its process, its port, and the microseconds that it took to start."""
    port, began = _port(), time.monotonic()
    address = f"http://127.0.0.1:{upstream}"
    arguments = ("-m", "gateway", "serve", "--port", str(port), "--db", str(ledger))
    with _process(*arguments, ANTHROPIC_BASE_URL=address, OPENROUTER_BASE_URL=f"{address}/v1") as gateway:
        _wait(port)
        yield gateway, port, (time.monotonic() - began) * 1e6


def _cpu_of(gateway: subprocess.Popen[bytes], port: int, scenario: Scenario, *, seconds: float) -> float:
    before = _cpu_seconds(gateway.pid)
    answers, failures, _ = asyncio.run(run(port, scenario.bodies, connections=scenario.connections, seconds=seconds))
    if failures or not answers:
        raise RuntimeError(f"{scenario.name}: {failures} failures, {answers} answers")
    # The warm-up's CPU counts, its answers do not; it is the same in the baseline.
    return (_cpu_seconds(gateway.pid) - before) * 1e6 / (answers * scenario.units)


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process with all its threads, from Linux's /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(gateway: subprocess.Popen[bytes]) -> float:
    """Kilobytes in memory, from Linux's /proc."""
    pages = int(Path(f"/proc/{gateway.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


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
