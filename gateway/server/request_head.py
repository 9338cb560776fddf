"""Checks of a request's head beyond those of httptools."""

from __future__ import annotations

import re

from gateway.api.client import HeaderList, HeaderMap
from gateway.errors import HeadersTooLarge, InvalidRequest, NotImplementedInHttp, UnsupportedVersion

MAX_HEAD_BYTES = 32 * 1024  # also of trailers, and of chunk extensions between two bytes of a body
MAX_HEADERS = 100
HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
HIGHEST_PORT = 65_535
# Decisions depend on each of these, so a repeated one would be ambiguous.
SINGLE = frozenset(
    (b"host", b"origin", b"sec-fetch-site", b"content-encoding", b"content-type", b"access-control-request-method")
)


def check_head(headers: HeaderList, fields: HeaderMap, *, method: bytes, version: str) -> None:
    """Raises InvalidRequest, NotImplementedInHttp, UnsupportedVersion. `fields` are the headers by name."""
    if version not in ("1.1", "1.0"):
        raise wrong_version(version)
    if len(fields) != len(headers):
        _refuse_repeated(headers)
    host = fields.get(b"host")
    if host is None:
        if version == "1.1":
            raise InvalidRequest("A request has exactly one Host header.", code="bad_host")
    elif not _names_a_host(host):
        raise InvalidRequest("The Host header names no host.", code="bad_host")
    if method == b"CONNECT":
        raise NotImplementedInHttp("CONNECT is not supported: the gateway is not a forward proxy.")
    if b"transfer-encoding" in fields:
        _refuse_codings(headers)


def without_upgrade(headers: HeaderList, *, method: bytes, url: bytes, version: str) -> bytes:
    """The same head as bytes, without its `Upgrade` header."""
    lines = [b"%b: %b\r\n" % (name, value) for name, value in headers if name != b"upgrade"]
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, url, version.encode(), b"".join(lines))


def wrong_version(version: str) -> UnsupportedVersion:
    return UnsupportedVersion(f"HTTP/{version} is not supported; use HTTP/1.1.")


def too_large() -> HeadersTooLarge:
    return HeadersTooLarge(f"A request's head has at most {MAX_HEADERS} headers and {MAX_HEAD_BYTES} bytes.")


def _names_a_host(host: bytes) -> bool:
    found = HOST.fullmatch(host)
    return found is not None and (found[1] is None or int(found[1]) <= HIGHEST_PORT)


def _refuse_repeated(headers: HeaderList) -> None:
    names = [name for name, _ in headers if name in SINGLE]
    for name in names:
        if name == b"host" and names.count(name) > 1:
            raise InvalidRequest("A request has exactly one Host header.", code="bad_host")
        if names.count(name) > 1:
            raise InvalidRequest(f"The {name.decode()} header is sent twice; send it once.", code="repeated_header")


def _refuse_codings(headers: HeaderList) -> None:
    """httptools refuses a request whose last coding is not `chunked`, but accepts others before it."""
    values = b",".join(value for name, value in headers if name == b"transfer-encoding")
    codings = [coding.strip(b" \t").lower() for coding in values.split(b",")]
    if codings[-1] == b"chunked" and len(codings) > 1:
        raise NotImplementedInHttp("The only supported transfer coding is `chunked`.")
