"""Clients that end their side of the connection, still waiting or gone, on both event loops; and clients that are cut off."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from gateway.server.half_closed import LONGEST_PAUSE
from tests.end_to_end.test_clients import Hasty, begun, ends
from tests.serving import serving

SOON = 2 * LONGEST_PAUSE
FIN_WAIT_1 = "04"


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


async def test_half_closed_client_gets_its_whole_answer(tmp_path: Path) -> None:
    """A client that has ended its side and waits gets its answer, whole, and then the connection's end."""
    async with serving(tmp_path) as served:
        client = await served.client()
        client.ask()
        client.writer.write_eof()
        await served.upstream.called.wait()
        await asyncio.sleep(0.1)  # so that the first looks are over
        served.upstream.begin.set()
        served.upstream.say("four")
        served.upstream.end()
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.count(b"HTTP/1.1") == 1
        assert b"four" in answer
        assert b"connection: close\r\n" in answer
        await served.idle()
        assert await ends(served) == [("ok", "settled")]


@pytest.mark.parametrize("first_ends", [False, True], ids=["at once", "after its end"])
async def test_departed_client_ends_the_upstream_call_and_marks_its_row(tmp_path: Path, first_ends: bool) -> None:
    """A client that has left is not waited for: the upstream's call ends soon, and its row says that it left."""
    async with serving(tmp_path) as served:
        client = await served.client()
        client.ask()
        if first_ends:
            client.writer.write_eof()
        await served.upstream.called.wait()
        await asyncio.sleep(0.05 if first_ends else 0)
        client.leave()
        await asyncio.wait_for(served.upstream.closed.wait(), SOON)
        await served.idle()
        assert await ends(served) == [("cancelled", "cancelled_estimated")]


async def test_half_close_within_an_answer_is_a_disconnect(tmp_path: Path) -> None:
    """Whoever ends its side while it reads an answer has left."""
    async with serving(tmp_path) as served:
        client = await begun(served)
        client.writer.write_eof()
        await asyncio.wait_for(served.upstream.closed.wait(), SOON)
        await served.idle()
        assert await ends(served) == [("cancelled", "cancelled_estimated")]


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="needs Linux' table of connections")
async def test_cut_connection_leaves_nothing_in_the_kernel(tmp_path: Path) -> None:
    """A connection that is cut because its client does not read leaves nothing behind in the kernel."""
    async with serving(tmp_path, protocol=Hasty) as served:
        client = await begun(served)
        client.pause()
        for _ in range(200):
            served.upstream.say("x" * 100_000)
        await asyncio.wait_for(served.upstream.closed.wait(), 10)
        await served.idle()
        port = served.server.servers[0].sockets[0].getsockname()[1]
        assert FIN_WAIT_1 not in states(port)


def states(port: int) -> list[str]:
    """Those of the connections from this local port."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [fields[3] for fields in map(str.split, lines) if fields[1].endswith(f":{port:04X}")]
