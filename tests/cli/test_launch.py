"""What `serve` and `demo` check before they serve."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from gateway.cli.launch import tell_ready
from tests.cli.conftest import KEYS, Invoke


@pytest.mark.parametrize("arguments", [("serve",), ("serve", "--workers", "2"), ("demo",)], ids=" ".join)
def test_a_port_that_is_in_use(invoke: Invoke, arguments: tuple[str, ...]) -> None:
    """A taken port is one sentence that says what to change, before anything else is printed, and exit status 1."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = invoke(*arguments, "--port", str(port), **KEYS)
    assert result.exit_code == 1
    assert result.output == (
        f"Error: Port {port} of 127.0.0.1 is in use by another program: choose another with --port or GATEWAY_PORT.\n"
    )


def test_an_address_that_is_not_here(invoke: Invoke) -> None:
    """An address of another machine is one sentence too."""
    result = invoke("serve", "--host", "192.0.2.1", **KEYS, GATEWAY_API_KEY="k" * 20)
    assert result.exit_code == 1
    assert "Error: Port 8000 of 192.0.2.1 cannot be listened on" in result.output
    assert "--host or GATEWAY_HOST" in result.output


def test_serve_ends_with_the_reason_for_an_unusable_ledger(invoke: Invoke, tmp_path: Path) -> None:
    """A ledger that cannot be opened ends the start with the reason."""
    result = invoke("serve", "--db", str(tmp_path / "absent" / "gateway.db"), **KEYS)
    assert result.exit_code == 1
    assert "cannot be opened" in result.output


def test_too_few_open_files_lower_the_concurrency() -> None:
    """A process that may not open enough files takes fewer requests at once, and says so."""
    script = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
from gateway.cli.launch import within_open_files
from gateway.settings import load
print(within_open_files(load({})).limits.in_flight)
"""
    ended = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)  # noqa: S603 - shown above
    assert ended.stdout == "64\n"
    assert "warning: this process may have 300 files open" in ended.stderr


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_person_is_told_where_to_go() -> None:
    """On a terminal a last plain line has the address; a log file has JSON only."""
    with redirect_stderr(Terminal()) as shown:
        tell_ready("http://127.0.0.1:8000")
    with redirect_stderr(io.StringIO()) as logged:
        tell_ready("http://127.0.0.1:8000")
    assert "Ready: http://127.0.0.1:8000/ is the dashboard" in shown.getvalue()
    assert logged.getvalue() == ""


def test_workers_need_a_socket_for_their_ledger(tmp_path: Path) -> None:
    """Where the folder for temporary files has too long a path for a socket, the start ends with what to do."""
    folder = tmp_path / ("long" * 20)
    folder.mkdir()
    environment = {**os.environ, **KEYS, "TMPDIR": str(folder), "GATEWAY_DB": str(tmp_path / "gateway.db")}
    command = [sys.executable, "-m", "gateway", "serve", "--workers", "2", "--port", "0"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)  # noqa: S603 - our own module
    assert ended.returncode == 1
    assert "set TMPDIR to a folder of your own with a short path" in ended.stderr
    assert not list(folder.iterdir())
