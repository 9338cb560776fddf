"""The interface to upstream HTTP: requests, responses, timeouts and TLS. Two clients implement it."""

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
MAX_BODY = 64 * 1024 * 1024  # bytes of a body that is read as a whole

Sink = Callable[[bytes], bool]  # takes a chunk of a body; returns whether it wants more


class Timeouts(NamedTuple):
    """Timeouts of one call, in seconds.

    `connect` covers DNS, TCP and TLS. `first_byte` runs from the start, connecting included, until the response headers are
    read. `idle` is the longest pause within the body. `total` covers everything until the end of the body.
    """

    connect: float = 5.0
    first_byte: float = 60.0
    idle: float = 60.0
    total: float = 300.0


class TimeLimits(NamedTuple):
    """Configured time limits, in seconds. `connect` covers DNS, TCP and TLS.

    A response that is not streamed has `total` for everything, all attempts included. A stream has `first_byte` until its
    first content, connecting included, or `thinking` where the model may think first. After that `idle` is the longest
    pause between bytes, pings and comments included; `stream` covers everything, all attempts included.
    """

    connect: float = 5.0
    first_byte: float = 120.0
    thinking: float = 900.0
    idle: float = 300.0
    total: float = 590.0
    stream: float = 3600.0

    def patient(self) -> TimeLimits:
        """For an answer that may wait for free capacity: as long as a model may think, for the first byte and for the whole."""
        return self._replace(first_byte=max(self.first_byte, self.thinking), total=max(self.total, self.thinking))

    def of_answer(self, remaining: float) -> Timeouts:
        """Timeouts of a call that is not streamed, within the `remaining` seconds of its request."""
        return Timeouts(self.connect, first_byte=self.total, idle=self.total, total=min(self.total, remaining))

    def of_stream(self, remaining: float, *, thinks: bool) -> Timeouts:
        """Timeouts of a streamed call, within the `remaining` seconds of its request. `thinks`: the model may think first."""
        first_byte = self.thinking if thinks else self.first_byte
        return Timeouts(self.connect, first_byte=first_byte, idle=self.idle, total=min(self.stream, remaining))


class UpstreamResponse(ABC):
    """A response whose headers have arrived. The caller must close it with `aclose`.

    Header names are lower case. The body is read once, by `read`, `read_chunk` or `stream_into`; they raise only
    UpstreamError.
    """

    __slots__ = ("_timeouts",)

    provider: str
    status: int
    _timeouts: Timeouts

    def allow_silence(self, seconds: float) -> None:
        """Set the idle timeout, from the next read on."""
        self._timeouts = self._timeouts._replace(idle=seconds)

    @property
    @abstractmethod
    def headers(self) -> Mapping[str, str]: ...

    @abstractmethod
    async def read_chunk(self) -> bytes:
        """The next bytes of the body, as soon as they arrive; empty at its end."""

    async def stream_into(self, sink: Sink) -> bool:
        """Pass each chunk to `sink` as it arrives. Returns True once `sink` refuses more, False at the end of the body.

        An implementation may call `sink` from a socket callback, without waking the awaiting task. An exception of `sink`
        is raised here.
        """
        while chunk := await self.read_chunk():
            if not sink(chunk):
                return True
        return False

    @abstractmethod
    async def aclose(self) -> None:
        """Release the connection. It is reused only where the body was read to its end. Can be called again."""

    async def read(self, limit: int = MAX_BODY) -> bytes:
        """The whole body. Raises UpstreamInvalidResponse when it is longer than `limit` bytes."""
        body = bytearray()  # a list of chunks of one byte each would take 40 times the memory
        while chunk := await self.read_chunk():
            body += chunk
            if len(body) > limit:
                await self.aclose()
                raise UpstreamInvalidResponse(
                    f"{self.provider} sent an answer of more than {limit} bytes.",
                    provider=self.provider,
                    upstream_status=self.status,
                )
        return bytes(body)


class Transport(Protocol):
    """An HTTP client, one per process. Sends one POST and returns as soon as the response headers have arrived."""

    async def send(self, request: UpstreamRequest, *, timeouts: Timeouts) -> UpstreamResponse:
        """Raises UpstreamError only: unreachable, TLS, timeout, invalid response. Redirects are not followed."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


def encode_body(request: UpstreamRequest) -> bytes:
    return orjson.dumps(request.json) if request.encoded is None else request.encoded


def encode_headers(request: UpstreamRequest) -> dict[str, str]:
    """The headers to send, names in lower case. No compression is requested: it delays chunks and allows gzip bombs.

    Raises UpstreamUnreachable for a value that is not printable ASCII, for example a key with a line break.
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
                f"{request.provider} cannot be called: the value of header {name!r} is not printable ASCII.",
                provider=request.provider,
            )
        headers[name.lower()] = value
    return headers


def refuse_encoding(headers: Mapping[str, str], *, provider: str, status: int) -> None:
    """Raises UpstreamInvalidResponse for a compressed body: none was requested, and its decoded size is unknown."""
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise UpstreamInvalidResponse(
            f"{provider} sent a compressed answer that was not requested.", provider=provider, upstream_status=status
        )


def tls_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Trusts the system's certificate authorities and those in `ca_file` (PEM). TLS 1.2 or newer; checks cannot be turned off."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context
