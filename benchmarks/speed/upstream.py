"""A mock upstream: `python -m benchmarks.speed.upstream PORT`. Answers OpenAI's and Anthropic's requests with canned bytes."""

from __future__ import annotations

import asyncio
import sys

import orjson
import uvloop

from benchmarks.speed.samples import ANSWERS, events

INTERVAL = 0.005  # seconds between the events of a stream


def _whole(vendor: str) -> bytes:
    body = orjson.dumps(ANSWERS[vendor])
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
WHOLE = {vendor: _whole(vendor) for vendor in ("openrouter", "claude")}
STREAM = {
    vendor: [b"%x\r\n%s\r\n" % (len(event), event) for event in events(vendor)] + [b"0\r\n\r\n"] for vendor in WHOLE
}


class Upstream(asyncio.Protocol):
    """One connection, one request at a time; knows as much of HTTP as the gateway's client sends."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # create_server gives a Transport; uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) >= length:
            self._buffer = b""
            vendor = "claude" if b"/messages" in head[:100] else "openrouter"
            self._answer(vendor, streamed=b'"stream":true' in body)

    def _answer(self, vendor: str, *, streamed: bool) -> None:
        if not streamed:
            self._write(WHOLE[vendor])
            return
        self._write(HEAD)
        self._next(STREAM[vendor], 0)

    def _next(self, pieces: list[bytes], index: int) -> None:
        self._write(pieces[index])
        if index + 1 < len(pieces):
            asyncio.get_running_loop().call_later(INTERVAL, self._next, pieces, index + 1)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
