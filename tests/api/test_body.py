"""Bodies within their limits."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.api.body import FREE_BYTES, BodyBudget, ClientDisconnected, read_body
from gateway.errors import InvalidRequest, Overloaded, RequestTooLarge, UnsupportedEncoding


async def read(*messages: dict[str, Any], limit: int = 10, headers: tuple[tuple[bytes, bytes], ...] = ()) -> bytes:
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    return await read_body(dict(headers), receive, limit=limit)


def piece(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_body_in_pieces_is_joined() -> None:
    """A body in pieces is what it would be in one."""
    assert await read(piece(b"ab", more=True), piece(b"cd")) == b"abcd"
    assert await read(piece(b"abcd")) == b"abcd"
    assert await read({"type": "http.request"}) == b""


async def test_body_above_the_limit_is_refused_before_it_is_read() -> None:
    """A body above the limit is refused before it is read when its length is told, else as soon as it is passed."""
    with pytest.raises(RequestTooLarge):
        await read(headers=((b"content-length", b"11"),))
    with pytest.raises(RequestTooLarge):
        await read(piece(b"x" * 6, more=True), piece(b"x" * 6, more=True))


async def test_compression_and_odd_lengths_are_refused() -> None:
    """Compression is not decoded, and a length has to be a number."""
    with pytest.raises(UnsupportedEncoding):
        await read(headers=((b"content-encoding", b"gzip"),))
    with pytest.raises(InvalidRequest):
        await read(headers=((b"content-length", b"-1"),))


async def test_client_leaving_mid_body_ends_the_request() -> None:
    """A client that leaves mid-body ends the request."""
    with pytest.raises(ClientDisconnected):
        await read(piece(b"x", more=True), {"type": "http.disconnect"})


def test_body_budget_is_shared_and_given_back() -> None:
    """What bodies take together is bounded and given back; small ones are not counted, a share never counts twice."""
    budget = BodyBudget(1_000_000)
    with budget.share() as first, budget.share() as second:
        assert first.cover(600_000, limit=1_000_000) == 600_000
        assert first.cover(500_000, limit=1_000_000) == 500_000
        assert budget.held == 500_000
        with pytest.raises(Overloaded, match="bodies_bytes"):
            second.cover(500_001, limit=1_000_000)
        assert second.cover(10, limit=1_000_000) == FREE_BYTES
        assert second.cover(2_000_000, limit=500_000) == 500_000
    assert (budget.held, budget.refused) == (0, 1)


async def test_a_body_of_unknown_length_takes_what_it_needs() -> None:
    """Its share grows with it, and is refused where the budget ends; what was taken too much is given back."""
    budget = BodyBudget(300_000)
    pieces = [piece(b"x" * 50_000, more=True) for _ in range(3)]

    async def receive() -> dict[str, Any]:
        return pieces.pop(0)

    with budget.share() as share:
        pieces.append(piece(b"end"))
        assert len(await read_body({}, receive, limit=10**6, share=share)) == 150_003
        assert budget.held == 150_003
        pieces += [piece(b"x" * 50_000, more=True) for _ in range(4)]
        with pytest.raises(Overloaded), budget.share() as other:
            await read_body({}, receive, limit=10**6, share=other)
    assert budget.held == 0
