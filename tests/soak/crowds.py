"""Many clients at once: a crowd, thousands of idle streams, a drain, and readers that never read."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.serving import chat
from tests.soak.clients import Asked, ask, event_loop_lag, healthy_within, hold
from tests.soak.processes import GatewayProcess, ledger

BATCH = 100  # connections opened at a time


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many requests ended how, the slowest `/healthz` meanwhile, the longest event-loop lag, and all of it, in seconds."""

    ends: Counter[str]
    slowest_health: float
    lag: float
    seconds: float
    rows: Counter[str]


async def crowd(folder: Path, *, upstream_port: int, requests: int, limits: str) -> Crowd:
    """`requests` at the same moment, while health is asked for."""
    gateway = GatewayProcess(folder, upstream_port=upstream_port, limits=limits)
    loop = asyncio.get_running_loop()
    began = loop.time()
    asking = [asyncio.create_task(ask(gateway.port, "slow", stream=bool(number % 2))) for number in range(requests)]
    slowest = 0.0
    while not all(task.done() for task in asking):
        slowest = max(slowest, await healthy_within(gateway.port))
        await asyncio.sleep(0.02)
    seconds = loop.time() - began
    ends: Counter[str] = Counter([task.result().end for task in asking])
    lag = await event_loop_lag(gateway.port)
    await asyncio.to_thread(gateway.end)
    return Crowd(ends, slowest, lag, seconds, Counter(ledger(gateway.db)[0].values()))


@dataclass(frozen=True, slots=True)
class Idle:
    """`streams` were open: memory before and with them (MB), the CPU share and the longest event-loop lag (seconds) while
    nothing happened, a new request's seconds, and those of `/healthz` as all of them leave.
    """

    streams: int
    before: float
    with_streams: float
    cpu: float
    lag: float
    new_request: float
    health: float
    rows: Counter[str]


async def idle_streams(folder: Path, *, upstream_port: int, streams: int) -> Idle:
    """Open streams that say one word and then nothing, watch for a while, then leave them all at once."""
    limits = f"{{in_flight: {streams + 100}, queue: 0}}"
    gateway = GatewayProcess(folder, upstream_port=upstream_port, limits=limits)
    loop = asyncio.get_running_loop()
    await ask(gateway.port, "quick", stream=True)
    before = gateway.resident_megabytes()
    held = []
    for opened in range(0, streams, BATCH):
        held += await asyncio.gather(*[hold(gateway.port) for _ in range(min(BATCH, streams - opened))])
    with_streams = gateway.resident_megabytes()
    worked, began = gateway.cpu_seconds(), loop.time()
    await asyncio.sleep(35)  # more than two of the gauge's periods, so that it forgets how they were opened
    cpu = (gateway.cpu_seconds() - worked) / (loop.time() - began)
    lag = await event_loop_lag(gateway.port)
    began = loop.time()
    await ask(gateway.port, "quick", stream=True)
    new_request = loop.time() - began
    for _, writer in held:
        writer.transport.abort()
    health = await healthy_within(gateway.port)
    await asyncio.to_thread(gateway.end)
    return Idle(len(held), before, with_streams, cpu, lag, new_request, health, Counter(ledger(gateway.db)[0].values()))


@dataclass(frozen=True, slots=True)
class Drained:
    """How streams ended that could finish within the grace, and those that could not; exit status, seconds, rows."""

    finishing: Counter[str]
    holding: Counter[str]
    status: int
    seconds: float
    rows: Counter[str]


async def drain(folder: Path, *, upstream_port: int, streams: int) -> Drained:
    """SIGTERM with `streams` open, half of which finish by themselves."""
    gateway = GatewayProcess(folder, upstream_port=upstream_port)
    loop = asyncio.get_running_loop()
    half = streams // 2
    holding = [asyncio.create_task(ask(gateway.port, "hold", stream=True)) for _ in range(half)]
    finishing = [asyncio.create_task(ask(gateway.port, "slow", stream=True)) for _ in range(half)]
    while ledger_size(gateway) < streams:  # noqa: ASYNC110 - another process's file
        await asyncio.sleep(0.01)
    began = loop.time()
    status = await asyncio.to_thread(gateway.end, signal.SIGTERM)
    seconds = loop.time() - began
    ends = [await asyncio.gather(*tasks) for tasks in (finishing, holding)]
    rows = Counter(ledger(gateway.db)[0].values())
    return Drained(_ends(ends[0]), _ends(ends[1]), status, seconds, rows)


@dataclass(frozen=True, slots=True)
class Stalled:
    """`readers` that read nothing of endless streams: memory before and after some seconds (MB), and how their rows ended."""

    readers: int
    before: float
    after: float
    seconds: float
    rows: Counter[str]


async def stalled_readers(folder: Path, *, upstream_port: int, readers: int) -> Stalled:
    """Streams that nobody reads; they are cut when nothing could be written for a minute."""
    gateway = GatewayProcess(folder, upstream_port=upstream_port)
    loop = asyncio.get_running_loop()
    await ask(gateway.port, "quick", stream=True)
    before = gateway.resident_megabytes()
    began = loop.time()
    writers = []
    for _ in range(readers):
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        writer.write(chat("flood"))
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport reads too
        writers.append(writer)
    await asyncio.sleep(10)
    after = gateway.resident_megabytes()
    while Counter(ledger(gateway.db)[0].values())["cancelled"] < readers and loop.time() - began < 90:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.5)
    seconds = loop.time() - began
    for writer in writers:
        writer.transport.abort()
    await asyncio.to_thread(gateway.end)
    return Stalled(readers, before, after, seconds, Counter(ledger(gateway.db)[0].values()))


def ledger_size(gateway: GatewayProcess) -> int:
    return len(ledger(gateway.db)[0])


def _ends(asked: list[Asked]) -> Counter[str]:
    return Counter([each.end for each in asked])
