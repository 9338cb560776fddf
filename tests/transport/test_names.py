"""Host names: looked up anew for each connection, and never for longer than a connection may take."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from typing import Any

import pytest

from gateway.errors import UpstreamUnreachable
from gateway.transport import Timeouts
from tests.transport.conftest import MakeTransport
from tests.transport.servers import ANSWER, PATIENT, chat, says_and_leaves, serve

pytestmark = pytest.mark.anyio

FOUND, LOST, SLOW = "upstream.test", "lost.test", "slow.test"


class Resolving(asyncio.SelectorEventLoop):
    """An event loop with a resolver of its own: one name is this machine, one is nobody's, one is never answered."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    async def getaddrinfo(self, host: Any, port: Any, **hints: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        self.asked[name] += 1
        if name == SLOW:
            await asyncio.Event().wait()
        if name == LOST:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": Resolving}


def asked(name: str) -> int:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Resolving)
    return loop.asked[name]


async def test_a_resolver_that_does_not_answer(make_transport: MakeTransport) -> None:
    """Looking a name up is part of connecting, so it ends with the connect timeout."""
    transport = make_transport(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    with pytest.raises(UpstreamUnreachable, match="no connection could be made in time"):
        await transport.send(chat(f"http://{SLOW}/v1"), timeouts=Timeouts(connect=0.05))
    await transport.aclose()


async def test_each_connection_resolves_its_name_again(make_transport: MakeTransport) -> None:
    """Each new connection asks anew, also after a name was not found, so an address that moved is followed at once."""
    transport = make_transport(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    async with serve(
        says_and_leaves(ANSWER.replace(b"content-length", b"connection: close\r\ncontent-length"))
    ) as server:
        for _ in range(3):
            response = await transport.send(chat(server.url.replace("127.0.0.1", FOUND)), timeouts=PATIENT)
            assert await response.read() == b"{}"
            await response.aclose()
    for _ in range(2):
        with pytest.raises(UpstreamUnreachable, match="cannot be resolved"):
            await transport.send(chat(f"http://{LOST}/v1"), timeouts=PATIENT)
    await transport.aclose()
    assert (server.connections, asked(FOUND), asked(LOST)) == (3, 3, 2)
