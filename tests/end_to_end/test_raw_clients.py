"""Clients that speak HTTP/1.1 by themselves, friendly and hostile, at a gateway on a real port."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator

import httpx2
import pytest

from tests.end_to_end.conftest import Served, serve
from tests.end_to_end.sockets import CHAT_BODY, connect, exchange, post, statuses

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
# As they come from the clients: java.net.http.HttpClient of OpenJDK 17 and curl 7.88 with --http2, both by default.
JAVA = (
    b"POST /v1/chat/completions HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: %d\r\n"
    b"Host: 127.0.0.1:8000\r\nHTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\nUpgrade: h2c\r\n"
    b"User-Agent: Java-http-client/17.0.15\r\nAuthorization: Bearer x\r\nContent-Type: application/json\r\n\r\n%b"
)
CURL = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n"
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
    b"Content-Length: %d\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n%b"
)


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway that wants a key."""
    with serve(tmp_path_factory.mktemp("keyed"), GATEWAY_API_KEY="a-client-key-of-the-tests") as served:
        yield served


@pytest.mark.parametrize("head", [JAVA, CURL], ids=["HttpClient", "curl"])
def test_http2_offer_is_answered_over_http1(served: Served, head: bytes) -> None:
    """Clients that offer HTTP/2 with each request get an answer to it."""
    raw = exchange(served.url, head % (len(CHAT_BODY), CHAT_BODY))
    assert statuses(raw) == [200]
    assert b'"chat.completion"' in raw


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_with_http2_is_answered(served: Served) -> None:
    """`curl --http2` gets its answer."""
    url = f"{served.url}/v1/chat/completions"
    command = [shutil.which("curl") or "", "-s", "--http2", "-m", "10", url, "-d", CHAT_BODY.decode()]
    asked = subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - our own words
    assert b'"chat.completion"' in asked.stdout


@pytest.mark.parametrize("size", [0, 300_000])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunks"])
def test_a_body_is_never_a_request(keyed: Served, size: int, chunked: bool) -> None:
    """A body that looks like a request behind an upgrade's head is not answered: one answer to one request, also without a key."""
    body = b"\r\n" * (size // 2) + HEALTH
    upgrade = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: x\r\n"
    framing = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" if chunked else b"Content-Length: %d\r\n\r\n"
    head = upgrade + framing % len(body)
    rest = body + (b"\r\n0\r\n\r\n" if chunked else b"")
    for segments in ([head + rest + LAST], [head, rest + LAST], [head, rest[:9], rest[9:] + LAST]):
        assert statuses(exchange(keyed.url, *segments)) == [401, 200]


def test_connect_is_refused_and_what_follows_is_not_read(served: Served) -> None:
    """CONNECT opens nothing: it is refused, and what follows is not read."""
    raw = exchange(served.url, b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost:1\r\n\r\n" + HEALTH)
    assert statuses(raw) == [501]


def test_half_closed_client_gets_all_its_answers(served: Served) -> None:
    """A client that ends its side after its request, as `nc -N` does, gets its answer, and all answers to requests sent ahead."""
    streamed = CHAT_BODY.replace(b'{"model"', b'{"stream":true,"model"')
    assert statuses(exchange(served.url, HEALTH, ends=True)) == [200]
    raw = exchange(served.url, post(), ends=True)
    assert statuses(raw) == [200]
    assert b'"chat.completion"' in raw
    assert raw.count(b"HTTP/1.1") == 1
    assert exchange(served.url, post(streamed), ends=True).endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")
    assert statuses(exchange(served.url, HEALTH + post() + HEALTH, ends=True)) == [200, 200, 200]
    old = post().replace(b"HTTP/1.1", b"HTTP/1.0")
    assert statuses(exchange(served.url, old, ends=True)) == [200]
    assert statuses(exchange(served.url, HEALTH + b"nonsense\r\n\r\n", ends=True)) == [200, 400]


def test_incomplete_request_of_a_half_closed_client_is_unanswered(served: Served) -> None:
    """Of a request that will never be whole there is no answer, but to those before it."""
    assert exchange(served.url, post()[:-1], ends=True) == b""
    assert exchange(served.url, HEALTH[:-1], ends=True) == b""
    assert statuses(exchange(served.url, HEALTH + post()[:-1], ends=True)) == [200]


@pytest.mark.parametrize("number", [100, 150, 1000])
def test_first_hundred_pipelined_requests_are_answered(served: Served, number: int) -> None:
    """However many requests a client sends ahead, the first hundred are answered, in order."""
    raw = exchange(served.url, HEALTH * number)
    assert len(statuses(raw)) >= 100
    assert set(statuses(raw)) == {200}


def test_garbage_after_a_request_keeps_its_answer(served: Served) -> None:
    """Garbage behind a request does not take the place of its answer."""
    assert statuses(exchange(served.url, post() + b"\x16\x03\x01\x00\xa5\x01")) == [200, 400]


def test_the_key_is_checked_before_the_body(keyed: Served) -> None:
    """A stranger is refused by the head alone, and reads the refusal even when it has sent all of its body already."""
    for path in ("/v1/chat/completions", "/v1/route", "/v1/feedback"):
        head, _, body = post(b"x" * 3_000_000, path=path).partition(b"\r\n\r\n")
        assert statuses(exchange(keyed.url, head + b"\r\n\r\n")) == [401]
        assert statuses(exchange(keyed.url, head + b"\r\n\r\n" + body + LAST)) == [401, 200]
        old = head.replace(b"HTTP/1.1", b"HTTP/1.0")
        assert statuses(exchange(keyed.url, old + b"\r\n\r\n" + body)) == [401]


def test_strangers_do_not_fill_the_memory(keyed: Served) -> None:
    """What a client without a key sends ahead stays in the network while it reads no answers."""
    waiting = post(b"x" * 60_000) * 100
    with connect(keyed.url) as client:
        client.setblocking(False)
        sent = 0
        try:
            while True:
                sent += client.send(waiting[sent % len(waiting) :])
        except BlockingIOError:
            pass
        time.sleep(0.1)
        assert httpx2.get(f"{keyed.url}/healthz").status_code == 200
        assert sent < 20_000_000  # the sockets' buffers
