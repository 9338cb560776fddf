"""Requests that are heavy to parse, to plan or to translate, and how long others wait meanwhile."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tests.soak.processes import GatewayProcess

MODELS = ("claude/claude-haiku-4-5", "gemini/gemini-2.5-flash", "openrouter/openai/gpt-5.4-mini", "auto")
REFUSAL = orjson.dumps({"error": {"type": "invalid_request_error", "message": "no"}})
IMAGE = "data:image/png;base64,iVBORw0KGgo"
BREATH = 0.003  # seconds between two questions for /healthz


@dataclass(frozen=True, slots=True)
class Heavy:
    """Status of the answer and the slowest /healthz meanwhile, in seconds, for each case and model."""

    waits: dict[str, tuple[int, float]]

    def slowest(self, *, huge: bool) -> tuple[str, float]:
        """Of the bodies of 49 MB, or of the others, up to 18 MB."""
        names = [name for name in self.waits if name.startswith("49 MB") is huge]
        name = max(names, key=lambda name: self.waits[name][1])
        return name, self.waits[name][1]


def heavy(folder: Path, *, tries: int = 1, only: str = "") -> Heavy:
    """Each case for each model; of several tries the one that held others up least, since the machine may do other things."""
    with _sink() as upstream_port:
        gateway = GatewayProcess(folder, upstream_port=upstream_port, every_provider=True)
        try:
            waits = {}
            for name, make in CASES.items():
                body = make()
                for model in MODELS:
                    key = f"{name} to {model.partition('/')[0]}"
                    if only in key:
                        raw = orjson.dumps({"model": model, **body})
                        waits[key] = min((_measured(gateway.port, raw) for _ in range(tries)), key=lambda each: each[1])
            return Heavy(waits)
        finally:
            gateway.kill()


def _said(text: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def _image(url: str) -> dict[str, Any]:
    return _said([{"type": "image_url", "image_url": {"url": url}}])


def _file(data: str) -> dict[str, Any]:
    return _said([{"type": "file", "file": {"file_data": data, "filename": "a.txt"}}])


def _tool(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": properties}}}


def _tools(number: int, properties: int, description: str) -> list[dict[str, Any]]:
    each = {f"p{i}": {"type": "string", "description": description} for i in range(properties)}
    return [_tool(f"t{i}", each) for i in range(number)]


def _call(id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _called(calls: list[dict[str, Any]]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": calls}]}


# Bodies that did hold up the loop, and the largest that are accepted.
CASES: Mapping[str, Callable[[], dict[str, Any]]] = {
    "18 MB of ; in a data URL": lambda: _image("data:image/png" + ";" * 18_000_000),
    "18 MB image": lambda: _image(IMAGE + "A" * 18_000_001),
    "49 MB image": lambda: _image(IMAGE + "A" * 49_000_001),
    "18 MB text file": lambda: _file("data:text/plain;base64," + "QUFB" * 4_500_000),
    "1M entries of logit_bias": lambda: _said("hi") | {"logit_bias": {str(i): 1 for i in range(1_000_000)}},
    "512 tools of 200 properties": lambda: _said("hi") | {"tools": _tools(512, 200, "x" * 60)},
    "512 tools of 60 properties": lambda: _said("hi") | {"tools": _tools(512, 60, "x" * 60)},
    "20,000 illegal property names": lambda: (
        _said("hi") | {"tools": [_tool("t", {"é" * 60 + str(i): {} for i in range(15_000)})]}
    ),
    "400,000 messages": lambda: {"messages": [{"role": "user", "content": "hi"}] * 400_000},
    "10,000 messages": lambda: {"messages": [{"role": "user", "content": "word " * 300}] * 10_000},
    "20,000 parts": lambda: {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "word " * 180}] * 20_000}]
    },
    "20,000 calls of one id": lambda: _called([_call("c", "f", "{}")] * 19_000),
    "18 MB of arguments": lambda: _called([_call("c", "f", "[" + "{}," * 6_000_000 + "0]")]),
    "18 MB of words": lambda: _said("word " * 3_600_000),
    "49 MB of line ends": lambda: _said("\n" * 24_500_000),
    "49 MB of another script": lambda: _said("漢" * 16_300_000),
    "18 MB of unclosed tags": lambda: _said("<context>" * 2_000_000),
    "6M numbers": lambda: _said("hi") | {"metadata_of_mine": [0] * 6_000_000},
    "49 MB of quoted commas": lambda: _said(",[{" * 16_300_000),
}


def _measured(port: int, raw: bytes) -> tuple[int, float]:
    """The status that the request is answered with, and the slowest /healthz meanwhile."""
    status: list[int] = []
    asking = threading.Thread(target=lambda: status.append(_ask(port, raw)))
    slowest = 0.0
    with socket.create_connection(("127.0.0.1", port)) as health:
        asking.start()
        while asking.is_alive():
            began = time.perf_counter()
            health.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            health.recv(65_536)
            slowest = max(slowest, time.perf_counter() - began)
            time.sleep(BREATH)
    asking.join()
    return status[0], slowest


def _ask(port: int, raw: bytes) -> int:
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        % len(raw)
    )
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(head)
        client.sendall(raw)
        return int(client.recv(65_536).split(b" ", 2)[1])


class _sink:
    """The port of an upstream in a thread, which reads whole requests and refuses them."""

    def __enter__(self) -> int:
        self._listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        port: int = self._listening.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    @staticmethod
    def _serve(client: socket.socket) -> None:
        buffer = bytearray(1 << 20)
        with client:
            head = b""
            while piece := client.recv(65_536):
                head += piece
                if b"\r\n\r\n" not in head:
                    continue
                fields, _, begun = head.partition(b"\r\n\r\n")
                length = next(
                    int(line[15:]) for line in fields.lower().split(b"\r\n") if line.startswith(b"content-length:")
                )
                left = length - len(begun)
                while left > 0 and (came := client.recv_into(buffer, min(left, len(buffer)))):
                    left -= came
                client.sendall(
                    b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                    % (len(REFUSAL), REFUSAL)
                )
                head = b""
