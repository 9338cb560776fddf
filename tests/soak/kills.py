"""kill -9 under load, again and again: what clients saw finish is in the ledger once, what was cut has its row.

Killed is the whole gateway, or one of its two workers and the process that writes the ledger for them, in turns.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.clients import Asked, ask, stream_without_end
from tests.soak.processes import SETTINGS, GatewayProcess, ledger

_KINDS = (("quick", False), ("quick", True), ("slow", True), ("slow", False))


@dataclass(slots=True)
class Killed:
    """What came of it. `lost` are finished ones without their settled row, `rowless` cut ones without any."""

    rounds: int = 0
    asked: list[Asked] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    rowless: list[str] = field(default_factory=list)
    settlement_retries: int = 0
    repeated: int = 0
    interrupted: int = 0

    @property
    def finished(self) -> int:
        return sum(each.end == "finished" for each in self.asked)

    @property
    def cut(self) -> int:
        return sum(each.end == "cut" for each in self.asked)


async def kill_rounds(folder: Path, *, upstream_port: int, rounds: int, clients: int, seconds: float) -> Killed:
    """Each round kills the gateway after `seconds` of `clients` asking without a pause; a last start puts things in order."""
    came = Killed()
    for _ in range(rounds):
        gateway = GatewayProcess(folder, upstream_port=upstream_port)
        asking = [asyncio.create_task(_ask_on(gateway, came.asked, number)) for number in range(clients)]
        asking.append(await stream_without_end(gateway.port, came.asked))
        await asyncio.sleep(seconds)
        await asyncio.to_thread(gateway.kill)
        await asyncio.gather(*asking)
        came.rounds += 1
    await asyncio.to_thread(GatewayProcess(folder, upstream_port=upstream_port).end)
    _read(came, folder / "gateway.db")
    return came


async def worker_kill_rounds(folder: Path, *, upstream_port: int, rounds: int, clients: int, seconds: float) -> Killed:
    """Each round kills the writer process, or else a worker, and waits for the one that takes its place."""
    came, stopped = Killed(), asyncio.Event()
    gateway = GatewayProcess(folder, upstream_port=upstream_port, settings=f"{SETTINGS}workers: 2\n")
    while len(gateway.children()) < 3:  # noqa: ASYNC110 - nothing tells when the processes are forked
        await asyncio.sleep(0.05)
    writer, *workers = gateway.children()
    asking = [asyncio.create_task(_ask_until(stopped, gateway, came.asked, number)) for number in range(clients)]
    for number in range(rounds):
        await asyncio.sleep(seconds)
        if number % 2:
            workers = [*workers[1:], await asyncio.to_thread(gateway.kill_child, workers[0])]
        else:
            writer = await asyncio.to_thread(gateway.kill_child, writer)
        came.rounds += 1
    stopped.set()
    await asyncio.gather(*asking)
    await asyncio.to_thread(gateway.end)
    await asyncio.to_thread(GatewayProcess(folder, upstream_port=upstream_port).end)
    _read(came, folder / "gateway.db")
    return came


def _read(came: Killed, db: Path) -> None:
    """What the ledger has of it."""
    rows, came.repeated = ledger(db)
    for each in came.asked:
        if each.id is None:
            continue
        if each.end == "finished" and rows.get(each.id) != "ok":
            came.lost.append(each.id)
        if each.id not in rows:
            came.rowless.append(each.id)
    came.settlement_retries = sum(status == "open" for status in rows.values())
    came.interrupted = sum(status == "interrupted" for status in rows.values())


async def _ask_until(stopped: asyncio.Event, gateway: GatewayProcess, asked: list[Asked], number: int) -> None:
    prompt, stream = _KINDS[number % len(_KINDS)]
    while not stopped.is_set():
        asked.append(await ask(gateway.port, prompt, stream=stream))


async def _ask_on(gateway: GatewayProcess, asked: list[Asked], number: int) -> None:
    """Whole answers, short streams and ones that take a while, in turn, until the gateway is gone."""
    prompt, stream = _KINDS[number % len(_KINDS)]
    while True:
        each = await ask(gateway.port, prompt, stream=stream)
        asked.append(each)
        if each.end != "finished":
            return
