"""A real disk, small and in memory, that fills up, alone and while the provider comes and goes, and one that cannot be written.

`python -m tests.soak.storage FOLDER PORT` wants a mount namespace of its own (`unshare -m`), in which it mounts the disk at FOLDER; it
prints its figures as JSON.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from tests.soak.clients import Asked, ask, status_of
from tests.soak.processes import GatewayProcess, ledger

DISK = 24  # MB
CLIENTS = 10
FLAPS = 10  # times that the disk is full and free again
FLAP = 0.5  # seconds each


@dataclass(slots=True)
class Stored:
    """What came of it. `full` and `free` are the statuses of `/readyz`, a summary and how requests ended; memory is in MB.

    `log_bytes` is what the gateway logged for each request while both failed, `refused_start` whether a disk that cannot be written
    ended a start with the reason.
    """

    full: dict[str, int] = field(default_factory=dict)
    free: dict[str, int] = field(default_factory=dict)
    flapped: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    repeated: int = 0
    settlement_retries: int = 0
    before: float = 0.0
    after: float = 0.0
    log_bytes: float = 0.0
    refused_start: bool = False


def mounted(folder: Path, *options: str) -> None:
    subprocess.run(["mount", *options, str(folder)], check=True)  # noqa: S603, S607 - the system's own mount


def fill(folder: Path) -> Path:
    """A file that leaves no room on the disk."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return filler


async def crowd(port: int, prompt: str, *, requests: int) -> list[Asked]:
    asking = [ask(port, prompt, stream=bool(number % 2)) for number in range(requests)]
    return [
        each for start in range(0, requests, CLIENTS) for each in await asyncio.gather(*asking[start : start + CLIENTS])
    ]


async def looked(port: int, asked: list[Asked]) -> dict[str, int]:
    """How requests ended, and what health and a report say."""
    states = {path: await status_of(port, path) for path in ("/readyz", "/v1/routing/summary")}
    return {**states, **Counter(each.end for each in asked)}


async def flap(gateway: GatewayProcess, folder: Path) -> list[Asked]:
    """Clients ask without a pause, half of the calls fail, and the disk is full half of the time."""
    over = asyncio.Event()

    async def client() -> list[Asked]:
        asked = []
        while not over.is_set():
            asked += await crowd(gateway.port, "flaky", requests=1)
        return asked

    asking = [asyncio.create_task(client()) for _ in range(CLIENTS)]
    for _ in range(FLAPS):
        filler = await asyncio.to_thread(fill, folder)
        await asyncio.sleep(FLAP)
        filler.unlink()
        await asyncio.sleep(FLAP)
    over.set()
    return [each for asked in await asyncio.gather(*asking) for each in asked]


async def storage(folder: Path, port: int) -> Stored:
    mounted(folder, "-t", "tmpfs", "-o", f"size={DISK}m", "none")
    came = Stored()
    gateway = GatewayProcess(folder, upstream_port=port)
    asked = await crowd(gateway.port, "quick", requests=100)
    filler = fill(folder)
    meanwhile = await crowd(gateway.port, "quick", requests=50)
    came.full = await looked(gateway.port, meanwhile)
    filler.unlink()
    afterwards = await crowd(gateway.port, "quick", requests=100)
    came.free = await looked(gateway.port, afterwards)
    came.before, logged = gateway.resident_megabytes(), gateway.logged
    flapped = await flap(gateway, folder)
    came.flapped = dict(Counter(each.end for each in flapped))
    came.after = gateway.resident_megabytes()
    came.log_bytes = (gateway.logged - logged) / len(flapped)
    gateway.kill()
    GatewayProcess(folder, upstream_port=port).end()
    rows, came.repeated = ledger(folder / "gateway.db")
    finished = [each for each in [*asked, *meanwhile, *afterwards, *flapped] if each.end == "finished"]
    came.lost = sum(rows.get(str(each.id)) != "ok" for each in finished)
    came.settlement_retries = sum(status == "open" for status in rows.values())
    mounted(folder, "-o", "remount,ro")
    came.refused_start = refused_start(folder)
    return came


def refused_start(folder: Path) -> bool:
    """Whether a gateway on this disk does not start, and says why."""
    command = [sys.executable, "-m", "gateway", "serve", "--port", "0", "--db", str(folder / "gateway.db")]
    environment = {"GEMINI_API_KEY": "x"}
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment)  # noqa: S603 - our own
    return ended.returncode == 1 and "writable" in ended.stderr


if __name__ == "__main__":
    found = asyncio.run(storage(Path(sys.argv[1]), int(sys.argv[2])))
    sys.stdout.buffer.write(orjson.dumps(asdict(found)))
