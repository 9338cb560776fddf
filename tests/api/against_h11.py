"""The same bytes read by h11 and by the gateway's connection: which requests were there, or which refusal."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence

import h11
import uvicorn
from starlette.types import Receive, Scope, Send

from gateway.server.connection import ServerConnection

Read = list[
    tuple[str, bytes] | int
]  # method and body of each request, or the status of the refusal that ends the connection


def by_h11(raw: bytes) -> Read:
    """What h11, as a server that answers each request, makes of bytes after which the client ends its side."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=32 * 1024)
    connection.receive_data(raw)
    connection.receive_data(b"")
    read: Read = []
    method, body = "", b""
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            unfinished = "without sending complete message" in str(error) or "unexpectedly closed" in str(error)
            return read if unfinished else [*read, error.error_status_hint]
        if isinstance(event, h11.Request):
            method, body = event.method.decode(), b""
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            read.append((method, body))
            status = 501 if method == "CONNECT" else 200  # h11 would leave the rest to the tunnel
            connection.send(h11.Response(status_code=status, headers=[("content-length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return read
            connection.start_next_cycle()
        else:
            return read


@contextlib.contextmanager
def echoing() -> Iterator[int]:
    """The port of a server with the gateway's connections, whose application tells what it was asked."""
    config = uvicorn.Config(_echo, port=0, http=ServerConnection, ws="none", lifespan="off", log_config=None)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)


def by_gateway(port: int, *segments: bytes) -> Read:
    """The same of the server at this port, over a socket.

    Who sends on after a last request may find the connection closed; then all is sent at once.
    """
    try:
        return _by_gateway(port, segments)
    except OSError:
        return _by_gateway(port, [b"".join(segments)])


def _by_gateway(port: int, segments: Sequence[bytes]) -> Read:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for segment in segments:
            client.sendall(segment)
        client.shutdown(socket.SHUT_WR)
        answers = b"".join(iter(lambda: client.recv(65536), b""))
    return [_read(part) for part in answers.split(b"HTTP/1.1 ")[1:] if not part.startswith(b"100 ")]


def _read(answer: bytes) -> tuple[str, bytes] | int:
    fields = dict(line.split(b": ", 1) for line in answer.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:])
    if b"x-method" not in fields:
        return int(answer[:3])
    return fields[b"x-method"].decode(), bytes.fromhex(fields[b"x-body"].decode())


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    told = [(b"x-method", scope["method"].encode()), (b"x-body", body.hex().encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 200, "headers": told})
    await send({"type": "http.response.body"})
