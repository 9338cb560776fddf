"""Bodies within their limits."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import InvalidRequest, RequestTooLarge, UnsupportedEncoding
from gateway.web.body import ClientGone, read_body


async def read(*messages: dict[str, Any], limit: int = 10, headers: tuple[tuple[bytes, bytes], ...] = ()) -> bytes:
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    return await read_body(dict(headers), receive, limit=limit)


def piece(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_pieces_are_joined() -> None:
    """A body in pieces is what it would be in one."""
    assert await read(piece(b"ab", more=True), piece(b"cd")) == b"abcd"
    assert await read(piece(b"abcd")) == b"abcd"
    assert await read({"type": "http.request"}) == b""


async def test_too_large() -> None:
    """A body above the limit is refused before it is read when its length is told, else as soon as it is passed."""
    with pytest.raises(RequestTooLarge):
        await read(headers=((b"content-length", b"11"),))
    with pytest.raises(RequestTooLarge):
        await read(piece(b"x" * 6, more=True), piece(b"x" * 6, more=True))


async def test_refused_headers() -> None:
    """Compression is not decoded, and a length has to be a number."""
    with pytest.raises(UnsupportedEncoding):
        await read(headers=((b"content-encoding", b"gzip"),))
    with pytest.raises(InvalidRequest):
        await read(headers=((b"content-length", b"-1"),))


async def test_client_gone() -> None:
    """A client that leaves mid-body ends the request."""
    with pytest.raises(ClientGone):
        await read(piece(b"x", more=True), {"type": "http.disconnect"})
