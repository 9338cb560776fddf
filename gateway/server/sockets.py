"""Listening sockets, opened before the server and its workers start."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

BACKLOG = 2048  # connections that the kernel queues until they are accepted; uvicorn's default


def listen(host: str, port: int) -> Sequence[socket.socket]:
    """One socket for each address of the host, all on the same port.

    Raises OSError when an address cannot be bound, except when it is not the first one and does not exist on this machine.
    """
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, *_, address in dict.fromkeys(addresses):
            bound = sockets[0].getsockname()[1] if sockets else port  # port 0: all addresses get the first one's port
            try:
                sockets.append(socket.create_server((address[0], bound, *address[2:]), family=family, backlog=BACKLOG))
            except OSError as error:
                if not sockets or error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
    except OSError:
        close_all(sockets)
        raise
    return sockets


def close_all(sockets: Sequence[socket.socket]) -> None:
    for listening in sockets:
        listening.close()
