"""`python -m benchmarks.request_walk`: how far one warm request walks through the code.

For a whole and a streamed request, to `auto` and to a named model, it counts the calls of functions of the gateway on the
event loop's thread, the distinct functions and modules, and how often a call is in another module than the call before.
The gateway serves in this process on loopback; the simulated vendors run in a process of their own and are not counted.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

from gateway.cli import main as gateway_command

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = str(ROOT / "gateway") + os.sep
NAMED = "claude/claude-haiku-4-5"
WARM_UP = 12  # requests of each kind before one is counted
KINDS = (("auto", False), ("auto", True), (NAMED, False), (NAMED, True))


class CallCounter:
    """Counts calls between `start` and `stop`, on the thread that runs them."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []  # file and function

    def start(self) -> None:
        self.calls = []
        sys.setprofile(self._on_event)

    def stop(self) -> None:
        sys.setprofile(None)

    def _on_event(self, frame: FrameType, event: str, _argument: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE):
            self.calls.append((code.co_filename, code.co_qualname))

    def row(self) -> dict[str, int]:
        """The figures of what was counted."""
        files = [file for file, _ in self.calls]
        return {
            "calls": len(self.calls),
            "functions": len(set(self.calls)),
            "modules": len(set(files)),
            "changes": sum(before != after for before, after in pairwise(files)),
        }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(150):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"nothing listens on port {port}")


def ask(port: int, model: str, *, stream: bool, number: int) -> None:
    """One request, with one of three prompts; returns once the answer is whole."""
    prompt = f"Explain in a few sentences how index {number % 3} of a database table speeds up queries."
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": prompt}]}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        answer.read()


def measure(port: int, counter: CallCounter) -> None:
    """Ask, count and print; ends the process's gateway."""
    try:
        wait_for(port)
        sys.stdout.write("| request | calls | functions | modules | changes of module |\n|---|---:|---:|---:|---:|\n")
        for model, stream in KINDS:
            for number in range(WARM_UP):
                ask(port, model, stream=stream, number=number)
            time.sleep(1.0)  # learning and commits of the warm-up
            os.kill(os.getpid(), signal.SIGUSR1)
            time.sleep(0.02)
            ask(port, model, stream=stream, number=WARM_UP)
            os.kill(os.getpid(), signal.SIGUSR2)  # what learns from the answer begins later
            time.sleep(0.2)
            row = counter.row()
            sys.stdout.write(
                f"| `{model}`, {'stream' if stream else 'whole'} | " + " | ".join(map(str, row.values())) + " |\n"
            )
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def run() -> None:
    port, vendors = free_port(), free_port()
    base = f"http://127.0.0.1:{vendors}"
    command = [sys.executable, "-m", "llm_simulator", "--port", str(vendors)]
    counter = CallCounter()
    signal.signal(signal.SIGUSR1, lambda *_: counter.start())
    signal.signal(signal.SIGUSR2, lambda *_: counter.stop())
    with (
        tempfile.TemporaryDirectory() as folder,
        open(Path(folder) / "log", "w") as log,
        subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log) as simulator,  # noqa: S603 - our own module
    ):
        wait_for(vendors)
        os.environ |= {
            "GEMINI_BASE_URL": base,
            "ANTHROPIC_BASE_URL": base,
            "OPENROUTER_BASE_URL": f"{base}/api/v1",
            **dict.fromkeys(("GEMINI_API_KEY", "ANTHROPIC_API_KEY", "OPENROUTER_API_KEY"), "simulated"),
        }
        stderr, sys.stderr = sys.stderr, log
        threading.Thread(target=measure, args=(port, counter), daemon=True).start()
        try:
            arguments = ["serve", "--port", str(port), "--db", str(Path(folder) / "walk.db")]
            gateway_command(arguments, standalone_mode=False)
        finally:
            sys.stderr = stderr
            simulator.terminate()


if __name__ == "__main__":
    run()
