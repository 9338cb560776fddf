"""The processes of a run: a gateway in front of the mock upstream, and what Linux knows of their CPU and memory."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

START_WITHIN = 30.0  # seconds


class RunningGateway(NamedTuple):
    """`start` is the microseconds until it listened."""

    pid: int
    port: int
    start: float

    def cpu_seconds(self) -> float:
        """User and system time of the process with all its threads, from Linux's /proc."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self) -> float:
        """Kilobytes in memory, from Linux's /proc."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1024


@contextmanager
def upstream() -> Iterator[int]:
    """The port of a mock upstream."""
    port = _port()
    with _process("-m", "benchmarks.speed.upstream", str(port)):
        _wait(port)
        yield port


@contextmanager
def gateway(ledger: Path, upstream_port: int, *, module: str = "gateway") -> Iterator[RunningGateway]:
    """A gateway on this ledger. `module` is what runs its command line."""
    port, began = _port(), time.monotonic()
    address = f"http://127.0.0.1:{upstream_port}"
    arguments = ("-m", module, "serve", "--port", str(port), "--db", str(ledger))
    with _process(*arguments, ANTHROPIC_BASE_URL=address, OPENROUTER_BASE_URL=f"{address}/v1") as pid:
        _wait(port)
        yield RunningGateway(pid, port, (time.monotonic() - began) * 1e6)


@contextmanager
def _process(*arguments: str, **variables: str) -> Iterator[int]:
    keys = {"ANTHROPIC_API_KEY": "x", "OPENROUTER_API_KEY": "x"}
    process = subprocess.Popen(  # noqa: S603 - our own modules
        [sys.executable, *arguments],
        env={**os.environ, **keys, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _wait(port: int) -> None:
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise RuntimeError(f"nothing listens on port {port} after {START_WITHIN:g} s")
