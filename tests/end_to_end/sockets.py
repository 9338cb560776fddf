"""Clients of raw sockets: bytes out, answers in."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

import orjson

CHAT_BODY = orjson.dumps(
    {"model": "openrouter/qwen/qwen3.8-flash", "messages": [{"role": "user", "content": "What is 2 + 2?"}]}
)


def connect(url: str) -> socket.socket:
    address = urlsplit(url)
    return socket.create_connection((address.hostname, address.port), timeout=10)


def post(body: bytes = CHAT_BODY, *, path: str = "/v1/chat/completions", headers: bytes = b"") -> bytes:
    """A request with a length."""
    return b"POST %b HTTP/1.1\r\nHost: localhost\r\n%bContent-Length: %d\r\n\r\n%b" % (
        path.encode(),
        headers,
        len(body),
        body,
    )


def exchange(url: str, *segments: bytes, ends: bool = False, pause: float = 0.05) -> bytes:
    """What comes back for these segments until the connection ends or says nothing for a while."""
    with connect(url) as client:
        for segment in segments:
            client.sendall(segment)
            time.sleep(pause if len(segments) > 1 else 0)
        if ends:
            client.shutdown(socket.SHUT_WR)
        return received(client, silence=10 if ends else 0.3)


def received(client: socket.socket, *, silence: float) -> bytes:
    client.settimeout(silence)
    pieces = []
    try:
        while piece := client.recv(65536):
            pieces.append(piece)
    except TimeoutError:
        pass
    return b"".join(pieces)


def statuses(raw: bytes) -> list[int]:
    """Those of the answers; none of the bodies in these tests looks like one."""
    return [int(part[:3]) for part in raw.split(b"HTTP/1.1 ")[1:]]
