"""What every dialect keeps, whatever it speaks: one suite over `PROVIDERS`, with a sample of each one's wire in `samples/`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from gateway.dialects.chat_completions import completion_body
from gateway.errors import UpstreamError
from gateway.providers import PROVIDERS
from gateway.providers.base import Provider
from tests.providers.contract import (
    HTML,
    KEY,
    MODELS,
    PRIVATE,
    answer,
    asked,
    events,
    joined,
    made,
    sample,
    sent,
    spoilt,
    spoilt_event,
    streamed,
)

NAMES = st.sampled_from([
    "choices", "message", "delta", "content", "tool_calls", "function", "candidates", "parts", "type", "usage", "index",
    "reasoning_details", "error",
])  # fmt: skip
NOISE = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=15,
)


@pytest.fixture(params=sorted(PROVIDERS))
def provider(request: pytest.FixtureRequest) -> Provider:
    return made(request.param)


def test_request_is_not_changed(provider: Provider) -> None:
    """Building leaves the client's request as it is, and building again gives the same."""
    request = asked()
    before = orjson.dumps(request.body)
    first, second = (provider.build_request(request, MODELS[provider.name]) for _ in range(2))
    assert orjson.dumps(request.body) == before
    assert (first.url, first.headers, orjson.dumps(first.json)) == (
        second.url,
        second.headers,
        orjson.dumps(second.json),
    )
    assert (first.provider, first.model, first.stream) == (provider.name, MODELS[provider.name], True)
    assert first.url.startswith("https://upstream.test/base/")


def test_headers_are_one_object(provider: Provider) -> None:
    """All requests share one headers object, which lets the transport write it out once."""
    assert sent(provider).headers is sent(provider).headers


def test_key_is_in_a_header(provider: Provider) -> None:
    """The key stands in a header, never in the URL, the body or what the endpoint shows of itself."""
    built = sent(provider)
    assert any(KEY in value for value in built.headers.values())
    assert KEY not in built.url
    assert KEY not in orjson.dumps(built.json).decode()
    assert KEY not in repr(provider.endpoint)


def test_private_members_are_not_sent(provider: Provider) -> None:
    """What is ours, another's or nobody's is not sent to a provider."""
    assert PRIVATE not in orjson.dumps(sent(provider).json).decode()


def test_answer_is_openai_s(provider: Provider) -> None:
    """A whole answer has OpenAI's shape, with its text, its reasoning apart, and its calls."""
    completion = answer(provider)
    body = completion_body(
        completion,
        id="r",
        created=1,
        model="m",
        usage=None,
        legacy_functions=False,
    )
    ChatCompletion.model_validate(body, strict=True)
    (choice,) = body["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("It is 4.\u2028So: ", "tool_calls")
    assert [orjson.loads(call["function"]["arguments"]) for call in choice["message"]["tool_calls"]] == [
        {"city": "Rome"},
        {"city": "Oslo"},
    ]
    assert len({call["id"] for call in choice["message"]["tool_calls"]}) == 2


def test_usage_counts_mean_the_same_for_every_provider(provider: Provider) -> None:
    """Counts mean the same for every dialect: the prompt with what was cached, the completion with its reasoning."""
    last = [chunk.usage for chunk in streamed(provider, [sample(provider, "stream.sse")]) if chunk.usage][-1]
    for usage in (answer(provider).usage, last):
        assert usage is not None
        assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) == (120, 40, 100)
        assert usage.raw


def test_unknown_is_passed_over(provider: Provider) -> None:
    """Unknown reasons, blocks, members and events do not raise, and the text is still read."""
    (choice,) = answer(provider, "unknown.json").choices
    assert (choice["message"]["content"], choice["finish_reason"]) == ("4", "stop")
    assert joined(streamed(provider, [sample(provider, "unknown.sse")])).choices[0].message.content == "4"


@pytest.mark.parametrize("bad", [-5, 1.5, 10**18, 1e300, "12", "NaN", None, True, [], {}], ids=repr)
def test_absurd_usage_is_never_negative_and_fails_nothing(provider: Provider, bad: object) -> None:
    """Usage is never negative and never fails the answer, whatever the provider counts."""
    body = spoilt(orjson.loads(sample(provider, "answer.json")), bad)
    usages = [provider.parse_response(body, sent(provider)).usage]
    wire = b"".join(spoilt_event(event, bad) for event in events(sample(provider, "stream.sse")))
    usages += [chunk.usage for chunk in streamed(provider, [wire])]
    for usage in filter(None, usages):
        assert min(usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens) >= 0
        assert usage.cached_tokens + usage.cache_write_tokens + usage.cache_write_1h_tokens <= usage.prompt_tokens
        assert usage.reported_cost is None or usage.reported_cost >= 0


@pytest.mark.parametrize("status", [301, 400, 401, 404, 429, 500, 502, 503, 529])
@pytest.mark.parametrize("body", [HTML, b"", b'{"error":', b"[]", b"7", b'{"error": null}'], ids=repr)
def test_error_page_names_the_provider(provider: Provider, status: int, body: bytes) -> None:
    """An HTML page, nothing or garbage with any status is an upstream's error that names the provider."""
    error = provider.parse_error(status, {"content-type": "text/html"}, body)
    assert isinstance(error, UpstreamError)
    assert (error.provider, error.upstream_status) == (provider.name, status)
    assert "<" not in error.message


def test_error_hides_the_key(provider: Provider) -> None:
    """A provider that repeats the key in its error does not tell it to the client."""
    body = orjson.dumps(
        {
            "type": "error",
            "error": {
                "message": f"bad value {KEY} in request",
                "type": "invalid_request_error",
                "status": "INVALID_ARGUMENT",
            },
        }
    )
    assert KEY not in provider.parse_error(400, {}, body).message
    for read in (read_whole, read_stream):
        with pytest.raises(UpstreamError) as told:
            read(provider, body)
        assert KEY not in told.value.message


def read_whole(provider: Provider, body: bytes) -> None:
    provider.parse_response(orjson.loads(body), sent(provider))


def read_stream(provider: Provider, body: bytes) -> None:
    streamed(provider, [b"event: error\ndata: " + body + b"\n\n"])


@pytest.mark.parametrize(
    "body", [{}, {"choices": []}, {"choices": "x", "candidates": "x", "content": "x"}, {"choices": [{}]}], ids=repr
)
def test_answer_of_another_dialect_is_an_upstream_error(provider: Provider, body: dict[str, Any]) -> None:
    """A 200 answer that is not the dialect's is an upstream's error, not an empty answer."""
    with pytest.raises(UpstreamError):
        provider.parse_response(body, sent(provider))


@pytest.mark.parametrize("name", sorted(PROVIDERS))
@settings(max_examples=50)
@given(
    body=st.dictionaries(
        st.sampled_from(["choices", "candidates", "content", "type", "usage", "error", "message", "delta"]), NOISE
    )
)
def test_any_json_answer_is_read_or_an_upstream_error(name: str, body: dict[str, Any]) -> None:
    """Whatever JSON an upstream answers, whole or streamed, reading it gives an answer or UpstreamError."""
    provider = made(name)
    with suppress(UpstreamError):
        whole = provider.parse_response(body, sent(provider))
        assert all("message" in choice for choice in whole.choices)
    with suppress(UpstreamError):
        chunks = streamed(provider, [b"data: " + orjson.dumps(body) + b"\n\n"])
        assert all("delta" in choice for chunk in chunks for choice in chunk.choices)
