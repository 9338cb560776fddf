"""A request's body, read within limits."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Receive

from gateway.errors import GatewayError, InvalidRequest, RequestTooLarge, UnsupportedEncoding


class ClientGone(GatewayError):
    """The client left before its request was whole; nobody is there to be told."""

    status = 499
    code = "client_closed_request"


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, *, limit: int) -> bytes:
    """All of an ASGI request's body. Raises what `refuse_unreadable` does, RequestTooLarge above `limit` bytes, ClientGone."""
    refuse_unreadable(headers, limit=limit)
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone("The client left.")
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise too_large(limit)
        pieces.append(piece)
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def refuse_unreadable(headers: Mapping[bytes, bytes], *, limit: int) -> None:
    """What the headers tell of a body before it is read. Raises UnsupportedEncoding, InvalidRequest, RequestTooLarge."""
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedEncoding("A compressed request body is not accepted; send it as it is.")
    length = headers.get(b"content-length", b"0")
    if not length.isdigit():
        raise InvalidRequest("The Content-Length header is not a number.")
    if int(length) > limit:
        raise RequestTooLarge(f"The body has {int(length)} bytes; the limit is {limit}.")


def too_large(limit: int) -> RequestTooLarge:
    """That more came than was announced, or nothing was."""
    return RequestTooLarge(f"The body is larger than the limit of {limit} bytes.")
