"""What every engine shares: the bytes to send and the answers to refuse."""

from __future__ import annotations

import pytest

from gateway.errors import UpstreamInvalidResponse, UpstreamUnreachable
from gateway.transport.base import body_of, headers_of, refuse_encoding
from tests.transport.servers import chat

REQUEST = chat("http://h/")


def test_request_headers_replace_the_defaults() -> None:
    """The request's own headers stand over ours, in lower case."""
    headers = headers_of(REQUEST._replace(headers={"Content-Type": "text/plain", "X-Api-Key": "k"}))
    assert (headers["content-type"], headers["x-api-key"]) == ("text/plain", "k")
    assert body_of(REQUEST) == '{"hello":"wörld"}'.encode()


@pytest.mark.parametrize("value", ["sk-secret\r\nx-evil: 1", "sk-secret\n", "sk-secret\0", "sk-sécret"])
def test_illegal_header_is_not_sent_or_shown(value: str) -> None:
    """A key that would break the request is not sent, nor shown."""
    with pytest.raises(UpstreamUnreachable, match="'x-api-key'") as caught:
        headers_of(REQUEST._replace(headers={"x-api-key": value}))
    assert "sk-" not in caught.value.message


def refuses(headers: dict[str, str]) -> bool:
    try:
        refuse_encoding(headers, provider="claude", status=200)
    except UpstreamInvalidResponse:
        return True
    return False


@pytest.mark.parametrize("encoding", ["gzip", "BR", "identity, gzip", "x-unknown"])
def test_compressed_answer_is_refused(encoding: str) -> None:
    """Any compression is refused."""
    assert refuses({"content-encoding": encoding})


@pytest.mark.parametrize("headers", [{}, {"content-encoding": ""}, {"content-encoding": " Identity "}])
def test_identity_encoding_is_accepted(headers: dict[str, str]) -> None:
    """No encoding, however it is said, passes."""
    assert not refuses(headers)
