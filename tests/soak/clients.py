"""Clients that know exactly how far each of their answers came."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Literal

from tests.serving import chat

End = Literal["finished", "told", "refused", "cut", "unanswered"]


@dataclass(slots=True)
class Asked:
    """One request: its id as soon as the client has seen it, and how it ended for the client.

    `told` is a stream with an error event, `cut` one without its end, `unanswered` a request without a head.
    """

    id: str | None = None
    end: End = "unanswered"


async def ask(
    port: int, prompt: str, *, stream: bool, until: bytes | None = None, begun: asyncio.Event | None = None
) -> Asked:
    """One request on a connection of its own; with `until` the client leaves as soon as it has seen that.

    `begun` is set when the head of the answer is there.
    """
    asked = Asked()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    except OSError:
        return asked
    try:
        writer.write(chat(prompt, stream=stream))
        await _follow(reader, asked, until=until, begun=begun)
    except (OSError, asyncio.IncompleteReadError):
        return asked
    finally:
        writer.transport.abort()
    return asked


async def _follow(
    reader: asyncio.StreamReader, asked: Asked, *, until: bytes | None, begun: asyncio.Event | None
) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    asked.end = "cut"
    asked.id = re.findall(rb"x-request-id: (\S+)", head)[0].decode()
    if begun is not None:
        begun.set()
    if b" 503 " in head.split(b"\r\n", 1)[0]:
        asked.end = "refused"
    elif length := re.findall(rb"content-length: (\d+)", head):
        await reader.readexactly(int(length[0]))
        asked.end = "finished"
    elif until is not None:
        await reader.readuntil(until)
    else:
        await _read_events(reader, asked)


async def _read_events(reader: asyncio.StreamReader, asked: Asked) -> None:
    while line := await reader.readline():
        if line.startswith(b'data: {"error"'):
            asked.end = "told"
        elif line == b"data: [DONE]\n":
            asked.end = "finished"
        elif line == b"0\r\n":
            return


async def stream_without_end(port: int, asked: list[Asked]) -> asyncio.Task[None]:
    """A client whose stream has begun and does not end: whatever kills the gateway cuts at least this answer."""
    begun = asyncio.Event()

    async def follow() -> None:
        asked.append(await ask(port, "hold", stream=True, begun=begun))

    following = asyncio.create_task(follow())
    await asyncio.wait_for(begun.wait(), 60)
    return following


async def hold(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """An open stream that has said its first word and then nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(chat("hold"))
    await reader.readuntil(b'"word "')
    return reader, writer


async def healthy_within(port: int) -> float:
    """Seconds until `/healthz` answers on a connection of its own."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    writer.transport.abort()
    return loop.time() - began


async def event_loop_lag(port: int) -> float:
    """What the gateway's own gauge says, in seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    text = await reader.read()
    writer.transport.abort()
    return float(re.findall(rb"^gateway_event_loop_lag_seconds (\S+)", text, re.MULTILINE)[0])


async def status_of(port: int, path: str) -> int:
    """What a path answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()
    return int(head.split()[1])
