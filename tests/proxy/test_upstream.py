"""One upstream's answer, opened as far as the network delivers it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat

import httpx2
import orjson
import pytest

from gateway.completion import Chunk
from gateway.errors import UpstreamInvalidResponse
from gateway.providers.base import StreamParser
from gateway.proxy.body_executor import BodyExecutor
from gateway.proxy.relay import ChunkReader
from gateway.proxy.upstream import UpstreamStream
from gateway.sse import ServerSentEvent
from gateway.transport import UpstreamResponse
from tests.conftest import MakeGateway
from tests.proxy.test_relay import DONE, EVENT, LONG, content, reader_of
from tests.upstreams import answer


class Pieces(UpstreamResponse):
    """A body that comes in these pieces; `taken` counts their bytes."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.provider, self.status = "openrouter", 200
        self.taken = 0
        self._pieces = pieces

    @property
    def headers(self) -> Mapping[str, str]:
        return {}

    async def read_chunk(self) -> bytes:
        piece = next(self._pieces, b"")
        self.taken += len(piece)
        return piece

    async def aclose(self) -> None:
        return


def stream_of(response: UpstreamResponse, *, limit: int = 10**9) -> UpstreamStream:
    return UpstreamStream(response, reader_of(limit=limit), worker=BodyExecutor())


ROLE = EVENT.replace(b'{"content":"x"}', b'{"role":"assistant","content":""}')


async def test_a_stream_is_read_up_to_its_first_content() -> None:
    """Comments and a role are no content; nothing is taken from the network behind the content."""
    response = Pieces(iter([b": comment\n\n", ROLE, EVENT, EVENT, DONE]))
    stream = stream_of(response)
    await stream.peek()
    assert [choice["delta"] for chunk in stream.read_ahead for choice in chunk.choices][-1]["content"] == "x"
    assert (stream.ended, stream.first.upstream_id) == (False, "1")
    assert response.taken == stream.read_ahead_bytes == len(b": comment\n\n" + ROLE + EVENT)


@pytest.mark.parametrize("wire", [content("a" * LONG) + DONE, content("a" * LONG)[:-1]], ids=["whole", "at the end"])
async def test_the_first_content_is_large(wire: bytes) -> None:
    """A large first event is parsed in the worker's thread and read ahead like any other."""
    stream = stream_of(Pieces(iter([wire])))
    await stream.peek()
    assert len(stream.first.choices[0]["delta"]["content"]) == LONG


class SilentParser(StreamParser):
    """Finds nothing in a stream."""

    def feed(self, event: ServerSentEvent) -> Sequence[Chunk]:
        return ()

    def close(self) -> Sequence[Chunk]:
        return ()


async def test_a_stream_without_content() -> None:
    """A stream may end without content; then it has no first chunk."""
    stream = UpstreamStream(
        Pieces(iter([EVENT])), ChunkReader(SilentParser(), provider="openrouter"), worker=BodyExecutor()
    )
    await stream.peek()
    assert stream.ended
    assert stream.first.choices == ()


async def test_comments_without_end() -> None:
    """An upstream cannot keep a request waiting with comments for ever."""
    response = Pieces(repeat(b": still thinking\n\n"))
    with pytest.raises(UpstreamInvalidResponse):
        await stream_of(response, limit=1000).peek()
    assert response.taken < 1100


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
    [([1, 2], False, "not an object"), ([1, 2], True, "not an object"), (WHOLE, True, "without a stream")],
)
def test_what_is_no_answer(make_gateway: MakeGateway, told: object, stream: bool, words: str) -> None:
    """JSON that is no object, and a whole answer where a stream was asked for, are the upstream's errors and say so."""
    gateway = make_gateway(lambda _: httpx2.Response(200, json=told))
    response = gateway.ask(model="claude/claude-haiku-5-5", stream=stream)
    assert (response.status_code, response.json()["error"]["code"]) == (502, "upstream_invalid_response")
    assert words in response.json()["error"]["message"]
