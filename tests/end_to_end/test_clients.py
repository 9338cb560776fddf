"""Clients that are slow, leave or never read, on real connections: the upstream is let go and the row has one end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.server.connection import ReadState, ServerConnection
from tests.serving import Client, Serving, chat, serving


class Hasty(ServerConnection):
    """Waits for nobody for long."""

    timeouts = dict.fromkeys(ReadState, 0.05)
    write_timeout = 0.05


async def ends(served: Serving) -> list[tuple[Any, ...]]:
    """How each row and its attempts ended."""
    return [(row["status"], *[attempt["status"] for attempt in row["attempts"]]) for row in await served.rows()]


@pytest.mark.parametrize("raw", [b"POST /v1/ch", chat()[:-5]], ids=["head", "body"])
async def test_slow_request_is_a_408_that_begins_nothing(tmp_path: Path, raw: bytes) -> None:
    """A request that does not arrive in time is a 408, the connection ends, and nothing was begun for it."""
    async with serving(tmp_path, protocol=Hasty) as served:
        client = await served.client()
        client.send(raw)
        text = await client.rest()
        assert text.startswith(b"HTTP/1.1 408")
        assert b'"code":"request_timeout"' in text
        assert (served.upstream.calls, await ends(served)) == (0, [])


async def test_leaving_before_the_body_is_whole(tmp_path: Path) -> None:
    """A client that leaves half-way through its request leaves nothing behind."""
    async with serving(tmp_path) as served:
        client = await served.client()
        client.send(chat()[:-5])
        client.leave()
        assert await (await served.client()).get("/healthz") == 200
        assert (served.upstream.calls, await ends(served)) == (0, [])


async def test_client_leaving_the_queue_is_never_served(tmp_path: Path) -> None:
    """A client that leaves the line is never served, and its place in the line is free."""
    async with serving(tmp_path, config="limits: {in_flight: 1, queue: 1}\n") as served:
        first, second = await served.client(), await served.client()
        first.ask()
        await served.upstream.called.wait()
        second.ask()
        await waiting(served, 1)
        second.leave()
        await waiting(served, 0)
        served.upstream.begin.set()
        served.upstream.end()
        await first.until(b"[DONE]")
        await served.idle()
        assert (served.upstream.calls, await ends(served)) == (1, [("ok", "settled")])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_client_leaving_before_the_first_byte_ends_the_upstream_call(tmp_path: Path, stream: bool) -> None:
    """A client that leaves before there is an answer ends the upstream's call, and its row says that it left."""
    async with serving(tmp_path) as served:
        client = await served.client()
        client.ask(stream=stream)
        await served.upstream.called.wait()
        client.leave()
        await served.upstream.closed.wait()
        await served.idle()
        assert await ends(served) == [("cancelled", "cancelled_estimated")]


async def test_client_leaving_a_stream_pays_by_estimate(tmp_path: Path) -> None:
    """A client that leaves a stream ends the upstream's, and pays by estimate for what had come."""
    async with serving(tmp_path) as served:
        client = await begun(served)
        client.leave()
        await served.upstream.closed.wait()
        await served.idle()
        assert await ends(served) == [("cancelled", "cancelled_estimated")]
        (row,) = await served.rows()
        assert (row["estimated"], row["http_status"]) == (1, 499)
        assert row["actual_cost"] > 0


async def test_client_leaving_at_the_end_has_one_end(tmp_path: Path) -> None:
    """Whether a client leaves just before its answer is settled or just after, the row has exactly one end."""
    async with serving(tmp_path) as served:
        for turns in range(12):
            upstream = served.upstream
            client = await begun(served)
            upstream.end()
            for _ in range(turns):
                await asyncio.sleep(0)
            client.leave()
            await served.idle()
            upstream.closed.clear()
        rows = await ends(served)
        assert len(rows) == 12
        assert set(rows) <= {("ok", "settled"), ("cancelled", "cancelled_estimated")}
        told = served.gateway.services.exporter.registry
        counted = [
            told.get_sample_value("gateway_requests_total", labels(status)) or 0 for status in ("ok", "cancelled")
        ]
        assert sum(counted) == 12


async def test_stalled_client_holds_the_upstream_back_then_counts_as_gone(tmp_path: Path) -> None:
    """A client that reads nothing holds the upstream back, and after a while it counts as one that has left."""
    async with serving(tmp_path, protocol=Hasty) as served:
        client = await begun(served)
        client.pause()
        for _ in range(200):
            served.upstream.say("x" * 100_000)
        await served.upstream.closed.wait()
        await served.idle()
        assert await ends(served) == [("cancelled", "cancelled_estimated")]
        assert served.upstream.unread > 0


async def test_full_queue_is_a_503_with_retry_after(tmp_path: Path) -> None:
    """When places and line are taken a request is a 503 with Retry-After; health, metrics and the ledger go on answering."""
    async with serving(tmp_path, config="limits: {in_flight: 1, queue: 0}\n") as served:
        first, second = await begun(served), await served.client()
        second.ask()
        head = await second.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1\r\n" in head
        assert b"gateway_overloaded" in await second.until(b"}}")
        for path in ("/healthz", "/readyz", "/metrics", "/v1/routing/summary", "/v1/models"):
            assert await (await served.client()).get(path) == 200
        served.upstream.end()
        await first.until(b"[DONE]")
        assert await ends(served) == [("ok", "settled")]


async def test_long_wait_in_the_queue_is_refused(tmp_path: Path) -> None:
    """Who waits in line for too long is refused."""
    async with serving(tmp_path, config="limits: {in_flight: 1, queue: 1, queue_wait: 0.01}\n") as served:
        await begun(served)
        second = await served.client()
        second.ask()
        assert (await second.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 503")


async def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    """Requests sent ahead on one connection are answered in their order; `Expect: 100-continue` gets its answer."""
    async with serving(tmp_path) as served:
        served.upstream.begin.set()
        served.upstream.say("one")
        served.upstream.end()
        client = await served.client()
        client.send(chat() + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        text = await client.until(b'{"status":"ok"}')
        assert text.index(b"[DONE]") < text.index(b'{"status":"ok"}')
        client.send(chat().replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n", 1).split(b"{")[0])
        assert (await client.until(b"\r\n\r\n")) == b"HTTP/1.1 100 Continue\r\n\r\n"


def labels(status: str) -> dict[str, str]:
    which = {"provider": "openrouter", "model": "qwen/qwen3.8-flash", "endpoint": "chat_completions"}
    return {"strategy": "pinned", "status": status, **which}


async def begun(served: Serving) -> Client:
    """A client whose stream has begun."""
    client = await served.client()
    client.ask()
    served.upstream.begin.set()
    served.upstream.say("one")
    await client.until(b'"one"')
    return client


async def waiting(served: Serving, number: float) -> None:
    """Returns once so many requests wait in line."""
    while served.gateway.services.exporter.registry.get_sample_value("gateway_queued") != number:  # noqa: ASYNC110 - a gauge
        await asyncio.sleep(0.001)
