"""A request that goes through ASGI to the application, as all requests without a direct route do."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import unquote

from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.protocols.utils import get_local_addr, get_remote_addr

from gateway.server.direct import HIGH_WATER, ConnectionLike

_BEFORE_THE_PATH = re.compile(rb"[^:/?]*://[^/?]*")

log = logging.getLogger(__name__)


class AsgiRequest(RequestResponseCycle):
    """uvicorn's translation between ASGI and HTTP, fed as a direct request is."""

    def __init__(
        self,
        connection: ConnectionLike,
        app: ASGIApp,
        scope: Scope,
        *,
        default_headers: list[tuple[bytes, bytes]],
        keep_alive: bool,
    ) -> None:
        super().__init__(
            scope=cast(Any, scope),
            transport=cast(Any, connection),  # so that everything is written through the connection
            flow=cast(Any, connection),
            logger=log,
            access_logger=log,
            access_log=False,
            default_headers=default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=scope["http_version"] != "1.0"
            and dict(scope["headers"]).get(b"expect", b"").lower() == b"100-continue",
            keep_alive=keep_alive,
            on_response=connection.response_done,
        )
        self._app = app
        self._connection = connection
        self.wanted = False  # whether the application reads the body

    async def receive(self) -> Any:
        self.wanted = True
        return await super().receive()

    def feed(self, piece: bytes) -> None:
        """More of the body."""
        self.body += piece
        if len(self.body) > HIGH_WATER:
            self._connection.pause_reading()
        self.message_event.set()

    def end_of_body(self) -> None:
        """The body is complete."""
        self.more_body = self.waiting_for_100_continue = False
        self.message_event.set()

    def connection_lost(self) -> None:
        """The client has left."""
        self.disconnected = True
        self.waiting_for_100_continue = False
        self.message_event.set()

    async def run(self) -> None:
        """Run the application on this request."""
        await self.run_asgi(cast(Any, self._app))


def scope_of(
    transport: asyncio.Transport,
    *,
    method: str,
    url: bytes,
    headers: Sequence[tuple[bytes, bytes]],
    version: str,
    state: dict[str, Any],
) -> Scope:
    """The ASGI scope of a request (https://asgi.readthedocs.io/en/latest/specs/www.html)."""
    path, query = path_and_query(url)
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": version,
        "server": get_local_addr(transport),
        "client": get_remote_addr(transport),
        "scheme": "http",
        "root_path": "",
        "headers": headers,
        "state": state.copy(),
        "method": method,
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
    }


def path_and_query(target: bytes) -> tuple[bytes, bytes]:
    """Of a request's target, whether it begins with the path or with a scheme and host."""
    target = target.partition(b"#")[0]
    if not target.startswith((b"/", b"*")):
        target = _BEFORE_THE_PATH.sub(b"", target, count=1)
    path, _, query = target.partition(b"?")
    return path or b"/", query
