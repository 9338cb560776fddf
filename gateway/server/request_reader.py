"""Parses a connection's bytes into requests: httptools parses, and rules that it does not check are checked here.

An `Upgrade` is ignored (RFC 9110, 7.8), but httptools obeys it: it drops the request's body. So the head is read once more,
without that header, by a fresh parser.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import httptools

from gateway.api.client import HeaderMap
from gateway.errors import GatewayError, InvalidRequest
from gateway.server.request_head import (
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    check_head,
    too_large,
    without_upgrade,
    wrong_version,
)


class RequestReader(ABC):
    """`_headers_done` and `_message_done` say how much of the current request was read; both are true between two requests."""

    __slots__ = (
        "_error",
        "_head_bytes",
        "_headers",
        "_headers_done",
        "_message_done",
        "_parser",
        "_unparsed_bytes",
        "_url",
    )

    def __init__(self) -> None:
        self._parser = self._new_parser()
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._headers_done = self._message_done = True
        self._head_bytes = self._unparsed_bytes = 0
        self._error: GatewayError | None = None

    @abstractmethod
    def _begin(self, fields: HeaderMap, *, method: bytes, version: str) -> None:
        """A head is complete. Raises the GatewayError that the request is refused with."""

    @abstractmethod
    def on_body(self, body: bytes) -> None:
        """More of the request's body. Sets `_unparsed_bytes` to 0."""

    @abstractmethod
    def _complete(self) -> None:
        """The request is whole."""

    def _read(self, data: bytes | memoryview) -> GatewayError | None:
        """Feed the parser. The error that the request has to be refused with, if any; then nothing more can be read."""
        if not self._message_done:
            self._unparsed_bytes += len(data)
        try:
            self._parse(data)
        except (httptools.HttpParserError, GatewayError):
            error, self._error = self._error, None
            return error or self._unreadable()
        return too_large() if not self._message_done and self._unparsed_bytes > MAX_HEAD_BYTES else None

    def _parse(self, data: bytes | memoryview) -> None:
        while True:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                method, version = self._parser.get_method(), self._parser.get_http_version()
                head = without_upgrade(self._headers, method=method, url=self._url, version=version)
                data = head + data[upgrade.args[0] :]
                self._parser = self._new_parser()
            else:
                return

    def _unreadable(self) -> GatewayError:
        version = self._parser.get_http_version()
        if version >= "2":  # clients of HTTP/2 that do not ask first
            return wrong_version(version)
        return InvalidRequest("This is not a valid request of HTTP/1.1.", code="bad_http")

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        # What follows a last request is not read; which versions are supported is decided in `check_head`.
        parser.set_dangerous_leniencies(lenient_data_after_close=True, lenient_version=True)
        return parser

    # Callbacks of httptools.HttpRequestParser.

    def on_message_begin(self) -> None:
        self._headers_done = self._message_done = False
        self._head_bytes = self._unparsed_bytes = 0
        self._url = b""
        self._headers = []

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._headers_done:
            return  # trailers are ignored
        self._headers.append((name.lower(), value.strip(b" \t")))
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES or len(self._headers) > MAX_HEADERS:
            self._fail(too_large())

    def on_headers_complete(self) -> None:
        fields = dict(self._headers)
        method, version = self._parser.get_method(), self._parser.get_http_version()
        try:
            check_head(self._headers, fields, method=method, version=version)
            if not self._parser.should_upgrade():  # else `_parse` reads it once more
                self._begin(fields, method=method, version=version)
                self._headers_done = True
        except GatewayError as error:
            self._fail(error)

    def on_message_complete(self) -> None:
        if self._headers_done:
            self._message_done = True
            self._complete()

    def _fail(self, error: GatewayError) -> None:
        """Raise from a callback; the parser wraps the exception, so it is kept for `_read`."""
        self._error = error
        raise error
