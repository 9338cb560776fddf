"""From an upstream's bytes to the client's, without an event loop."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.completion import Chunk, UpstreamRequest
from gateway.dialects.chat_completions import ChunkWriter
from gateway.errors import UpstreamError, UpstreamInvalidResponse
from gateway.providers import PROVIDERS
from gateway.providers.base import UpstreamEndpoint
from gateway.providers.openrouter import OpenRouter
from gateway.proxy.body_executor import LARGE
from gateway.proxy.relay import ChunkReader, Relay
from tests.providers.contract import made, sample, sent
from tests.proxy.transactions import chat_request

EVENT = b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
DONE = b"data: [DONE]\n\n"
ERROR = b'data: {"error":{"message":"It broke.","code":500}}\n\n'
SENT = UpstreamRequest(provider="openrouter", model="m", url="http://upstream", headers={}, json={}, stream=True)
LONG = 2 * LARGE


def content(text: str) -> bytes:
    return EVENT.replace(b'"x"', b'"%b"' % text.encode())


def relay_of(reader: ChunkReader) -> Relay:
    writer = ChunkWriter(id="chatcmpl-1", created=1, model="m", include_usage=True, legacy_functions=False)
    return Relay(reader, writer, chat_request(stream=True))


def reader_of(*, limit: int = 10**9) -> ChunkReader:
    provider = OpenRouter(UpstreamEndpoint("http://upstream", "key"))
    return ChunkReader(provider.stream_parser(SENT), provider="openrouter", limit=limit)


def relayed(reader: ChunkReader, *pieces: bytes) -> tuple[bytes, Relay, UpstreamError | None]:
    """All bytes for the client, and the error that ended them."""
    relay, written = relay_of(reader), b""
    try:
        for piece in pieces:
            written += relay.feed(piece)
            while reader.suspended:
                written += relay.resume()
        written += relay.close()
        while reader.suspended:
            written += relay.resume()
    except UpstreamError as error:
        return written, relay, error
    return written, relay, None


@pytest.mark.parametrize("name", sorted(PROVIDERS))
@settings(max_examples=30)
@given(data=st.data())
def test_any_cut_gives_the_same_bytes(name: str, data: st.DataObject) -> None:
    """Wherever the network cuts an upstream's stream, the client's bytes, the usage and the facts are the same."""
    provider = made(name)
    wire, request = sample(provider, "stream.sse"), sent(provider)
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=8))

    def run(*pieces: bytes) -> tuple[object, ...]:
        reader = ChunkReader(provider.stream_parser(request), provider=name)
        written, relay, error = relayed(reader, *pieces)
        return written, relay.received, relay.answer(), error

    assert run(*(wire[a:b] for a, b in pairwise([0, *sorted(cuts), len(wire)]))) == run(wire)


@given(st.lists(st.integers(0, len(2 * EVENT + ERROR)), max_size=8))
def test_any_cut_before_an_error(cuts: list[int]) -> None:
    """What came before an error is passed on, whether in the same piece or not; nothing of what follows is."""
    wire = 2 * EVENT + ERROR + EVENT
    written, relay, error = relayed(reader_of(), *(wire[a:b] for a, b in pairwise([0, *sorted(cuts), len(wire)])))
    assert written.count(b'"x"') == 2
    assert isinstance(error, UpstreamError)
    assert relay.received.chars == 2


@pytest.mark.parametrize("cut", [10**9, 9973], ids=["one piece", "many pieces"])
def test_a_large_event_keeps_its_place(cut: int) -> None:
    """A large event suspends the relay, so that it can be parsed in a thread; everything stays in order."""
    wire = content("a") + content("b" * LONG) + content("c") + content("d" * LONG) + content("e") + DONE
    written, relay, error = relayed(reader_of(), *(wire[at : at + cut] for at in range(0, len(wire), cut)))
    assert error is None
    places = [written.index(b'"content":"' + letter) for letter in (b"a", b"b", b"c", b"d", b"e")]
    assert places == sorted(places)
    assert relay.received.chars == 3 + 2 * LONG


def sizes(chunks: Sequence[Chunk]) -> list[int]:
    return [len(choice["delta"]["content"]) for chunk in chunks for choice in chunk.choices]


def test_a_large_event_suspends_the_reader() -> None:
    """A step returns what came before the large event; `resume` parses the event and what came behind it."""
    reader = reader_of()
    assert sizes(reader.feed(content("a") + content("b" * LONG) + content("c"))) == [1]
    assert reader.suspended
    assert reader.pending_bytes > LONG
    assert sizes(reader.resume()) == [LONG, 1]
    assert not reader.suspended
    assert reader.pending_bytes == 0


@pytest.mark.parametrize("wire", [content("a" * LONG), content("a" * LONG)[:-1]], ids=["whole", "no blank line"])
def test_a_large_last_event(wire: bytes) -> None:
    """A large event is passed on where it is the only one, and where only the stream's end completes it."""
    written, _, error = relayed(reader_of(), wire)
    assert written.count(b"a") > LONG
    assert error is not None  # there was no end mark


def test_a_large_event_with_an_error() -> None:
    """What came before a large error is passed on, and nothing of what follows."""
    wire = content("a") + ERROR.replace(b"It broke.", b"x" * LONG) + content("c") + DONE
    written, relay, error = relayed(reader_of(), wire)
    assert (relay.received.chars, written.count(b'"content":"c"')) == (1, 0)
    assert error is not None


def test_a_stream_without_end() -> None:
    """What has come is passed on, up to the limit; then the upstream counts as broken."""
    written, _, error = relayed(reader_of(limit=10 * len(EVENT)), *[EVENT] * 20)
    assert written.count(b'"x"') == 11
    assert isinstance(error, UpstreamInvalidResponse)
    assert "did not come to an end" in error.message


def test_comments_without_end() -> None:
    """Comments count towards the limit."""
    written, _, error = relayed(reader_of(limit=1000), *[b": still thinking\n\n"] * 100)
    assert written == b""
    assert isinstance(error, UpstreamInvalidResponse)


def test_an_event_without_end() -> None:
    """One event that only grows ends the stream as well."""
    _, _, error = relayed(reader_of(), *[b"data: " + b"x" * 1_000_000] * 20)
    assert isinstance(error, UpstreamInvalidResponse)
    assert "event" in error.message


def test_usage_and_dropped_content_are_kept() -> None:
    """The newest usage counts, and each kind of dropped content is named once."""
    usage = b'data: {"id":"1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":%d}}\n\n'
    _, relay, _ = relayed(reader_of(), EVENT, usage % 1, usage % 2, DONE)
    assert relay.received.usage is not None
    assert relay.received.usage.completion_tokens == 2
