"""The end of a server: what still comes, what is open, and what is left of it in the ledger."""

from __future__ import annotations

import asyncio
import gc
import signal
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from gateway.server.reload import Reloader
from gateway.server.server import DrainingServer, reachable, run, uvicorn_options
from gateway.settings import load
from tests.conftest import KEYS, MakeGateway
from tests.serving import Client, Serving, serving

NO_DELAY = "drain_delay: 0\n"
HASTY = "drain_delay: 0\ngrace: 0\n"


def sigterm(served: Serving) -> None:
    served.server.handle_exit(signal.SIGTERM, None)


async def streaming(served: Serving) -> Client:
    """A client whose stream has begun."""
    client = await served.client()
    client.ask()
    served.upstream.begin.set()
    served.upstream.say("one")
    await client.until(b'"one"')
    return client


async def states(served: Serving) -> list[Any]:
    return [(row["status"], row["http_status"], row["error_code"]) for row in await served.rows()]


async def test_not_ready_but_serving(tmp_path: Path) -> None:
    """After the first signal the gateway is not ready at once, and takes what still comes."""
    async with serving(tmp_path, config="drain_delay: 500\n") as served:
        early = await served.client()
        assert await early.get("/readyz") == 200
        sigterm(served)
        assert await (await served.client()).get("/readyz") == 503
        late = await streaming(served)
        served.upstream.end()
        assert (await late.until(b"[DONE]\n\n")).endswith(b"data: [DONE]\n\n")
        assert not served.server.should_exit
        assert await states(served) == [("ok", 200, None)]


async def test_open_answers_finish_within_the_grace(tmp_path: Path) -> None:
    """Once no more is taken, what is open finishes within the grace, and then the server ends by itself."""
    async with serving(tmp_path, config=NO_DELAY) as served:
        client = await streaming(served)
        sigterm(served)
        while served.server.servers[0].is_serving():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.001)
        served.upstream.say("two")
        served.upstream.end()
        text = await client.rest()
        assert b'"two"' in text
        assert b"data: [DONE]" in text
        await served.ended
        assert not served.server.force_exit


async def test_open_stream_ends_with_an_error_event_after_the_grace(tmp_path: Path) -> None:
    """When the grace is over an open stream ends with an error event, properly, and its row says that it was interrupted."""
    async with serving(tmp_path, config=HASTY) as served:
        client = await streaming(served)
        sigterm(served)
        text = await client.rest()
        assert b'data: {"error":{"message":"The gateway is shutting down' in text
        assert b"gateway_overloaded" in text
        assert b"[DONE]" not in text
        assert text.endswith(b"0\r\n\r\n")
        await served.upstream.closed.wait()
        assert await states(served) == [("interrupted", 503, "interrupted")]
        (attempt,) = (await served.rows())[0]["attempts"]
        assert attempt["status"] == "cancelled_estimated"


async def test_waiting_request_gets_a_503_after_the_grace(tmp_path: Path) -> None:
    """Whoever has no answer yet when the grace is over gets a 503 with Retry-After."""
    async with serving(tmp_path, config=HASTY) as served:
        client = await served.client()
        client.ask(stream=False)
        await served.upstream.called.wait()
        sigterm(served)
        text = await client.rest()
        assert text.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1\r\n" in text
        assert b"gateway_overloaded" in text
        assert await states(served) == [("interrupted", 503, "interrupted")]


async def test_second_signal_skips_the_drain_but_commits_the_ledger(tmp_path: Path) -> None:
    """A second signal skips the waiting: the rest is told at once, and the ledger is committed and closed."""
    async with serving(tmp_path, config=NO_DELAY) as served:
        client = await streaming(served)
        sigterm(served)
        sigterm(served)
        assert b"shutting down" in await client.rest()
        await served.ended
        assert not served.store.writable()
        assert await states(served) == [("interrupted", 503, "interrupted")]


async def test_a_client_that_does_not_read(tmp_path: Path) -> None:
    """A client that reads nothing cannot hold up the end, and its row is closed all the same."""
    async with serving(tmp_path, config=HASTY, interrupt_seconds=0.05) as served:
        client = await streaming(served)
        client.pause()
        for _ in range(200):
            served.upstream.say("x" * 100_000)
        sigterm(served)
        await served.ended
        assert await states(served) == [("interrupted", 503, "interrupted")]


def test_signals_before_the_start_are_obeyed(make_gateway: MakeGateway) -> None:
    """Signals that come before there is anything to end are obeyed at the start."""
    gateway = make_gateway().app.state.gateway
    reloader = Reloader(gateway, lambda: gateway.runtime.settings)
    server = DrainingServer(uvicorn.Config(gateway.app), gateway, settings=gateway.runtime.settings, reloader=reloader)
    server.handle_exit(signal.SIGTERM, None)
    assert gateway.services.lifecycle.draining
    assert (server.should_exit, server.force_exit) == (False, False)
    server.handle_exit(signal.SIGTERM, None)
    assert (server.should_exit, server.force_exit) == (True, True)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (("127.0.0.1", 80), "http://127.0.0.1:80"),
        (("0.0.0.0", 80), "http://127.0.0.1:80"),
        (("::", 80, 0, 0), "http://[::1]:80"),
    ],
)
def test_listening_url_is_reachable_from_this_machine(address: tuple[Any, ...], url: str) -> None:
    """The URL is one that this machine reaches, also when all interfaces are listened on."""
    assert reachable(address) == url


async def test_what_was_loaded_is_left_alone(tmp_path: Path) -> None:
    """Garbage collection does not walk what the start has loaded for as long as the server runs: that takes tens of milliseconds."""
    async with serving(tmp_path):
        assert gc.get_freeze_count() > 10_000
    assert gc.get_freeze_count() == 0


def test_uvicorn_wraps_nothing_around_the_application(make_gateway: MakeGateway) -> None:
    """uvicorn is told to wrap nothing around the application, so that connections find its direct routes."""
    gateway = make_gateway()
    config = uvicorn.Config(gateway.app, **uvicorn_options(gateway.app.state.gateway.runtime.settings))
    config.load()
    assert config.loaded_app is gateway.app


def test_failed_start_exits_with_3(make_gateway: MakeGateway, tmp_path: Path) -> None:
    """When the application cannot start, here because its ledger is closed already, the exit status is 3."""
    gateway = make_gateway()
    gateway.store.close()
    settings = load({**KEYS, "GATEWAY_PORT": "0", "GATEWAY_DB": str(tmp_path / "gateway.db")})
    with pytest.raises(SystemExit) as ended:
        run(gateway.app.state.gateway, settings, read=lambda: settings)
    assert ended.value.code == 3
