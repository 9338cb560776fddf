"""A stream of twelve minutes: longer than any limit on whole answers, with silences that only comments fill."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from gateway.transport import TimeLimits
from tests.serving import chat
from tests.soak.processes import GatewayProcess, ledger

MINUTES = 12
KEEP_ALIVE = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Long:
    """How the stream ended for the client; seconds until its status, until its first content, of its longest silence, and in all."""

    end: str
    head: float
    content: float
    silence: float
    seconds: float
    rows: Counter[str]


async def long_stream(folder: Path, *, upstream_port: int, scale: float) -> Long:
    """One stream; it and the gateway's default limits are multiplied by `scale`."""
    limits = ", ".join(
        f"{name}: {value * scale}" for name, value in TimeLimits()._asdict().items() if name != "connect"
    )
    settings = f"drain_delay: 0\ntimeouts: {{{limits}}}\nkeep_alive: {KEEP_ALIVE * scale}\n"
    gateway = GatewayProcess(folder, upstream_port=upstream_port, settings=settings)
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    began = last = loop.time()
    head = content = silence = 0.0
    came = b""
    writer.write(chat(f"long {60 * MINUTES * scale}"))
    while not came.endswith(b"0\r\n\r\n") and (piece := await reader.read(65536)):
        came += piece
        now = loop.time()
        silence, last = max(silence, now - last), now
        head = head or now - began
        if b"word" in piece:
            content = content or now - began
    writer.transport.abort()
    await asyncio.to_thread(gateway.end)
    end = "finished" if b"data: [DONE]" in came else "told" if b'"error"' in came else "cut"
    return Long(end, head, content, silence, loop.time() - began, Counter(ledger(gateway.db)[0].values()))
