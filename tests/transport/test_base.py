"""What every engine shares: the bytes to send and the answers to refuse."""

from __future__ import annotations

import pytest

from gateway.errors import UpstreamInvalidResponse, UpstreamUnreachable
from gateway.transport import TimeLimits, Timeouts
from gateway.transport.base import encode_body, encode_headers, refuse_encoding
from tests.transport.servers import chat

REQUEST = chat("http://h/")
LIMITS = TimeLimits(connect=1, first_byte=2, thinking=3, idle=4, total=5, stream=6)


def test_request_headers_replace_the_defaults() -> None:
    """The request's own headers stand over ours, in lower case."""
    headers = encode_headers(REQUEST._replace(headers={"Content-Type": "text/plain", "X-Api-Key": "k"}))
    assert (headers["content-type"], headers["x-api-key"]) == ("text/plain", "k")
    assert encode_body(REQUEST) == '{"hello":"wörld"}'.encode()


@pytest.mark.parametrize("value", ["sk-secret\r\nx-evil: 1", "sk-secret\n", "sk-secret\0", "sk-sécret"])
def test_illegal_header_is_not_sent_or_shown(value: str) -> None:
    """A key that would break the request is not sent, nor shown."""
    with pytest.raises(UpstreamUnreachable, match="'x-api-key'") as caught:
        encode_headers(REQUEST._replace(headers={"x-api-key": value}))
    assert "sk-" not in caught.value.message


@pytest.mark.parametrize("encoding", ["gzip", "BR", "identity, gzip", "x-unknown"])
def test_compressed_answer_is_refused(encoding: str) -> None:
    """Any compression is refused."""
    with pytest.raises(UpstreamInvalidResponse):
        refuse_encoding({"content-encoding": encoding}, provider="claude", status=200)


@pytest.mark.parametrize("headers", [{}, {"content-encoding": ""}, {"content-encoding": " Identity "}])
def test_identity_encoding_is_accepted(headers: dict[str, str]) -> None:
    """No encoding, however it is said, passes."""
    refuse_encoding(headers, provider="claude", status=200)


def test_whole_answer_has_a_total_limit_only() -> None:
    """A whole answer has its total, and no limit on silence beside; what is left of its request may be less."""
    assert LIMITS.of_answer(100) == Timeouts(connect=1, first_byte=5, idle=5, total=5)
    assert LIMITS.of_answer(3).total == 3


def test_stream_has_limits_on_first_content_silence_and_total() -> None:
    """A stream has a limit on its first content by whether the model thinks, one on silence, and one for all of it."""
    assert LIMITS.of_stream(100, thinks=False) == Timeouts(connect=1, first_byte=2, idle=4, total=6)
    assert LIMITS.of_stream(100, thinks=True) == Timeouts(connect=1, first_byte=3, idle=4, total=6)
    assert LIMITS.of_stream(1.5, thinks=True).total == 1.5


def test_an_answer_in_time_for_sdks() -> None:
    """A whole answer's limit is told before OpenAI's and Anthropic's SDKs give up, after 600 s."""
    assert 580 < TimeLimits().total < 600
