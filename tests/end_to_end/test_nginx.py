"""Behind nginx with the configuration that people use for WebSockets: it passes `Upgrade` on and shares its connections."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.end_to_end.conftest import Served, serve
from tests.end_to_end.sockets import CHAT_BODY, exchange, post, statuses
from tests.end_to_end.test_raw_clients import CURL, HEALTH, JAVA, LAST

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
KEY = b"Authorization: Bearer a-client-key-of-the-tests\r\n"
CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 50m;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    upstream gateway {{ server {gateway}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://gateway;
            proxy_http_version 1.1;
            proxy_set_header Host localhost;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }}
    }}
}}
"""

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway that wants a key."""
    with serve(tmp_path_factory.mktemp("keyed"), GATEWAY_API_KEY="a-client-key-of-the-tests") as served:
        yield served


@pytest.fixture(scope="module")
def proxy(keyed: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an nginx in front of it."""
    folder = tmp_path_factory.mktemp("nginx")
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, gateway=urlsplit(keyed.url).netloc, port=port))
    command = [NGINX or "", "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]
    with subprocess.Popen(command) as process:  # noqa: S603 - our own words
        try:
            yield awaited(f"http://127.0.0.1:{port}", folder)
        finally:
            process.terminate()


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


def awaited(url: str, folder: Path) -> str:
    for _ in range(200):
        with suppress(httpx2.HTTPError):
            httpx2.get(f"{url}/healthz")
            return url
        time.sleep(0.02)
    pytest.fail((folder / "error.log").read_text())


@pytest.mark.parametrize("size", [0, 400_000])
def test_body_behind_nginx_is_never_read_as_a_request(proxy: str, keyed: Served, size: int) -> None:
    """A body that looks like a paid request reaches no upstream, and nobody else gets an answer to it."""
    asked = keyed.rows()
    body = b"\r\n" * (size // 2) + post(headers=KEY)
    for _ in range(2):
        outer = exchange(proxy, post(body, headers=b"Connection: Upgrade\r\nUpgrade: x\r\n"))
        assert statuses(outer) == [401]
        for _ in range(3):
            assert exchange(proxy, LAST).endswith(b'{"status":"ok"}')
    assert keyed.rows() == asked


@pytest.mark.parametrize("head", [JAVA, CURL], ids=["HttpClient", "curl"])
def test_http2_offer_is_answered_through_nginx(proxy: str, head: bytes) -> None:
    """Clients that offer HTTP/2 get their answer through it too."""
    head = head.replace(b"Authorization: Bearer x\r\n", b"").replace(b"Content-Length", KEY + b"Content-Length")
    raw = exchange(proxy, head % (len(CHAT_BODY), CHAT_BODY))
    assert statuses(raw) == [200]
    assert b'"chat.completion"' in raw


def test_websocket_request_gets_an_ordinary_answer_through_nginx(proxy: str) -> None:
    """Who asks for a WebSocket gets an ordinary answer, and the connection stays in use."""
    socket_head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    key = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    assert statuses(exchange(proxy, socket_head + key, HEALTH)) == [200, 200]
