"""One upstream's stream, read as the network delivers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import httpx2
import pytest

from gateway.errors import UpstreamInvalidResponse
from gateway.providers.base import Endpoint
from gateway.providers.openrouter import OpenRouter
from gateway.proxy.upstream import Into, UpstreamStream
from gateway.transport import UpstreamResponse
from gateway.wire import Chunk, UpstreamRequest
from tests.conftest import MakeGateway

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


def hearing(heard: list[str], *, most: int = 1000) -> Into:
    """Writes down what is said, until that is so many words."""

    def into(chunks: Sequence[Chunk]) -> bool:
        heard.extend(choice["delta"].get("content", "") for chunk in chunks for choice in chunk.choices)
        return len(heard) < most

    return into


async def test_a_stream_without_end() -> None:
    """What has come is passed on, up to the limit; then the upstream counts as broken."""
    stream = opened(Endless(SAYS), limit=10 * len(SAYS))
    await stream.peek()
    heard: list[str] = []
    with pytest.raises(UpstreamInvalidResponse, match="did not come to an end"):
        await stream.pour(hearing(heard))
    assert heard == ["x"] * 11


async def test_full() -> None:
    """Who wants no more, of what was read ahead or of what comes, is given no more before it asks."""
    stream = opened(Endless(SAYS), limit=10 * len(SAYS))
    await stream.peek()
    heard: list[str] = []
    assert await stream.pour(hearing(heard, most=1))
    assert heard == ["x"]
    assert await stream.pour(hearing(heard, most=3))
    assert heard == ["x"] * 3


async def test_full_at_the_break() -> None:
    """A stream that breaks with the piece that was one too many tells so the next time."""
    stream = opened(Endless(SAYS), limit=len(SAYS))
    await stream.peek()
    heard: list[str] = []
    assert await stream.pour(hearing(heard, most=1))
    assert await stream.pour(hearing(heard, most=2))
    for _ in range(2):
        with pytest.raises(UpstreamInvalidResponse):
            await stream.pour(hearing(heard))
    assert heard == ["x"] * 2


async def test_comments_without_end() -> None:
    """Nor can an upstream keep a request waiting with comments for ever."""
    response = Endless(b": still thinking\n\n")
    with pytest.raises(UpstreamInvalidResponse):
        await opened(response, limit=1000).peek()
    assert response.said < 1100


async def test_an_event_without_end() -> None:
    """One event that only grows ends the stream as well."""
    response = Endless(b"data: " + b"x" * 1_000_000)
    with pytest.raises(UpstreamInvalidResponse, match="event"):
        await opened(response, limit=100_000_000).peek()
    assert response.said < 100_000_000


WHOLE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-haiku-5-5",
    "content": [{"type": "text", "text": "4"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 9, "output_tokens": 1},
}


@pytest.mark.parametrize(
    ("told", "stream", "words"),
    [([1, 2], False, "no object"), ([1, 2], True, "no object"), (WHOLE, True, "without a stream")],
)
def test_what_is_no_answer(make_gateway: MakeGateway, told: object, stream: bool, words: str) -> None:
    """JSON that is no object, and a whole answer where a stream was asked for, are the upstream's errors and say so."""
    gateway = make_gateway(lambda _: httpx2.Response(200, json=told))
    response = gateway.ask(model="claude/claude-haiku-5-5", stream=stream)
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_invalid_response")
    assert words in response.json()["error"]["message"]
