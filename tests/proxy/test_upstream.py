"""One upstream's stream, read as the network delivers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import httpx2
import orjson
import pytest

from gateway.completion import Chunk, UpstreamRequest
from gateway.errors import UpstreamError, UpstreamInvalidResponse
from gateway.providers.base import UpstreamEndpoint
from gateway.providers.openrouter import OpenRouter
from gateway.proxy.body_executor import LARGE, BodyExecutor
from gateway.proxy.upstream import ChunkSink, UpstreamStream
from gateway.transport import UpstreamResponse
from tests.conftest import MakeGateway
from tests.upstreams import answer

SAYS = b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
SENT = UpstreamRequest(provider="openrouter", model="m", url="http://upstream", headers={}, json={}, stream=True)

pytestmark = pytest.mark.anyio


class Told(UpstreamResponse):
    """Says each of these pieces once."""

    def __init__(self, *pieces: bytes) -> None:
        self.provider, self.status = "openrouter", 200
        self._pieces = list(pieces)

    @property
    def headers(self) -> Mapping[str, str]:
        return {}

    async def read_chunk(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    async def aclose(self) -> None:
        return


class Endless(UpstreamResponse):
    """Says the same for ever."""

    def __init__(self, piece: bytes) -> None:
        self.provider, self.status = "openrouter", 200
        self.said = 0
        self._piece = piece

    @property
    def headers(self) -> Mapping[str, str]:
        return {}

    async def read_chunk(self) -> bytes:
        self.said += len(self._piece)
        return self._piece

    async def aclose(self) -> None:
        return


def opened(response: UpstreamResponse, *, limit: int) -> UpstreamStream:
    provider = OpenRouter(UpstreamEndpoint("http://upstream", "key"))
    return UpstreamStream(
        response, provider.stream_parser(SENT), provider="openrouter", worker=BodyExecutor(), limit=limit
    )


def hearing(collector: list[str], *, most: int = 1000) -> ChunkSink:
    """Writes down what is said, until that is so many words."""

    def into(chunks: Sequence[Chunk]) -> bool:
        collector.extend(choice["delta"].get("content", "") for chunk in chunks for choice in chunk.choices)
        return len(collector) < most

    return into


async def test_a_stream_without_end() -> None:
    """What has come is passed on, up to the limit; then the upstream counts as broken."""
    stream = opened(Endless(SAYS), limit=10 * len(SAYS))
    await stream.peek()
    collector: list[str] = []
    with pytest.raises(UpstreamInvalidResponse, match="did not come to an end"):
        await stream.stream_into(hearing(collector))
    assert collector == ["x"] * 11


async def test_full() -> None:
    """Who wants no more, of what was read ahead or of what comes, is given no more before it asks."""
    stream = opened(Endless(SAYS), limit=10 * len(SAYS))
    await stream.peek()
    collector: list[str] = []
    assert await stream.stream_into(hearing(collector, most=1))
    assert collector == ["x"]
    assert await stream.stream_into(hearing(collector, most=3))
    assert collector == ["x"] * 3


async def test_full_at_the_break() -> None:
    """A stream that breaks with the piece that was one too many tells so the next time."""
    stream = opened(Endless(SAYS), limit=len(SAYS))
    await stream.peek()
    collector: list[str] = []
    assert await stream.stream_into(hearing(collector, most=1))
    assert await stream.stream_into(hearing(collector, most=2))
    for _ in range(2):
        with pytest.raises(UpstreamInvalidResponse):
            await stream.stream_into(hearing(collector))
    assert collector == ["x"] * 2


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


def said(text: str) -> bytes:
    return SAYS.replace(b'"x"', b'"%b"' % text.encode())


async def heard_of(*pieces: bytes, most: int = 1000) -> tuple[list[tuple[str, bool]], UpstreamError | None]:
    """The first letter of everything said and whether a thread was asked to write it; and what the stream broke with.

    `most` words are taken at a time.
    """
    stream = opened(Told(*pieces), limit=100_000_000)
    collector: list[tuple[str, bool]] = []

    def note(chunks: Sequence[Chunk], *, large: bool) -> bool:
        words = [choice["delta"].get("content") for chunk in chunks for choice in chunk.choices]
        collector.extend((word[0], large) for word in words if word)
        return len(collector) % most > 0

    async def into_large(chunks: Sequence[Chunk]) -> bool:
        return note(chunks, large=True)

    try:
        await stream.peek()
        while await stream.stream_into(partial(note, large=False), large=into_large):
            pass
    except UpstreamError as error:
        return collector, error
    return collector, None


LONG = 2 * LARGE
END = b"data: [DONE]\n\n"


@pytest.mark.parametrize("most", [1000, 1])
async def test_a_large_event_keeps_its_place(most: int) -> None:
    """A large event is parsed and written in a thread; what came before and after it stays in order, also from one piece."""
    wire = said("a") + said("b" * LONG) + said("c") + said("d" * LONG) + said("e") + END
    expected = [("a", False), ("b", True), ("c", False), ("d", True), ("e", False)]
    assert await heard_of(wire, most=most) == (expected, None)
    assert await heard_of(*(wire[at : at + 9973] for at in range(0, len(wire), 9973)), most=most) == (expected, None)


@pytest.mark.parametrize(
    "wire", [said("a" * LONG) + END, said("a" * LONG)[:-1]], ids=["first", "without its blank line"]
)
async def test_a_large_event_alone(wire: bytes) -> None:
    """A large event is passed on where it is the first one, and where only the stream's end completes it."""
    collector, _ = await heard_of(wire)
    assert collector == [("a", True)]


async def test_a_large_event_that_tells_of_an_error() -> None:
    """What came before a large error is passed on, and nothing of what follows."""
    error = b'data: {"error":{"message":"%b","code":500}}\n\n' % (b"x" * LONG)
    collector, broke = await heard_of(said("a") + said("b") + error + said("c") + END)
    assert collector == [("a", False), ("b", False)]
    assert broke is not None


@pytest.mark.parametrize("stream", [True, False])
def test_a_large_answer(make_gateway: MakeGateway, stream: bool) -> None:
    """A large answer comes out whole, streamed or not."""
    text = "Grüße \u2028 " * 60_000
    gateway = make_gateway(answer(text))
    response = gateway.ask(model="openrouter/qwen/qwen3.8-flash", stream=stream)
    assert response.status_code == 200
    if stream:
        lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line.startswith("data: {")]
        assert "".join(c["delta"].get("content", "") for line in lines for c in orjson.loads(line)["choices"]) == text
    else:
        assert response.json()["choices"][0]["message"]["content"] == text


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
