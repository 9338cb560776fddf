"""The command line."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from urllib.request import urlopen

from click.testing import CliRunner

from llm_simulator.__main__ import main
from llm_simulator.faults import FAULTS


def test_help_lists_every_fault() -> None:
    """`--help` names each fault and marker."""
    text = CliRunner().invoke(main, ["--help"]).output
    for fault in FAULTS.values():
        assert f"  {fault.name} " in text
    for word in ("[[say:TEXT]]", "[[tokens:N]]", "/_simulator/requests", "--chunk-delay"):
        assert word in text


def test_port_in_use() -> None:
    """A port that is taken ends the program with an error."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = CliRunner().invoke(main, ["--port", str(taken.getsockname()[1])])
    assert "GEMINI_BASE_URL=" in result.output
    assert result.exit_code != 0


def test_serve_and_stop() -> None:
    """It prints the base URLs, serves, and ends at the first SIGTERM."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "llm_simulator", "--port", str(port), "--gemini-key", "k"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
        assert process.stdout
        lines = [process.stdout.readline().strip() for _ in range(3)]
        assert lines[2] == f"OPENROUTER_BASE_URL=http://127.0.0.1:{port}/api/v1"
        while process.poll() is None:
            try:
                urlopen(f"http://127.0.0.1:{port}/_simulator/faults").close()
                break
            except OSError:
                continue
        process.send_signal(signal.SIGTERM)
        assert process.wait() in (0, -signal.SIGTERM)
