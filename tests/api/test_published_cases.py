"""What h11's and llhttp's own tests send to a server, in our words: the gateway reads what h11 reads, or says why not.

A case without `why` has to come out as h11 has it; one with `why` has to differ from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.api.against_h11 import Read, by_gateway, by_h11, echoing

STRICTER = "RFC 9112 lets a server refuse it, and other readers on the way may read it differently"
METHODS = "llhttp knows a fixed list of methods; no route has another one"
PROTOCOL = (
    "llhttp reads this protocol too, with the same framing; the parser does not tell, and it gives no further rights"
)
EMPTY_LINES = "RFC 9112, 2.2: empty lines before a request are to be passed over"


class Case(NamedTuple):
    """`ours` is what the gateway makes of it, where that is not what h11 does."""

    name: str
    raw: bytes
    ours: Read | None = None
    why: str = ""


def head(*lines: bytes, line: bytes = b"POST / HTTP/1.1") -> bytes:
    """A request's head with a Host."""
    return b"\r\n".join((line, b"Host: a", *lines, b"", b""))


def get(line: bytes) -> bytes:
    return head(line=line)


def chunks(raw: bytes) -> bytes:
    return head(b"Transfer-Encoding: chunked") + raw


def coded(*codings: bytes, raw: bytes = b"0\r\n\r\n") -> bytes:
    return head(*(b"Transfer-Encoding: " + coding for coding in codings)) + raw


GET = get(b"GET / HTTP/1.1")
OLD = b"GET / HTTP/1.0\r\n"
UPGRADE = (b"Connection: upgrade", b"Upgrade: ws")

CASES = (
    # h11: test_io, test_connection, test_headers
    Case("no headers in HTTP/1.0", b"HEAD /foo HTTP/1.0\r\n\r\n"),
    Case("a header in HTTP/1.0", b"HEAD /foo HTTP/1.0\r\nSome: header\r\n\r\n"),
    Case("no Host", b"GET / HTTP/1.1\r\n\r\n"),
    Case("two Hosts", head(b"Host: b")),
    Case("two Hosts in HTTP/1.0", OLD + b"Host: a\r\nHost: b\r\n\r\n"),
    Case("folded header", head(b"Some: multi-line", b" header", b"\tnonsense"), [400], STRICTER),
    Case("folded first line", b"HEAD /foo HTTP/1.1\r\n  folded: line\r\n\r\n"),
    Case("spaces before the colon", head(b"foo  : line")),
    Case("tab before the colon", head(b"foo\t: line")),
    Case("no name", head(b": line")),
    Case("no colon", head(b"foo")),
    Case("empty value", head(b"foo:")),
    Case("value of white space", head(b"foo: \t \t ")),
    Case("one letter each", head(b"foo: a a a a a ")),
    Case("bare line ends", head().replace(b"\r\n", b"\n"), [400], STRICTER),
    Case("mixed line ends", b"GET / HTTP/1.1\r\nHost: a\n\r\n", [400], STRICTER),
    Case("garbage behind the request line", get(b"HEAD /foo HTTP/1.1 xxxxxx")),
    Case("NUL in a value", head(b"foo: a\x00b")),
    Case("NUL in a name", head(b"a\x00b: c")),
    Case("control letter in a name", head(b"a\x01b: c")),
    Case("8 bits in a name", head(b"a\xffb: c")),
    Case("8 bits in a value", head(b"foo: \xffbar")),
    Case("control letter in a value", head(b"foo: a\x01b"), [400], STRICTER),
    Case("DEL in a value", head(b"foo: a\x7fb"), [400], STRICTER),
    Case("space in a name", head(b"foo bar: baz")),
    Case("garbage in cookies", head(b"Set-Cookie: ___utmvafIumyLc=kUd\x01UpAt; path=/"), [400], STRICTER),
    Case("strange name", head(b"!#$%&'*+-.^_`|~0aZ: x")),
    *(Case(f"{bad!r} in the target", get(b"HEAD /" + bad + b" HTTP/1.1")) for bad in (b"\x00", b"\x7f", b"\xee")),
    Case("space in the target", get(b"HEAD /\x20x HTTP/1.1")),
    Case("length", head(b"Content-Length: 10") + b"0123456789"),
    Case("length of nothing", head(b"Content-Length: 0")),
    Case("length that is none", head(b"Content-Length: asdf")),
    Case("length with a letter", head(b"Content-Length: 1x") + b"a"),
    Case("two lengths", head(b"Content-Length: 1", b"Content-Length: 2") + b"ab"),
    Case("the same length twice", head(b"Content-Length: 0", b"Content-Length: 0"), [400], STRICTER),
    Case("the same length in one header", head(b"Content-Length: 0 , 0"), [400], STRICTER),
    Case("two lengths in one header", head(b"Content-Length: 1 , 1,2") + b"a"),
    Case("length of 21 digits", head(b"Content-Length: " + b"1" * 21)),
    Case("chunked", chunks(b"5\r\n01234\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n")),
    Case("chunks with a trailer", chunks(b"5\r\n01234\r\n0\r\nSome: header\r\n\r\n")),
    Case("chunk sizes in both cases", chunks(b"aA\r\n" + b"x" * 0xAA + b"\r\n0\r\n\r\n")),
    Case("a chunk size of 100 digits", chunks(b"9" * 100 + b"\r\nxxx")),
    Case("NUL in a chunk size", chunks(b"10\x00\r\nxxx")),
    Case("chunk extensions", chunks(b'5;hello=there\r\nxxxxx\r\n0;random="junk";some=more;canbe=lonnnnngg\r\n\r\n')),
    Case("space before a chunk extension", chunks(b"5; hello=there\r\nxxxxx\r\n0\r\n\r\n"), [400], STRICTER),
    Case("white space behind a chunk size", chunks(b"5   \t \r\n01234\r\n0\r\n\r\n"), [400], STRICTER),
    Case("a chunk that is too long", chunks(b"3\r\nxxx__1a\r\n")),
    Case("a chunk ended by CR and a letter", chunks(b"3\r\nxxx\r_1a\r\n")),
    Case("a chunk ended by a letter and LF", chunks(b"3\r\nxxx_\n1a\r\n")),
    Case("chunked in odd case", coded(b"cHuNkEd")),
    Case("gzip alone", coded(b"gzip", raw=b""), [400], "without chunks at the end the body has no end: RFC 9112, 6.3"),
    Case("chunked, then gzip", coded(b"chunked", b"gzip"), [400], "chunks have to come last: RFC 9112, 6.3"),
    Case("two requests and an unfinished one", GET * 2 + b"GET /3"),
    Case("pipelined bodies", (head(b"Content-Length: 5") + b"12345") * 2 + GET),
    Case("behind a last request", head(b"Connection: close", line=b"GET / HTTP/1.1") + GET),
    Case("behind a request of HTTP/1.0", OLD + b"\r\n" + GET),
    Case("expecting to continue", head(b"Expect: 100-continue", b"Content-Length: 2") + b"ab"),
    Case("expecting it in HTTP/1.0", OLD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab"),
    Case("an upgrade with a body", head(b"Content-Length: 1", b"Upgrade: a, b", b"Connection: upgrade") + b"1" + GET),
    Case("an upgrade without Connection", head(b"Content-Length: 1", b"Upgrade: a, b") + b"1" + GET),
    Case("gibberish", b"gibberish\r\n\r\n"),
    Case("gibberish without an end", b"\x00"),
    Case("a space", b" "),
    Case("TLS", b"\x16\x03\x01\x00\xa5"),
    Case("an endless header", OLD + b"Endless: " + b"a" * 40_000),
    Case("an unfinished body", head(b"Content-Length: 100") + b"12345"),
    Case("an unfinished chunk", chunks(b"8\r\n012345")),
    Case("nothing", b""),
    Case("line ends", b"\r\n\r\n", [], EMPTY_LINES),
    # llhttp: connection, content-length, finish, invalid
    Case("kept alive twice", head(b"Connection: keep-alive") * 2),
    Case(
        "line end between requests",
        head(b"Content-Length: 4") + b"q=42\r\n" + GET,
        [("POST", b"q=42"), ("GET", b"")],
        EMPTY_LINES,
    ),
    Case("CR as a dash", head(b"Connection: keep\ralive")),
    Case("close and a tab", head(b"Connection: close\t") + GET),
    Case("many tokens", head(b"Connection: close, token, upgrade, token, keep-alive")),
    Case("keep-alive, upgrade", head(b"Connection: keep-alive, upgrade", b"Upgrade: WebSocket") + GET),
    Case(
        "space before Connection's colon", head(b"Connection : upgrade", b"Content-Length: 4", b"Upgrade: ws") + b"abcd"
    ),
    Case("an upgrade of nothing", head(*UPGRADE)),
    Case("an upgrade, a body, a request", head(*UPGRADE, b"Content-Length: 4") + b"abcd" + GET),
    Case(
        "an upgrade to HTTP/2.0",
        head(b"Connection: Upgrade", b"Upgrade: HTTP/2.0", b"Content-Length: 3") + b"abc" + GET,
    ),
    Case("an upgrade in chunks", head(*UPGRADE, b"Transfer-Encoding: chunked") + b"3\r\nabc\r\n0\r\n\r\n" + GET),
    Case("zeroes before a length", head(b"Content-Length: 003") + b"abc"),
    Case("zeroes and another header", head(b"Content-Length: 003", b"Ohai: world") + b"abc"),
    Case("length of 22 digits", head(b"Content-Length: 1000000000000000000000")),
    Case(
        "length and identity",
        head(b"Content-Length: 1", b"Transfer-Encoding: identity") + b"a",
        [400],
        "both: 400 first",
    ),
    Case("space before the length's colon", head(b"Content-Length : 4") + b"abcd"),
    Case("spaces around a length", head(b"Content-Length:  2 ") + b"ab"),
    Case("tabs around a length", head(b"Content-Length:\t2\t  ") + b"ab"),
    Case("space within a length", head(b"Content-Length: 4 2")),
    Case("an empty length", head(b"Content-Length:")),
    Case("CR in a name", head(b"Content\rLength: 3") + b"abc"),
    Case(
        "CR and no LF before the body",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\rabc",
        [400],
        "h11 waits for a line end that changes nothing any more",
    ),
    Case("an unfinished head", b"PUT / HTTP/1.1\r\nContent-Leng"),
    Case("ICE and GET", get(b"GET /music ICE/1.0")),
    Case("no protocol", get(b"GET /music IHTTP/1.0")),
    Case("RTSP and PUT", get(b"PUT /music RTSP/1.0")),
    Case("ANNOUNCE", get(b"ANNOUNCE /music HTTP/1.0"), [400], METHODS),
    Case("headers parted by CR", head(b"Foo: 1\rBar: 2")),
    Case("headers parted by LF", head(b"x:x\nTransfer-Encoding: chunked") + b"1\r\nA\r\n0\r\n\r\n", [400], STRICTER),
    Case(
        "headers parted by CR and a letter", b"GET / HTTP/1.1\r\nHost: a\r\n\rZGET /evil: HTTP/1.1\r\nHost: a\r\n\r\n"
    ),
    Case("an empty header ended by CR", head(b"x:\rTransfer-Encoding: chunked") + b"1\r\nA\r\n0\r\n\r\n"),
    Case(
        "an empty header ended by LF", head(b"x:\nTransfer-Encoding: chunked") + b"1\r\nA\r\n0\r\n\r\n", [400], STRICTER
    ),
    Case("a letter that no method has", get(b"G\x01T / HTTP/1.1")),
    Case("no method", get(b"/ HTTP/1.1")),
    Case("at sign in a name", head(b"Fo@: Failure")),
    Case("a longer method than one that is known", get(b"MKCOLA / HTTP/1.1"), [400], METHODS),
    Case("a folded name", b"GET / HTTP/1.1\r\nHost: a\r\nname\r\n : value\r\n\r\n"),
    Case("a corrupted name", head(b"Connection\r\x1b5\xd5eep-Alive", b"Accept-Encoding: gzip")),
    Case("a missing CR", head(b"Dummy: x\nContent-Length: 37") + head(b"Dummy: y"), [400], STRICTER),
    Case("a space behind the first line", b"GET / HTTP/1.1\r\n Host: foo\r\n\r\n"),
    Case("a space before a length", head(b"Foo: bar", b" Content-Length: 38") + GET, [400], STRICTER),
    Case("LF throughout", chunks(b"1\r\nA\r\n0\r\n\r\n").replace(b"\r\n", b"\n"), [400], STRICTER),
    Case("LF in chunks", chunks(b"1\nA\n0\n\n"), [400], "h11 waits for line ends that change nothing any more"),
    Case("a form feed in a value", head(b"Header1: hello\fworld")),
    Case("comma in a name", head(b"a,b: c")),
    Case("no digit", get(b"GET / HTTP/1.")),
    Case("letters for a version", get(b"GET / HTTP/a.b")),
    Case("no dot", get(b"GET / HTTP/1")),
    Case("version 01.1", get(b"GET / HTTP/01.1")),
    Case("version 1.10", get(b"GET / HTTP/1.10")),
    *(
        Case(f"version {version.decode()}", get(b"GET / HTTP/" + version), [505], "h11 reads every version as its own")
        for version in (b"0.9", b"1.2", b"2.0", b"3.0", b"5.6", b"9.9")
    ),
    Case("no version", b"GET /\r\n\r\n", [505], "that is HTTP/0.9"),
    # llhttp: method, pipelining, sample, uri
    *(
        Case(method.decode(), get(method + b" / HTTP/1.1"))
        for method in (b"REPORT", b"M-SEARCH", b"PURGE", b"SEARCH", b"LINK", b"UNLINK", b"SOURCE", b"QUERY", b"OPTIONS")
    ),
    Case("PATCH", head(b'If-Match: "e0023aa4e"', b"Content-Length: 10", line=b"PATCH /f HTTP/1.1") + b"cccccccccc"),
    Case("a method of ours", get(b"FROBNICATE / HTTP/1.1"), [400], METHODS),
    Case("method in small letters", get(b"get / HTTP/1.1"), [400], METHODS),
    Case("CONNECT", head(line=b"CONNECT a:443 HTTP/1.1") + GET, [501], "there is no tunnel to open"),
    Case("CONNECT with a body", head(b"Content-Length: 3", line=b"CONNECT a:1 HTTP/1.0") + b"abc", [501], "as before"),
    Case("ICE and SOURCE", get(b"SOURCE /music ICE/1.0"), [("SOURCE", b"")], PROTOCOL),
    Case("RTSP and OPTIONS", get(b"OPTIONS /music RTSP/1.0"), [("OPTIONS", b"")], PROTOCOL),
    Case("HTTP/2's beginning", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [505], "h11 reads every version as its own"),
    Case("HTTP/2's beginning in HTTP/1.1", get(b"PRI * HTTP/1.1") + b"SM\r\n\r\n", [400], METHODS),
    Case("three bodies", b"".join(head(b"Content-Length: %d" % n) + b"A" * n for n in (3, 4, 5))),
    Case("tab before a value", head(b"Header2:\t Value2")),
    Case("Host of a strange client", b"GET / HTTP/1.1\r\nHost: 0.0.0.0=5000\r\n\r\n", [400], "that names no host"),
    Case("DUMBPACK", head(b"aaaaaaaaaaaaa:++++++++++")),
    Case("line end first", b"\r\n" + GET, [("GET", b"")], EMPTY_LINES),
    Case("CR alone behind the version", b"GET / HTTP/1.1\rHost: a\r\n\r\n"),
    Case("UTF-8 in a value", head("Test: Düsseldorf".encode())),
    Case("quotes in the target", get(b'GET /with_"lovely"_quotes?foo=\\"bar\\" HTTP/1.1')),
    Case("two question marks", get(b"GET /test.cgi?foo=bar?baz HTTP/1.1")),
    Case("an absolute target", get(b"GET http://hypnotoad.org:1234/?hail=all HTTP/1.1")),
    Case("a bar in the query", get(b"GET /test.cgi?query=| HTTP/1.1")),
    Case("an underscore in the host", get(b"GET http://hypno_toad.org:1234/ HTTP/1.1")),
    Case("a port behind spaces", get(b"GET http://hypnotoad.org: 1234 HTTP/1.1")),
    Case("an absolute target without a path", get(b"GET http://hypnotoad.org?hail=all HTTP/1.1")),
    Case("an absolute target without anything", get(b"GET http://hypnotoad.org:1234 HTTP/1.1")),
    Case("an absolute target with a password", get(b"GET http://a%12:b!&*$@hypnotoad.org:1234/toto HTTP/1.1")),
    Case("UTF-8 in the target", get("GET /δ¶/δt/pope?q=1#narf HTTP/1.1".encode())),
    Case("a fragment", get(b"GET /forums/1/topics/2375?page=1#posts-17408 HTTP/1.1")),
    Case("two spaces", b"GET  /  HTTP/1.1\r\nHost: a\r\n\r\n", [("GET", b"")], "RFC 9112, 3: a server may read it so"),
    # llhttp: transfer-encoding
    Case("triple zero at the end", chunks(b"5\r\nhello\r\n6\r\n world\r\n000\r\n\r\n")),
    Case("two trailers", chunks(b"5\r\nhello\r\n0\r\nVary: *\r\nContent-Type: text/plain\r\n\r\n")),
    Case("a trailer that names a length", chunks(b"0\r\nContent-Length: 5\r\n\r\n") + GET, [400], STRICTER),
    Case("extensions without values", chunks(b"6;blahblah;blah\r\n world\r\n0\r\n\r\n")),
    Case("a quoted extension", chunks(b'5;ilovew3="I \\"love\\"; \\\\extensions\\\\";foo=bar\r\nhello\r\n0\r\n\r\n')),
    Case("a quote without an end", chunks(b'5;ilovew3="abc";much="def; ghi\r\nhello\r\n0\r\n\r\n'), [400], STRICTER),
    Case("no semicolon", chunks(b"2 erfrferferf\r\naa\r\n0 rrrr\r\n\r\n")),
    Case("nothing behind the semicolon", chunks(b"2;\r\naa\r\n0\r\n\r\n"), [400], STRICTER),
    Case("pigeons", coded(b"pigeons", raw=b""), [400], "without chunks at the end the body has no end: RFC 9112, 6.3"),
    Case(
        "chunks and a length",
        head(b"Transfer-Encoding: chunked", b"Content-Length: 5") + b"0\r\n\r\n" + GET,
        [400],
        STRICTER,
    ),
    Case("an empty coding", coded(b"", raw=b""), [400], "an empty one is none"),
    Case(
        "chunked, deflate", coded(b"chunked, deflate", raw=b"World"), [400], "chunks have to come last: RFC 9112, 6.3"
    ),
    Case("deflate, chunked", coded(b"deflate, chunked")),
    Case("deflate and chunked in two headers", coded(b"deflate", b"chunked")),
    Case(
        "chunkedchunked",
        coded(b"chunkedchunked"),
        [400],
        "without chunks at the end the body has no end: RFC 9112, 6.3",
    ),
    Case(
        "chunked twice",
        coded(b"chunked", b"chunked"),
        [400],
        "RFC 9112, 7.1 forbids it; nothing is missing that h11's 501 speaks of",
    ),
    Case("no last chunk", chunks(b"3\r\nfoo\r\n\r\n")),
    Case("LF in a chunk size", chunks(b"3 \n  \r\nfoo")),
    Case("a chunk size ended by two CR", chunks(b"5\r\r;ABCD\r\n34\r\nE\r\n0\r\n\r\n")),
    Case("a chunk without an end", chunks(b"5\r\nABCDE0\r\n\r\n")),
    Case("space behind a chunk size", chunks(b"a \r\n0123456789\r\n0\r\n\r\n"), [400], STRICTER),
    Case(
        "a chunk size of zeroes",
        chunks(b"0" * 30 + b"3\r\nabc\r\n0\r\n\r\n"),
        [("POST", b"abc")],
        "zeroes change no size; 32 KB of them are too many",
    ),
)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with echoing() as port:
        yield port


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_published_cases_are_read_as_h11_reads_them(port: int, case: Case) -> None:
    """The gateway reads the same requests as h11, or differs for a reason."""
    ours, theirs = by_gateway(port, case.raw), by_h11(case.raw)
    if case.why:
        assert ours == case.ours
        assert ours != theirs, "there is no difference any more"
    else:
        assert ours == theirs
