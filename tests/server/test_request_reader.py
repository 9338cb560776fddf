"""The reader of requests alone: what it tells about."""

from __future__ import annotations

import pytest

from gateway.api.client import HeaderMap
from gateway.errors import GatewayError, InvalidRequest
from gateway.server.request_head import MAX_HEAD_BYTES
from gateway.server.request_reader import RequestReader
from tests.server.connections import CHUNKED, GET, HEAD


class Told(RequestReader):
    """Writes down what it reads, in order."""

    def __init__(self, refused: GatewayError | None = None) -> None:
        super().__init__()
        self.read: list[object] = []
        self._refused = refused

    def feed(self, data: bytes) -> str | None:
        refusal = self._read(data)
        return None if refusal is None else refusal.code

    def _begin(self, fields: HeaderMap, *, method: bytes, version: str) -> None:
        if self._refused is not None:
            raise self._refused
        self.read.append((method, version, sorted(fields)))

    def on_body(self, body: bytes) -> None:
        self._unparsed_bytes = 0
        self.read.append(body)

    def _complete(self) -> None:
        self.read.append("whole")


@pytest.mark.parametrize("upgrade", [b"", b"Connection: Upgrade\r\nUpgrade: a\r\n"], ids=["plain", "upgrade"])
def test_events_come_in_order_head_body_end(upgrade: bytes) -> None:
    """A request is told once: its head, its body, its end; with or without the wish for another protocol."""
    reader = Told()
    assert reader.feed(HEAD + upgrade + b"Content-Length: 2\r\n\r\nab" + GET) is None
    names = [b"connection", b"content-length", b"host"] if upgrade else [b"content-length", b"host"]
    assert reader.read == [(b"POST", "1.1", names), b"ab", "whole", (b"GET", "1.1", [b"host"]), "whole"]


def test_events_outlive_the_reused_buffer() -> None:
    """What is read stays as it was when the buffer is used again."""
    buffer = bytearray(HEAD + b"Connection: Upgrade\r\nUpgrade: a\r\nContent-Length: 4\r\n\r\nab")
    reader = Told()
    assert reader.feed(memoryview(buffer)) is None  # type: ignore[arg-type]
    buffer[:] = b"x" * len(buffer)
    assert reader.feed(b"cd") is None
    assert reader.read[1:] == [b"ab", b"cd", "whole"]


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"nonsense", "bad_http"),
        (b"GET / HTTP/2.0\r\n\r\n", "http_version_not_supported"),
        (HEAD + b"x: " + b"y" * MAX_HEAD_BYTES + b"y" * 4096, "headers_too_large"),
        (CHUNKED + b"1;" + b"y" * MAX_HEAD_BYTES + b"y" * 4096, "headers_too_large"),
    ],
    ids=["garbage", "version", "header", "chunk extension"],
)
def test_unreadable_request_is_refused_with_a_code(raw: bytes, code: str) -> None:
    """What cannot be read is refused with a code that says why, also where the rest of it never comes."""
    reader = Told()
    told = [reader.feed(raw[at : at + 4096]) for at in range(0, len(raw), 4096)]
    assert told[-1] == code


def test_connection_may_refuse_a_head_with_a_reason() -> None:
    """A head that the connection refuses is refused with its reason."""
    assert Told(InvalidRequest("Not now.", code="later")).feed(GET) == "later"
