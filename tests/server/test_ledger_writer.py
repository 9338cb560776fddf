"""The process that writes the ledger of several workers. `tests/store/test_crash.py` kills it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.store.workers.messages import MessageConnection, decode_newest, encode_hello

WRITER = """
import os, sys
from pathlib import Path
from gateway.server.ledger_writer import run_writer
from gateway.settings import load
from gateway.store.workers import listen_for_workers
listening = listen_for_workers(Path(sys.argv[2]))
print("listening", flush=True)
run_writer(load({"GATEWAY_DB": sys.argv[1]}), listening, needs=os.getppid() if sys.argv[3] == "parent" else 1 << 30)
"""


def writer(path: Path, folder: Path, parent: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(folder / "w"), parent]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - shown above


def test_the_process_ends_with_a_signal(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """SIGHUP has no effect on it, SIGTERM ends it with 0."""
    folder = tmp_path_factory.mktemp("w")
    with writer(tmp_path / "gateway.db", folder, "parent") as process, socket.socket(socket.AF_UNIX) as connection:
        assert process.stdout is not None
        process.stdout.readline()
        connection.connect(str(folder / "w"))
        worker = MessageConnection(connection)
        worker.send(encode_hello("a"))
        assert decode_newest(worker.receive()) == 0
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 0


def test_the_process_ends_without_its_parent(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """When the first process is gone and no worker is connected, nobody needs it."""
    with writer(tmp_path / "gateway.db", tmp_path_factory.mktemp("w"), "nobody") as process:
        assert process.wait(30) == 0
