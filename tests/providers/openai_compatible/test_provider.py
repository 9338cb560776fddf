"""The provider for any upstream that speaks OpenAI's API."""

from __future__ import annotations

import orjson
import pytest

from gateway.dialects.chat_completions import parse_chat_request
from gateway.errors import UpstreamRateLimited
from gateway.providers.base import UpstreamEndpoint
from gateway.providers.openai_compatible import OpenAICompatible
from gateway.sse import ServerSentEvent

REQUEST = parse_chat_request(b'{"model": "auto", "messages": [{"role": "user", "content": "hi"}]}')


@pytest.mark.parametrize("base_url", ["https://api.test/v1", "https://api.test/v1/"])
def test_request_has_path_bearer_key_and_fixed_headers(base_url: str) -> None:
    """The path is appended to the base URL, the key is a bearer's, and fixed headers go along."""
    sent = OpenAICompatible(UpstreamEndpoint(base_url, "k", {"x-title": "t"}), name="acme").build_request(REQUEST, "m")
    assert (sent.provider, sent.model, sent.url) == ("acme", "m", "https://api.test/v1/chat/completions")
    assert sent.headers == {"x-title": "t", "authorization": "Bearer k"}
    assert not sent.stream


def test_request_without_a_key_has_no_authorization() -> None:
    """Without a key there is no authorization, instead of an empty one."""
    assert (
        "authorization"
        not in OpenAICompatible(UpstreamEndpoint("http://localhost", "")).build_request(REQUEST, "m").headers
    )


def test_answer_keeps_a_usable_upstream_id() -> None:
    """An answer keeps the upstream's id where it is one."""
    provider = OpenAICompatible(UpstreamEndpoint("http://localhost", ""))
    sent = provider.build_request(REQUEST, "m")
    choices = [{"message": {"content": "4", "reasoning_details": [{"type": "t"}]}}]
    completion = provider.parse_response({"id": "r1", "choices": choices, "service_tier": "flex"}, sent)
    assert (completion.upstream_id, completion.usage, completion.extra) == ("r1", None, {"service_tier": "flex"})
    assert completion.choices[0]["message"]["reasoning_details"] == [{"index": 0, "type": "t"}]
    assert provider.parse_response({"id": 7, "choices": choices}, sent).upstream_id is None


def test_error_is_read_by_the_shared_rules_without_the_key() -> None:
    """A refusal is read by the rules that all dialects share, without the key."""
    body = orjson.dumps({"error": {"message": "hunter2 asks too often", "code": "rate_limit_exceeded"}})
    error = OpenAICompatible(UpstreamEndpoint("http://localhost", "hunter2"), name="acme").parse_error(
        429, {"retry-after": "3"}, body
    )
    assert isinstance(error, UpstreamRateLimited)
    assert (error.provider, error.retry_after, error.message) == ("acme", 3.0, "[redacted] asks too often")


def test_stream_parser_carries_the_upstreams_name() -> None:
    """A stream is read as that of the upstream's own name."""
    provider = OpenAICompatible(UpstreamEndpoint("http://localhost", ""), name="acme")
    parser = provider.stream_parser(provider.build_request(REQUEST, "m"))
    (chunk,) = parser.feed(
        ServerSentEvent(b'{"choices": [{"delta": {"content": "4"}}], "usage": {"prompt_tokens": 3}}')
    )
    assert chunk.usage is not None
    assert chunk.usage.prompt_tokens == 3
