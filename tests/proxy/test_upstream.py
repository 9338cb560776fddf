"""One upstream's stream, read as the network delivers it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gateway.errors import UpstreamInvalidResponse
from gateway.providers.base import Endpoint
from gateway.providers.openrouter import OpenRouter
from gateway.proxy.upstream import UpstreamStream
from gateway.transport import UpstreamResponse
from gateway.wire import UpstreamRequest

SAYS = b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
SENT = UpstreamRequest(provider="openrouter", model="m", url="http://upstream", headers={}, json={}, stream=True)

pytestmark = pytest.mark.anyio


class Endless(UpstreamResponse):
    """Says the same for ever."""

    def __init__(self, piece: bytes) -> None:
        self.provider, self.status = "openrouter", 200
        self.said = 0
        self._piece = piece

    @property
    def headers(self) -> Mapping[str, str]:
        return {}

    async def piece(self) -> bytes:
        self.said += len(self._piece)
        return self._piece

    async def aclose(self) -> None:
        return


def opened(response: UpstreamResponse, *, limit: int) -> UpstreamStream:
    provider = OpenRouter(Endpoint("http://upstream", "key"))
    return UpstreamStream(response, provider.stream_parser(SENT), provider="openrouter", limit=limit)


async def text_of(stream: UpstreamStream, heard: list[str]) -> None:
    while chunks := await stream.chunks():
        heard += [choice["delta"]["content"] for chunk in chunks for choice in chunk.choices]


async def test_a_stream_without_end() -> None:
    """What has come is passed on, up to the limit; then the upstream counts as broken."""
    stream = opened(Endless(SAYS), limit=10 * len(SAYS))
    await stream.peek()
    heard: list[str] = []
    with pytest.raises(UpstreamInvalidResponse, match="did not come to an end"):
        await text_of(stream, heard)
    assert heard == ["x"] * 11


async def test_comments_without_end() -> None:
    """Nor can an upstream keep a request waiting with comments for ever."""
    response = Endless(b": still thinking\n\n")
    with pytest.raises(UpstreamInvalidResponse):
        await opened(response, limit=1000).peek()
    assert response.said < 1100
