"""The seam to the network: what an engine is asked, what it answers, and how long either may take."""

from __future__ import annotations

import re
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import orjson

from gateway.completion import UpstreamRequest
from gateway.errors import UpstreamInvalidResponse, UpstreamUnreachable

LEGAL = re.compile(r"[ -~]+")
MAX_BODY = 64 * 1024 * 1024  # bytes of an answer that is read as a whole

Sink = Callable[[bytes], bool]  # takes a piece of a body; whether it wants another


class Timeouts(NamedTuple):
    """Seconds. `connect` covers DNS, TCP and TLS; `first_byte` runs from the start of sending until the answer's headers
    are read, connecting included; `idle` is the longest silence within the body; `total` covers everything, the body's end included.
    """

    connect: float = 5.0
    first_byte: float = 60.0
    idle: float = 60.0
    total: float = 300.0


class TimeLimits(NamedTuple):
    """Seconds. `connect` covers DNS, TCP and TLS.

    A whole (unstreamed) answer has `total` for everything, with all attempts. A stream has `first_byte` until its first
    content, connecting included, or `thinking` where the model may think before; from then on `idle` is the longest
    silence, in which every byte counts, that of a ping or comment too; `stream` is for everything, with all attempts.
    """

    connect: float = 5.0
    first_byte: float = 120.0
    thinking: float = 900.0
    idle: float = 300.0
    total: float = 590.0
    stream: float = 3600.0

    def of_answer(self, remaining: float) -> Timeouts:
        """Those of a call that is answered whole, within the `remaining` seconds of its request."""
        return Timeouts(self.connect, first_byte=self.total, idle=self.total, total=min(self.total, remaining))

    def of_stream(self, remaining: float, *, thinks: bool) -> Timeouts:
        """Those of a call that is answered by a stream, within the `remaining` seconds of its request."""
        first = self.thinking if thinks else self.first_byte
        return Timeouts(self.connect, first_byte=first, idle=self.idle, total=min(self.stream, remaining))


class UpstreamResponse(ABC):
    """An answer whose headers have arrived. Whoever holds it closes it, whatever happens.

    Header names are lower case. The body comes once, by `read`, piece by piece or poured; all raise UpstreamError only.
    """

    __slots__ = ("_timeouts",)

    provider: str
    status: int
    _timeouts: Timeouts

    def allow_silence(self, seconds: float) -> None:
        """Let the body be silent for so long from the next read on."""
        self._timeouts = self._timeouts._replace(idle=seconds)

    @property
    @abstractmethod
    def headers(self) -> Mapping[str, str]: ...

    @abstractmethod
    async def read_chunk(self) -> bytes:
        """The body's next bytes, as soon as there are any; none once it has ended."""

    async def stream_into(self, into: Sink) -> bool:
        """Hand every piece to `into` as it comes, until it wants no more; False once the body has ended.

        An engine may call `into` from the event loop, without waking who waits here; what it raises is raised here.
        """
        while piece := await self.read_chunk():
            if not into(piece):
                return True
        return False

    @abstractmethod
    async def aclose(self) -> None:
        """Let go of the connection: kept for reuse only when the body was read to its end. Can be called again."""

    async def read(self, limit: int = MAX_BODY) -> bytes:
        """The whole body. Raises UpstreamInvalidResponse when it is longer than `limit` bytes."""
        body = bytearray()  # not a list of pieces: an upstream that sends byte by byte would make it 40 times as large
        while piece := await self.read_chunk():
            body += piece
            if len(body) > limit:
                await self.aclose()
                raise UpstreamInvalidResponse(
                    f"{self.provider} sent an answer of more than {limit} bytes.",
                    provider=self.provider,
                    upstream_status=self.status,
                )
        return bytes(body)


class Transport(Protocol):
    """An engine: sends one POST and answers as soon as the response's headers are there. One serves the whole process."""

    async def send(self, request: UpstreamRequest, *, timeouts: Timeouts) -> UpstreamResponse:
        """Raises UpstreamError only: unreachable, TLS, timeout, invalid response. Redirects are not followed."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


def body_of(request: UpstreamRequest) -> bytes:
    return orjson.dumps(request.json) if request.encoded is None else request.encoded


def headers_of(request: UpstreamRequest) -> dict[str, str]:
    """The headers to send, in lower case. Compression is not asked for: it delays pieces and can hide a bomb.

    Raises UpstreamUnreachable for a header that would break the request, such as a key with a line break in it.
    """
    headers = {
        "accept": "*/*",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "user-agent": "auto-gateway",
    }
    for name, value in request.headers.items():
        if not LEGAL.fullmatch(name + value):
            raise UpstreamUnreachable(
                f"{request.provider} cannot be asked: the value of header {name!r} is not printable ASCII.",
                provider=request.provider,
            )
        headers[name.lower()] = value
    return headers


def refuse_encoding(headers: Mapping[str, str], *, provider: str, status: int) -> None:
    """Raises UpstreamInvalidResponse for a compressed body: none was asked for, so its decoded size is anyone's guess."""
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise UpstreamInvalidResponse(
            f"{provider} sent a compressed answer that was not asked for.", provider=provider, upstream_status=status
        )


def tls_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """The system's certificate authorities and those in `ca_file` (PEM); TLS 1.2 or newer. There is no way to switch checks off."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context
