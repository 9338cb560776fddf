"""Serves a gateway for one caller in this process: on a private Unix socket, so no port is opened."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from typing import TypeVar

import uvicorn
from uvicorn.server import ServerState

from gateway.app import Gateway
from gateway.server.connection import ServerConnection
from gateway.server.server import uvicorn_options

Result = TypeVar("Result")


async def call_in_process(gateway: Gateway, call: Callable[[str], Result]) -> Result:
    """What `call`, which blocks and runs in a thread, returns; it is given the path of the socket while the gateway serves there.

    Afterwards running requests have ended, their rows are written, and the gateway is closed.
    """
    options = uvicorn_options(gateway.runtime.settings, demo=gateway.services.demo)
    config = uvicorn.Config(gateway.app, **options)
    config.load()
    state = ServerState()
    state.default_headers = config.encoded_headers
    with tempfile.TemporaryDirectory(prefix="gateway-") as folder:  # only its owner can enter it
        path = f"{folder}/socket"
        async with gateway.app.router.lifespan_context(gateway.app):
            loop = asyncio.get_running_loop()
            server = await loop.create_unix_server(lambda: ServerConnection(config, state, {}), path)
            try:
                return await asyncio.to_thread(call, path)
            finally:
                server.close()
                for connection in tuple(state.connections):
                    connection.shutdown()
                while state.tasks:
                    await asyncio.wait(tuple(state.tasks))
