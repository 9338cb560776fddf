"""A closed loop of clients: each connection asks again as soon as it has its answer."""

from __future__ import annotations

import asyncio
import time

LONGEST = 60.0  # seconds that a busy machine is given for the first answer


class Client(asyncio.Protocol):
    """Counts whole answers; anything but 200 is a failure."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._buffer = b""
        self._transport: asyncio.WriteTransport | None = None
        self.answers = 0
        self.failures = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # create_connection gives a Transport; uvloop's is no subclass
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"\r\ncontent-length:")[2].split(b"\r\n")[0]
        if body.endswith(b"0\r\n\r\n") if not length else len(body) >= int(length):
            self._buffer = b""
            self.answers += 1
            self.failures += not head.startswith(b"HTTP/1.1 200")
            self._ask()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _ask(self) -> None:
        if self._transport is not None:
            self._transport.write(self._request)


async def run(port: int, body: bytes, *, connections: int, seconds: float) -> tuple[int, int, float]:
    """Answers, failures and seconds: until `seconds` are over and one answer has come, a minute at most."""
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
    request = head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Client(request), "127.0.0.1", port) for _ in range(connections)]
    clients = [client for _, client in made]
    await asyncio.sleep(min(0.3, seconds))  # the first requests open connections and fill caches
    before, began = sum(client.answers for client in clients), time.monotonic()
    answers = 0
    while (took := time.monotonic() - began) < seconds or (not answers and took < LONGEST):
        await asyncio.sleep(max(0.05, seconds - took))
        answers = sum(client.answers for client in clients) - before
    for client in clients:
        client.close()
    return answers, sum(client.failures for client in clients), took
