"""Calls one upstream and opens its answer: a whole completion, or a stream that has been read up to its first content."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import orjson

from gateway.completion import ChatRequest, Chunk, Completion, Json, UpstreamRequest
from gateway.errors import InvalidRequest, TooLargeForProvider, UpstreamInvalidResponse
from gateway.json_body import parse_answer
from gateway.long_json import dumps
from gateway.providers.base import Provider
from gateway.proxy.body_executor import LARGE, BodyExecutor
from gateway.proxy.relay import ChunkReader
from gateway.transport import Timeouts, Transport, UpstreamResponse
from gateway.transport.errors import timed_out

ERROR_BODY_LIMIT = 1024 * 1024  # bytes
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class UpstreamStream:
    """An open streamed answer. Its owner closes it.

    `read_ahead` holds the chunks up to the first content, made of `read_ahead_bytes`; `ended` says whether the body was read
    to its end. What comes after `read_ahead` is taken from `response` and parsed by `reader`.
    """

    __slots__ = ("_has_content", "_worker", "ended", "read_ahead", "read_ahead_bytes", "reader", "response")

    def __init__(self, response: UpstreamResponse, reader: ChunkReader, *, worker: BodyExecutor) -> None:
        self.response = response
        self.reader = reader
        self.read_ahead: list[Chunk] = []
        self.read_ahead_bytes = 0
        self.ended = False
        self._worker = worker
        self._has_content = False

    async def peek(self) -> None:
        """Read up to the first content, or to the end. Raises the UpstreamError that comes before."""
        while not self._has_content:
            if self.reader.suspended:
                self._add(await self._worker.run(self.reader.pending_bytes, self.reader.resume))
            elif self.ended:
                return
            elif not await self.response.stream_into(self._on_bytes):
                self.ended = True
                self._add(self.reader.close())

    def _on_bytes(self, piece: bytes) -> bool:
        self.read_ahead_bytes += len(piece)
        self._add(self.reader.feed(piece))
        return not (self._has_content or self.reader.suspended)

    def _add(self, chunks: Sequence[Chunk]) -> None:
        self.read_ahead += chunks
        self._has_content = any(_has_content(choice) for chunk in chunks for choice in chunk.choices)

    @property
    def first(self) -> Chunk:
        """The first chunk that has choices; an empty one if the stream ended without."""
        return next((chunk for chunk in self.read_ahead if chunk.choices), Chunk())

    async def aclose(self) -> None:
        """Close the answer; its connection is reused only if the body was read to its end."""
        await self.response.aclose()


async def call_upstream(
    provider: Provider,
    request: ChatRequest,
    model: str,
    *,
    transport: Transport,
    timeouts: Timeouts,
    worker: BodyExecutor,
    trace: Mapping[str, str] = _NO_HEADERS,
) -> Completion | UpstreamStream:
    """Send `request` to `model` and open the answer; `worker` translates large bodies. Raises InvalidRequest, UpstreamError.

    For a stream, the `first_byte` timeout covers everything up to the first content; `idle` applies from then on. `trace` are
    headers that name the request's trace.
    """
    sent = with_headers(await worker.run(request.size, partial(_translated, provider, request, model)), trace)
    deadline = asyncio.get_running_loop().time() + timeouts.first_byte
    opening = timeouts._replace(idle=timeouts.first_byte) if sent.stream else timeouts
    response = await transport.send(sent, timeouts=opening)
    opened = False
    try:
        if not 200 <= response.status < 300:
            raise provider.parse_error(response.status, response.headers, await response.read(limit=ERROR_BODY_LIMIT))
        if not sent.stream:
            return await _read_completion(provider, sent, await response.read(), worker=worker)
        if not response.headers.get("content-type", "text/event-stream").startswith("text/event-stream"):
            # Not a stream: an error with status 200, or garbage. The dialect's parser raises its own errors.
            await _read_completion(provider, sent, await response.read(limit=ERROR_BODY_LIMIT), worker=worker)
            raise UpstreamInvalidResponse(
                f"{provider.name} answered a streamed request without a stream.", provider=provider.name
            )
        reader = ChunkReader(provider.stream_parser(sent), provider=provider.name)
        stream = UpstreamStream(response, reader, worker=worker)
        try:
            async with asyncio.timeout_at(deadline):
                await stream.peek()
        except TimeoutError as error:
            raise timed_out(provider.name, seconds=timeouts.first_byte) from error
        response.allow_silence(timeouts.idle)
        opened = True
        return stream
    finally:
        if not opened:
            await response.aclose()


def _translated(provider: Provider, request: ChatRequest, model: str) -> UpstreamRequest:
    """The request in the provider's dialect. A large one is encoded here, in the worker's thread."""
    native = request.native
    if native is not None and native.untranslatable is not None and not provider.speaks(native):
        path, reason = native.untranslatable
        raise InvalidRequest(reason, param=path, code="unsupported_value")
    sent = provider.build_request(request, model)
    return sent if request.size <= LARGE else with_encoded_body(sent, provider)


def with_headers(sent: UpstreamRequest, headers: Mapping[str, str]) -> UpstreamRequest:
    """The request with these headers too."""
    return sent._replace(headers={**sent.headers, **headers}) if headers else sent


def with_encoded_body(sent: UpstreamRequest, provider: Provider) -> UpstreamRequest:
    """The request with its body encoded. Raises TooLargeForProvider."""
    encoded = dumps(sent.json)
    limit = provider.max_request_bytes
    if limit is not None and len(encoded) > limit:
        raise TooLargeForProvider(
            f"{provider.name} takes requests of at most {limit} bytes; this one has {len(encoded)} in its dialect. "
            "Send fewer or smaller files."
        )
    return sent._replace(encoded=encoded)


def _has_content(choice: Json) -> bool:
    """Whether a chunk's choice has more than the role."""
    if choice.get("finish_reason") is not None:
        return True
    return any(value for name, value in choice.get("delta", {}).items() if name != "role")


async def _read_completion(
    provider: Provider, sent: UpstreamRequest, body: bytes, *, worker: BodyExecutor
) -> Completion:
    """Parse a whole answer; `worker` parses a large one."""
    completion = await worker.run(len(body), partial(_completion, provider, sent, body))
    return completion._replace(large=True) if len(body) > LARGE else completion


def _completion(provider: Provider, sent: UpstreamRequest, body: bytes) -> Completion:
    return provider.parse_response(parse_json_object(body, provider=provider.name), sent)


def parse_json_object(body: bytes, *, provider: str) -> dict[str, Any]:
    """The JSON object of an upstream's answer. Raises UpstreamInvalidResponse for anything else."""
    try:
        parsed: Any = parse_answer(body)
    except orjson.JSONDecodeError as error:
        raise UpstreamInvalidResponse(
            f"{provider} answered something that cannot be read as JSON: {error.msg}.", provider=provider
        ) from error
    if not isinstance(parsed, dict):
        raise UpstreamInvalidResponse(f"{provider} sent JSON that is not an object.", provider=provider)
    return parsed
