"""What every dialect's stream keeps, whatever it speaks: one suite over `PROVIDERS`."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import UpstreamError, UpstreamTruncated
from gateway.providers import PROVIDERS
from gateway.providers.base import Provider
from gateway.sse import ServerSentEvent, SSEDecoder
from tests.providers.contract import HTML, answer, choices, events, joined, made, sample, sent, streamed


@pytest.fixture(params=sorted(PROVIDERS))
def provider(request: pytest.FixtureRequest) -> Provider:
    return made(request.param)


def test_stream_says_what_the_answer_says(provider: Provider) -> None:
    """Joined by the official SDK, the stream gives the same message as the whole answer."""
    whole = answer(provider).choices[0]["message"]
    message = joined(streamed(provider, [sample(provider, "stream.sse")])).choices[0].message.model_dump()
    for member in ("content", "reasoning_content"):
        assert message.get(member) == whole.get(member)
    assert called(message["tool_calls"]) == called(whole["tool_calls"])
    assert len({call["id"] for call in message["tool_calls"]}) == 2


def called(calls: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    return [(call["function"]["name"], orjson.loads(call["function"]["arguments"])) for call in calls]


@pytest.mark.parametrize("cut", [1, 2, 7, 4096])
@pytest.mark.parametrize("name", ["stream.sse", "unknown.sse"])
def test_chunks_do_not_depend_on_the_piece_size(provider: Provider, name: str, cut: int) -> None:
    """However large the network's pieces are, the chunks are the same."""
    wire, to = sample(provider, name), sent(provider)
    pieces = [wire[at : at + cut] for at in range(0, len(wire), cut)]
    assert streamed(provider, pieces, to=to) == streamed(provider, [wire], to=to)


@pytest.mark.parametrize("name", sorted(PROVIDERS))
@settings(max_examples=30)
@given(data=st.data())
def test_chunks_do_not_depend_on_how_the_stream_is_cut(name: str, data: st.DataObject) -> None:
    """Wherever the network cuts, the chunks are the same."""
    provider = made(name)
    wire, to = sample(provider, "stream.sse"), sent(provider)
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=8))
    pieces = [wire[a:b] for a, b in pairwise([0, *sorted(cuts), len(wire)])]
    assert streamed(provider, pieces, to=to) == streamed(provider, [wire], to=to)


@pytest.mark.parametrize("name", ["stream.sse", "unknown.sse"])
def test_stream_has_role_first_finish_last_and_call_heads_once(provider: Provider, name: str) -> None:
    """The role comes first and once, one finish reason comes last, calls count from 0 and tell id and name once."""
    told = choices(streamed(provider, [sample(provider, name)]))
    assert [choice["delta"].get("role") for choice in told] == ["assistant"] + [None] * (len(told) - 1)
    reasons = [choice.get("finish_reason") for choice in told]
    assert reasons[-1] == ("tool_calls" if name == "stream.sse" else "stop")
    assert set(reasons[:-1]) <= {None}
    calls = [call for choice in told for call in choice["delta"].get("tool_calls", ())]
    assert [call["index"] for call in calls if "id" in call] == ([0, 1] if name == "stream.sse" else [])
    assert all("name" in call["function"] for call in calls if "id" in call)
    assert not any("name" in call["function"] for call in calls if "id" not in call)


def test_entries_of_lists_have_an_index(provider: Provider) -> None:
    """Every entry of a list in a delta has an index, without which clients cannot join them."""
    for name in ("stream.sse", "unknown.sse"):
        for choice in choices(streamed(provider, [sample(provider, name)])):
            lists = [value for value in choice["delta"].values() if isinstance(value, list)]
            assert all(isinstance(entry["index"], int) for entries in lists for entry in entries)


@pytest.mark.parametrize("wire", [b"data: {\n\n", b"data: " + HTML + b"\n\n"], ids=["half", "page"])
def test_event_that_is_not_json(provider: Provider, wire: bytes) -> None:
    """An event that is not JSON is an upstream's error."""
    with pytest.raises(UpstreamError):
        streamed(provider, [wire])


def test_stream_cut_before_its_end_mark_is_truncated(provider: Provider) -> None:
    """A stream that ends before its end mark, after any event, is told as truncated, and no finish reason was given."""
    wire = events(sample(provider, "stream.sse"))
    for kept in range(len(wire)):
        parser, decoder = provider.stream_parser(sent(provider)), SSEDecoder()
        told = [chunk for event in decoder.feed(b"".join(wire[:kept])) for chunk in parser.feed(event)]
        with pytest.raises(UpstreamTruncated):
            parser.close()
        assert not any(choice.get("finish_reason") for choice in choices(told))


@pytest.mark.parametrize("cut", [0, 3], ids=["done", "open"])
@pytest.mark.parametrize("name", ["claude", "openai", "openrouter"])  # each of Gemini's events tells another usage
def test_text_fast_path_agrees_with_decoding(name: str, cut: int) -> None:
    """What is told of a piece without decoding it is what decoding it tells, at any place of a stream; often it is told."""
    provider = made(name)
    wire = events(sample(provider, "stream.sse"))
    decoded, quick = provider.stream_parser(sent(provider)), provider.stream_parser(sent(provider))
    told = 0
    for piece in [piece for piece in wire[: len(wire) - cut] for _ in range(3)] + wire:
        (event,) = SSEDecoder().feed(piece) if b"data:" in piece else [ServerSentEvent(b"")]
        expected = [] if not event.data else list(decoded.feed(event))
        chunk = quick.fast_path(piece)
        told += chunk is not None
        if chunk is not None:
            assert [chunk] == expected
        elif event.data:
            assert list(quick.feed(event)) == expected
    assert told > 0


def test_dialect_without_fast_path_decodes_every_event() -> None:
    """A dialect whose events differ in more than their text has each decoded."""
    provider = made("gemini")
    parser = provider.stream_parser(sent(provider))
    assert not any(parser.fast_path(piece) for piece in events(sample(provider, "stream.sse")))
