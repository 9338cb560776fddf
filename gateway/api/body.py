"""Reads a request's body within its own limit and the limit of all bodies together."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Receive

from gateway.errors import GatewayError, InvalidRequest, Overloaded, RequestTooLarge, UnsupportedEncoding

FREE_BYTES = 65_536  # of a body: smaller ones are not counted, the number of requests bounds them


class ClientDisconnected(GatewayError):
    """The client disconnected before its request was complete; no response can be sent."""

    status = 499
    code = "client_closed_request"


class BodyBudget:
    """Limits the memory of all request bodies together. A body counts from its first byte to the end of its answer."""

    def __init__(self, total: int) -> None:
        self._total = total
        self.held = 0
        self.refused = 0

    def share(self) -> BodyShare:
        """The share of one request, used in a `with` block around the time that its body is in memory."""
        return BodyShare(self)

    def take(self, more: int) -> None:
        """Reserve `more` bytes, or release them where negative. Raises Overloaded when fewer are left."""
        if more > 0 and self.held + more > self._total:
            self.refused += 1
            raise Overloaded(
                f"The bodies of the requests under way take all of the {self._total} bytes that they may together "
                "(`limits.bodies_bytes`); try again soon.",
                retry_after=2.0,
            )
        self.held += more


class BodyShare:
    """What one request's body takes of the budget."""

    __slots__ = ("_budget", "_taken")

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._taken = 0

    def cover(self, size: int, *, limit: int) -> int:
        """Take as much as `size` bytes need, but no more than `limit`; how many bytes are covered now. Raises Overloaded."""
        covered = min(limit, max(size, FREE_BYTES))
        counted = covered if covered > FREE_BYTES else 0
        if counted != self._taken:
            self._budget.take(counted - self._taken)
            self._taken = counted
        return covered

    def __enter__(self) -> BodyShare:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.take(-self._taken)
        self._taken = 0


def alone(limit: int) -> BodyShare:
    """The share of a body that has a budget of its own."""
    return BodyBudget(limit).share()


async def read_body(
    headers: Mapping[bytes, bytes], receive: Receive, *, limit: int, share: BodyShare | None = None
) -> bytes:
    """All of an ASGI request's body. Raises what `check_encoding` does, RequestTooLarge above `limit` bytes, Overloaded, ClientDisconnected."""
    share = share or alone(limit)
    covered = share.cover(check_encoding(headers, limit=limit), limit=limit)
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected("The client left.")
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise too_large(limit)
        if size > covered:
            covered = share.cover(2 * size, limit=limit)
        pieces.append(piece)
        if not message.get("more_body", False):
            share.cover(size, limit=limit)
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def check_encoding(headers: Mapping[bytes, bytes], *, limit: int) -> int:
    """The Content-Length, 0 without one. Raises UnsupportedEncoding, InvalidRequest, RequestTooLarge."""
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedEncoding("A compressed request body is not accepted; send it as it is.")
    length = headers.get(b"content-length", b"0")
    if not length.isdigit():
        raise InvalidRequest("The Content-Length header is not a number.")
    if int(length) > limit:
        raise RequestTooLarge(f"The body has {int(length)} bytes; the limit is {limit}.")
    return int(length)


def too_large(limit: int) -> RequestTooLarge:
    """The error for a body that turned out larger than the limit."""
    return RequestTooLarge(f"The body is larger than the limit of {limit} bytes.")
