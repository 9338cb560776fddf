"""Upstreams on loopback sockets that do exactly what a script says, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.completion import UpstreamRequest
from gateway.transport import Sink, Timeouts, UpstreamResponse

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"

PATIENT = Timeouts(connect=2, first_byte=2, idle=2, total=4)


def chat(url: str, **json: Any) -> UpstreamRequest:
    """A request whose key and URL query must not show in any message."""
    return UpstreamRequest(
        provider="claude",
        model="m",
        url=url,
        headers={"X-Api-Key": "sk-secret"},
        json=json or {"hello": "wörld"},
        stream=True,
    )


async def pieces(response: UpstreamResponse) -> list[bytes]:
    """What is left of the body, as it arrives."""
    found = []
    while piece := await response.read_chunk():
        found.append(piece)
    return found


def keeping(come: list[bytes]) -> Sink:
    """What every piece is poured into."""

    def into(piece: bytes) -> bool:
        come.append(piece)
        return True

    return into


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def request(self) -> bytes:
        """The next request, head and body, as it came."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        return head + (await self._reader.readexactly(int(length[1])) if length else b"")

    async def send(self, data: bytes) -> None:
        if self._writer.is_closing():
            raise ConnectionResetError("the client has left")
        self._writer.write(data)
        await self._writer.drain()

    async def gone(self) -> None:
        """Wait until the client has closed its end."""
        try:
            while await self._reader.read(65536):
                pass
        except ConnectionError:
            return

    def reset(self) -> None:
        """Send RST instead of FIN."""
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


class Server:
    """Where a scripted upstream listens and how many connections it was given; `arrived` and `ended` count them for those who wait."""

    def __init__(self, port: int, *, scheme: str, host: str) -> None:
        self.url = f"{scheme}://{host}:{port}/v1/chat?key=in-url"
        self.connections = 0
        self.arrived = asyncio.Semaphore(0)
        self.ended = asyncio.Semaphore(0)


@contextlib.asynccontextmanager
async def serve(script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[Server]:
    """Run `script` for each connection; the connection ends with FIN when the script ends."""
    running: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        server.connections += 1
        server.arrived.release()
        try:
            await script(Peer(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
            server.ended.release()
            running.discard(task)

    listener = await asyncio.start_server(accept, host, 0, ssl=tls)
    server = Server(
        listener.sockets[0].getsockname()[1],
        scheme="https" if tls else "http",
        host=f"[{host}]" if ":" in host else host,
    )
    try:
        yield server
    finally:
        listener.close()
        for task in tuple(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def says(*answers: bytes) -> Script:
    """Answer each request on a connection with the next of `answers`, the last one again and again."""

    async def script(peer: Peer) -> None:
        waiting = list(answers)
        while True:
            await peer.request()
            await peer.send(waiting.pop(0) if len(waiting) > 1 else waiting[0])

    return script


def says_and_leaves(answer: bytes) -> Script:
    """Answer one request, then FIN."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)

    return script


def says_and_hangs(answer: bytes) -> Script:
    """Answer so much, then nothing, until the client leaves."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)
        await peer.gone()

    return script


def says_and_drips(head: bytes, piece: bytes) -> Script:
    """Answers with `head`, then with the same piece again and again, until the client leaves."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(head)
        while True:
            await peer.send(piece)
            await asyncio.sleep(0.01)

    return script


def says_and_resets(answer: bytes) -> Script:
    """Answer so much, then RST once the client has had time to read it."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)
        await asyncio.sleep(0.02)  # an RST at once would make the kernel throw away what was sent
        peer.reset()

    return script


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def self_signed(folder: Path, *, host: str = "127.0.0.1", days: int = 1) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS context for `host` and the CA file to trust it by; expired when `days` is negative."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"simulated upstream {host}")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([_name(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "cert.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return context, certificate_file
